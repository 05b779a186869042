//! What is wrong with a document, and where.

use std::fmt;

use super::Location;
use crate::BuildError;

/// One thing that is wrong in a document, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub at: Location,
    /// The key that it is about, as `backoff.max_backoff_seconds`; empty where the place says enough.
    pub path: String,
    /// What.
    pub fault: Fault,
}

impl Mistake {
    pub(crate) fn new(at: &Location, fault: impl Into<Fault>) -> Self {
        Self { at: at.clone(), path: String::new(), fault: fault.into() }
    }

    /// How many of a document are written out: a stranger's may have any number.
    pub(crate) const SHOWN: usize = 100;

    /// What is written in place of the others.
    pub(crate) fn not_shown(found: usize) -> String {
        match found.saturating_sub(Self::SHOWN) {
            0 => String::new(),
            more => format!("\nand {more} more"),
        }
    }

    /// The mistake, and below it the line in which it was made.
    pub fn with_source_line(&self) -> String {
        const MOST: usize = 160;
        match (self.at.source_line(), self.at.line()) {
            (Some(text), Some(line)) => {
                let text: String = text.trim_end().chars().take(MOST).collect();
                format!("{self}\n  {line:>4} | {text}")
            }
            _ => self.to_string(),
        }
    }
}

/// In one line: `orders.yaml:12:5: what is wrong`.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.at)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        self.fault.fmt(f)
    }
}

/// What to do with keys that are not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownKeys {
    /// They are mistakes.
    #[default]
    Refuse,
    /// They are left out, each with a warning: for templates that were written for the reference, which ignores them.
    Warn,
}

/// What can be wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// The file is not UTF-8.
    #[error("{0}; write it as UTF-8")]
    Encoding(String),
    /// It is no document of its format.
    #[error("{0}")]
    Syntax(String),
    /// It is larger than allowed, as written or once its aliases are expanded.
    #[error("there are {found} {what}, at most {max} are allowed")]
    TooLarge {
        /// What is counted.
        what: &'static str,
        /// Found; where counting was given up, the first number over the limit.
        found: usize,
        /// Allowed.
        max: usize,
    },
    /// Maps and lists stand too deep inside each other.
    #[error("maps and lists are nested deeper than {max} levels")]
    TooDeep {
        /// Allowed.
        max: usize,
    },
    /// A key stands twice in one map.
    #[error("`{key}` stands here a second time; the first is in line {first}")]
    DuplicateKey {
        /// The key.
        key: String,
        /// The line of the first one.
        first: u32,
    },
    /// A key that is not known.
    #[error("`{key}` is not a key of {of}{}", did_you_mean(nearest.as_deref()))]
    UnknownKey {
        /// The key.
        key: String,
        /// Of what: `a step`.
        of: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// A key that has to be there.
    #[error("{of} needs the key `{key}`")]
    MissingKey {
        /// The key.
        key: String,
        /// Of what: `a step`.
        of: String,
    },
    /// A value of another kind.
    #[error("{} must be {expected}, not {found}", quoted(key))]
    WrongType {
        /// The key.
        key: String,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A value of the right kind that is not allowed.
    #[error("{} is {found}; it must be {expected}", quoted(key))]
    OutOfRange {
        /// The key.
        key: String,
        /// What it is.
        found: String,
        /// What it must be.
        expected: String,
    },
    /// Two keys say the same thing.
    #[error("`{one}` and `{other}` say the same; keep one of them")]
    Conflict {
        /// The one.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// The template lists its steps in `named_steps`, and this one is not there. The reference's text.
    #[error("Step template name '{step}' is not in the named_steps list{}", did_you_mean(nearest.as_deref()))]
    StepNotListed {
        /// The step.
        step: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// A step waits for one that `named_steps` does not list. The reference's text.
    #[error("Dependency step '{step}' is not in the named_steps list{}", did_you_mean(nearest.as_deref()))]
    DependencyNotListed {
        /// What it waits for.
        step: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// The environment that was asked for is not there.
    #[error("there is no environment `{name}` here{}; known: {}; write `{name}: {{}}` if nothing differs there", did_you_mean(nearest.as_deref()), known.join(", "))]
    UnknownEnvironment {
        /// Which.
        name: String,
        /// What may have been meant.
        nearest: Option<String>,
        /// All that there are.
        known: Vec<String>,
    },
    /// Two files define one workflow.
    #[error("workflow {workflow} is defined here, and at {other}")]
    DuplicateWorkflow {
        /// Its full name.
        workflow: String,
        /// Where else.
        other: Box<Location>,
    },
    /// The workflow is not right.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A setting that is not allowed, or settings that do not go together.
    #[error("{0}")]
    Setting(String),
    /// There is no such way to tell requests apart. The reference's texts.
    #[error("{0}")]
    IdentityStrategy(String),
    /// A setting of the reference that does nothing here.
    #[error("has no effect")]
    NoEffect,
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The key, unless the path in front names it already.
fn quoted(key: &str) -> String {
    if key.is_empty() { "the value".to_owned() } else { format!("`{key}`") }
}
