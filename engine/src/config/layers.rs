//! From layers to one configuration: each value comes from the topmost layer that has it.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::effective::Effective;
use super::{Configuration, keys, rules, variables};
use crate::document::shape::{Findings, Key, Kind, Path, check};
use crate::document::{Data, Fault, Location, Mistake, Node, Pair, Source, bytes_of, node_of};
use crate::template::nearest;

/// Where a configuration is read from. From the weakest to the strongest: the defaults, a file, a file of the
/// environment, environment variables, code.
///
/// ```
/// use tasker::Layers;
///
/// let variables = [("TASKER_EXECUTION_HEARTBEAT_INTERVAL_SECONDS", "2")];
/// let effective = Layers::new().variables(variables).set("backoff.max_backoff_seconds", 60).load()?;
/// assert_eq!(effective.configuration().execution.heartbeat_interval_seconds, 2);
/// assert_eq!(effective.origin("backoff.max_backoff_seconds").unwrap().to_string(), "code");
///
/// let errors = Layers::new().set("backoff.max_backof_seconds", 60).set("cache.default_ttl", 0).load().unwrap_err();
/// assert_eq!(errors.to_string(), "\
/// code: backoff.max_backof_seconds: `max_backof_seconds` is not a key of `backoff`; did you mean `max_backoff_seconds`?
/// code: cache.default_ttl: default_ttl must be positive (got: 0)");
/// # Ok::<(), tasker::ConfigErrors>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Layers {
    file: Option<PathBuf>,
    environment: Option<String>,
    variables: Vec<(String, String)>,
    set: Vec<(String, Value)>,
    unwritable: Vec<(String, String)>,
}

impl Layers {
    /// The defaults alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// A file that has to be there: TOML, or with the feature `yaml` YAML, as its name ends.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Besides `tasker.toml` reads `tasker.production.toml` for the environment `production`. It has to be there, too:
    /// a misspelt environment would else go unnoticed.
    #[must_use]
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.environment = Some(name.into());
        self
    }

    /// Variables as `TASKER_BACKOFF_MAX_BACKOFF_SECONDS`: those of the process are `std::env::vars()`. Others are left
    /// alone, and an empty one counts as not set.
    #[must_use]
    pub fn variables<K: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.variables.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Sets one value in code, by its path.
    #[must_use]
    pub fn set(mut self, path: impl Into<String>, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => self.set.push((path.into(), value)),
            Err(error) => self.unwritable.push((path.into(), error.to_string())),
        }
        self
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// All mistakes of all layers at once, each with its layer and place.
    pub fn load(&self) -> Result<Effective, super::ConfigErrors> {
        let mut findings = findings();
        let mut values = Values(BTreeMap::new());
        for layer in self.read(&mut findings) {
            values.lay_over(&layer, keys::SECTIONS, &Path::Root, &mut findings);
        }
        let configuration = values.configuration();
        rules::check(&configuration, &|path| values.0.get(path).map(|node| node.at.clone()), &mut findings);
        let no_effect = values.0.iter().filter(|(path, _)| keys::is_inert(path));
        findings.warnings.extend(
            no_effect.map(|(path, node)| Mistake {
                path: path.clone(),
                ..Mistake::new(&node.at, Fault::NoEffect)
            }),
        );
        findings.mistakes.sort_by_key(|mistake| place_in_order(&mistake.at));
        findings.warnings.sort_by_key(|warning| place_in_order(&warning.at));
        if findings.mistakes.is_empty() {
            let origins = values.0.into_iter().map(|(path, node)| (path, node.at)).collect();
            Ok(Effective::new(configuration, origins, findings.warnings))
        } else {
            Err(super::ConfigErrors { mistakes: findings.mistakes, warnings: findings.warnings })
        }
    }

    fn read(&self, findings: &mut Findings) -> Vec<Node> {
        let mut layers = vec![];
        if let Some(path) = &self.file {
            layers.extend(read_file(path, "file", findings));
            if let Some(environment) = &self.environment {
                layers.extend(read_file(&beside(path, environment), "environment file", findings));
            }
        } else if let Some(environment) = &self.environment {
            let text = format!("there is no file that the environment `{environment}` could stand beside");
            findings.mistake(&code(), Fault::Setting(text));
        }
        layers.push(variables::layer(&self.variables, findings));
        layers.extend(self.set.iter().map(|(path, value)| nested(path, value)));
        for (path, error) in &self.unwritable {
            let fault = Fault::Setting(format!("the value is not JSON: {error}"));
            findings.mistakes.push(Mistake { path: path.clone(), ..Mistake::new(&code(), fault) });
        }
        layers
    }
}

