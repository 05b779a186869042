//! Templates as YAML: what loads, what is refused and how, and that nothing a stranger sends does harm.

mod environments;
mod loads;
mod mistakes;
mod mutated;
mod round_trip;
mod schema;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{DynHandler, handler_fn};

/// The templates that come with the tests: those of the reference's examples, written anew.
fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/templates")
}

fn read(file: &str) -> String {
    fs::read_to_string(data().join(file)).unwrap()
}

/// Handlers of any configuration, under these names. Each yields its configuration.
fn named(names: impl IntoIterator<Item = impl AsRef<str>>) -> Handlers {
    let mut handlers = Handlers::new();
    for name in names {
        let echo = handler_fn(|call: Call| async move { Ok(json!({ "config": call.raw_config() })) });
        handlers.insert(name.as_ref(), Arc::new(echo) as Arc<dyn DynHandler>);
    }
    handlers
}

/// Every name after `handler_class:` or `handler:` in a text.
fn mentioned(text: &str) -> BTreeSet<&str> {
    let after = |key: &'static str| text.split(key).skip(1);
    let names = after("handler_class:").chain(after("handler:"));
    names.filter_map(|rest| rest.split([',', '}', '\n']).next()).map(str::trim).collect()
}

fn all_handlers() -> Handlers {
    let mut texts = vec![];
    let mut open = vec![data()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => open.push(entry.path()),
                false => texts.push(fs::read_to_string(entry.path()).unwrap()),
            }
        }
    }
    named(texts.iter().flat_map(|text| mentioned(text)).collect::<BTreeSet<_>>())
}

async fn finished(definition: &Definition, context: Value) -> tasker::Report {
    let task = Engine::in_memory().start_definition(definition, context).await.unwrap();
    task.finished().await.unwrap()
}
