//! Environment variables as a layer: `TASKER_BACKOFF_MAX_BACKOFF_SECONDS` is `backoff.max_backoff_seconds`.

use serde_json::{Number, Value};

use super::keys;
use crate::document::shape::{Findings, Kind};
use crate::document::{Data, Fault, Mistake, Node, Pair, Source, node_of};
use crate::template::nearest;

const PREFIX: &str = "TASKER_";

/// The variables that are settings. One that nearly is one is a mistake; others belong to somebody else.
pub(super) fn layer(variables: &[(String, String)], findings: &mut Findings) -> Node {
    let leaves = keys::leaves();
    let known: Vec<_> = leaves.iter().map(|(path, key)| (name_of(path), path, key.kind)).collect();
    let mut layer = Node { at: Source::other("variables", None).whole(), data: Data::Map(vec![]) };
    for (name, text) in variables.iter().filter(|(name, text)| name.starts_with(PREFIX) && !text.is_empty()) {
        match known.iter().find(|(known, ..)| known == name) {
            Some((_, path, kind)) => {
                let at = Source::other(name, Some("variable")).whole();
                put(&mut layer, path, Node { data: value(text, kind), at });
            }
            None => findings.mistakes.extend(misspelt(name, known.iter().map(|(known, ..)| &**known))),
        }
    }
    layer
}

/// The variable of a path.
pub(super) fn name_of(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_ascii_uppercase())
}

fn misspelt<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<Mistake> {
    let in_section = keys::SECTIONS.iter().any(|section| name.starts_with(&(name_of(section.name) + "_")));
    let near = nearest(name, known);
    if !in_section && near.is_none() {
        return None;
    }
    let fault = Fault::UnknownKey { key: name.to_owned(), of: "the configuration".to_owned(), nearest: near };
    Some(Mistake::new(&Source::other(name, Some("variable")).whole(), fault))
}

fn put(layer: &mut Node, path: &str, node: Node) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let at = node.at.clone();
    let Data::Map(pairs) = &mut layer.data else { return };
    let place = pairs.iter().position(|pair| pair.key == first).unwrap_or_else(|| {
        let empty = Node { at: at.clone(), data: Data::Map(vec![]) };
        pairs.push(Pair { key: first.to_owned(), at, node: empty });
        pairs.len() - 1
    });
    match rest {
        Some(rest) => put(&mut pairs[place].node, rest, node),
        None => pairs[place].node = node,
    }
}

/// A text as what it has to be; a list with commas between its items, or as JSON.
fn value(text: &str, kind: &Kind) -> Data {
    let number = || text.trim().parse::<Number>().ok().map(Data::Number);
    match kind {
        Kind::Integer { .. } | Kind::Number { .. } | Kind::Positive | Kind::Share => {
            number().unwrap_or_else(|| Data::Text(text.to_owned()))
        }
        Kind::List { .. } if text.trim_start().starts_with('[') => {
            let at = Source::other("", None).whole();
            let list = serde_json::from_str::<Value>(text).map(|value| node_of(&value, &at).data);
            list.unwrap_or_else(|_| Data::Text(text.to_owned()))
        }
        Kind::List { of, .. } => {
            let at = Source::other("", None).whole();
            let items = text.split(',').map(|item| Node { at: at.clone(), data: value(item.trim(), of) });
            Data::List(items.collect())
        }
        _ => Data::Text(text.to_owned()),
    }
}
