//! Runs a workflow that stands in a file, with handlers that stand here. Change the file, and no compiler is needed.
//!
//! ```text
//! cargo run --features yaml --example from_yaml -- examples/data/order_processing.yaml
//! cargo run --features yaml --example from_yaml -- --check examples/data/bad/misspelt.yaml
//! ```

#[path = "../common/mod.rs"]
mod common;
mod handlers;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use comfy_table::Cell;
use common::{Backend, Column, Failure, Kept, completed, ended, lines, print, table};
use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{NoEvents, Settings, StepRecord, TemplateFile, TemplateReader, UnknownKeys};

/// Runs a workflow from a YAML template.
#[derive(Parser)]
#[command(name = "from_yaml", after_help = AFTER_HELP)]
struct Arguments {
    /// The template
    #[arg(value_name = "TEMPLATE")]
    template: PathBuf,

    /// Only check the template, and print every mistake
    #[arg(long)]
    check: bool,

    /// Lay what the template says of this environment over the rest
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,

    /// Warn of keys that are not known instead of refusing them
    #[arg(long)]
    lenient: bool,

    /// What to run it on, as a JSON file; a small order when none is named
    #[arg(long, value_name = "FILE")]
    context: Option<PathBuf>,

    /// Print the graph as a Mermaid flow chart, and run nothing
    #[arg(long)]
    diagram: bool,

    #[command(flatten)]
    kept: Kept,
}

const AFTER_HELP: &str = "\
Handlers that a template may name: validate_cart, process_payment, update_inventory, create_order, send_confirmation.
Exit code: 0 when all is well, 1 when the task did not complete, 2 for a template or a context that cannot be used.";

#[tokio::main]
async fn main() -> ExitCode {
    ended(run(&Arguments::parse()).await.err().as_slice())
}

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let handlers = handlers::handlers();
    let file = read(arguments, &handlers).map_err(|errors| Failure::Input(errors.to_string()))?;
    let warnings: String = file.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
    let definition = file.definition;
    if arguments.check {
        let steps = definition.template().step_templates.len();
        return print(&format!("{warnings}{}: {steps} steps, no mistakes\n", definition.full_name()));
    }
    if arguments.diagram {
        return print(&definition.to_mermaid());
    }
    print(&warnings)?;

    let backend = Backend::open(arguments.kept.database.as_ref()).await?;
    let engine = backend.engine(NoEvents, Settings::default())?.state(handlers::Stock::default());
    let task = engine.start_definition(&definition, context(arguments)?).await.map_err(refused)?;
    let report = completed(task.finished().await?)?;
    print(&(steps(&report) + "\n" + &figures(&definition, &report)?))
}

fn read(arguments: &Arguments, handlers: &Handlers) -> Result<TemplateFile, tasker::TemplateErrors> {
    let mut reader = TemplateReader::new(handlers);
    if let Some(environment) = &arguments.environment {
        reader = reader.environment(environment);
    }
    if arguments.lenient {
        reader = reader.unknown_keys(UnknownKeys::Warn);
    }
    reader.file(&arguments.template)
}

fn context(arguments: &Arguments) -> Result<Value, Failure> {
    let Some(path) = &arguments.context else {
        return Ok(json!({
            "cart_items": [{ "product_id": 1, "quantity": 2 }, { "product_id": 2 }],
            "payment_info": { "amount_cents": 12_476, "token": "tok_visa_valid" },
            "customer_info": { "email": "customer@example.com" },
        }));
    };
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| Failure::in_file(&name, &[error]))?;
    serde_json::from_str(&text).map_err(|error| Failure::in_file(&name, &[error]))
}

/// A context that does not fit is a bad input, whatever else goes wrong is not.
fn refused(error: EngineError) -> Failure {
    match error {
        EngineError::Schema { .. } | EngineError::Context { .. } => Failure::Input(error.to_string()),
        error => error.into(),
    }
}

fn steps(report: &Report) -> String {
    let columns =
        [Column::Text("step"), Column::Text("handler"), Column::Number("attempts"), Column::Text("yielded")];
    let row = |step: &StepRecord| {
        [
            Cell::new(&step.name),
            Cell::new(&step.binding.handler),
            Cell::new(step.attempts),
            Cell::new(&step.results),
        ]
    };
    table(columns, report.steps().iter().map(row))
}

fn figures(definition: &Definition, report: &Report) -> Result<String, Failure> {
    let total: handlers::Cart = report.output_of("validate_cart")?;
    let order: handlers::Order = report.output_of("create_order")?;
    Ok(lines([
        ("workflow", &definition.full_name()),
        ("state", &report.state()),
        ("steps", &report.steps().len()),
        ("retries", &report.retries()),
        ("total_cents", &total.total_cents),
        ("order", &order.order_number),
    ]))
}
