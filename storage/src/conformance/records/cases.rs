//! Every case about records, in one place. A backend without records is not held to them.

/// Hands the whole list to another macro, with whatever that one wants beside it.
#[doc(hidden)]
#[macro_export]
macro_rules! __records_cases {
    ($then:ident $given:tt) => {
        $crate::$then! { $given
            scopes {
                annotation_has_the_type_and_the_value_at_once,
                task_is_found_once_however_many_annotations_match,
                annotation_key_is_cleaned_and_values_are_compared_as_text,
                fresh_tasks_and_steps_are_pending,
                active_tasks_are_those_that_are_pending_or_in_progress,
                tasks_are_completed_since_when_some_step_is,
                failed_since_asks_for_the_current_state,
                pending_steps_do_not_run,
                resolved_steps_are_completed_but_not_completed_since,
                versions_are_compared_as_numbers,
                siblings_have_exactly_the_same_parents,
                edges_to_children_are_found_by_their_name,
                places_in_a_graph_are_told_by_the_view,
                transitions_are_found_by_metadata,
                retries_are_moves_to_pending_after_an_error,
                recent_transitions_come_last_first,
                page_beyond_the_end_is_empty,
                page_after_a_row_that_is_not_there_is_empty,
                pages_one_after_another_are_the_whole,
                absent_values_come_last_ascending_and_first_descending,
                scope_that_was_sent_as_json_finds_the_same,
                text_that_cannot_be_stored_finds_nothing,
                moments_beyond_all_time_are_compared_as_well,
            }
            associations {
                rows_of_many_are_loaded_for_each,
                parents_and_children_are_distinct_and_ascend,
                siblings_of_many_steps_are_those_of_each,
                tasks_come_with_all_that_belongs_to_them,
                associations_of_nothing_are_nothing,
                association_of_a_thousand_rows_takes_two_statements_at_most,
            }
            reads {
                step_in_backoff_says_until_when,
                step_says_why_it_does_not_run,
                readiness_of_many_tasks_is_that_of_each,
                context_tells_how_a_task_stands,
                context_of_an_unknown_task_is_not_found,
                level_is_the_longest_way_from_a_root,
                health_counts_count_everything,
                statistics_of_steps_and_moves_are_those_of_the_rows,
                slowest_come_first_within_the_filters,
                percentiles_are_computed,
                metrics_count_by_step_or_by_task,
                bottlenecks_of_a_period_are_counted,
            }
            writes {
                namespace_is_written_once,
                named_task_brings_its_namespace_and_stays_as_it_is,
                configuration_is_merged_all_the_way_down,
                named_steps_come_in_the_order_asked_for,
                link_is_found_unchanged,
                link_to_nothing_is_refused,
                object_map_is_found_whichever_way_round,
                object_map_within_one_system_is_found_whichever_way_round,
                object_map_without_an_id_writes_nothing,
                annotation_brings_its_type_and_may_be_null,
                annotation_can_be_changed_and_must_be_about_a_task,
                faults_are_told_together_and_nothing_is_written,
                longest_texts_are_written,
                many_who_want_one_row_at_once_get_the_same,
            }
            deletions {
                what_is_in_use_stays,
                what_nobody_needs_goes,
                learned_names_stay,
                system_of_an_object_map_stays,
                annotation_type_goes_with_its_annotations,
                deleting_what_is_not_there_is_told,
            }
            edges {
                edge_makes_a_step_wait,
                edge_that_is_there_is_found,
                edge_that_closes_a_circle_is_refused_with_the_way,
                edge_from_a_step_to_itself_is_refused,
                edge_between_two_tasks_is_refused,
                edge_to_a_step_that_has_begun_is_refused,
                edge_in_a_settled_task_is_refused,
                edges_drawn_at_once_close_no_circle,
            }
            changes {
                task_changes_its_reason_and_tags,
                change_that_does_not_fit_changes_nothing,
                more_attempts_free_a_blocked_step,
                change_in_a_held_task_wakes_nobody,
                step_that_runs_is_not_changed,
                inputs_are_changed_while_a_step_waits,
            }
        }
    };
}

/// Stamps every case about records for one backend, as
/// [`storage_conformance`](crate::storage_conformance) does those about storing.
#[macro_export]
macro_rules! records_conformance {
    ($name:ident, $harness:expr $(,)?) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $crate::__records_cases! { __records_stamp [$harness] }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __records_stamp {
    ([$harness:expr] $($group:ident { $($case:ident,)* })*) => {
        $(mod $group {
            #[allow(unused_imports)]
            use super::*;
            $(#[test]
            fn $case() {
                $crate::conformance::run($harness, $crate::conformance::records::$group::$case);
            })*
        })*
    };
}
