//! Tables of keys: what a document may hold. One table checks it, completes misspelt names, and is published as a
//! JSON Schema.

use super::{Data, Fault, Mistake, Node, UnknownKeys};
use crate::Version;
use crate::template::nearest;

/// One key of a map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Its map is wrong without it.
    pub(crate) required: bool,
    /// Whether null says "none".
    pub(crate) nullable: bool,
    /// What it means, for people and editors.
    #[cfg_attr(
        not(feature = "yaml"),
        expect(dead_code, reason = "only the JSON Schema of templates tells it")
    )]
    pub(crate) about: &'static str,
    /// Its default as JSON text; empty where there is none.
    #[cfg_attr(
        not(feature = "yaml"),
        expect(dead_code, reason = "only the JSON Schema of templates tells it")
    )]
    pub(crate) default: &'static str,
}

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// True or false.
    Bool,
    /// A text of at most that many characters.
    Text {
        most: usize,
        /// Whether it may be empty or blank.
        blank: bool,
    },
    /// A whole number, both ends included.
    Integer { least: u64, most: u64 },
    /// Any number, both ends included.
    Number { least: f64, most: f64 },
    /// A whole number from 1 on.
    Positive,
    /// A number from 0 to 1.
    Share,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// Three dotted numbers.
    Version,
    /// A list, and how many items it must have.
    List { of: &'static Kind, least: usize },
    /// A map with these keys. The name is for messages: `a step`.
    Map(&'static str, &'static [Key]),
    /// A map whose keys are free, with values of one kind.
    #[cfg(feature = "yaml")]
    Named(&'static Kind),
    /// Any map.
    #[cfg(feature = "yaml")]
    Object,
    /// Anything.
    Any,
}

impl Key {
    pub(crate) const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, required: false, nullable: false, about, default: "" }
    }

    #[cfg(feature = "yaml")]
    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    #[cfg(feature = "yaml")]
    pub(crate) const fn default(mut self, json: &'static str) -> Self {
        self.default = json;
        self
    }
}

/// More seconds, steps or bytes than anybody means.
const LARGEST: u64 = 1_000_000_000;

/// Mistakes and warnings, and what to do with unknown keys.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) unknown_keys: UnknownKeys,
    /// Whether mistakes name the whole path of the key.
    pub(crate) with_paths: bool,
    /// Whether they speak with the reference's words for settings.
    pub(crate) is_configuration: bool,
    /// Paths of keys whose values are not shown.
    pub(crate) secret: &'static [&'static str],
    pub(crate) mistakes: Vec<Mistake>,
    pub(crate) warnings: Vec<Mistake>,
}

/// From the root to a value, as `step_templates[2].name`.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl Path<'_> {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Key(Path::Root, key) => (*key).to_owned(),
            Self::Key(before, key) => format!("{}.{key}", before.text()),
            Self::Index(before, index) => format!("{}[{index}]", before.text()),
        }
    }

    /// The last key.
    fn key(&self) -> &str {
        match self {
            Self::Root => "the document",
            Self::Key(_, key) => key,
            Self::Index(before, _) => before.key(),
        }
    }

    /// The key within its section, as the reference names it: `connection_pressure_factors[low]`.
    fn setting(&self) -> String {
        match self {
            Self::Root => "the configuration".to_owned(),
            Self::Key(Path::Root | Path::Key(Path::Root, _), key) => (*key).to_owned(),
            Self::Key(before, key) => format!("{}[{key}]", before.setting()),
            Self::Index(before, index) => format!("{}[{index}]", before.setting()),
        }
    }
}

impl Findings {
    pub(crate) fn mistake(&mut self, at: &super::Location, fault: impl Into<Fault>) {
        self.mistakes.push(Mistake::new(at, fault));
    }

