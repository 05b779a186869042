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
use tasker_engine::{Advance, ErrorReport, HandlerRoom, Progress, Room, StorageError, audit};

use super::PostgresStorage;
use super::error::storage_error;
use super::values::{Jsonb, Moment, integer};
use answer::{Answer, Answered};
use outcomes::Columns;

impl PostgresStorage {
    pub(super) async fn advance_tasks(&self, mut call: Advance) -> Result<Vec<Progress>, StorageError> {
        // Outcomes that cannot be recorded as they came, by their place, and why.
        let mut faults: HashMap<usize, ErrorReport> = HashMap::new();
        for (place, outcome) in call.outcomes.iter_mut().enumerate() {
            faults.extend(outcome.make_recordable(&self.limits).map(|fault| (place, fault)));
        }
        let firsts = firsts(&call);
        let sent: Vec<_> = (0..firsts.len()).filter(|place| firsts[*place] == *place).collect();
        let answered = match send(&self.pool, &call, &sent).await {
            Err(error) if !error.is_transient() && !sent.is_empty() => {
                for (place, fault) in self.culprits(&call, &sent, error).await? {
                    faults.insert(place, call.outcomes[place].fail_as_not_recordable(&fault));
                }
                send(&self.pool, &call, &sent).await?
            }
            answered => answered?,
        };
        Answer { call: &call, firsts: &firsts, sent: &sent, faults: &faults }.progress(answered)
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
) -> Result<Answered, StorageError> {
    let outcomes: Vec<_> = places.iter().map(|place| &call.outcomes[*place]).collect();
    let columns = Columns::of(&outcomes, call.now);
    let wanted: Vec<_> = call.wanted.iter().map(|task| task.0).collect();
    let (names, rooms, others) = handlers(&call.room);
    sqlx::query_as!(
        Answered,
        r#"SELECT
            tasks, recorded_places, recorded_rows, recorded_blocked AS "recorded_blocked: Vec<Option<String>>",
            repeated_places,
            claim_tasks, claim_steps, claim_tokens, claim_attempts, claim_retries,
            edge_children, edge_parents, parent_steps, parent_kinds AS "parent_kinds: Vec<String>",
            parent_results AS "parent_results: Vec<Option<Jsonb>>", begun_tasks, begun_rows,
            cancelled_tasks, cancelled_steps, cancelled_states AS "cancelled_states: Vec<String>", cancelled_rows,
            settled_tasks, settled_states AS "settled_states: Vec<String>",
            settled_rows AS "settled_rows: Vec<Option<i64>>",
            settled_metadata AS "settled_metadata: Vec<Jsonb>", settled_open, unbegun_tasks, wake_tasks, wake_dues AS "wake_dues: Vec<Moment>",
            no_room_tasks, no_room_handlers AS "no_room_handlers: Vec<String>"
        FROM tasker_advance(
            $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"#,
        call.worker.to_string(),
        Moment(call.now),
        &columns.task[..],
        &columns.step[..],
        &columns.token[..],
        &columns.goes_to[..],
        &columns.is_permanent[..],
        &columns.wait_seconds as &[Option<i32>],
        &columns.results as &[Option<Jsonb>],
        &columns.metadata[..],
        outcomes::spawned(&outcomes),
        &wanted[..],
        integer(call.room.total),
        call.room.per_task.map(integer),
        names.as_deref(),
        rooms.as_deref(),
        others,
        Jsonb::from(audit::cancelled(audit::PARENT_CANCELLED, "step_cancelled")),
    )
    .fetch_one(executor)
    .await
    .map_err(storage_error)
}

/// The names of handlers and their rooms, NULL when every handler will do; and whether there is room for others.
fn handlers(room: &Room) -> (Option<Vec<&str>>, Option<Vec<i32>>, bool) {
    let (rooms, others) = match &room.handlers {
        HandlerRoom::Every => return (None, None, true),
        HandlerRoom::Limited(rooms) => (rooms, true),
        HandlerRoom::Only(rooms) => (rooms, false),
    };
    let names = rooms.keys().map(|name| name.as_str()).collect();
    (Some(names), Some(rooms.values().copied().map(integer).collect()), others)
}
