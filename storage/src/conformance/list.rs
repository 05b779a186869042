//! Every case of the suite, in one place: the stamped tests, their number and [`cases`] all come from here.

use super::Case;

/// Hands the whole list to another macro, with whatever that one wants beside it.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    ($then:ident $given:tt) => {
        $crate::$then! { $given
            learn {
                learned_definition_is_what_its_tasks_name,
                learned_steps_keep_what_the_template_says,
                learning_again_changes_nothing,
                learning_nothing_is_no_fault,
                learning_many_at_once_learns_each,
                learned_changes_leave_older_tasks_alone,
                learning_at_once_in_any_order_learns_each,
                learning_what_cannot_be_stored_is_refused_whole,
                learned_configurations_are_normalised,
                longest_names_are_learned,
                namespaces_and_versions_are_told_apart,
                learning_an_unstorable_policy_is_refused,
            }
            create {
                created_task_is_pending_without_a_row,
                created_steps_are_pending_without_a_row,
                created_task_is_due_now,
                created_steps_stand_in_the_order_of_the_template,
                created_edges_are_those_of_the_template,
                created_inputs_are_the_context_or_what_was_given,
                created_tasks_are_answered_in_the_order_of_the_request,
                creating_nothing_is_no_fault,
                created_task_without_steps_is_complete_at_once,
                bypassed_step_is_resolved_and_frees_its_children,
                bypassed_steps_are_kept_in_the_request,
                task_whose_steps_are_all_bypassed_is_complete_at_once,
                bypassing_a_step_twice_is_bypassing_it_once,
                created_tasks_ascend_in_the_order_of_the_request,
                created_task_keeps_its_times_to_the_microsecond,
                created_inputs_beyond_the_template_are_left_out,
            }
            identity {
                repeated_identity_is_a_duplicate_of_the_first,
                duplicates_do_not_keep_others_from_being_created,
                repeated_identity_in_one_call_creates_the_first,
                identity_is_taken_by_other_definitions_and_finished_tasks,
                creating_again_after_a_lost_reply_creates_nothing_twice,
                unknown_definition_creates_nothing_at_all,
                bypassing_what_is_not_skippable_creates_nothing,
                too_long_texts_create_nothing,
                longest_texts_are_stored,
                blank_identity_creates_nothing,
                nul_in_any_text_creates_nothing,
                unstorable_contexts_and_inputs_create_nothing,
            }
            payload {
                tables_of_values_are_what_check_and_normalise_say,
                results_at_the_limits_come_back_as_they_were,
                contexts_at_the_limits_come_back_as_they_were,
                numbers_are_normalised_wherever_they_come_in,
                unstorable_results_fail_their_step_for_good,
                unrecordable_outcome_does_not_stop_the_others,
                error_texts_are_made_storable,
                unstorable_results_of_operators_are_refused,
                unstorable_actors_and_reasons_are_refused,
                longest_actors_and_reasons_are_stored,
                configurations_of_spawned_steps_are_checked,
            }
            fence {
                outcome_of_a_current_claim_is_recorded,
                old_token_after_a_failure_and_a_reset_is_not_current,
                token_handed_back_does_not_count_for_the_next_claim,
                unknown_token_is_stale_in_every_state,
                token_of_another_step_or_task_is_stale,
                outcome_of_an_unknown_step_is_stale,
                outcome_of_an_unknown_task_is_stale_and_the_task_gone,
                token_twice_in_one_call_counts_once,
                what_follows_a_token_given_twice_is_told_once,
                recordings_stand_in_the_order_given,
                stale_outcome_tells_that_the_task_is_settled,
            }
            late {
                outcome_after_the_task_was_cancelled_is_stale_and_kept,
                outcome_after_the_step_was_cancelled_is_stale_and_kept,
                outcome_of_a_rescued_claim_is_kept_in_the_row_of_the_rescue,
                outcome_of_a_claim_that_a_beat_handed_back_is_kept,
                first_late_outcome_stays,
                nothing_is_kept_of_a_step_that_is_handed_back_late,
                late_results_that_cannot_be_stored_are_kept_as_their_error,
                late_outcomes_are_kept_beside_one_that_counts,
                kept_outcome_does_not_delay_the_next_attempt,
            }
            again {
                every_recorded_outcome_is_already_recorded_when_sent_again,
                first_failure_is_known_again_after_a_second_attempt,
                advance_sent_again_tells_its_claims_again,
                claims_are_told_again_without_room,
                claims_of_another_worker_are_not_told,
                claims_whose_outcomes_the_call_brings_are_not_told_again,
                claims_of_other_tasks_are_not_told,
                claim_told_again_is_the_same_claim,
                new_claims_stand_beside_those_told_again,
                claims_of_a_paused_task_are_told_again,
            }
            record {
                completed_outcome_writes_row_and_results,
                failed_outcome_writes_row_and_error,
                failure_that_asks_for_a_wait_stores_it_rounded_up,
                wait_longer_than_the_column_is_cut_there,
                permanent_failure_takes_the_permission_to_retry,
                last_failure_says_that_no_retry_is_available,
                results_replace_what_failures_left,
                hand_back_takes_the_attempt_back,
                snooze_takes_the_attempt_back_and_says_until_when,
                hand_back_and_snooze_keep_earlier_attempts_and_errors,
                unrecordable_outcome_writes_the_row_of_a_permanent_failure,
                recorded_rows_are_the_rows_in_the_audit_trail,
                results_of_one_call_go_to_their_own_steps,
                wait_beyond_all_years_is_the_longest_of_the_column,
            }
            claims {
                claim_counts_the_attempt_and_writes_its_row,
                first_claim_begins_the_task,
                advance_without_room_does_not_begin_the_task,
                every_ready_step_of_a_wanted_task_is_claimed_ascending,
                only_pending_and_failed_steps_are_claimed,
                settled_and_paused_tasks_give_no_claims,
                paused_task_gives_no_claims_until_it_is_resumed,
                cancelled_task_gives_no_claims,
                join_is_claimed_with_its_last_parent,
                join_is_claimed_once_when_both_parents_finish_in_one_call,
                child_waits_in_every_state_of_its_parent_but_the_satisfied,
                unwanted_task_is_judged_below_what_completed,
                progress_is_told_once_for_each_task_ascending,
                unknown_wanted_task_is_gone,
                advance_of_nothing_answers_nothing,
                claimed_step_is_not_claimed_again,
                claim_tells_what_each_parent_yielded,
                claim_leaves_out_parents_that_the_call_completed,
                second_attempt_is_told_all_parents,
                wide_join_is_claimed_when_all_its_parents_are_done,
            }
            rooms {
                total_room_goes_to_tasks_in_turns,
                huge_task_leaves_room_to_small_ones,
                wanted_tasks_have_the_first_turn,
                without_room_outcomes_are_recorded_and_nothing_is_claimed,
                room_of_a_task_counts_what_runs_over_all_workers,
                task_at_the_room_of_a_task_is_moved_by_its_outcomes,
                room_of_a_task_holds_for_each_task_alone,
                room_of_a_handler_is_its_own,
                room_of_a_handler_is_shared_by_all_tasks,
                limited_handlers_leave_the_others_their_room,
                full_handler_keeps_back_only_its_own_steps,
                worker_without_handlers_claims_nothing,
                all_rooms_hold_at_once,
                task_of_one_step_at_a_time_keeps_to_it_over_two_workers,
                outcome_of_a_limited_task_judges_all_its_steps,
                limit_of_a_task_holds_beside_a_wider_room,
                room_of_a_task_is_counted_after_the_outcomes,
                plain_room_takes_every_handler_and_task,
                room_for_no_step_of_a_task_claims_nothing,
            }
            wakes {
                settled_and_paused_tasks_have_no_wake,
                pause_takes_the_wake_and_resume_gives_one_due_now,
                settling_takes_the_wake,
                ready_steps_left_over_give_a_wake_due_now,
                ready_children_left_over_give_a_wake_due_now,
                every_task_with_ready_steps_left_over_is_woken_when_room_runs_out,
                failed_step_gives_a_wake_for_its_next_attempt,
                wakes_are_due_to_the_microsecond,
                snoozed_step_gives_a_wake_for_its_end,
                handed_back_step_gives_a_wake_due_now,
                blocked_step_gives_no_wake,
                earliest_of_several_reasons_counts,
                ready_step_left_over_is_earlier_than_a_failed_one,
                wanted_task_that_only_waits_for_running_steps_has_no_wake_left,
                wanted_task_in_back_off_has_a_wake_for_its_end,
                unwanted_task_keeps_an_earlier_wake,
                unwanted_task_keeps_its_wake_when_nothing_new_waits,
                stale_outcome_leaves_the_wake,
                generations_rise_with_every_change,
                wake_is_the_same_whoever_tells_it,
                outcomes_of_a_paused_task_give_no_wake,
                step_snoozed_until_a_moment_ago_gives_a_wake_due_now,
            }
            parking {
                handler_without_room_left_gives_a_wake_due_now,
                task_without_a_handler_here_is_parked_ever_longer,
                parked_wake_stays_until_it_is_due,
                parking_until_the_end_of_a_back_off_counts,
                parking_delays_double_up_to_the_longest,
                parking_begins_anew_after_a_claim,
                task_is_parked_only_when_no_room_would_have_helped,
                parked_task_is_woken_earlier_for_a_failed_step,
                parked_step_is_claimed_by_whoever_can,
            }
            spawn {
                spawned_step_is_as_it_was_asked_for,
                spawned_steps_stand_after_all_others_in_the_order_given,
                spawned_steps_are_claimed_in_the_call_that_adds_them,
                spawned_steps_are_claimed_within_the_room,
                join_waits_for_the_steps_spawned_before_it,
                spawned_steps_may_spawn_again,
                names_that_the_task_has_add_nothing,
                spawning_again_after_a_lost_reply_adds_nothing,
                spawned_step_keeps_its_own_limits,
                spawning_before_a_settled_join_adds_the_step_all_the_same,
            }
            bad_spawns {
                stale_outcome_spawns_nothing,
                spawning_before_a_step_that_does_not_wait_is_not_recordable,
                spawning_after_a_step_not_spawned_earlier_is_not_recordable,
                spawning_one_name_twice_is_not_recordable,
                spawning_under_a_bad_name_is_not_recordable,
                bad_spawn_does_not_stop_the_others,
                failed_outcome_spawns_nothing,
                spawning_a_step_without_attempts_is_not_recordable,
            }
            retries {
                failed_step_waits_two_four_up_to_thirty_seconds,
                retry_is_two_rows_by_way_of_pending,
                wait_that_was_asked_for_governs_alone,
                wait_of_nothing_is_over_at_once,
                claim_clears_the_wait_that_was_asked_for,
                step_runs_as_often_as_its_limit,
                step_that_is_not_retryable_runs_once,
                permanent_failure_is_never_retried,
                reset_gives_a_permanently_failed_step_its_attempts_back,
                snoozed_step_is_claimed_when_its_sleep_is_over,
                handed_back_step_is_claimed_again_at_once,
                step_handed_back_by_a_call_that_wants_its_task_is_claimed_again,
                child_runs_after_its_parent_came_through,
            }
            settle {
                task_whose_steps_are_all_complete_is_complete,
                settled_task_is_told_and_not_moved_again,
                task_errs_only_when_nothing_else_can_move,
                errored_task_names_its_blocked_steps,
                task_with_a_cancelled_branch_is_complete_and_says_so,
                task_whose_leaves_are_all_cancelled_is_cancelled,
                pending_task_is_cancelled_without_being_begun,
                pending_task_that_becomes_complete_is_begun_first,
                resolved_and_skipped_steps_count_as_done,
                paused_task_is_settled_only_after_it_is_resumed,
                paused_task_errs_only_after_it_is_resumed,
                errored_task_that_was_freed_completes_by_way_of_in_progress,
                retried_task_may_err_again,
                last_two_leaves_in_one_call_settle_the_task,
                last_success_beside_a_permanent_failure_errs,
                tasks_of_one_call_settle_each_for_itself,
                wide_task_settles_with_its_last_outcome,
            }
            intervene {
                task_commands_do_what_the_table_says,
                step_commands_do_what_the_table_says,
                step_that_is_not_skippable_is_not_skipped,
                steps_of_a_finished_task_are_left_alone,
                act_on_a_step_reopens_an_errored_task,
                resolving_needs_a_reason,
                task_that_changed_meanwhile_is_a_conflict,
                step_that_changed_meanwhile_is_a_conflict,
                steps_of_a_held_task_are_acted_on_and_nobody_is_woken,
                unknown_tasks_and_steps_are_told,
                running_step_that_an_act_moves_is_fenced,
                act_sent_again_is_not_done_twice,
            }
            task_acts {
                cancelled_task_takes_its_unsettled_steps_with_it,
                cancelling_by_force_leaves_the_steps,
                retried_task_has_its_blocked_steps_reset,
                resolved_task_leaves_its_steps,
                paused_task_says_so_and_leaves_its_steps,
                resumed_task_says_so_and_is_woken,
                outcome_of_a_paused_task_is_recorded,
            }
            step_acts {
                cancelled_step_takes_what_hangs_on_it,
                step_cancelled_without_a_reason_is_given_one,
                retried_step_may_run_at_once_with_the_attempts_it_has,
                reset_step_begins_anew,
                reset_restores_the_permission_as_it_was,
                resolved_step_has_the_results_that_were_given,
                step_completed_by_hand_has_the_results_that_were_given,
                skipped_step_says_so,
                reopened_task_says_who_did_it,
                acts_on_steps_of_a_paused_task_give_no_wake,
                act_wakes_a_task_that_would_have_slept,
            }
            beat {
                claims_that_a_worker_holds_stay_its_own,
                claims_that_a_worker_does_not_name_are_handed_back,
                claims_made_since_then_are_not_handed_back,
                claims_of_other_workers_are_not_handed_back,
                beat_without_claims_changes_nothing,
                claims_that_ended_are_not_handed_back,
                claims_are_handed_back_in_every_task,
                beat_does_not_wake_a_paused_task,
                unstorable_label_is_refused,
            }
            rescue {
                steps_of_lost_workers_fail,
                steps_of_living_workers_are_left_alone,
                rescue_of_a_last_attempt_wakes_the_task_to_settle,
                rescue_keeps_to_its_limit_ascending,
                rescue_does_not_wake_a_paused_task,
                rescue_without_lost_workers_changes_nothing,
                rescue_lets_the_other_steps_of_a_task_at_its_limit_run,
                rescue_keeps_an_earlier_wake,
                delayed_beat_does_not_make_a_worker_look_lost,
            }
            due {
                due_wakes_stand_earliest_first_and_then_by_task,
                due_tells_when_the_next_wake_will_be,
                due_keeps_to_its_limit_and_tells_what_follows,
                due_changes_nothing,
                due_of_an_empty_storage_is_nothing,
                wanted_task_is_no_longer_due,
                due_tells_of_far_futures,
                due_takes_turns_between_namespaces,
                due_without_room_tells_only_what_is_next,
            }
            sweep {
                swept_task_without_a_wake_is_woken,
                sweep_wakes_only_tasks_that_can_move,
                sweep_leaves_wakes_alone,
                sweep_wakes_a_task_in_progress_that_nobody_runs,
                sweep_goes_on_where_it_stopped,
                sweep_looks_only_above_the_task_it_is_given,
                swept_task_goes_on,
            }
            load {
                loaded_tasks_stand_in_the_order_asked_for,
                loading_nothing_finds_nothing,
                loaded_graph_is_all_but_the_audit_trail,
                loading_changes_nothing,
                loaded_tasks_keep_their_own_steps,
            }
            replay {
                same_calls_replay_to_the_same_state,
                calls_made_twice_break_no_rule,
            }
            graphs {
                every_join_fires_once_whatever_ends_first,
                two_workers_with_one_slot_each_fire_every_join_once,
            }
            races {
                two_last_leaves_finishing_at_once_settle_the_task_once,
                last_success_and_failure_at_once_err_once,
                two_parents_finishing_at_once_claim_their_join_once,
                advance_sent_twice_at_once_counts_once,
                two_workers_wanting_one_task_claim_each_step_once,
                two_workers_retrying_one_step_claim_it_once,
                two_workers_keep_to_the_limit_of_a_task,
            }
            clashes {
                pause_against_a_claim,
                cancel_against_a_claim,
                cancel_against_an_outcome,
                cancel_of_a_join_against_a_spawn_before_it,
                cancel_against_a_spawned_join,
                cancel_of_a_task_against_a_spawn,
                resume_against_the_last_outcome,
                the_same_act_twice_at_once_moves_once,
                acts_that_exclude_each_other_move_once,
            }
            crowds {
                many_workers_claim_each_step_of_a_task_once,
                many_workers_run_many_tasks_in_any_order,
                many_creates_of_one_identity_create_once,
                batches_of_one_identity_each_in_opposite_orders_create_once,
                operators_and_workers_at_the_same_tasks_break_no_rule,
                rescue_against_the_outcome_of_a_slow_worker,
                two_rescues_at_once_rescue_each_step_once,
                beat_against_an_outcome,
                two_sweeps_at_once_wake_each_task_once,
                hundreds_of_tasks_go_through_one_call_each_time,
            }
        }
    };
}

