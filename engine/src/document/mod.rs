//! Documents: what a file, a variable or code says, with the place of every word of it.
//!
//! Templates and configurations are read in three steps, each of which goes on after a mistake, so that all are told
//! together: text becomes a tree of [`Node`]s, the tree is compared with a table of keys ([`shape`]), and values are
//! taken out of it.

mod fault;
#[cfg(feature = "yaml")]
mod json_schema;
mod location;
pub(crate) mod shape;
#[cfg(feature = "toml")]
pub(crate) mod toml;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

pub use fault::{Fault, Mistake, UnknownKeys};
#[cfg(feature = "yaml")]
pub(crate) use json_schema::json_schema;
pub use location::Location;
pub(crate) use location::Source;
use serde_json::{Map, Number, Value};

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Location,
    pub(crate) data: Data,
}

/// What a [`Node`] holds: JSON's kinds, in the order of the document.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Pair>),
}

/// A key of a map, where it stands, and its value.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) at: Location,
    pub(crate) node: Node,
}

impl Node {
    /// The fields of a map; none of anything else.
    pub(crate) fn pairs(&self) -> &[Pair] {
        match &self.data {
            Data::Map(pairs) => pairs,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    /// The field of that name.
    pub(crate) fn pair(&self, key: &str) -> Option<&Pair> {
        self.pairs().iter().find(|pair| pair.key == key)
    }

    /// The value of the field of that name.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.pair(key).map(|pair| &pair.node)
    }

    /// The text of the field of that name.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_text()
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same without places.
    pub(crate) fn to_value(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Number(number) => Value::Number(number.clone()),
            Data::Text(text) => Value::String(text.clone()),
            Data::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Data::Map(pairs) => {
                let fields = pairs.iter().map(|pair| (pair.key.clone(), pair.node.to_value()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }
}

#[cfg(feature = "yaml")]
impl Node {
    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.data {
            Data::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn as_u64(&self) -> Option<u64> {
        match &self.data {
            Data::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// The deepest value along a path as `items[0].price`, for pointing at it.
    pub(crate) fn along<'a>(&'a self, path: &str) -> &'a Location {
        let path = path.trim_start_matches('.');
        let index = |rest: &'_ str| -> Option<(usize, usize)> {
            let (number, _) = rest.strip_prefix('[')?.split_once(']')?;
            Some((number.parse().ok()?, number.len() + 2))
        };
        match &self.data {
            Data::List(items) => {
                let found = index(path).and_then(|(place, length)| Some((items.get(place)?, length)));
                found.map_or(&self.at, |(item, length)| item.along(&path[length..]))
            }
            // Keys may hold dots, so the longest one that fits is meant.
            Data::Map(pairs) => {
                let fits = |pair: &&Pair| {
                    path.strip_prefix(&*pair.key)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
                };
                match pairs.iter().filter(fits).max_by_key(|pair| pair.key.len()) {
                    Some(pair) => pair.node.along(&path[pair.key.len()..]),
                    None => &self.at,
                }
            }
            _ => &self.at,
        }
    }
    /// Takes out what stands at a path as `items[0].price`.
    pub(crate) fn remove(&mut self, path: &str) -> Option<Pair> {
        let Some((parent, key)) = path.rsplit_once('.') else { return self.remove_key(path) };
        let mut here = self;
        for word in parent.split('.') {
            let (key, indices) = word.split_once('[').unwrap_or((word, ""));
            let Data::Map(pairs) = &mut here.data else { return None };
            here = &mut pairs.iter_mut().find(|pair| pair.key == key)?.node;
            for index in indices.split_terminator(']') {
                let Data::List(items) = &mut here.data else { return None };
                here = items.get_mut(index.trim_start_matches('[').parse::<usize>().ok()?)?;
            }
        }
        here.remove_key(key)
    }

    fn remove_key(&mut self, key: &str) -> Option<Pair> {
        let Data::Map(pairs) = &mut self.data else { return None };
        let place = pairs.iter().position(|pair| pair.key == key)?;
        Some(pairs.remove(place))
    }
}

impl Data {
    /// As messages call it.
    pub(crate) fn described(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Bool(value) => format!("`{value}`"),
            Self::Number(number) => format!("the number {number}"),
            Self::Text(text) => format!("the text `{}`", shortened(text)),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
        }
    }
}

/// A value as if it stood there.
pub(crate) fn node_of(value: &Value, at: &Location) -> Node {
    let data = match value {
        Value::Null => Data::Null,
        Value::Bool(value) => Data::Bool(*value),
        Value::Number(number) => Data::Number(number.clone()),
        Value::String(text) => Data::Text(text.clone()),
        Value::Array(items) => Data::List(items.iter().map(|item| node_of(item, at)).collect()),
        Value::Object(fields) => Data::Map(
            fields
                .iter()
                .map(|(key, field)| Pair { key: key.clone(), at: at.clone(), node: node_of(field, at) })
                .collect(),
        ),
    };
    Node { at: at.clone(), data }
}

/// The bytes of a file. Of one that is larger than that a little more, so that whoever checks the size refuses it.
pub(crate) fn bytes_of(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    let most = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Long texts of strangers are cut in messages.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= MOST && line.len() == text.len() {
        return line.to_owned();
    }
    line.chars().take(MOST).chain(['…']).collect()
}
