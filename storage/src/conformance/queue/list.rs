//! Every case of the suite for queues, in one place.

use super::scene::{QueueCase, QueueHarness};

/// Hands the whole list to another macro, with whatever that one wants beside it.
#[doc(hidden)]
#[macro_export]
macro_rules! __queue_conformance_cases {
    ($then:ident $given:tt) => {
        $crate::$then! { $given
            enqueued_wake_is_received,
            received_wake_is_the_one_that_was_enqueued,
            waiting_receiver_is_woken,
            waiting_receiver_is_woken_from_elsewhere,
            wake_is_received_elsewhere,
            receiver_of_an_empty_queue_waits,
            asking_an_empty_queue_without_waiting_is_answered,
            what_is_there_is_received_without_waiting,
            no_more_is_received_than_the_receiver_can_take,
            receiver_that_can_take_nothing_is_given_one,
            dropped_receiver_takes_no_hint_with_it,
            receiver_dropped_after_it_was_woken_takes_no_hint_with_it,
            wake_due_later_is_received_when_it_is_due,
            enqueuing_again_is_no_fault,
            enqueuing_nothing_is_no_fault,
            hint_of_an_unknown_task_is_no_fault,
            acknowledged_wake_is_not_received_again,
            released_wake_is_received_again,
            newer_wake_outlives_the_acknowledgement_of_an_older_one,
            many_receivers_receive_every_wake_between_them,
            many_enqueue_at_once_and_nothing_is_lost,
            wakes_that_nobody_enqueued_are_found_where_the_queue_says_so,
            time_stands_from_an_enqueue_until_its_receiver_has_looked,
        }
    };
}

/// Stamps every case for one queue: a module with a test of its own for each.
///
/// The second argument makes a [`QueueHarness`](crate::conformance::QueueHarness), and is evaluated once for each
/// case. See [`conformance::queue`](crate::conformance::queue) for an example.
#[macro_export]
macro_rules! queue_conformance {
    ($name:ident, $harness:expr $(,)?) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $crate::__queue_conformance_cases! { __queue_conformance_stamp [$harness] }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __queue_conformance_stamp {
    ([$harness:expr] $($case:ident,)*) => {
        $(#[test]
        fn $case() {
            $crate::conformance::queue::run_queue_case($harness, $crate::conformance::queue::$case);
        })*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __queue_conformance_list {
    ([] $($case:ident,)*) => {
        /// The names of all cases.
        pub const QUEUE_CASES: &[&str] = &[$(stringify!($case),)*];

        /// All cases, to be run one by one.
        pub fn queue_cases<H: QueueHarness>() -> Vec<QueueCase<H>> {
            vec![$(QueueCase {
                name: stringify!($case),
                run: |scene| Box::pin(super::cases::$case(scene)),
            },)*]
        }
    };
}

__queue_conformance_cases! { __queue_conformance_list [] }
