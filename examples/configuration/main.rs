//! Reads a configuration from its layers, and prints what it comes to: each value with the place it comes from.
//!
//! ```text
//! cargo run --features toml --example configuration -- examples/data/tasker.toml --environment production
//! cargo run --features toml --example configuration -- examples/data/bad/tasker.toml
//! ```

#[path = "../common/mod.rs"]
mod common;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use common::{Failure, ended, print};
use serde_json::Value;
use tasker::{Effective, Layers};

/// Prints the effective configuration with the origin of each value, or every mistake.
#[derive(Parser)]
#[command(name = "configuration", after_help = AFTER_HELP)]
struct Arguments {
    /// A file, as TOML or YAML
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Also the file of this environment, which lies beside it: `tasker.production.toml`
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,

    /// A value that goes before all others, as `backoff.max_backoff_seconds=60`
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    set: Vec<(String, Value)>,

    /// Leave out what nobody has set
    #[arg(long)]
    changed: bool,
}

const AFTER_HELP: &str = "\
Variables count, too: TASKER_BACKOFF_MAX_BACKOFF_SECONDS is `backoff.max_backoff_seconds`.
Exit code: 0 when an engine can be made with it, 2 when not.";

/// A value that is no JSON is a text.
fn setting(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
}

fn main() -> ExitCode {
    ended(run(&Arguments::parse()).err().as_slice())
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let effective = layers(arguments).load().map_err(|errors| Failure::Input(errors.to_string()))?;
    let warnings = effective.warnings().iter().map(|warning| format!("warning: {warning}\n"));
    print(&(warnings.collect::<String>() + &values(&effective, arguments.changed)))
}

fn layers(arguments: &Arguments) -> Layers {
    let mut layers = Layers::new().variables(std::env::vars());
    if let Some(file) = &arguments.file {
        layers = layers.file(file);
    }
    if let Some(environment) = &arguments.environment {
        layers = layers.environment(environment);
    }
    arguments.set.iter().fold(layers, |layers, (key, value)| layers.set(key, value))
}

fn values(effective: &Effective, changed: bool) -> String {
    let is_wanted = |line: &&str| !changed || !line.ends_with("# default");
    effective.to_string().lines().filter(is_wanted).map(|line| format!("{line}\n")).collect()
}
