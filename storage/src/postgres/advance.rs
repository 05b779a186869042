//! Moving tasks on by one wave: one statement and one commit, however much moves.
//!
//! ```text
//! outcomes ──▶ arrays ──▶ tasker_advance ──▶ arrays ──▶ answer
//!     └── refused ──▶ culprits ──▶ once more
//! ```
//!
//! Here a call becomes arrays and arrays become an answer; what happens in between is told in
//! `migrations/0007_add_advance.up.sql`.

mod answer;
mod culprits;
mod outcomes;

use std::collections::HashMap;

use sqlx::PgExecutor;
use sqlx::postgres::PgRow;
use tasker_engine::{Advance, ErrorReport, HandlerRoom, Progress, Room, StorageError, audit};

use super::PostgresStorage;
use super::error::storage_error;
use super::values::{Jsonb, Moment, integer};
use answer::Answer;

impl PostgresStorage {
    pub(super) async fn advance_tasks(&self, mut call: Advance) -> Result<Vec<Progress>, StorageError> {
        // Outcomes that cannot be recorded as they came, by their place, and why.
        let mut faults: HashMap<usize, ErrorReport> = HashMap::new();
        for (place, outcome) in call.outcomes.iter_mut().enumerate() {
            faults.extend(outcome.make_recordable(&self.limits).map(|fault| (place, fault)));
        }
        let firsts = firsts(&call);
        let sent: Vec<_> = (0..firsts.len()).filter(|place| firsts[*place] == *place).collect();
        let row = match send(&self.pool, &call, &sent).await {
            Err(error) if !error.is_transient() && !sent.is_empty() => {
                for (place, fault) in self.culprits(&call, &sent, error).await? {
                    faults.insert(place, call.outcomes[place].fail_as_not_recordable(&fault));
                }
                send(&self.pool, &call, &sent).await?
            }
            answered => answered?,
        };
        Answer { call: &call, firsts: &firsts, sent: &sent, faults: &faults, row: &row }.progress()
    }
}

/// For each outcome the place of the first one of the same claim: its own, unless it comes again.
fn firsts(call: &Advance) -> Vec<usize> {
    let mut seen = HashMap::with_capacity(call.outcomes.len());
    let claims = call.outcomes.iter().map(|outcome| (outcome.task, outcome.step, outcome.token));
    claims.enumerate().map(|(place, claim)| *seen.entry(claim).or_insert(place)).collect()
}

/// Makes the call with the outcomes at these places.
async fn send(
    executor: impl PgExecutor<'_>,
    call: &Advance,
    places: &[usize],
) -> Result<PgRow, StorageError> {
    let outcomes: Vec<_> = places.iter().map(|place| &call.outcomes[*place]).collect();
    let (names, rooms) = handlers(&call.room);
    sqlx::query(
        "SELECT * FROM tasker_advance($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(call.worker.to_string())
    .bind(Moment(call.now))
    .bind(outcomes.iter().map(|outcome| outcome.task.0).collect::<Vec<_>>())
    .bind(outcomes.iter().map(|outcome| outcome.step.0).collect::<Vec<_>>())
    .bind(outcomes.iter().map(|outcome| outcome.token.0).collect::<Vec<_>>())
    .bind(outcomes.iter().map(|outcome| outcomes::goes_to(&outcome.kind)).collect::<Vec<_>>())
    .bind(outcomes.iter().map(|outcome| outcomes::is_permanent(&outcome.kind)).collect::<Vec<_>>())
    .bind(outcomes.iter().map(|outcome| outcomes::wait_seconds(&outcome.kind)).collect::<Vec<_>>())
    .bind(outcomes.iter().map(|outcome| outcomes::results(&outcome.kind)).collect::<Vec<_>>())
    .bind(outcomes.iter().map(|outcome| outcomes::metadata(outcome, call.now)).collect::<Vec<_>>())
    .bind(outcomes::spawned(&outcomes))
    .bind(call.wanted.iter().map(|task| task.0).collect::<Vec<_>>())
    .bind(integer(call.room.total))
    .bind(call.room.per_task.map(integer))
    .bind(names)
    .bind(rooms)
    .bind(Jsonb::from(audit::cancelled(audit::PARENT_CANCELLED, "step_cancelled")))
    .fetch_one(executor)
    .await
    .map_err(storage_error)
}

/// The names of handlers and their rooms; NULL when every handler will do.
fn handlers(room: &Room) -> (Option<Vec<&str>>, Option<Vec<i32>>) {
    match &room.handlers {
        HandlerRoom::Every => (None, None),
        HandlerRoom::Only(rooms) => (
            Some(rooms.keys().map(|name| name.as_str()).collect()),
            Some(rooms.values().copied().map(integer).collect()),
        ),
    }
}
