//! The schema of a context: what a template says that a task may be started with.

use serde_json::Value;

use crate::{Misfit, Template};

#[cfg(feature = "schema")]
mod defaults;
#[cfg(feature = "schema")]
mod strict;
#[cfg(feature = "schema")]
mod validator;

/// What a template says of a context, ready to be asked.
pub(crate) struct ContextSchema {
    #[cfg(feature = "schema")]
    validator: validator::ContextValidator,
}

impl ContextSchema {
    /// Of that template; `None` when it says nothing.
    ///
    /// # Errors
    /// When it is no schema.
    pub(crate) fn of(template: &Template) -> Result<Option<Self>, Misfit> {
        if template.schema.is_null() {
            return Ok(None);
        }
        Self::new(template).map(Some)
    }

    #[cfg(feature = "schema")]
    fn new(template: &Template) -> Result<Self, Misfit> {
        let validator = validator::ContextValidator::new(&template.schema, template.schema_mode)?;
        Ok(Self { validator })
    }

    /// Its steps can be run without the feature; a task cannot be started.
    #[cfg(not(feature = "schema"))]
    #[expect(clippy::unnecessary_wraps, reason = "as with the feature")]
    const fn new(_: &Template) -> Result<Self, Misfit> {
        Ok(Self {})
    }

    /// Fills in the defaults that are to be stored, and checks.
    ///
    /// # Errors
    /// All that does not fit, each with its JSON pointer. The context is unchanged then.
    #[cfg(feature = "schema")]
    pub(crate) fn complete(&self, context: &mut Value) -> Result<(), Vec<Misfit>> {
        self.validator.complete(context)
    }

    #[cfg(not(feature = "schema"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn complete(&self, _: &mut Value) -> Result<(), Vec<Misfit>> {
        let message =
            "its template has a schema, which this program cannot check; build it with the feature `schema`";
        Err(vec![Misfit::new("", message)])
    }
}
