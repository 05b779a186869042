//! Whole workflows as a user writes them: typed, built and from templates; what steps take, yield and refuse.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{
    Act, BAD_INPUT, BuildError, BuildErrors, Hooks, Intervened, LinkedWorkflow, MISSING_OUTPUT, PANIC,
    Permanent, Policy, Request, Retry, RetryAfter, StepCommand, StepTemplate, TaskPlan, TaskState, Template,
    Timestamp, TypeKey, Version,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Window {
    rows: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Page {
    shard: u64,
    rows: u64,
}

/// One shard of the window.
#[derive(Serialize, Deserialize)]
struct Fetch {
    shard: u64,
}

#[step(retry_limit = 5, timeout_seconds = 30)]
impl Fetch {
    async fn process(&self, window: Context<Window>) -> StepResult<Page> {
        Ok(Page { shard: self.shard, rows: window.rows * self.shard })
    }
}

/// Joins what all shards fetched.
#[step]
async fn join(pages: Outputs<Fetch>) -> StepResult<u64> {
    Ok(pages.values().map(|page| page.rows).sum())
}

fn engine() -> Engine {
    Engine::simulated(&SimulatedClock::new(Timestamp::EPOCH))
}

async fn run<W: Workflow>(context: W::Context) -> Report<W> {
    engine().start::<W>(context).await.unwrap().finished().await.unwrap()
}

async fn run_built(definition: &Definition, context: impl Serialize + Send) -> Report {
    engine().start_definition(definition, context).await.unwrap().finished().await.unwrap()
}

/// What is stored of the last failure of a step.
fn failure<'a, W>(report: &'a Report<W>, step: &str, key: &str) -> &'a str {
    let results = &report.step(step).expect("there is such a step").results;
    results[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {results}"))
}

mod three_faces {
    use super::*;

    #[derive(Workflow)]
    #[workflow(namespace = "reports", name = "shards", version = "1.0.0", context = Window,
        steps(fetch_1 = Fetch { shard: 1 }, fetch_2 = Fetch { shard: 2 }, fetch_3 = Fetch { shard: 3 }, Join))]
    struct Shards;

    fn built(shards: u64) -> Result<Definition, BuildErrors> {
        let builder = Definition::builder("reports", "shards", "1.0.0").context::<Window>();
        let builder = (1..=shards)
            .fold(builder, |builder, shard| builder.step(format!("fetch_{shard}"), Fetch { shard }));
        builder.step("join", Join).after((1..=shards).map(|shard| format!("fetch_{shard}"))).build()
    }

    fn read() -> Result<Definition, BuildErrors> {
        let mut template = Template::new("reports", "shards", Version(1, 0, 0));
        template.step_templates = (1..=3)
            .map(|shard| StepTemplate {
                handler_config: json!({ "shard": shard }),
                default_retry_limit: 5,
                timeout_seconds: Some(30),
                ..StepTemplate::new(format!("fetch_{shard}"), "fetch")
            })
            .chain([StepTemplate::new("join", "join")])
            .collect();
        Definition::from_template(template, &Handlers::new().with::<Fetch>().with::<Join>())
    }

    #[test]
    fn give_one_template() {
        let typed = Shards::definition().unwrap();
        assert_eq!(typed.template(), built(3).unwrap().template());
        assert_eq!(typed.template(), read().unwrap().template());
        assert_eq!(typed.bound().hash(), read().unwrap().bound().hash());
        assert_eq!(typed.template().step_templates[3].depends_on_steps, ["fetch_1", "fetch_2", "fetch_3"]);
    }

    #[test]
    fn give_one_template_without_configurations_too() {
        #[derive(Serialize, Deserialize)]
        struct Greet {
            #[serde(default = "world")]
            whom: String,
        }
        fn world() -> String {
            "world".to_owned()
        }
        #[step]
        impl Greet {
            async fn process(&self) -> StepResult<String> {
                Ok(format!("hello {}", self.whom))
            }
        }
        #[derive(Workflow)]
        #[workflow(context = Value, steps(Greet))]
        struct Greeting;

        let built =
            Definition::builder("default", "greeting", "0.1.0").handler::<Greet>("greet").build().unwrap();
        let mut template = Template::new("default", "greeting", Version(0, 1, 0));
        template.step_templates = vec![StepTemplate::new("greet", "greet")];
        let read = Definition::from_template(template, &Handlers::new().with::<Greet>()).unwrap();
        assert_eq!(Greeting::definition().unwrap().template(), built.template());
        assert_eq!(built.template(), read.template());
    }

    #[tokio::test]
    async fn give_one_answer() {
        let typed = run::<Shards>(Window { rows: 10 }).await;
        assert_eq!(typed.output::<Join>().unwrap(), 60);
        assert_eq!(typed.output_at::<Fetch>("fetch_2").unwrap(), Page { shard: 2, rows: 20 });
        for definition in [built(3).unwrap(), read().unwrap()] {
            let report = run_built(&definition, Window { rows: 10 }).await;
            assert_eq!(report.output::<Join>().unwrap(), 60);
            assert_eq!(report.output_at::<Fetch>("fetch_2").unwrap().rows, 20);
        }
    }

    #[tokio::test]
    async fn join_as_many_as_there_are() {
        let report = run_built(&built(20).unwrap(), Window { rows: 1 }).await;
        assert_eq!(report.output::<Join>().unwrap(), 210);
    }

    #[tokio::test]
    async fn are_checked_when_read_if_known_only_at_run_time() {
        let report = run_built(&built(2).unwrap(), Window { rows: 1 }).await;
        let ambiguous = report.output::<Fetch>().unwrap_err().to_string();
        assert!(ambiguous.contains("`fetch_1`, `fetch_2`") && ambiguous.contains("output_at"), "{ambiguous}");
        let other = report.output_at::<Join>("fetch_1").unwrap_err().to_string();
        assert!(other.contains("`join` runs no step `fetch_1`"), "{other}");
        assert!(report.output_at::<Fetch>("fetch_9").is_err());
    }

    #[tokio::test]
    async fn refuse_a_context_that_does_not_fit_before_a_task_exists() {
        for definition in [built(2).unwrap(), read().unwrap()] {
            let engine = engine();
            let refused = engine
                .start_definition(&definition, json!({ "rows": "many" }))
                .await
                .unwrap_err()
                .to_string();
            assert!(refused.contains("`rows`"), "{refused}");
        }
    }

    #[test]
    fn are_linked() {
        let found =
            LinkedWorkflow::all().find(|linked| linked.type_name == "Shards").expect("the derive submits it");
        assert!(found.place.file.ends_with("face.rs"), "{}", found.place);
        assert_eq!((found.definition)().unwrap().full_name(), "reports/shards 1.0.0");
    }
}

