//! The clock goes by the server's, whatever this machine's says.

use std::time::Duration;

use sqlx::PgPool;
use tasker_engine::{Clock as _, SystemClock};
use tasker_storage::postgres::PostgresStorage;

use crate::fixture::Fixture;

/// A server whose clock is an hour ahead of ours: the schema that is looked at first has a clock of its own.
#[tokio::test]
async fn a_server_that_is_an_hour_ahead_is_gone_by() {
    let fixture = Fixture::new().await;
    fixture
        .sql(
            "CREATE SCHEMA ahead;
            CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql
            AS 'SELECT pg_catalog.clock_timestamp() + interval ''1 hour''';",
        )
        .await;
    let options = fixture.options().options([("search_path", "ahead, pg_catalog, public")]);
    let ahead = PostgresStorage::from(PgPool::connect_with(options).await.unwrap());
    let (clock, system) = (ahead.clock().await.unwrap(), SystemClock::default());
    let minutes = |count: u64| Duration::from_secs(count * 60);
    let before = system.now();
    let time = clock.now();
    assert!(before + minutes(59) < time && time < system.now() + minutes(61), "{time} at {before}");
}

/// Written by a session in whatever zone.
#[tokio::test]
async fn its_time_is_in_utc_whatever_the_zone_of_the_session() {
    let fixture = Fixture::new().await;
    let options = fixture.options().options([("TimeZone", "Pacific/Kiritimati")]);
    let storage = PostgresStorage::from(PgPool::connect_with(options).await.unwrap());
    let (clock, system) = (storage.clock().await.unwrap(), SystemClock::default());
    let off = clock.now().since(system.now()).max(system.now().since(clock.now()));
    assert!(off < Duration::from_secs(1800), "{off:?}");
}
