//! Templates as YAML: read with every mistake told at once, and written.

mod configs;
mod draft;
mod environments;
mod keys;
mod parse;
mod reader;
mod write;

pub use keys::template_schema;
pub use parse::YamlLimits;
pub(crate) use parse::parse;
pub use reader::{TemplateErrors, TemplateFile, TemplateReader};