/// Handlers that are not tied to others.
mod reuse {
    use super::*;

    /// Any parent that yields a `Page` will do.
    #[step]
    async fn count(page: Input<Page>) -> StepResult<u64> {
        Ok(page.rows)
    }

    /// Any context with `rows` will do.
    #[step]
    async fn read_file(Part(window): Part<Window>) -> StepResult<Page> {
        Ok(Page { shard: 0, rows: window.rows })
    }

    #[derive(Serialize, Deserialize)]
    struct Wide {
        rows: u64,
        more: String,
    }

    #[derive(Workflow)]
    #[workflow(context = Window, steps(fetch = Fetch { shard: 7 }, Count))]
    struct FromFetch;
    #[derive(Workflow)]
    #[workflow(context = Window, steps(ReadFile, Count))]
    struct FromFile;
    #[derive(Workflow)]
    #[workflow(context = Wide, steps(ReadFile, Count))]
    struct FromWide;
    #[derive(Workflow)]
    #[workflow(context = Window, steps(fetch = Fetch { shard: 7 }, ReadFile, Count after(fetch)))]
    struct FromTheNamedOne;
    #[derive(Workflow)]
    #[workflow(context = Window, steps(fetch = Fetch { shard: 7 }, ReadFile, Count))]
    struct FromEither;

    #[tokio::test]
    async fn one_handler_runs_behind_many_parents_on_many_contexts() {
        assert_eq!(run::<FromFetch>(Window { rows: 3 }).await.output::<Count>().unwrap(), 21);
        assert_eq!(run::<FromFile>(Window { rows: 3 }).await.output::<Count>().unwrap(), 3);
        assert_eq!(run::<FromTheNamedOne>(Window { rows: 3 }).await.output::<Count>().unwrap(), 21);
        let wide = Wide { rows: 4, more: String::new() };
        assert_eq!(run::<FromWide>(wide).await.output::<Count>().unwrap(), 4);
    }

    #[test]
    fn two_producers_of_one_type_are_refused_when_built() {
        let errors = FromEither::definition().unwrap_err().errors;
        let [BuildError::AmbiguousInput { step, from, .. }] = &errors[..] else { panic!("{errors:?}") };
        assert_eq!((step.as_str(), from.len()), ("count", 2));
    }
}

