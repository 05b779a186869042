//! The memory backend, held to the suite; and the suite, held to backends with deliberate defects.
//!
//! A suite that nothing fails proves nothing. [`broken::Broken`] is the memory backend with one defect in front of it, and for
//! each defect some case must fail, among them the one that is named.

use std::collections::BTreeSet;
use std::env;

use tasker_engine::TaskId;
use tasker_engine::records::{Scope, TaskColumn, Tasks};
use tasker_storage::conformance::graphs::{Room, in_every_order};
use tasker_storage::conformance::{CASES, Harness, agreement, cases, failing, records, run};
use tasker_storage::memory::MemoryStorage;

#[path = "memory/broken.rs"]
mod broken;
#[path = "memory/queues.rs"]
mod queues;

use broken::{Breaks, Defect, Tally, breaks};

/// Fresh storages in the memory of this process.
struct Memory;

impl Harness for Memory {
    type Storage = MemoryStorage;

    async fn storage(&self) -> MemoryStorage {
        MemoryStorage::new()
    }

    async fn lose_wake(&self, storage: &MemoryStorage, task: TaskId) {
        storage.lose_wake(task);
    }

    async fn make_draft(&self, storage: &MemoryStorage, task: TaskId) {
        storage.make_draft(task);
    }
}

tasker_storage::storage_conformance!(memory, Memory);

/// From `TASKER_SEED`, or another one each time; a failure tells it.
fn seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    let given = env::var("TASKER_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| RandomState::new().hash_one(()))
}

/// For tests of the suite itself, which are to come out the same each time.
const FIXED: u64 = 1;

#[test]
fn memory_agrees_with_itself() {
    if let Err(disagreement) = agreement(|| Memory, || Memory, 300, 60, seed()) {
        panic!("{disagreement}");
    }
}

/// The suite runs graphs of four steps, for other backends take longer.
#[test]
fn every_join_of_every_graph_of_five_steps_fires_once() {
    run(Memory, async |scene| {
        // As counted without a storage.
        assert_eq!(in_every_order(&scene, 5, Room::Wide).await, 15_286);
        assert_eq!(in_every_order(&scene, 5, Room::Narrow).await, 14_762);
    });
}

#[test]
fn every_case_is_listed_once() {
    assert_eq!(CASES.iter().collect::<BTreeSet<_>>().len(), CASES.len());
    let listed: Vec<_> = cases().iter().map(|case| case.name).collect();
    assert_eq!(listed, CASES);
}

/// Each defect, and a case that finds it.
const FOUND_BY: [(Defect, &str); 15] = [
    (Defect::NoFence, "fence::old_token_after_a_failure_and_a_reset_is_not_current"),
    (Defect::WakeForgotten, "due::due_wakes_stand_earliest_first_and_then_by_task"),
    (Defect::SettleMissed, "races::two_last_leaves_finishing_at_once_settle_the_task_once"),
    (Defect::AttemptNotCounted, "retries::step_runs_as_often_as_its_limit"),
    (Defect::DuplicateStored, "crowds::many_creates_of_one_identity_create_once"),
    (Defect::ClaimsDoubled, "crowds::many_workers_claim_each_step_of_a_task_once"),
    (Defect::RoomIgnored, "rooms::all_rooms_hold_at_once"),
    (Defect::WaitForgotten, "retries::wait_that_was_asked_for_governs_alone"),
    (Defect::SpawnLost, "clashes::cancel_of_a_join_against_a_spawn_before_it"),
    (Defect::ConflictIgnored, "intervene::task_that_changed_meanwhile_is_a_conflict"),
    (Defect::NothingHandedBack, "beat::claims_that_a_worker_does_not_name_are_handed_back"),
    (Defect::NothingRescued, "crowds::two_rescues_at_once_rescue_each_step_once"),
    (Defect::OutcomesLost, "payload::unrecordable_outcome_does_not_stop_the_others"),
    (Defect::ParentsForgotten, "claims::claim_tells_what_each_parent_yielded"),
    (Defect::LoadSorted, "load::loaded_tasks_stand_in_the_order_asked_for"),
];

#[test]
fn wrapper_without_a_defect_fails_no_case() {
    assert_eq!(failing(&cases(), || breaks(Defect::None)), <[&str; 0]>::default());
}

#[test]
fn every_defect_fails_the_case_that_is_about_it() {
    for (defect, case) in FOUND_BY {
        let about: Vec<_> = cases().into_iter().filter(|one| one.name == case).collect();
        assert_eq!(failing(&about, || breaks(defect)), [case], "{defect:?}");
    }
}

#[test]
fn every_defect_is_found_by_comparing_answers() {
    for (defect, _) in FOUND_BY {
        // A task that is loaded comes back alone, or in the order of its id.
        if defect == Defect::LoadSorted {
            continue;
        }
        let found = agreement(|| Memory, || breaks(defect), 400, 30, FIXED).expect_err("they differ");
        assert!(found.operations.len() <= 12, "{defect:?} is shown in few operations: {found}");
    }
}

/// Random sequences that never come to what matters would compare nothing.
#[test]
fn random_sequences_meet_every_kind_of_answer() {
    let tally = Tally::default();
    let counted = || Breaks { defect: Defect::None, tally: tally.clone() };
    agreement(counted, || Memory, 300, 80, FIXED).expect("they agree");
    let tally = tally.lock().expect("nothing panics while it holds this");
    for kind in KINDS {
        let met = tally.get(kind).copied().unwrap_or_default();
        assert!(met >= 10, "{kind} is met {met} times: {tally:#?}");
    }
}

/// What random sequences are to meet.
const KINDS: [&str; 20] = [
    "already_recorded",
    "already_there",
    "begun",
    "cancelled",
    "claim",
    "complete",
    "created",
    "due",
    "duplicate",
    "error",
    "handed_back",
    "moved",
    "not_recordable",
    "recorded",
    "refused",
    "rescued",
    "resolved_manually",
    "spawned",
    "stale",
    "swept",
];

#[test]
fn records_of_memory_agree_with_themselves() {
    if let Err(disagreement) = records::agreement(|| Memory, || Memory, 10, seed()) {
        panic!("{disagreement}");
    }
}

tasker_storage::records_conformance!(memory_records, Memory);

/// Before any backend sees them.
#[test]
fn scopes_that_mean_nothing_are_refused() {
    let refused = "colour".parse::<TaskColumn>().unwrap_err();
    assert_eq!((refused.what, refused.text.as_str()), ("tasks", "colour"));
    assert!(refused.known.contains(&"created_at"), "and those that would do are named: {refused}");
    for text in [
        r#"{"limit":-1}"#,
        r#"{"offset":"a"}"#,
        r#"{"order":{"by":"colour"}}"#,
        r#"{"order":{"by":"context"}}"#,
        r#"{"filters":["shiny"]}"#,
        r#"{"filters":[{"in_namespace":7}]}"#,
        r#"{"filters":[{"by_current_state":"done"}]}"#,
        r#"{"filter":[]}"#,
    ] {
        assert!(serde_json::from_str::<Scope<Tasks>>(text).is_err(), "{text}");
    }
}
