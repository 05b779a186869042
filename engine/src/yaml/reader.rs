//! Reads workflows from YAML: texts, files, directories.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};

use super::configs;
use super::draft::{self, Draft};
use super::environments;
use super::keys::TEMPLATE;
use super::parse::{YamlLimits, parse};
use crate::document::shape::{Findings, Path as KeyPath, check};
use crate::document::{Fault, Location, Mistake, Source, UnknownKeys, bytes_of};
use crate::{BuildError, Definition, Handlers};

/// Reads workflows from YAML, with the keys of the reference.
///
/// ```
/// use serde_json::json;
/// use tasker::prelude::*;
/// use tasker::TemplateReader;
///
/// #[step(retry_limit = 5)]
/// async fn price_cart(call: &Call) -> StepResult<u64> {
///     Ok(call.raw_context()["cents"].as_u64().unwrap_or(0))
/// }
/// let handlers = Handlers::new().with::<PriceCart>();
/// let text = "
/// name: checkout
/// namespace_name: shop
/// version: 1.0.0
/// step_templates:
///   - name: price
///     handler_class: price_cart
/// ";
/// let file = TemplateReader::new(&handlers).text("checkout.yaml", text)?;
/// assert_eq!(file.definition.full_name(), "shop/checkout 1.0.0");
/// assert_eq!(file.definition.template().step_templates[0].default_retry_limit, 5, "as the handler says");
///
/// let errors = TemplateReader::new(&handlers).text("checkout.yaml", &text.replace("_cart", "_card")).unwrap_err();
/// assert!(errors.to_string().contains("checkout.yaml:7:20: step `price`: no handler `price_card`"));
/// # Ok::<(), tasker::TemplateErrors>(())
/// ```
#[derive(Clone, Debug)]
pub struct TemplateReader<'a> {
    handlers: &'a Handlers,
    environment: Option<String>,
    unknown_keys: UnknownKeys,
    limits: YamlLimits,
}

/// A workflow that was read.
#[derive(Clone, Debug)]
pub struct TemplateFile {
    /// What it defines.
    pub definition: Definition,
    /// What was strange in it, and left out.
    pub warnings: Vec<Mistake>,
    /// Where it is named.
    pub at: Location,
}

impl<'a> TemplateReader<'a> {
    /// With these handlers, for no environment, and with unknown keys refused.
    pub const fn new(handlers: &'a Handlers) -> Self {
        Self {
            handlers,
            environment: None,
            unknown_keys: UnknownKeys::Refuse,
            limits: YamlLimits { bytes: 4 << 20, depth: 64, values: 250_000 },
        }
    }