mod arguments {
    use super::*;

    struct Pool(AtomicU64);
    #[derive(Serialize, Deserialize)]
    struct Rate {
        cents: u64,
    }
    #[derive(Deserialize)]
    struct Rows {
        rows: u64,
    }
    type Ctx = Context<Window>;
    type Out<T> = Result<T, StepError>;

    /// Documented.
    #[expect(clippy::too_many_arguments, reason = "one of each kind")]
    #[step(name = "all.of.them", retry_limit = 9)]
    async fn everything(
        window: Ctx,
        pool: State<Pool>,
        rate: Config<Rate>,
        page: &Output<Fetch>,
        joined: Option<Output<Join>>,
        pages: Outputs<Fetch>,
        Part(Rows { rows }): Part<Rows>,
        call: &Call,
    ) -> Out<Vec<u64>> {
        pool.0.0.fetch_add(1, Ordering::Relaxed);
        Ok(vec![
            window.rows,
            rate.cents,
            page.rows,
            joined.map_or(0, |joined| *joined),
            pages.get("fetch").map_or(0, |page| page.rows),
            rows,
            u64::from(call.attempt()),
        ])
    }

    fn definition() -> Definition {
        let builder = Definition::builder("tests", "arguments", "1.0.0").context::<Window>();
        let builder = builder.step("fetch", Fetch { shard: 2 }).handler::<Join>("join");
        builder.step("everything", Everything).config(Rate { cents: 1000 }).build().unwrap()
    }

    #[tokio::test]
    async fn reach_a_step_whatever_they_are() {
        let engine = engine().state(Pool(AtomicU64::new(0)));
        let task = engine.start_definition(&definition(), Window { rows: 4 }).await.unwrap();
        let report = task.finished().await.unwrap();
        assert_eq!(report.output::<Everything>().unwrap(), [4, 1000, 8, 8, 8, 4, 1]);
        assert_eq!(report.step("everything").unwrap().retry_limit, 9);
    }

    #[tokio::test]
    async fn a_missing_resource_is_refused_at_start_with_its_step() {
        let refused = engine().start_definition(&definition(), Window { rows: 4 }).await.unwrap_err();
        let EngineError::MissingState { step, resource, .. } = refused else { panic!("{refused}") };
        assert_eq!((step.as_str(), resource), ("everything", TypeKey::of::<Pool>().name()));
    }

    #[test]
    fn a_configuration_that_does_not_fit_is_refused_with_its_path() {
        let builder = Definition::builder("tests", "arguments", "1.0.0").context::<Window>();
        let builder = builder.step("fetch", Fetch { shard: 2 }).step("join", Join);
        let builder = builder.step("everything", Everything).config(json!({ "cents": -1 }));
        let builder = builder.step("again", Fetch { shard: 1 }).config(json!({ "shard": [] }));
        let text = builder.build().unwrap_err().to_string();
        assert!(text.contains("step `everything`: handler_config: `cents`"), "{text}");
        assert!(text.contains("step `again`: handler_config: `shard`"), "{text}");
    }

    #[tokio::test]
    async fn a_step_is_a_plain_function() {
        let window = Context(Window { rows: 3 });
        assert_eq!(Fetch { shard: 2 }.process(window).await.unwrap().rows, 6);
        let pages =
            Outputs(vec![("a".into(), Page { shard: 1, rows: 1 }), ("b".into(), Page { shard: 2, rows: 5 })]);
        assert_eq!(join(pages).await.unwrap(), 6);
    }

    /// Built of two others.
    struct Sums {
        of: u64,
    }
    impl Argument for Sums {
        type On = <Context<Window> as Argument>::On;
        type Dependencies =
            (<Context<Window> as Argument>::Dependencies, <Output<Join> as Argument>::Dependencies);
        fn declare(needs: &mut Needs) {
            Context::<Window>::declare(needs);
            Output::<Join>::declare(needs);
        }
        fn extract(call: &Call) -> StepResult<Self> {
            let window = Context::<Window>::extract(call)?;
            Ok(Self { of: window.rows + *Output::<Join>::extract(call)? })
        }
    }
    #[step]
    async fn summed(sums: Sums) -> StepResult<u64> {
        Ok(sums.of)
    }
    #[derive(Workflow)]
    #[workflow(context = Window, steps(fetch = Fetch { shard: 3 }, Join, Summed))]
    struct Own;

