//! The catalogue of events and the sinks that pass them on: what holds whatever keeps the tasks.

#[allow(unused_macros, unused_imports, reason = "these tests are of one backend")]
#[path = "world/mod.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{
    Broadcast, Buffered, Event, EventName, EventNames, EventSink, FanOut, Filtered, JsonLines, Mask,
    MemoryEventLog, Pattern, PatternError, Settings, Severity,
};
use world::{World, constant, fails};

/// What one small workflow tells.
async fn some_events() -> Vec<Event> {
    let world = World::memory().await;
    let log = MemoryEventLog::new();
    let engine = world.engine_on(world.queue(), log.clone(), Settings::default());
    let builder = Definition::builder("shop", "checkout", "1.0.0").step("pay", fails(1));
    let flow = builder.step("mail", constant(json!({ "token": "t_1" }))).after(["pay"]).build().unwrap();
    let task = engine.start_definition(&flow, json!({ "card": { "api_key": "sk_1" } })).await.unwrap();
    assert!(task.finished().await.unwrap().is_complete());
    log.of(task.id()).into_iter().collect()
}

#[test]
fn there_are_58_facts_and_ten_aliases_each_with_a_name_of_its_own() {
    assert_eq!((EventName::FACTS.len(), EventName::ALIASES.len()), (58, 10));
    let names: BTreeSet<_> = EventName::all().map(EventName::as_str).collect();
    assert_eq!(names.len(), 68);
    for name in EventName::all() {
        assert_eq!(name.as_str().parse(), Ok(name));
        assert!(name.description().ends_with(['.', '`']) && name.description().len() > 5, "{name}");
        assert_eq!(name.is_alias(), EventName::ALIASES.contains(&name));
        assert_eq!(name.fired_by().is_empty(), name.is_alias(), "{name}");
        assert!(name.stands_for().iter().all(|fact| EventName::FACTS.contains(fact)));
    }
    let of = |words: &str| names.iter().filter(|name| name.starts_with(words)).count();
    let counts = ["task.", "step.", "workflow.", "observability.", "worker.", "tasker.telemetry."].map(of);
    assert_eq!(counts, [8, 11, 19, 8, 3, 5]);
    assert_eq!(["handler.", "plugin.", "subscriber.", "registry."].map(of), [3, 3, 3, 5]);
}

/// The rule of the table of decisions, said once more.
#[test]
fn severities_are_those_that_were_decided() {
    for name in EventName::all() {
        let text = name.as_str();
        let ends = |words: &[&str]| words.iter().any(|word| text.ends_with(word));
        let expected = match text {
            "task.failed"
            | "step.failed"
            | "workflow.step_failed"
            | "workflow.task_state_unclear"
            | "workflow.task_reenqueue_failed"
            | "observability.step.max_retries_reached"
            | "tasker.telemetry.export_failed"
            | "worker.lost" => Severity::Error,
            _ if ends(&[".validation_failed"]) => Severity::Error,
            "workflow.step_execution_failed" | "observability.step.backoff" | "step.outcome_stale" => {
                Severity::Warn
            }
            _ if ends(&[".retry_requested", ".cancelled"]) => Severity::Warn,
            "observability.task.handle" | "observability.step.handle" | "step.before_handle" => {
                Severity::Debug
            }
            _ if text.starts_with("workflow.") => Severity::Debug,
            _ => Severity::Info,
        };
        assert_eq!(name.severity(), expected, "{name}");
    }
}

#[test]
fn patterns_mean_facts_and_aliases_answer_to_their_names_only() {
    let facts = |pattern: &str| pattern.parse::<Pattern>().unwrap().facts();
    assert_eq!(facts("*"), EventNames::FACTS);
    assert!(EventName::ALIASES.iter().all(|alias| !EventNames::FACTS.contains(*alias)));
    let below = facts("task.*");
    for name in EventName::FACTS {
        assert_eq!(below.contains(*name), name.as_str().starts_with("task."), "{name}");
    }
    assert_eq!(facts("workflow.task_completed"), EventNames::of([EventName::TaskCompleted]));
    assert_eq!(facts("order.paid"), EventNames::of([EventName::Custom]));
    let refused = |pattern: &str| pattern.parse::<Pattern>().unwrap_err();
    for (pattern, near) in
        [("task.complete", "task.completed"), ("taks.failed", "task.failed"), ("worker.list", "worker.lost")]
    {
        let PatternError::Unknown(unknown) = refused(pattern) else { panic!("{pattern}") };
        assert_eq!(unknown.nearest, Some(near), "{pattern}");
    }
    assert_eq!(refused("custom.*"), PatternError::NothingBelow("custom".to_owned()));
    for odd in ["", "task", "Order.paid", "order..paid", "task.*.x", "custom.thing", ".*"] {
        assert!(odd.parse::<Pattern>().is_err(), "{odd}");
    }
}