/// Stamps every case for one backend: a module with a test of its own for each, in the groups of the suite.
///
/// The second argument makes a [`Harness`](crate::conformance::Harness), and is evaluated once for each case. See
/// [`conformance`](crate::conformance) for an example.
#[macro_export]
macro_rules! storage_conformance {
    ($name:ident, $harness:expr $(,)?) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $crate::__conformance_cases! { __conformance_stamp [$harness] }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_stamp {
    ([$harness:expr] $($group:ident { $($case:ident,)* })*) => {
        $(mod $group {
            #[allow(unused_imports)]
            use super::*;
            $(#[test]
            fn $case() {
                $crate::conformance::run($harness, $crate::conformance::$group::$case);
            })*
        })*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_list {
    ([] $($group:ident { $($case:ident,)* })*) => {
        /// The names of all cases, as `group::name`.
        pub const CASES: &[&str] = &[$($(concat!(stringify!($group), "::", stringify!($case)),)*)*];

        /// All cases, to be run one by one.
        pub fn cases() -> Vec<Case> {
            vec![$($(Case {
                name: concat!(stringify!($group), "::", stringify!($case)),
                run: |scene| Box::pin(super::$group::$case(scene)),
            },)*)*]
        }
    };
}

__conformance_cases! { __conformance_list [] }