    #[tokio::test]
    async fn of_a_users_own_making_declare_like_any_other() {
        assert_eq!(Own::definition().unwrap().template().step_templates[2].depends_on_steps, ["join"]);
        assert_eq!(run::<Own>(Window { rows: 5 }).await.output::<Summed>().unwrap(), 20);
    }
}

/// Outputs that are not there, and outputs that are null.
mod absence {
    use super::*;

    #[step(skippable)]
    async fn gift_wrap(window: Context<Window>) -> StepResult<Option<u64>> {
        Ok(Some(window.rows).filter(|rows| *rows > 1))
    }
    #[step]
    async fn ship(wrapped: Option<Output<GiftWrap>>) -> StepResult<String> {
        Ok(format!("{:?}", wrapped.map(|wrapped| wrapped.0)))
    }
    #[derive(Workflow)]
    #[workflow(namespace = "tests", context = Window, steps(GiftWrap, Ship))]
    struct Gift;
    #[derive(Workflow)]
    #[workflow(namespace = "tests", context = Window, steps(Ship))]
    struct Bare;

    #[tokio::test]
    async fn null_is_a_value_and_only_a_skipped_or_absent_parent_is_none() {
        assert_eq!(run::<Gift>(Window { rows: 2 }).await.output::<Ship>().unwrap(), "Some(Some(2))");
        assert_eq!(run::<Gift>(Window { rows: 1 }).await.output::<Ship>().unwrap(), "Some(None)");
        assert_eq!(run::<Bare>(Window { rows: 1 }).await.output::<Ship>().unwrap(), "None");
        let request =
            Request { bypass_steps: vec!["gift_wrap".into()], ..Request::new(json!({ "rows": 2 })) };
        let task = engine().request(&Gift::definition().unwrap(), request).await.unwrap().of::<Gift>();
        assert_eq!(task.finished().await.unwrap().output::<Ship>().unwrap(), "None");
    }

    #[step(retryable = false)]
    async fn price(window: Context<Window>) -> StepResult<u64> {
        if window.rows == 0 { Err("no rows".into()) } else { Ok(window.rows) }
    }
    #[step]
    async fn charge(price: Output<Price>) -> StepResult<u64> {
        Ok(*price)
    }
    #[step]
    async fn charge_any(price: Input<u64>) -> StepResult<u64> {
        Ok(*price)
    }
    #[derive(Workflow)]
    #[workflow(context = Window, steps(Price, Charge, ChargeAny after(Price)))]
    struct Paid;

    /// The task with `price` resolved by hand.
    async fn resolved(results: Option<Value>) -> Report<Paid> {
        let engine = engine();
        let task = engine.start::<Paid>(Window { rows: 0 }).await.unwrap();
        let report = task.finished().await.unwrap();
        assert_eq!(report.state(), TaskState::Error);
        let step = report.step("price").unwrap().id;
        let command = StepCommand::Resolve { results: results.map(Arc::new) };
        let act = Act::Step { step, command, expected: None };
        let done = engine.intervene(task.id(), act, "ada", Some("by hand")).await.unwrap();
        assert!(matches!(done, Intervened::Moved { .. }), "{done:?}");
        task.retry("ada").await.unwrap();
        task.finished().await.unwrap()
    }

    #[tokio::test]
    async fn an_output_that_is_not_there_is_a_permanent_failure_that_names_the_handler() {
        let report = resolved(None).await;
        assert_eq!(failure(&report, "charge", "error_class"), MISSING_OUTPUT);
        assert!(failure(&report, "charge", "error").contains("the output of `price`"));
        assert_eq!(failure(&report, "charge_any", "error_class"), MISSING_OUTPUT);
        assert!(failure(&report, "charge_any", "error").contains("u64"));
        assert_eq!(report.step("charge").unwrap().attempts, 1);
    }

    #[tokio::test]
    async fn an_output_that_does_not_fit_is_one_too() {
        let report = resolved(Some(json!("much"))).await;
        assert_eq!(failure(&report, "charge", "error_class"), MISSING_OUTPUT);
        assert!(failure(&report, "charge", "error").contains("output of step `price`"));
        let report = resolved(Some(json!(7))).await;
        assert_eq!(report.output::<Charge>().unwrap(), 7);
    }