/// Layer by layer, and as a file is read.
fn place_in_order(at: &Location) -> (usize, Option<u32>, Option<u32>) {
    const LAYERS: [&str; 5] = ["default", "file", "environment file", "variable", "code"];
    let layer = LAYERS.iter().position(|layer| Some(*layer) == at.layer());
    (layer.unwrap_or_default(), at.line(), at.column())
}

/// Bytes of a file; far more than a configuration has.
const LONGEST: usize = 1 << 20;

fn code() -> Location {
    Source::other("code", Some("code")).whole()
}

/// `tasker.toml` becomes `tasker.production.toml`.
fn beside(path: &FilePath, environment: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(environment);
    if let Some(end) = path.extension() {
        name.push(".");
        name.push(end);
    }
    path.with_file_name(name)
}

fn read_file(path: &FilePath, layer: &'static str, findings: &mut Findings) -> Option<Node> {
    let name = path.display().to_string();
    let bytes = match bytes_of(path, LONGEST) {
        Ok(bytes) => bytes,
        Err(error) => {
            let at = Source::file(&name, "", Some(layer)).whole();
            findings.mistake(&at, Fault::Unreadable(error.to_string()));
            return None;
        }
    };
    let source = Source::file(&name, &String::from_utf8_lossy(&bytes), Some(layer));
    let text = source.decode(&bytes, LONGEST).map_err(|mistake| findings.mistakes.push(*mistake)).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    parse(path, &source, text, findings)
}

fn parse(path: &FilePath, source: &Arc<Source>, text: &str, findings: &mut Findings) -> Option<Node> {
    let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
    match end {
        #[cfg(feature = "toml")]
        "toml" => crate::document::toml::parse(source, text, &mut findings.mistakes),
        #[cfg(feature = "yaml")]
        "yaml" | "yml" => {
            // A file of comments alone says nothing, and nothing is a configuration.
            let is_empty = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
            if text.lines().all(is_empty) {
                return None;
            }
            crate::yaml::parse(source, text, crate::YamlLimits::default(), &mut findings.mistakes)
        }
        _ => {
            let _ = text;
            let known = match (cfg!(feature = "toml"), cfg!(feature = "yaml")) {
                (true, true) => ".toml, .yaml or .yml",
                (true, false) => ".toml (.yaml with the feature `yaml`)",
                (false, true) => ".yaml or .yml (.toml with the feature `toml`)",
                (false, false) => ".toml with the feature `toml`, or .yaml with the feature `yaml`",
            };
            let fault = Fault::Unreadable(format!("the name of a configuration ends in {known}"));
            findings.mistake(&source.whole(), fault);
            None
        }
    }
}

/// `a.b` with a value as `{a: {b: value}}`, said in code.
fn nested(path: &str, value: &Value) -> Node {
    let at = code();
    path.rsplit('.').fold(node_of(value, &at), |node, key| Node {
        at: at.clone(),
        data: Data::Map(vec![Pair { key: key.to_owned(), at: at.clone(), node }]),
    })
}

/// What the layers say, by path, without the defaults. Only what is right gets in.
struct Values(BTreeMap<String, Node>);

