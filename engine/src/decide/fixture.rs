//! Steps and tasks for the tests of decisions.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    Binding, Current, StepId, StepRecord, StepState, TaskId, TaskRecord, TaskRequest, TaskState, Template,
    Timestamp, Version,
};

pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// A step that is pending, and ready.
pub(crate) fn a_step() -> StepRecord {
    StepRecord {
        id: StepId(1),
        name: "step".into(),
        binding: Binding { handler: "handler".into(), config: Arc::default(), spawned_by: None },
        current: Current {
            state: StepState::Pending,
            metadata: json!({}),
            since: None,
            sort_key: 0,
            transition: None,
        },
        attempts: 0,
        retry_limit: 3,
        retryable: true,
        skippable: false,
        in_process: false,
        processed: false,
        processed_at: None,
        last_attempted_at: None,
        backoff_request_seconds: None,
        inputs: Arc::new(Value::Null),
        results: Arc::new(json!({})),
        parents: vec![],
        history: vec![],
    }
}

impl StepRecord {
    pub(crate) fn in_state(mut self, state: StepState) -> Self {
        self.current.state = state;
        self.current.since = Some(NOW);
        self
    }

    pub(crate) fn waiting_until(mut self, end: Timestamp) -> Self {
        self.current.metadata = json!({ "backoff_until": end });
        self
    }
}

pub(crate) fn a_task(steps: Vec<StepRecord>) -> TaskRecord {
    TaskRecord {
        id: TaskId(1),
        identity_hash: "identity".into(),
        template: Arc::new(Template::new("tests", "task", Version(1, 0, 0))),
        definition: "definition".to_owned().into(),
        request: TaskRequest {
            context: Arc::new(json!({})),
            requested_at: NOW,
            initiator: "test".into(),
            source_system: "test".into(),
            reason: "test".into(),
            tags: vec![],
            bypass_steps: vec![],
            correlation_id: None,
        },
        current: Current {
            state: TaskState::InProgress,
            metadata: json!({}),
            since: None,
            sort_key: 0,
            transition: None,
        },
        complete: false,
        steps,
        history: vec![],
        wake: None,
        created_at: NOW,
    }
}
