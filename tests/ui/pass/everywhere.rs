//! Steps stand wherever functions do: with conditions, in functions, made by macros, under raw names.
#![deny(warnings)]
#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[cfg(any())]
#[step]
async fn gone(order: Context<NotThere>) -> StepResult<u64> {
    Ok(1)
}
#[step]
#[cfg(any())]
async fn gone_too(order: Context<NotThere>) -> StepResult<u64> {
    Ok(1)
}
#[step]
#[cfg(any())]
impl Gone {
    async fn process(&self) -> StepResult<u64> {
        Ok(1)
    }
}

#[step]
async fn r#match() -> StepResult<u64> {
    Ok(1)
}

macro_rules! fetch {
    ($($name:ident $type:ident = $shard:literal;)*) => {$(
        #[step(type = $type)]
        async fn $name() -> StepResult<u64> {
            Ok($shard)
        }
    )*};
}
fetch! { first First = 1; second Second = 2; }

type Ctx = Context<u64>;
type Out<T> = Result<T, StepError>;

#[step]
async fn aliased(order: Ctx, first: &Output<First>, Part(_whole): Part<u64>) -> Out<u64> {
    Ok(*order + **first)
}

/// Made of a handler's own type parameter.
#[derive(Serialize, Deserialize)]
struct Echo<T> {
    value: T,
}
#[step]
impl<T: tasker::Payload + Clone> Echo<T> {
    async fn process(&self) -> StepResult<T> {
        Ok(self.value.clone())
    }
}

#[derive(Workflow)]
#[workflow(context = u64, steps(
    Match,
    First,
    Second,
    Aliased after(Second, "echo 1"),
    "echo 1" = Echo<u64> { value: 1 },
    echo_2 = Echo::<String> { value: "x".into() },
))]
struct All;

fn main() {
    #[step]
    async fn inner(all: Context<u64>) -> StepResult<u64> {
        Ok(*all)
    }
    #[derive(Workflow)]
    #[workflow(context = u64, steps(Inner))]
    struct Local;

    assert!(Local::definition().is_ok());
    let definition = All::definition().unwrap();
    let names: Vec<_> = definition.template().step_templates.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["match", "first", "second", "aliased", "echo 1", "echo_2"]);
    assert_eq!(definition.template().step_templates[3].depends_on_steps, ["second", "echo 1", "first"]);
    assert!(Handlers::linked().names().any(|name| *name == *"match"));
    // A generic handler is not linked, but registered for each use.
    assert!(!Handlers::linked().names().any(|name| *name == *"echo"));
    assert!(Handlers::new().with::<Echo<u64>>().names().any(|name| *name == *"echo"));
}