    /// Lays what a template says of that environment over the rest of it. A template that has `environments` must have
    /// this one; one that has none is the same everywhere.
    #[must_use]
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.environment = Some(name.into());
        self
    }

    /// What to do with keys that are not known.
    #[must_use]
    pub const fn unknown_keys(mut self, what: UnknownKeys) -> Self {
        self.unknown_keys = what;
        self
    }

    /// How large a document may be.
    #[must_use]
    pub const fn limits(mut self, limits: YamlLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Reads a text. The name stands for the file in messages.
    ///
    /// # Errors
    /// All mistakes at once, each with its place.
    pub fn text(&self, name: &str, text: &str) -> Result<TemplateFile, TemplateErrors> {
        self.read(name, text.as_bytes())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`text`](Self::text); and when the file cannot be read.
    pub fn file(&self, path: impl AsRef<Path>) -> Result<TemplateFile, TemplateErrors> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let bytes =
            bytes_of(path, self.limits.bytes).map_err(|error| TemplateErrors::unreadable(&name, &error))?;
        self.read(&name, &bytes)
    }

    /// Reads all files of a directory and of those below it that end in `.yaml` or `.yml`, in the order of their names:
    /// all of them, or none.
    ///
    /// # Errors
    /// All mistakes of all files at once; two files of one workflow are refused, and both named.
    pub fn directory(&self, path: impl AsRef<Path>) -> Result<Vec<TemplateFile>, TemplateErrors> {
        let path = path.as_ref();
        let mut paths = vec![];
        collect(path, &mut paths)
            .map_err(|error| TemplateErrors::unreadable(&path.display().to_string(), &error))?;
        paths.sort();
        let mut files: Vec<TemplateFile> = vec![];
        let mut errors = TemplateErrors::default();
        for path in paths {
            match self.file(&path) {
                Ok(file) => files.push(file),
                Err(more) => {
                    errors.mistakes.extend(more.mistakes);
                    errors.warnings.extend(more.warnings);
                }
            }
        }
        errors.mistakes.extend(duplicates(&files));
        if errors.mistakes.is_empty() { Ok(files) } else { Err(errors) }
    }

    fn read(&self, name: &str, bytes: &[u8]) -> Result<TemplateFile, TemplateErrors> {
        let mut findings = Findings { unknown_keys: self.unknown_keys, ..Findings::default() };
        let read = self.definition(name, bytes, &mut findings);
        let Findings { mut mistakes, mut warnings, .. } = findings;
        mistakes.sort_by_key(|mistake| (mistake.at.line(), mistake.at.column()));
        warnings.sort_by_key(|mistake| (mistake.at.line(), mistake.at.column()));
        match read {
            Some((definition, at)) if mistakes.is_empty() => Ok(TemplateFile { definition, warnings, at }),
            _ => Err(TemplateErrors { mistakes, warnings }),
        }
    }

    fn definition(
        &self,
        name: &str,
        bytes: &[u8],
        findings: &mut Findings,
    ) -> Option<(Definition, Location)> {
        let lossy = String::from_utf8_lossy(bytes);
        let source: Arc<Source> = Source::file(name, &lossy, None);
        let text = source
            .decode(bytes, self.limits.bytes)
            .map_err(|mistake| findings.mistakes.push(*mistake))
            .ok()?;
        let mut root = parse(&source, text, self.limits, &mut findings.mistakes)?;
        check(&root, &TEMPLATE, &KeyPath::Root, findings);
        draft::unfold_runs(&mut root, findings);
        let mut root = environments::apply(root, self.environment.as_deref(), findings);
        draft::check_named_steps(&root, findings);
        configs::check(&mut root, self.handlers, findings);
        let draft = Draft::of(&root, self.handlers);
        let at = draft.at().clone();
        let built = Definition::bound_to(draft.template.clone(), draft.entries.clone(), draft.errors.clone());
        match built {
            Ok(definition) => Some((definition, at)),
            Err(errors) => {
                let told = !findings.mistakes.is_empty();
                let new = errors.errors.into_iter().filter(|error| !(told && was_told(error)));
                let new = new.map(|error| Mistake::new(draft.locate(&error), error));
                findings.mistakes.extend(new);
                None
            }
        }
    }
}

/// What the comparison with the table of keys tells too, with a better place.
const fn was_told(error: &BuildError) -> bool {
    matches!(
        error,
        BuildError::TooLong { .. }
            | BuildError::BadName { .. }
            | BuildError::Version(_)
            | BuildError::RetryLimit(_)
    )
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        // Links to directories are not followed: they may go round in a circle.
        if entry.file_type()?.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            paths.push(path);
        }
    }
    Ok(())
}

fn duplicates(files: &[TemplateFile]) -> impl Iterator<Item = Mistake> {
    files.iter().enumerate().filter_map(|(place, file)| {
        let workflow = file.definition.full_name();
        let first = files[..place].iter().find(|other| other.definition.full_name() == workflow)?;
        Some(Mistake::new(&file.at, Fault::DuplicateWorkflow { workflow, other: Box::new(first.at.clone()) }))
    })
}

/// Everything that is wrong with templates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateErrors {
    /// At least one, in the order of the files and their lines.
    pub mistakes: Vec<Mistake>,
    /// What was strange besides.
    pub warnings: Vec<Mistake>,
}

impl TemplateErrors {
    fn unreadable(name: &str, error: &io::Error) -> Self {
        let at = Source::file(name, "", None).whole();
        Self { mistakes: vec![Mistake::new(&at, Fault::Unreadable(error.to_string()))], warnings: vec![] }
    }
}

impl fmt::Display for TemplateErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.mistakes.len();
        let many = if count == 1 { "" } else { "s" };
        write!(f, "Invalid task handler configuration: {count} mistake{many}")?;
        for mistake in self.mistakes.iter().take(Mistake::SHOWN) {
            write!(f, "\n{}", mistake.with_source_line())?;
        }
        write!(f, "{}", Mistake::not_shown(count))
    }
}

impl std::error::Error for TemplateErrors {}

impl Definition {
    /// Reads a workflow from YAML and finds its handlers: [`TemplateReader`] has the options, files and directories.
    ///
    /// # Errors
    /// All mistakes at once, each with its line and column.
    pub fn from_yaml(text: &str, handlers: &Handlers) -> Result<Self, TemplateErrors> {
        TemplateReader::new(handlers).text("template", text).map(|file| file.definition)
    }
}
