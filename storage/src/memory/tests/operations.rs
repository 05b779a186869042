//! Operations and workflows, drawn at random.

use proptest::collection::vec;
use proptest::prelude::*;
use tasker_engine::Template;

use super::workflow;

/// One operation, in numbers that find their meaning in what is there when it is made.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Advance {
        worker: u8,
        bring: Vec<(u16, u8)>,
        wanted: Vec<u8>,
        total: usize,
        only: Option<u8>,
        twice: bool,
    },
    TaskAct {
        task: u8,
        command: u8,
    },
    StepAct {
        task: u8,
        step: u8,
        command: u8,
    },
    Beat {
        worker: u8,
        forgets: u8,
    },
    Rescue {
        limit: usize,
    },
    Sweep,
    Wait {
        seconds: u64,
    },
}

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    use Operation as O;
    let advance = (
        0..3u8,
        vec((any::<u16>(), any::<u8>()), 0..4),
        vec(any::<u8>(), 0..3),
        0..5usize,
        proptest::option::weighted(0.2, any::<u8>()),
        proptest::bool::weighted(0.1),
    );
    prop_oneof![
        12 => advance.prop_map(|(worker, bring, wanted, total, only, twice)| O::Advance {
            worker, bring, wanted, total, only, twice,
        }),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(task, command)| O::TaskAct { task, command }),
        3 => (any::<u8>(), any::<u8>(), any::<u8>())
            .prop_map(|(task, step, command)| O::StepAct { task, step, command }),
        1 => (0..3u8, any::<u8>()).prop_map(|(worker, forgets)| O::Beat { worker, forgets }),
        1 => (0..3usize).prop_map(|limit| O::Rescue { limit }),
        1 => Just(O::Sweep),
        3 => (1..40u64).prop_map(|seconds| O::Wait { seconds }),
    ]
}

/// A small workflow; `edges` has a bit for each pair of steps.
pub(super) fn template() -> impl Strategy<Value = Template> {
    let steps = vec((1..4u32, any::<bool>(), any::<bool>(), 0..3u8), 0..7);
    (steps, any::<u32>(), proptest::bool::weighted(0.8)).prop_map(|(steps, edges, concurrent)| {
        let parents = |place: usize| {
            (0..place).filter(|parent| (edges >> ((place * 5 + parent) % 32)) & 1 == 1).collect()
        };
        let mut template = workflow(steps.len(), parents);
        template.concurrent = concurrent;
        for (step, (limit, retryable, skippable, handler)) in template.step_templates.iter_mut().zip(steps) {
            step.default_retry_limit = limit;
            step.default_retryable = retryable;
            step.skippable = skippable;
            step.handler_class = format!("handler {handler}").into();
        }
        template
    })
}
