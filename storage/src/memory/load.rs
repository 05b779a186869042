//! Tasks as records: here what is kept small becomes what is told.

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};
use tasker_engine::{Detail, StepRecord, StepState, TaskId, TaskRecord, TaskState, Transition};

use super::rows::Row;
use super::store::Store;
use super::task::Task;

/// What a step has yielded that has not yielded anything.
pub(super) fn nothing() -> Arc<Value> {
    Arc::clone(&NOTHING)
}

static NOTHING: LazyLock<Arc<Value>> = LazyLock::new(|| Arc::new(json!({})));

impl Store {
    pub(super) fn load(&self, tasks: &[TaskId], detail: Detail) -> Vec<TaskRecord> {
        tasks.iter().filter_map(|task| self.find(*task)).map(|task| task.record(detail)).collect()
    }
}

impl Task {
    pub(super) fn record(&self, detail: Detail) -> TaskRecord {
        let (history, histories) = match detail {
            Detail::Graph => (vec![], vec![]),
            Detail::Audit => (self.trail.task_history(), self.step_histories()),
        };
        let histories = histories.into_iter().chain(std::iter::repeat_with(Vec::new));
        let learned = self.graph.learned();
        let current = Row::current(self.trail.task(), TaskState::Pending);
        TaskRecord {
            id: self.id,
            identity_hash: self.identity_hash.to_string(),
            template: Arc::clone(learned.template()),
            definition: learned.bound().hash().clone(),
            request: self.request.clone(),
            complete: current.state == TaskState::Complete,
            current,
            steps: (0..self.steps.len())
                .zip(histories)
                .map(|(place, rows)| self.step_record(place, rows))
                .collect(),
            history,
            wake: self.wake.told(),
            created_at: self.created_at,
        }
    }

    fn step_histories(&self) -> Vec<Vec<Transition<StepState>>> {
        let latest: Vec<_> = self.steps.iter().map(|step| step.latest).collect();
        self.trail.step_histories(&latest)
    }

    fn step_record(&self, place: usize, history: Vec<Transition<StepState>>) -> StepRecord {
        let (graph, step, latest) = (&self.graph, &self.steps[place], self.latest(place));
        let processed = step.state.is_satisfied();
        StepRecord {
            id: graph.id(place),
            name: graph.name(place).clone(),
            binding: graph.binding(place),
            current: self.trail.current_of_step(step.latest),
            attempts: step.attempts,
            retry_limit: step.retry_limit,
            retryable: step.retryable,
            skippable: graph.is_skippable(place),
            in_process: step.state == StepState::InProgress,
            processed,
            // A processed step does not move again, so its latest row is the one that processed it.
            processed_at: latest.filter(|_| processed).map(|row| row.at),
            last_attempted_at: step.last_attempted_at,
            backoff_request_seconds: step.backoff_request_seconds,
            inputs: Arc::clone(self.inputs.get(&place).unwrap_or(&self.request.context)),
            results: step.results.as_ref().map_or_else(nothing, Arc::clone),
            parents: graph.parents(place).iter().map(|parent| graph.id(*parent)).collect(),
            history,
        }
    }
}