#[tokio::test]
async fn a_filter_passes_on_what_meets_all_its_conditions() {
    let events = some_events().await;
    let passed = |filter: Filtered<MemoryEventLog>| {
        filter.publish(&events);
        filter.sink().all().names().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let by = |patterns: &[&str]| Filtered::by(patterns.iter().copied(), MemoryEventLog::new()).unwrap();
    assert_eq!(passed(by(&["step.failed", "task.completed"])), ["step.failed", "task.completed"]);
    assert_eq!(
        passed(by(&["*"]).at_least(Severity::Warn)),
        ["step.failed", "observability.step.backoff", "step.retry_requested"]
    );
    assert!(passed(by(&["*"]).in_namespace("bank")).is_empty());
    assert_eq!(passed(by(&["*"]).in_namespace("shop")).len(), events.len());
    assert!(Filtered::by(["task.complete"], MemoryEventLog::new()).is_err());
}

#[tokio::test]
async fn an_alias_carries_the_fact_or_its_move() {
    let events = some_events().await;
    let heard = Arc::new(Mutex::new(vec![]));
    struct Keeps(Arc<Mutex<Vec<Value>>>);
    impl EventSink for Keeps {
        fn publish(&self, events: &[Event]) {
            self.0.lock().unwrap().extend(events.iter().map(Event::to_json));
        }
    }
    let asked = ["task.before_transition", "task.completed", "observability.step.find_viable"];
    Filtered::by(asked, Keeps(Arc::clone(&heard))).unwrap().publish(&events);
    let heard = heard.lock().unwrap();
    let last: Vec<_> = heard.iter().rev().take(2).map(|event| event["name"].clone()).collect();
    assert_eq!(last, ["task.completed", "task.before_transition"], "the move is told ahead of its own event");
    let moved = &heard[heard.len() - 2]["payload"];
    assert_eq!((&moved["from_state"], &moved["to_state"]), (&json!("in_progress"), &json!("complete")));
    assert_eq!(moved["transition_event"], "task.completed");
    let viable = heard.iter().filter(|event| event["name"] == "observability.step.find_viable");
    assert!(viable.count() >= 3);
}

#[tokio::test]
async fn what_finds_no_room_in_a_buffer_is_dropped_and_counted() {
    let events = some_events().await;
    /// Stands still while somebody holds its lock.
    struct Blocks(Arc<Mutex<()>>, MemoryEventLog);
    impl EventSink for Blocks {
        fn publish(&self, events: &[Event]) {
            drop(self.0.lock());
            self.1.publish(events);
        }
    }
    let (gate, log) = (Arc::new(Mutex::new(())), MemoryEventLog::new());
    let held = gate.lock().unwrap();
    let buffered = Buffered::new(Blocks(Arc::clone(&gate), log.clone()), 3).unwrap();
    buffered.publish(&events[..1]);
    while buffered.waiting() > 0 {
        std::thread::yield_now();
    }
    // One is in its hands; three find room, and two do not.
    buffered.publish(&events[1..6]);
    assert_eq!((buffered.waiting(), buffered.counts().dropped), (3, 2));
    drop(held);
    assert!(buffered.drain(Duration::from_secs(60)));
    assert_eq!(log.all()[..], events[..4], "in order, the newest were dropped");
    assert_eq!(buffered.counts().delivered, 4);
}

#[tokio::test]
async fn the_panic_of_one_sink_is_not_the_others() {
    struct Panics;
    impl EventSink for Panics {
        fn publish(&self, _: &[Event]) {
            panic!("this sink always panics");
        }
    }
    let events = some_events().await;
    let log = MemoryEventLog::new();
    let all = FanOut::new().to(Panics).to(log.clone());
    all.publish(&events);
    assert_eq!(log.all().len(), events.len());
    let counts = all.counts();
    assert_eq!((counts[0].panicked, counts[1].delivered), (events.len() as u64, events.len() as u64));
}

#[tokio::test]
async fn lines_of_json_hold_every_event_and_no_secret() {
    let events = some_events().await;
    let text = Arc::new(Mutex::new(Vec::new()));
    struct Shared(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    JsonLines::to(Shared(Arc::clone(&text))).publish(&events);
    let text = String::from_utf8(text.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), events.len());
    assert!(!text.contains("sk_1") && !text.contains("t_1"), "{text}");
    assert!(text.contains(r#""api_key":"[FILTERED]""#));
    let first = &lines[0];
    assert_eq!((&first["name"], &first["severity"]), (&json!("task.initialize_requested"), &json!("info")));
    assert_eq!(first["payload"]["timestamp"], "1970-01-01T00:00:00.000Z");
    assert!(Mask::nothing() != Mask::default());
}

#[tokio::test]
async fn a_writer_that_fails_is_counted_and_logged() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is full"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let events = some_events().await;
    let lines = JsonLines::to(Full);
    lines.publish(&events);
    assert_eq!((lines.counts().delivered, lines.counts().dropped), (0, events.len() as u64));
}

#[tokio::test]
async fn whoever_subscribes_to_a_broadcast_hears_what_comes_then() {
    let world = World::memory().await;
    let broadcast = Broadcast::new(1_000);
    let engine = world.engine_on(world.queue(), broadcast.clone(), Settings::default());
    let flow =
        Definition::builder("shop", "checkout", "1.0.0").step("pay", constant(json!(1))).build().unwrap();
    engine.start_definition(&flow, json!({})).await.unwrap();
    let mut receiver = broadcast.subscribe();
    let task = engine.start_definition(&flow, json!({ "second": true })).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().name, EventName::TaskInitializeRequested);
    task.finished().await.unwrap();
    let mut last = receiver.recv().await.unwrap();
    while let Ok(event) = receiver.try_recv() {
        last = event;
    }
    assert_eq!((last.name, last.task), (EventName::WorkflowTaskFinalizationCompleted, Some(task.id())));
}

/// Nothing is built that nobody wants: who hears of failures only is given nothing else.
#[tokio::test]
async fn only_what_somebody_wants_is_built() {
    let world = World::memory().await;
    let given = Arc::new(Mutex::new(BTreeMap::<&str, usize>::new()));
    struct Failures(Arc<Mutex<BTreeMap<&'static str, usize>>>);
    impl EventSink for Failures {
        fn publish(&self, events: &[Event]) {
            for event in events {
                *self.0.lock().unwrap().entry(event.name.as_str()).or_default() += 1;
            }
        }
        fn wanted(&self) -> EventNames {
            EventNames::of([EventName::StepFailed])
        }
    }
    let engine = world.engine_on(world.queue(), Failures(Arc::clone(&given)), Settings::default());
    let flow = Definition::builder("shop", "checkout", "1.0.0").step("pay", fails(2)).build().unwrap();
    engine.start_definition(&flow, json!({})).await.unwrap().finished().await.unwrap();
    assert_eq!(*given.lock().unwrap(), [("step.failed", 2)].into());
}

/// Keys, and which of them are always there.
#[cfg(feature = "schema")]
fn keys(name: EventName) -> (BTreeSet<String>, BTreeSet<String>) {
    let schema = name.schema().to_value();
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let required = required.iter().map(|key| key.as_str().unwrap().to_owned()).collect();
    (properties.into_iter().map(|(key, _)| key).collect(), required)
}

#[cfg(feature = "schema")]
#[tokio::test]
async fn payloads_have_the_keys_that_their_schemas_say() {
    for event in some_events().await {
        let (mut known, required) = keys(event.name);
        // Where the counts of steps are known.
        known.extend(["total_steps", "completed_steps", "failed_steps", "pending_steps"].map(str::to_owned));
        let payload = event.to_json()["payload"].clone();
        let found: BTreeSet<_> = payload.as_object().unwrap().keys().cloned().collect();
        assert!(
            found.is_subset(&known),
            "{}: {:?}",
            event.name,
            found.difference(&known).collect::<Vec<_>>()
        );
        let optional_counts = |key: &&String| !key.ends_with("_steps");
        let missing: Vec<_> = required.difference(&found).filter(optional_counts).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", event.name);
    }
}

#[cfg(feature = "schema")]
mod page {
    use std::fmt::Write as _;

    use super::*;

    fn table(names: &[EventName]) -> String {
        let mut text = String::from("| event | severity | told by | what it means |\n|---|---|---|---|\n");
        for name in names {
            let by: Vec<_> = name.fired_by().iter().map(|by| format!("{by:?}").to_lowercase()).collect();
            writeln!(text, "| `{name}` | {} | {} | {} |", name.severity(), by.join(", "), name.description())
                .unwrap();
        }
        text
    }

    fn aliases() -> String {
        let mut text = String::from("| alias | severity | stands for |\n|---|---|---|\n");
        for name in EventName::ALIASES {
            let facts: Vec<_> = name.stands_for().iter().map(|fact| format!("`{fact}`")).collect();
            writeln!(text, "| `{name}` | {} | {} |", name.severity(), facts.join(", ")).unwrap();
        }
        text
    }

    fn payloads() -> String {
        let mut text = String::new();
        for name in EventName::FACTS {
            let (known, _) = keys(*name);
            let known: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
            writeln!(text, "* `{name}`: {}", known.join(", ")).unwrap();
        }
        text
    }

    /// Written anew with `TASKER_WRITE_DOCS=1`.
    #[test]
    fn the_page_about_events_says_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/events.md");
        let page = std::fs::read_to_string(path).unwrap_or_default();
        let head = page.split("<!-- generated -->").next().unwrap_or_default();
        let expected = format!(
            "{head}<!-- generated -->\n\n## Facts\n\n{}\n## Aliases\n\n{}\n## What each says\n\n{}",
            table(EventName::FACTS),
            aliases(),
            payloads()
        );
        if std::env::var_os("TASKER_WRITE_DOCS").is_some() {
            std::fs::write(path, &expected).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(found == expected, "docs/events.md is out of date; run this test with TASKER_WRITE_DOCS=1");
    }
}
