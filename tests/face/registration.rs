//! Names, and who is meant by them.

use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{BuildError, StepTemplate, Template, Version};

use crate::world::{World, on_every_backend};
use crate::{Join, Window, run, run_built};

on_every_backend! {
    the_whole_path_tells_them_apart_and_typed_workflows_never_look
    handlers_inside_tests_never_disturb_each_other
    handlers_inside_tests_never_disturb_each_other_indeed
}

mod one {
    use tasker::prelude::*;
    #[step]
    pub(crate) async fn send_email() -> StepResult<u64> {
        Ok(1)
    }
}
mod two {
    use tasker::prelude::*;
    #[step]
    pub(crate) async fn send_email() -> StepResult<u64> {
        Ok(2)
    }
}

fn template(handler: &str) -> Template {
    let mut template = Template::new("tests", "mail", Version(1, 0, 0));
    template.step_templates = vec![StepTemplate::new("send", handler)];
    template
}

#[test]
fn a_doubled_name_is_refused_where_it_is_used_with_both_places() {
    let errors = Definition::from_template(template("send_email"), &Handlers::linked()).unwrap_err().errors;
    let [BuildError::DuplicateHandler { places, .. }] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!(places.len(), 2);
    for (module, place) in ["one", "two"].iter().zip(places) {
        assert!(
            place.contains(&format!("::{module}::send_email")) && place.contains("registration.rs:"),
            "{place}"
        );
    }
}

async fn the_whole_path_tells_them_apart_and_typed_workflows_never_look(world: World) {
    let path = format!("{}::two::send_email", module_path!());
    let definition = Definition::from_template(template(&path), &Handlers::linked()).unwrap();
    assert_eq!(run_built(&world, &definition, json!({})).await.output_of::<u64>("send").unwrap(), 2);

    #[derive(Workflow)]
    #[workflow(context = Value, steps(one = one::SendEmail, two = two::SendEmail))]
    struct Both;
    let report = run::<Both>(&world, json!({})).await;
    assert_eq!(report.output::<one::SendEmail>().unwrap() + report.output::<two::SendEmail>().unwrap(), 3);
}

#[test]
fn an_unknown_name_tells_the_near_ones() {
    let errors = Definition::from_template(template("send_emial"), &Handlers::linked()).unwrap_err().errors;
    let [BuildError::UnknownHandler { nearest, .. }] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!(nearest.as_deref(), Some("send_email"));
}

#[test]
fn the_same_handler_twice_is_one() {
    let handlers = Handlers::linked().with::<one::SendEmail>().with::<Join>();
    assert!(Definition::from_template(template("join"), &handlers).is_ok());
}

async fn handlers_inside_tests_never_disturb_each_other(world: World) {
    #[step]
    async fn local(window: Context<Window>) -> StepResult<u64> {
        Ok(window.rows)
    }
    #[derive(Workflow)]
    #[workflow(context = Window, steps(Local))]
    struct Here;
    assert_eq!(run::<Here>(&world, Window { rows: 1 }).await.output::<Local>().unwrap(), 1);
}

async fn handlers_inside_tests_never_disturb_each_other_indeed(world: World) {
    #[step]
    async fn local(window: Context<Window>) -> StepResult<u64> {
        Ok(window.rows + 1)
    }
    #[derive(Workflow)]
    #[workflow(context = Window, steps(Local))]
    struct Here;
    assert_eq!(run::<Here>(&world, Window { rows: 1 }).await.output::<Local>().unwrap(), 2);
    assert!(Definition::from_template(template("local"), &Handlers::linked()).is_err());
}
