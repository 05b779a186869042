//! Hours of waiting on a simulated clock cost next to nothing, on PostgreSQL too.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tasker::prelude::*;
use tasker::{Clock as _, Fixed, NoEvents, Settings, Timestamp};
use tracing::span;

/// Counts the statements that sqlx sends from this thread.
#[derive(Clone, Default)]
struct Statements(Arc<AtomicUsize>);

impl tracing::Subscriber for Statements {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

const HOUR: Duration = Duration::from_secs(3600);

/// Six hours of back-off and of sleep: five failures an hour apart, and a snooze.
fn patient() -> Definition {
    let flaky = handler_fn(|call: Call| async move {
        if call.attempt() <= 5 { Err("not yet".into()) } else { Ok(json!(call.attempt())) }
    });
    let sleepy = {
        let slept = Arc::new(AtomicUsize::new(0));
        handler_fn(move |_: Call| {
            let first = slept.fetch_add(1, Ordering::SeqCst) == 0;
            async move { if first { Err(StepError::snooze(HOUR)) } else { Ok(json!(1)) } }
        })
    };
    let builder = Definition::builder("tests", "patient", "1.0.0").step("flaky", flaky).retry_limit(6);
    let builder = builder.retry_policy(Fixed { seconds: 3600.0 });
    builder.step("sleepy", sleepy).after(["flaky"]).build().unwrap()
}

#[tokio::test]
async fn six_hours_take_under_fifty_statements() {
    let database = crate::world::database().await;
    let storage = tasker::postgres::PostgresStorage::connect(&database.url()).await.unwrap();
    let statements = Statements::default();
    let _counting = tracing::subscriber::set_default(statements.clone());
    let clock = SimulatedClock::new(Timestamp::EPOCH);
    let engine = Engine::on_postgres(storage.clone(), clock.clone(), NoEvents, Settings::default()).unwrap();
    let report = engine.start_definition(&patient(), json!({})).await.unwrap().finished().await.unwrap();
    assert_eq!((report.is_complete(), report.retries()), (true, 5));
    assert_eq!(clock.now(), Timestamp::EPOCH + 6 * HOUR);
    let sent = statements.0.load(Ordering::SeqCst);
    assert!((10..50).contains(&sent), "{sent} statements");
}

#[tokio::test]
async fn six_hours_of_a_host_take_under_fifty_statements() {
    let database = crate::world::database().await;
    let storage = tasker::postgres::PostgresStorage::connect(&database.url()).await.unwrap();
    let statements = Statements::default();
    let _counting = tracing::subscriber::set_default(statements.clone());
    let clock = SimulatedClock::new(Timestamp::EPOCH);
    let engine = Engine::on_postgres(storage, clock.clone(), NoEvents, Settings::default()).unwrap();
    let task = engine.start_definition(&patient(), json!({})).await.unwrap().id();
    loop {
        match engine.handle(task, Duration::from_secs(10)).await.unwrap() {
            tasker::Handled::WakeAt(moment) => drop(clock.sleep_until(moment).await),
            tasker::Handled::Settled(state) => break assert_eq!(state, tasker::TaskState::Complete),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(clock.now(), Timestamp::EPOCH + 6 * HOUR);
    let sent = statements.0.load(Ordering::SeqCst);
    assert!((10..50).contains(&sent), "{sent} statements");
}