impl Values {
    fn lay_over(&mut self, node: &Node, keys: &[Key], path: &Path<'_>, findings: &mut Findings) {
        for pair in node.pairs() {
            let path = &Path::Key(path, &pair.key);
            let Some(key) = keys.iter().find(|key| key.name == pair.key) else {
                findings.unknown(unknown_key(pair, keys, path));
                continue;
            };
            match (key.kind, &pair.node.data) {
                (Kind::Map(_, keys), Data::Map(_)) => self.lay_over(&pair.node, keys, path, findings),
                (kind, _) => self.leaf(lenient(&pair.node, &kind), key, path, findings),
            }
        }
    }

    fn leaf(&mut self, node: Node, key: &Key, path: &Path<'_>, findings: &mut Findings) {
        let before = findings.mistakes.len();
        if !(key.nullable && matches!(node.data, Data::Null)) {
            check(&node, &key.kind, path, findings);
        }
        if findings.mistakes.len() == before {
            self.0.insert(path.text(), node);
        }
    }

    /// The defaults with these values.
    fn configuration(&self) -> Configuration {
        let mut whole =
            serde_json::to_value(Configuration::default()).expect("the default configuration is JSON");
        for (path, node) in &self.0 {
            let mut here = &mut whole;
            for key in path.split('.') {
                here = here
                    .as_object_mut()
                    .expect("a path leads through sections")
                    .entry(key)
                    .or_insert(Value::Null);
            }
            *here = node.to_value();
        }
        serde_json::from_value(whole).expect("every value was compared with the table of keys")
    }
}

fn unknown_key(pair: &Pair, keys: &[Key], path: &Path<'_>) -> Mistake {
    let of = match path {
        Path::Key(Path::Root, _) | Path::Root => "the configuration".to_owned(),
        Path::Key(before, _) | Path::Index(before, _) => format!("`{}`", before.text()),
    };
    let key = crate::document::shortened(&pair.key);
    let fault = Fault::UnknownKey { key, of, nearest: nearest(&pair.key, keys.iter().map(|key| key.name)) };
    Mistake { path: path.text(), ..Mistake::new(&pair.at, fault) }
}

/// `yes`, `no`, 1 and 0 are true and false here.
fn lenient(node: &Node, kind: &Kind) -> Node {
    let data = match (kind, &node.data) {
        (Kind::Bool, Data::Text(text)) => match &**text {
            "true" | "yes" | "1" => Data::Bool(true),
            "false" | "no" | "0" => Data::Bool(false),
            _ => node.data.clone(),
        },
        (Kind::Bool, Data::Number(number)) => match number.as_u64() {
            Some(1) => Data::Bool(true),
            Some(0) => Data::Bool(false),
            _ => node.data.clone(),
        },
        (_, data) => data.clone(),
    };
    Node { at: node.at.clone(), data }
}

/// None yet; told with the paths of settings, and without secrets.
fn findings() -> Findings {
    Findings { with_paths: true, is_configuration: true, secret: keys::SECRET, ..Findings::default() }
}

impl Configuration {
    /// Checks a configuration that was written in code.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn validate(&self) -> Result<(), super::ConfigErrors> {
        let mut findings = findings();
        let mut values = Values(BTreeMap::new());
        let whole = serde_json::to_value(self).unwrap_or_else(|_| Value::Object(Map::new()));
        values.lay_over(&node_of(&whole, &code()), keys::SECTIONS, &Path::Root, &mut findings);
        let default = serde_json::to_value(Self::default()).unwrap_or_default();
        let differs = |path: &str| {
            let pointer = format!("/{}", path.replace('.', "/"));
            whole.pointer(&pointer) != default.pointer(&pointer)
        };
        rules::check(self, &|path| differs(path).then(code), &mut findings);
        if findings.mistakes.is_empty() {
            Ok(())
        } else {
            Err(super::ConfigErrors { mistakes: findings.mistakes, warnings: vec![] })
        }
    }
}