    struct Mangle;
    impl Hooks for Mangle {
        fn plan(&self, plan: &mut TaskPlan<'_>) -> Result<(), String> {
            plan.set_inputs("price", json!({ "rows": { "many": true } }))
        }
    }
    #[derive(Workflow)]
    #[workflow(context = Window, hooks = Mangle, steps(Price))]
    struct Mangled;

    #[tokio::test]
    async fn a_context_that_does_not_fit_is_permanent_with_its_path() {
        let report = run::<Mangled>(Window { rows: 1 }).await;
        assert_eq!(failure(&report, "price", "error_class"), BAD_INPUT);
        assert!(failure(&report, "price", "error").contains("context: `rows`"));
        assert_eq!(report.step("price").unwrap().attempts, 1);
    }
}

mod spawning {
    use super::*;

    /// Decides at run time how many shards there are.
    #[step]
    async fn plan(window: Context<Window>, shards: Spawn<Fetch>) -> StepResult<u64> {
        for shard in 1..=window.rows {
            shards.step(format!("fetch_{shard}"), Fetch { shard })?;
        }
        Ok(window.rows)
    }
    #[derive(Workflow)]
    #[workflow(context = Window, steps(Plan, Join))]
    struct FanOut;

    #[tokio::test]
    async fn a_join_waits_for_what_was_spawned() {
        let report = run::<FanOut>(Window { rows: 4 }).await;
        assert_eq!(report.output::<Plan>().unwrap(), 4);
        assert_eq!(report.output::<Join>().unwrap(), 4 * (1 + 2 + 3 + 4));
        assert_eq!(report.output_of::<Page>("fetch_3").unwrap().rows, 12);
        assert_eq!(run::<FanOut>(Window { rows: 0 }).await.output::<Join>().unwrap(), 0);
    }

    #[tokio::test]
    async fn a_test_reads_what_was_asked_for() {
        let shards = Spawn::collect();
        plan(Context(Window { rows: 2 }), shards.clone()).await.unwrap();
        assert_eq!(shards.names(), ["fetch_1", "fetch_2"]);
        let twice = shards.step("fetch_1", Fetch { shard: 1 }).unwrap_err();
        assert_eq!(twice.retry(), Retry::Never);
    }

    /// A chain: each link waits for the one before.
    #[step]
    async fn chain(links: Spawn<Fetch>) -> StepResult<()> {
        links.step("first", Fetch { shard: 1 })?;
        links.step_after("second", Fetch { shard: 2 }, ["first"])
    }
    #[derive(Workflow)]
    #[workflow(context = Window, steps(Chain, Join))]
    struct Chained;

    #[tokio::test]
    async fn spawned_steps_may_wait_for_each_other() {
        let report = run::<Chained>(Window { rows: 10 }).await;
        assert_eq!(report.output::<Join>().unwrap(), 30);
        let first = report.step("first").unwrap().id;
        assert!(report.step("second").unwrap().parents.contains(&first));
    }
}

mod hooks_of_a_derive {
    use super::*;

    struct Pool(u64);

    /// Everything that the long form can declare.
    #[derive(StepHandler)]
    #[step(name = "audit", depends_on(Price), optional(Join), all(Fetch), state(Pool), spawns(Price))]
    struct Audit;

    #[step]
    async fn price(window: Context<Window>) -> StepResult<u64> {
        Ok(window.rows)
    }

    impl Step for Audit {
        type Context = Window;
        type Output = u64;

        async fn process(&self, step: &StepContext<Self>) -> StepResult<u64> {
            step.spawn::<Price>()?.step("late", Price)?;
            let rows: u64 = step.outputs_of::<Fetch>()?.values().map(|page| page.rows).sum();
            let joined = step.optional_output_of::<Join>()?.unwrap_or_default();
            Ok(step.context()?.rows + step.output_of::<Price>()? + rows + joined + step.state::<Pool>()?.0.0)
        }

        fn process_results(&self, step: &StepContext<Self>, output: u64) -> StepResult<Value> {
            assert_eq!(step.name().as_str(), "audit");
            Ok(json!(output * 10))
        }
    }

    #[derive(Workflow)]
    #[workflow(context = Window, steps(Price, fetch = Fetch { shard: 2 }, Audit))]
    struct Audited;

    #[tokio::test]
    async fn reach_what_was_declared_and_store_what_they_say() {
        let engine = engine().state(Pool(1));
        let report = engine.start::<Audited>(Window { rows: 3 }).await.unwrap().finished().await.unwrap();
        assert_eq!(report.output::<Audit>().unwrap(), (3 + 3 + 6 + 1) * 10);
        assert_eq!(report.output_of::<u64>("late").unwrap(), 3);
        let refused = super::engine().start::<Audited>(Window { rows: 3 }).await.unwrap_err();
        assert!(matches!(refused, EngineError::MissingState { .. }), "{refused}");
    }

