//! What both programs print.

use tasker::{Handlers, LinkedWorkflow};

/// The names of all handlers and workflows that are linked, in one line.
pub fn linked() -> String {
    let handlers = Handlers::linked();
    let handlers = handlers.names().map(ToString::to_string);
    let workflows = LinkedWorkflow::all().map(|workflow| match (workflow.definition)() {
        Ok(definition) => definition.full_name(),
        Err(errors) => errors.to_string(),
    });
    handlers.chain(workflows).collect::<Vec<_>>().join(", ")
}
