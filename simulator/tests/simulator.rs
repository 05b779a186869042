//! A few hundred simulations, which break no rule; and the simulator itself: it replays, it meets what matters, and it
//! finds every mistake that the storage is told to make.

use std::ops::Range;

use tasker_simulator::{Counts, simulate, simulate_with};
use tasker_storage::memory::defects::Defect;

/// Runs seeds, which break no rule.
fn break_no_rule(seeds: Range<u64>) {
    for seed in seeds {
        if let Some(violation) = simulate(seed, false).violation {
            panic!("seed {seed}\n{violation}\nshow it: scripts/simulate --seed {seed}");
        }
    }
}

#[test]
fn the_first_seeds_break_no_rule() {
    break_no_rule(0..100);
}

#[test]
fn the_second_seeds_break_no_rule() {
    break_no_rule(100..200);
}

#[test]
fn the_third_seeds_break_no_rule() {
    break_no_rule(200..300);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        let [one, two] = [(); 2].map(|()| simulate(seed, false));
        assert_eq!((one.hash, one.counts), (two.hash, two.counts), "seed {seed}");
    }
}

#[test]
fn a_trace_that_is_kept_changes_nothing() {
    let (silent, told) = (simulate(3, false), simulate(3, true));
    assert_eq!(silent.hash, told.hash);
    assert_eq!((silent.trace.len(), told.trace.len() > 50), (0, true));
    assert_eq!(told.trace, simulate(3, true).trace);
}

#[test]
fn every_seed_gives_another_run() {
    let mut hashes: Vec<_> = (0..20).map(|seed| simulate(seed, false).hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 20);
}

/// What simulations are to come to.
const KINDS: [&str; 22] = [
    "already recorded",
    "already there",
    "cancelled",
    "claimed",
    "complete",
    "completed",
    "conflict",
    "created",
    "duplicate",
    "error",
    "failed",
    "handed back by a beat",
    "intervened",
    "not recordable",
    "recorded",
    "refused",
    "rescued",
    "snoozed",
    "spawned",
    "stale",
    "swept",
    "handed back unstarted",
];

#[test]
fn simulations_meet_everything_that_matters() {
    let mut total = Counts::default();
    for seed in 1000..1200 {
        total += &simulate(seed, false).counts;
    }
    for kind in KINDS {
        assert!(total.met.times(kind) > 0, "{kind} is not met: {}", total.met);
    }
    assert!(total.crashes > 0 && total.faults > 0, "{total:?}");
}

/// The mistake is found; the first seed that does is told.
#[expect(clippy::print_stdout, reason = "shown when the test is asked for what it captured")]
fn is_found(defect: Defect) {
    let found =
        (0..10_000).find_map(|seed| Some((seed, simulate_with(Some(defect), seed, false).violation?)));
    match found {
        Some((seed, violation)) => println!("{defect:?} is found by seed {seed}\n{violation}"),
        None => panic!("{defect:?} is not found in 10 000 seeds"),
    }
}

macro_rules! finds {
    ($($name:ident: $defect:ident,)*) => {
        $(#[test]
        fn $name() {
            is_found(Defect::$defect);
        })*

        #[test]
        fn every_mistake_has_a_test() {
            assert_eq!(Defect::ALL, [$(Defect::$defect),*]);
        }
    };
}

finds! {
    an_outcome_under_any_claim_is_found: NoFence,
    an_outcome_after_a_rescue_is_found: RescueDoesNotFence,
    a_repeat_that_is_not_recognised_is_found: RepeatNotRecognised,
    readiness_read_before_the_lock_is_found: JudgedBeforeTheLock,
    a_lost_wake_without_a_sweep_is_found: NoSweep,
    a_retry_without_a_wake_is_found: NoWakeForRetries,
    an_attempt_not_counted_at_its_claim_is_found: AttemptNotCountedAtClaim,
    a_hand_back_that_counts_is_found: HandBackCounts,
    a_settlement_while_a_step_runs_is_found: SettledWhileRunning,
    a_claim_in_a_paused_task_is_found: PauseIgnored,
    a_back_off_that_is_ignored_is_found: BackoffIgnored,
    descendants_of_a_cancelled_step_that_go_on_are_found: DescendantsNotCancelled,
    a_cancelled_parent_taken_for_a_satisfied_one_is_found: SettledTakenForSatisfied,
    a_rescue_from_the_living_is_found: LivingRescued,
    a_hand_back_of_what_is_held_is_found: HeldHandedBack,
    a_task_limit_that_is_ignored_is_found: TaskLimitIgnored,
    a_join_that_does_not_wait_for_what_is_spawned_is_found: SpawnedEdgesLost,
    a_doubled_most_recent_row_is_found: MostRecentDoubled,
}