    /// A generic handler, registered for each use.
    #[derive(StepHandler, Serialize, Deserialize)]
    #[serde(bound = "")]
    struct Echo<T: tasker::Payload> {
        #[serde(skip)]
        of: std::marker::PhantomData<fn() -> T>,
    }
    impl<T: tasker::Payload> Step for Echo<T> {
        type Context = T;
        type Output = T;
        async fn process(&self, step: &StepContext<Self>) -> StepResult<T> {
            step.context()
        }
    }

    #[tokio::test]
    async fn generic_handlers_are_registered_by_hand() {
        let mut template = Template::new("tests", "echo", Version(1, 0, 0));
        template.step_templates = vec![StepTemplate::new("echo", "echo")];
        let none = Definition::from_template(template.clone(), &Handlers::new()).unwrap_err();
        assert!(matches!(none.errors[..], [BuildError::UnknownHandler { .. }]));
        let handlers = Handlers::new().with::<Echo<Window>>();
        let definition = Definition::from_template(template, &handlers).unwrap();
        assert_eq!(
            run_built(&definition, Window { rows: 8 }).await.output::<Echo<Window>>().unwrap().rows,
            8
        );
    }

    #[test]
    fn options_reach_the_policy() {
        #[step(retryable = false, skippable, timeout_seconds = 7, retry_limit = 2)]
        async fn strict() -> StepResult<()> {
            Ok(())
        }
        let definition =
            Definition::builder("tests", "policy", "1.0.0").step("strict", Strict).build().unwrap();
        let step = &definition.template().step_templates[0];
        let found = Policy {
            retry_limit: step.default_retry_limit,
            retryable: step.default_retryable,
            skippable: step.skippable,
            timeout_seconds: step.timeout_seconds,
        };
        let wanted = Policy { retry_limit: 2, retryable: false, skippable: true, timeout_seconds: Some(7) };
        assert_eq!(found, wanted);
    }
}

mod failures {
    use super::*;