    /// A value is not what it must be.
    fn misfit(&mut self, node: &Node, path: &Path<'_>, kind: &Kind, fault: impl FnOnce(String) -> Fault) {
        let whole = if self.with_paths { path.text() } else { String::new() };
        if !self.is_configuration {
            let fault = fault(path.key().to_owned());
            self.mistakes.push(Mistake { path: whole, ..Mistake::new(&node.at, fault) });
            return;
        }
        let found = if self.secret.contains(&&*whole) { "[FILTERED]".to_owned() } else { plain(&node.data) };
        let text = format!("{} must be {} (got: {found})", path.setting(), kind.described());
        self.mistakes.push(Mistake { path: whole, ..Mistake::new(&node.at, Fault::Setting(text)) });
    }

    /// Something that is refused or warned of, as unknown keys are.
    pub(crate) fn unknown(&mut self, mistake: Mistake) {
        match self.unknown_keys {
            UnknownKeys::Refuse => self.mistakes.push(mistake),
            UnknownKeys::Warn => self.warnings.push(mistake),
        }
    }
}

/// Compares a document with what it may hold. Goes on after a mistake.
pub(crate) fn check(node: &Node, kind: &Kind, path: &Path<'_>, findings: &mut Findings) {
    match (kind, &node.data) {
        (Kind::Any, _) | (Kind::Bool, Data::Bool(_)) => {}
        #[cfg(feature = "yaml")]
        (Kind::Object, Data::Map(_)) => {}
        (Kind::Text { most, blank }, Data::Text(text)) => {
            if let Some(expected) = text_fault(text, *most, *blank) {
                findings.misfit(node, path, kind, |key| out_of_range(key, node, expected));
            }
        }
        (Kind::Version, Data::Text(text)) => {
            if let Err(bad) = text.parse::<Version>() {
                let path = if findings.with_paths { path.text() } else { String::new() };
                let fault = crate::BuildError::Version(bad);
                findings.mistakes.push(Mistake { path, ..Mistake::new(&node.at, fault) });
            }
        }
        (Kind::Integer { least, most }, Data::Number(number)) => match number.as_u64() {
            Some(value) if (*least..=*most).contains(&value) => {}
            _ => findings.misfit(node, path, kind, |key| out_of_range(key, node, kind.described())),
        },
        (Kind::Number { least, most }, Data::Number(number)) => match number.as_f64() {
            Some(value) if (*least..=*most).contains(&value) => {}
            _ => findings.misfit(node, path, kind, |key| out_of_range(key, node, kind.described())),
        },
        (Kind::Positive, Data::Number(number)) => match number.as_u64() {
            Some(1..=LARGEST) => {}
            _ => findings.misfit(node, path, kind, |key| out_of_range(key, node, kind.described())),
        },
        (Kind::Share, Data::Number(number)) => match number.as_f64() {
            Some(0.0..=1.0) => {}
            _ => findings.misfit(node, path, kind, |key| out_of_range(key, node, kind.described())),
        },
        (Kind::OneOf(known), Data::Text(text)) => {
            if !known.contains(&&**text) {
                findings.misfit(node, path, kind, |key| out_of_range(key, node, kind.described()));
            }
        }
        (Kind::List { of, least }, Data::List(items)) => {
            if items.len() < *least {
                findings.misfit(node, path, kind, |key| out_of_range(key, node, kind.described()));
            }
            for (index, item) in items.iter().enumerate() {
                check(item, of, &Path::Index(path, index), findings);
            }
        }
        #[cfg(feature = "yaml")]
        (Kind::Named(of), Data::Map(pairs)) => {
            for pair in pairs {
                check(&pair.node, of, &Path::Key(path, &pair.key), findings);
            }
        }
        (Kind::Map(name, keys), Data::Map(_)) => check_map(node, name, keys, path, findings),
        (_, data) => findings.misfit(node, path, kind, |key| wrong_type(key, kind, data)),
    }
}

