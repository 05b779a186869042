//! What ties a task's runs together is stored with it, and reaches all of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tasker::prelude::*;
use tasker::{CorrelationId, Request, StepState};

use crate::world::{World, constant, on_every_backend};

on_every_backend! {
    correlation_id_is_given_to_every_run_in_every_process
    what_a_step_logs_stands_in_a_span_that_says_whose_it_is
    task_without_an_acceptable_correlation_id_is_given_one
}

// EXEC-10
async fn correlation_id_is_given_to_every_run_in_every_process(world: World) {
    let seen = Arc::new(Mutex::new(vec![]));
    let step = |seconds: u64| {
        let seen = Arc::clone(&seen);
        handler_fn(move |call: Call| {
            let correlation = call.correlation_id().map(ToOwned::to_owned);
            seen.lock().unwrap().push((format!("{} {}", call.name(), call.attempt()), correlation));
            async move {
                call.sleep(Duration::from_secs(seconds)).await;
                if call.attempt() == 1 { Err("once more".into()) } else { Ok(json!(1)) }
            }
        })
    };
    let builder = Definition::builder("tests", "correlated", "1.0.0").step("a", step(100));
    let definition = builder.step("b", step(1)).after(["a"]).build().unwrap();
    let (here, there) = (world.engine(), world.engine());
    let request = Request { correlation_id: Some("order-7".into()), ..Request::new(json!({})) };
    let task = here.request(&definition, request).await.unwrap().id();
    here.handle(task, Duration::from_secs(1)).await.unwrap();
    world.until(task, |task| task.steps[0].current.state == StepState::Error).await;
    there.learn(&definition).await.unwrap();
    let report = there.task(task).finished().await.unwrap();
    let id = CorrelationId::accept("order-7");
    assert_eq!((report.is_complete(), &report.record().request.correlation_id), (true, &id));
    let runs: Vec<_> = seen.lock().unwrap().clone();
    let given = |run: &str| (run.to_owned(), Some("order-7".to_owned()));
    assert_eq!(runs, ["a 1", "a 2", "b 1", "b 2"].map(given));
}

/// What was written, kept.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// EXEC-10
async fn what_a_step_logs_stands_in_a_span_that_says_whose_it_is(world: World) {
    let written = Written::default();
    let log = tracing_subscriber::fmt().with_ansi(false);
    let log = log.with_writer({
        let written = written.clone();
        move || written.clone()
    });
    let log = log.finish();
    let _logging = tracing::subscriber::set_default(log);
    let pays = handler_fn(|_: Call| async {
        tracing::info!("it is paid");
        Ok(json!(1))
    });
    let definition = Definition::builder("tests", "logging", "1.0.0").step("pay", pays).build().unwrap();
    let request = Request { correlation_id: Some("order-7".into()), ..Request::new(json!({})) };
    let task = world.engine().request(&definition, request).await.unwrap();
    assert!(task.finished().await.unwrap().is_complete());
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let line = text.lines().find(|line| line.contains("it is paid")).expect("the step logs");
    let span = format!("step{{task={} step=pay attempt=1 correlation_id=\"order-7\"}}", task.id());
    assert!(line.contains(&span), "{span} in {line}");
}

// EXEC-10, TEL-10
async fn task_without_an_acceptable_correlation_id_is_given_one(world: World) {
    let engine = world.engine();
    let definition =
        Definition::builder("tests", "plain", "1.0.0").step("a", constant(json!(1))).build().unwrap();
    let mut ids = vec![];
    for given in [None, Some("no blanks".to_owned()), Some(String::new())] {
        let request = Request { correlation_id: given, ..Request::new(json!({})) };
        let task = engine.request(&definition, request).await.unwrap().id();
        let id = world.record(task).await.request.correlation_id.expect("it has one");
        assert!(id.as_str().starts_with("tsk_"), "{id}");
        ids.push(id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 3, "each its own");
}