    #[derive(Debug, thiserror::Error, Fail)]
    #[fail(code = "PAYMENT")]
    enum PaymentError {
        #[error("declined: {0}")]
        #[fail(permanent, code = "DECLINED", class = "Declined")]
        Declined(String),
        #[error("busy")]
        #[fail(retry_after_seconds = 30)]
        Busy,
        #[error("throttled")]
        #[fail(retry_after_seconds = seconds)]
        Throttled { seconds: u32 },
        #[error("broken")]
        Broken(#[source] Permanent),
        #[error("network")]
        Network(#[from] std::num::ParseIntError),
        #[error("stubborn")]
        #[fail(retryable)]
        Stubborn(#[source] Permanent),
    }

    #[derive(Debug, thiserror::Error, Fail)]
    #[error("no such customer")]
    #[fail(permanent, code = "NO_CUSTOMER")]
    struct NoCustomer;

    #[test]
    fn a_derive_says_what_is_to_be_done() {
        let seconds = |seconds| Retry::After(Duration::from_secs(seconds));
        let parse = || "x".parse::<u64>().unwrap_err();
        for (error, retry, code) in [
            (PaymentError::Declined("no".into()).fail(), Retry::Never, "DECLINED"),
            (PaymentError::Busy.fail(), seconds(30), "PAYMENT"),
            (PaymentError::Throttled { seconds: 7 }.fail(), seconds(7), "PAYMENT"),
            (PaymentError::Broken(Permanent::new("gone")).fail(), Retry::Never, "PAYMENT"),
            (PaymentError::Network(parse()).fail(), Retry::Later, "PAYMENT"),
            (PaymentError::Stubborn(Permanent::new("gone")).fail(), Retry::Later, "PAYMENT"),
            (NoCustomer.fail(), Retry::Never, "NO_CUSTOMER"),
        ] {
            assert_eq!((error.retry(), error.report().code.as_deref()), (retry, Some(code)), "{error}");
        }
        assert_eq!(PaymentError::Declined("no".into()).fail().report().class, "Declined");
        assert!(PaymentError::Busy.fail().report().class.ends_with("PaymentError"));
    }

    #[step]
    async fn declined() -> Result<u64, PaymentError> {
        Err(PaymentError::Declined("stolen".into()))
    }
    #[step(retry_limit = 2)]
    async fn panics() -> StepResult<u64> {
        let none: Vec<u64> = vec![];
        Ok(none[0])
    }
    async fn deep() -> anyhow::Result<u64> {
        use anyhow::Context as _;
        Err(anyhow::Error::new(Permanent::new("gone"))).context("while reading")
    }
    #[step]
    async fn any_error() -> StepResult<u64> {
        Ok(deep().await?)
    }
    #[step]
    async fn by_hand() -> StepResult<u64> {
        "x".parse().permanent()
    }

    #[tokio::test]
    async fn are_stored_with_class_code_and_text_and_the_worker_lives() {
        let builder = Definition::builder("tests", "failures", "1.0.0");
        let builder = builder.step("declined", Declined).step("panics", Panics).step("any_error", AnyError);
        let report = run_built(&builder.step("by_hand", ByHand).build().unwrap(), json!({})).await;
        assert_eq!(report.state(), TaskState::Error);
        assert_eq!(failure(&report, "declined", "error"), "declined: stolen");
        assert_eq!(report.step("declined").unwrap().current.metadata["error_code"], "DECLINED");
        assert_eq!(failure(&report, "panics", "error_class"), PANIC);
        assert!(failure(&report, "panics", "error").contains("index out of bounds"));
        assert!(failure(&report, "any_error", "error").contains("while reading: gone"));
        let attempts =
            ["declined", "panics", "any_error", "by_hand"].map(|step| report.step(step).unwrap().attempts);
        assert_eq!(attempts, [1, 2, 1, 1]);
    }

    #[test]
    fn a_wait_may_be_asked_for_anywhere_in_the_chain() {
        let wait = Duration::from_secs(9);
        let error = anyhow::Error::new(RetryAfter::new(wait, "busy")).context("while paying");
        assert_eq!(StepError::from(error).retry(), Retry::After(wait));
    }
}

mod registration {
    use super::*;

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
        let errors =
            Definition::from_template(template("send_email"), &Handlers::linked()).unwrap_err().errors;
        let [BuildError::DuplicateHandler { places, .. }] = &errors[..] else { panic!("{errors:?}") };
        assert_eq!(places.len(), 2);
        for (module, place) in ["one", "two"].iter().zip(places) {
            assert!(
                place.contains(&format!("::{module}::send_email")) && place.contains("face.rs:"),
                "{place}"
            );
        }
    }

    #[tokio::test]
    async fn the_whole_path_tells_them_apart_and_typed_workflows_never_look() {
        let path = format!("{}::two::send_email", module_path!());
        let definition = Definition::from_template(template(&path), &Handlers::linked()).unwrap();
        assert_eq!(run_built(&definition, json!({})).await.output_of::<u64>("send").unwrap(), 2);

        #[derive(Workflow)]
        #[workflow(context = Value, steps(one = one::SendEmail, two = two::SendEmail))]
        struct Both;
        let report = run::<Both>(json!({})).await;
        assert_eq!(
            report.output::<one::SendEmail>().unwrap() + report.output::<two::SendEmail>().unwrap(),
            3
        );
    }

    #[test]
    fn an_unknown_name_tells_the_near_ones() {
        let errors =
            Definition::from_template(template("send_emial"), &Handlers::linked()).unwrap_err().errors;
        let [BuildError::UnknownHandler { nearest, .. }] = &errors[..] else { panic!("{errors:?}") };
        assert_eq!(nearest.as_deref(), Some("send_email"));
    }

    #[test]
    fn the_same_handler_twice_is_one() {
        let handlers = Handlers::linked().with::<one::SendEmail>().with::<Join>();
        assert!(Definition::from_template(template("join"), &handlers).is_ok());
    }

    #[tokio::test]
    async fn handlers_inside_tests_never_disturb_each_other() {
        #[step]
        async fn local(window: Context<Window>) -> StepResult<u64> {
            Ok(window.rows)
        }
        #[derive(Workflow)]
        #[workflow(context = Window, steps(Local))]
        struct Here;
        assert_eq!(run::<Here>(Window { rows: 1 }).await.output::<Local>().unwrap(), 1);
    }

    #[tokio::test]
    async fn handlers_inside_tests_never_disturb_each_other_indeed() {
        #[step]
        async fn local(window: Context<Window>) -> StepResult<u64> {
            Ok(window.rows + 1)
        }
        #[derive(Workflow)]
        #[workflow(context = Window, steps(Local))]
        struct Here;
        assert_eq!(run::<Here>(Window { rows: 1 }).await.output::<Local>().unwrap(), 2);
        assert!(Definition::from_template(template("local"), &Handlers::linked()).is_err());
    }
}

/// What the compiler refuses in a derived workflow, `build()` refuses in a built one: the same cases.
mod refusals {
    use super::*;

