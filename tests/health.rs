//! Whether an engine says truly that it lives and can work, on every backend.

#[path = "world/mod.rs"]
mod world;

use std::time::Duration;

use serde_json::json;
use tasker::{CheckStatus, EventName, MemoryEventLog, NoEvents, Settings};
use world::watched::Fate;
use world::{World, on_every_backend};

const LIMIT: Duration = Duration::from_secs(5);

on_every_backend! {
    a_sound_engine_is_ready_and_says_so_with_the_keys_of_the_reference
    an_engine_whose_storage_is_away_is_not_ready_and_names_the_check
    an_engine_whose_storage_hangs_answers_within_the_limit
    a_health_report_is_told
}

async fn a_sound_engine_is_ready_and_says_so_with_the_keys_of_the_reference(world: World) {
    let engine = world.engine();
    let ready = serde_json::to_value(engine.readiness(LIMIT).await).unwrap();
    assert_eq!((&ready["ready"], &ready["message"]), (&json!(true), &json!("System is ready")));
    assert_eq!(ready["checks"]["database"]["status"], "healthy");
    assert_eq!(ready["checks"]["database"]["message"], "Database connection active");
    assert_eq!(ready["checks"]["cache"]["message"], "No shared cache configured");
    assert!(ready["checks"]["database"]["response_time_ms"].is_number());
    assert!(ready.get("failed_checks").is_none() && ready["check_duration"].is_number());
    let alive = serde_json::to_value(engine.liveness()).unwrap();
    assert_eq!(alive, json!({ "alive": true, "timestamp": "1970-01-01T00:00:00.000Z", "service": "tasker" }));
}

async fn an_engine_whose_storage_is_away_is_not_ready_and_names_the_check(world: World) {
    let away = world.watched(|_| Fate::Away);
    let engine = world.engine_through_both(&away, world.queue(), NoEvents, Settings::default());
    let ready = engine.readiness(LIMIT).await;
    assert_eq!((ready.ready, &ready.failed_checks[..]), (false, &["database"][..]));
    let database = &ready.checks["database"];
    assert_eq!(database.status, CheckStatus::Unhealthy);
    assert_eq!(database.message, "Database connection failed: the connection was lost");
    assert_eq!(ready.message, "System is not ready");
}

async fn an_engine_whose_storage_hangs_answers_within_the_limit(world: World) {
    let hangs = world.watched(|_| Fate::Unanswered);
    let engine = world.engine_through_both(&hangs, world.queue(), NoEvents, Settings::default());
    let asked = tokio::spawn(async move { engine.readiness(LIMIT).await });
    hangs.hangs.notified().await;
    world.clock.advance(LIMIT);
    let ready = asked.await.unwrap();
    assert_eq!((ready.ready, ready.check_duration), (false, 5.0));
    assert_eq!(ready.message, "Readiness check timed out after 5 seconds");
}

async fn a_health_report_is_told(world: World) {
    let log = MemoryEventLog::new();
    let engine = world.engine_on(world.queue(), log.clone(), Settings::default());
    engine.readiness(LIMIT).await;
    log.of_engine().only(EventName::RegistryHealthCheck);
}