fn check_map(node: &Node, name: &str, keys: &[Key], path: &Path<'_>, findings: &mut Findings) {
    for pair in node.pairs() {
        let path = Path::Key(path, &pair.key);
        match keys.iter().find(|key| key.name == pair.key) {
            Some(key) if key.nullable && matches!(pair.node.data, Data::Null) => {}
            Some(key) => check(&pair.node, &key.kind, &path, findings),
            None => {
                let fault = Fault::UnknownKey {
                    key: super::shortened(&pair.key),
                    of: name.to_owned(),
                    nearest: nearest(&pair.key, keys.iter().map(|key| key.name)),
                };
                let mut mistake = Mistake::new(&pair.at, fault);
                if findings.with_paths {
                    mistake.path = path.text();
                }
                findings.unknown(mistake);
            }
        }
    }
    for key in keys.iter().filter(|key| key.required && node.get(key.name).is_none()) {
        findings.mistake(&node.at, Fault::MissingKey { key: key.name.to_owned(), of: name.to_owned() });
    }
}

/// As it was written, more or less.
fn plain(data: &Data) -> String {
    match data {
        Data::Bool(value) => value.to_string(),
        Data::Number(number) => number.to_string(),
        Data::Text(text) => super::shortened(text),
        other => other.described(),
    }
}

fn text_fault(text: &str, most: usize, blank: bool) -> Option<String> {
    let length = text.chars().count();
    if length > most {
        Some(format!("at most {most} characters, it has {length}"))
    } else if !blank && text.trim().is_empty() {
        Some("a text that is not blank".to_owned())
    } else {
        text.contains('\0').then(|| "a text without U+0000".to_owned())
    }
}

fn out_of_range(key: String, node: &Node, expected: String) -> Fault {
    Fault::OutOfRange { key, found: node.data.described(), expected }
}

fn wrong_type(key: String, kind: &Kind, data: &Data) -> Fault {
    Fault::WrongType { key, expected: kind.described() + &hint(kind, data), found: data.described() }
}

/// What to write, where another kind was most likely not meant.
fn hint(kind: &Kind, data: &Data) -> String {
    match (kind, data) {
        (Kind::Bool, Data::Text(text)) => match &*text.to_ascii_lowercase() {
            "yes" | "on" => " (write `true`)".to_owned(),
            "no" | "off" => " (write `false`)".to_owned(),
            _ => String::new(),
        },
        (Kind::Version | Kind::Text { .. } | Kind::OneOf(_), Data::Number(number)) => {
            format!(" (write \"{number}\" if a text is meant)")
        }
        (Kind::Text { .. } | Kind::OneOf(_), Data::Bool(value)) => {
            format!(" (write \"{value}\" if a text is meant)")
        }
        (Kind::List { .. }, Data::Text(text)) => format!(" (write [{}])", super::shortened(text)),
        _ => String::new(),
    }
}

impl Kind {
    /// As messages call it.
    pub(crate) fn described(&self) -> String {
        match *self {
            Self::Bool => "true or false".to_owned(),
            Self::Text { .. } => "a text".to_owned(),
            Self::Integer { least, most } => {
                let largest = most >= u64::from(u32::MAX);
                match (least, largest) {
                    (0, true) => "a whole number that is not negative".to_owned(),
                    (least, true) => format!("a whole number of at least {least}"),
                    (least, false) => format!("a whole number from {least} to {most}"),
                }
            }
            Self::Number { least, most } if most == f64::MAX => format!("a number of at least {least}"),
            Self::Number { least, most } => format!("a number from {least} to {most}"),
            Self::Positive => "positive".to_owned(),
            Self::Share => "between 0.0 and 1.0".to_owned(),
            Self::OneOf(known) => format!("one of: {}", known.join(", ")),
            Self::Version => "a version of three dotted numbers, as 1.0.0".to_owned(),
            Self::List { least: 0, .. } => "a list".to_owned(),
            Self::List { .. } => "a list that is not empty".to_owned(),
            Self::Map(..) => "a map".to_owned(),
            #[cfg(feature = "yaml")]
            Self::Named(_) | Self::Object => "a map".to_owned(),
            Self::Any => "anything".to_owned(),
        }
    }
}