    #[step]
    async fn price_cart(window: Context<Window>) -> StepResult<u64> {
        Ok(window.rows)
    }
    #[step]
    async fn charge_card(cents: Output<PriceCart>) -> StepResult<u64> {
        Ok(*cents)
    }
    #[step]
    async fn pay_back(page: Context<Page>) -> StepResult<u64> {
        Ok(page.rows)
    }
    #[step]
    async fn again(again: Output<Again>) -> StepResult<u64> {
        Ok(*again)
    }
    #[step]
    async fn a(c: Output<C>) -> StepResult<u64> {
        Ok(*c)
    }
    #[step]
    async fn b(a: Output<A>) -> StepResult<u64> {
        Ok(*a)
    }
    #[step]
    async fn c(b: Output<B>) -> StepResult<u64> {
        Ok(*b)
    }
    #[step]
    async fn count(page: Output<Fetch>) -> StepResult<u64> {
        Ok(page.rows)
    }

    fn builder() -> tasker::DefinitionBuilder {
        Definition::builder("tests", "refused", "1.0.0").context::<Window>()
    }

    /// The mistake as a file of `tests/ui/fail`, as a builder, and as its refusal; both texts name what is listed.
    fn refused(
        mistake: &str,
        builder: tasker::DefinitionBuilder,
        refusal: fn(&BuildError) -> bool,
        compiler: &[&str],
        build: &[&str],
    ) {
        let text = std::fs::read_to_string(format!("tests/ui/fail/{mistake}.stderr")).unwrap();
        let first = text.lines().next().unwrap();
        compiler.iter().for_each(|name| assert!(first.contains(name), "{mistake}: no {name} in {first}"));
        let errors = builder.build().unwrap_err().errors;
        let [error] = &errors[..] else { panic!("{mistake}: one mistake, one error: {errors:?}") };
        assert!(refusal(error), "{mistake}: {error:?}");
        let said = error.to_string();
        build.iter().for_each(|name| assert!(said.contains(name), "{mistake}: no {name} in {said}"));
    }

    #[test]
    fn of_the_compiler_and_of_build_are_the_same() {
        refused(
            "missing_parent",
            builder().step("charge_card", ChargeCard),
            |error| matches!(error, BuildError::MissingInput { .. }),
            &["ChargeCard", "PriceCart"],
            &["charge_card", "price_cart"],
        );
        refused(
            "cycle",
            builder().step("a", A).step("b", B).step("c", C),
            |error| matches!(error, BuildError::Cycle { .. }),
            &["`A` → `B` → `C` → `A`"],
            &["→"],
        );
        refused(
            "waits_for_itself",
            builder().step("again", Again),
            |error| matches!(error, BuildError::SelfDependency(_)),
            &["`Again` waits for itself"],
            &["`again` waits for itself"],
        );
        refused(
            "doubled_step",
            builder().step("price_cart", PriceCart).step("price_cart", PriceCart),
            |error| matches!(error, BuildError::DuplicateStep(_)),
            &["two steps are named `price_cart`"],
            &["two steps are named `price_cart`"],
        );
        refused(
            "other_context",
            builder().step("price_cart", PriceCart).step("pay_back", PayBack),
            |error| matches!(error, BuildError::OtherContext { .. }),
            &["Refund", "Order"],
            &["pay_back", "Page", "Window"],
        );
        refused(
            "ambiguous_parent",
            builder()
                .step("fetch_1", Fetch { shard: 1 })
                .step("fetch_2", Fetch { shard: 2 })
                .step("count", Count),
            |error| matches!(error, BuildError::AmbiguousInput { .. }),
            &["Count", "fetch_1", "fetch_2", "after", "Outputs<Fetch>"],
            &["count", "fetch_1", "fetch_2", "after", "Outputs<"],
        );
        refused(
            "skippable_parent",
            builder().step("price_cart", PriceCart).skippable().step("charge_card", ChargeCard),
            |error| matches!(error, BuildError::SkippableParent { .. }),
            &["ChargeCard", "PriceCart", "Option<Output<"],
            &["charge_card", "price_cart", "Option<Output<"],
        );
    }
}
