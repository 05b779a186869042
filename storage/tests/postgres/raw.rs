//! Rows as nobody's program writes them, and what functions of the database answer, as JSON.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _};
use tasker_engine::{StepId, TaskId, Timestamp};

use crate::fixture::{Fixture, NOW};

impl Fixture {
    /// The rows that a query of the test's own making answers, each as an object; in their order.
    pub(crate) async fn rows(&self, query: impl AsRef<str>) -> Vec<Value> {
        let rows = self.try_rows(query).await;
        rows.expect("the test's own query")
    }

    pub(crate) async fn try_rows(&self, query: impl AsRef<str>) -> Result<Vec<Value>, sqlx::Error> {
        let query = format!("SELECT to_jsonb(r)::text FROM ({}) AS r", query.as_ref());
        let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(self.pool()).await?;
        Ok(rows.iter().map(|row| serde_json::from_str(row.get(0)).expect("an object")).collect())
    }

    /// The one row of a query.
    pub(crate) async fn row(&self, query: impl AsRef<str>) -> Value {
        let mut rows = self.rows(query).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    /// One column of a query.
    pub(crate) async fn column(&self, name: &str, query: impl AsRef<str>) -> Vec<Value> {
        self.rows(query).await.into_iter().map(|row| row[name].clone()).collect()
    }

    /// Gives a step a current row of the audit trail; earlier ones are kept behind it.
    pub(crate) async fn put(&self, step: StepId, state: &str, at: Timestamp, metadata: Value) {
        self.sql(format!(
            "UPDATE tasker_workflow_step_transitions SET most_recent = false WHERE workflow_step_id = {step};
             INSERT INTO tasker_workflow_step_transitions
                 (to_state, workflow_step_id, metadata, sort_key, created_at, updated_at)
             SELECT '{state}', {step}, '{metadata}', coalesce(max(t.sort_key), 0) + 10, '{at}', '{at}'
             FROM tasker_workflow_step_transitions AS t WHERE t.workflow_step_id = {step};"
        ))
        .await;
    }

    /// Gives a step that state at [`NOW`].
    pub(crate) async fn put_in(&self, step: StepId, state: &str) {
        self.put(step, state, NOW, json!({})).await;
    }

    pub(crate) async fn put_task(&self, task: TaskId, state: &str, at: Timestamp) {
        self.sql(format!(
            "UPDATE tasker_task_transitions SET most_recent = false WHERE task_id = {task};
             INSERT INTO tasker_task_transitions (to_state, task_id, sort_key, created_at, updated_at)
             SELECT '{state}', {task}, coalesce(max(t.sort_key), 0) + 10, '{at}', '{at}'
             FROM tasker_task_transitions AS t WHERE t.task_id = {task};"
        ))
        .await;
    }

    /// Sets columns of a step: `attempts = 2, retryable = false`.
    pub(crate) async fn set(&self, step: StepId, columns: &str) {
        self.sql(format!("UPDATE tasker_workflow_steps SET {columns} WHERE workflow_step_id = {step}")).await;
    }

    /// Draws an edge, whatever the engine would say about it.
    pub(crate) async fn edge(&self, from: StepId, to: StepId) {
        self.sql(format!(
            "INSERT INTO tasker_workflow_step_edges (from_step_id, to_step_id, name, created_at, updated_at)
             VALUES ({from}, {to}, 'provides', '{NOW}', '{NOW}')"
        ))
        .await;
    }
}

/// A moment as JSON tells one of a column without a zone.
pub(crate) fn naive(moment: Timestamp) -> Value {
    let text = moment.to_string();
    text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.').into()
}

/// A moment as JSON tells one of a column with a zone, in a session whose zone is UTC.
pub(crate) fn zoned(moment: Timestamp) -> Value {
    format!("{}+00:00", naive(moment).as_str().expect("a text")).into()
}

/// Those keys of an object.
pub(crate) fn only(row: &Value, keys: &[&str]) -> Value {
    keys.iter().map(|key| ((*key).to_owned(), row[*key].clone())).collect()
}
