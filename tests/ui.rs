//! Mistakes, each with what the compiler says of it; and beside them what must compile.
//!
//! The first error of each names the mistake and the cure, at the user's token. `TRYBUILD=overwrite cargo test --test
//! ui` records the texts again; read what changed. Where a text holds one error twice, word for word, cargo shows its
//! user one.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

type Done = Result<(), Box<dyn Error>>;

/// The compiler whose words stand in the `.stderr` files.
const RECORDED: &str = "rustc 1.95.";

/// The compiler shortens the path of a name that no other crate has, so its words change with the crates that it sees.
#[test]
#[cfg_attr(
    any(
        feature = "cache",
        feature = "conformance",
        feature = "postgres",
        feature = "schema",
        feature = "toml"
    ),
    ignore = "texts are recorded with the default features: cargo test --package tasker --test ui"
)]
fn mistakes_are_refused_in_the_recorded_words() -> Done {
    let cases = trybuild::TestCases::new();
    let version =
        Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version").output()?;
    if version.stdout.starts_with(RECORDED.as_bytes()) {
        cases.compile_fail("tests/ui/fail/*.rs");
        return Ok(());
    }
    drop(cases);
    let version = String::from_utf8_lossy(&version.stdout);
    report(&format!(
        "texts are recorded for {RECORDED}, this is {}: checking only that the mistakes fail",
        version.trim()
    ));
    in_whatever_words()
}

#[test]
fn what_is_right_compiles_without_a_warning() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

/// Without a recorded text, trybuild records one, and fails only where a mistake compiles. It takes that wish from
/// its environment, so it is run as a process of its own, on a copy.
fn in_whatever_words() -> Done {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ui-elsewhere");
    fs::create_dir_all(&copy)?;
    for case in mistakes()? {
        fs::copy(&case, copy.join(case.file_name().ok_or("a case is a file")?))?;
    }
    let again = Command::new(env::current_exe()?)
        .args(["--ignored", "--exact", "mistakes_are_refused_in_whatever_words"])
        .env("TRYBUILD", "overwrite")
        .status()?;
    if again.success() { Ok(()) } else { Err("a mistake compiles".into()) }
}

#[test]
#[ignore = "run by the test above, where the compiler is not the recorded one"]
fn mistakes_are_refused_in_whatever_words() {
    trybuild::TestCases::new().compile_fail(concat!(env!("CARGO_TARGET_TMPDIR"), "/ui-elsewhere/*.rs"));
}

/// Every mistake has its recorded text, and every text its mistake.
#[test]
fn every_mistake_has_its_text() -> Done {
    for case in mistakes()? {
        assert!(case.with_extension("stderr").exists(), "{} has no recorded text", case.display());
    }
    for file in fs::read_dir("tests/ui/fail")? {
        let file = file?.path();
        assert!(file.with_extension("rs").exists(), "{} belongs to no mistake", file.display());
    }
    Ok(())
}

fn mistakes() -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let files = fs::read_dir("tests/ui/fail")?.map(|file| Ok(file?.path()));
    let files: Vec<PathBuf> = files.collect::<Result<_, std::io::Error>>()?;
    Ok(files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")).collect())
}

#[expect(clippy::print_stderr, reason = "a test that checks less than usual says so")]
fn report(text: &str) {
    eprintln!("{text}");
}

/// The check of a graph is made by the compiler, and may not keep it from its work.
#[test]
fn two_hundred_steps_in_one_workflow_compile() -> Done {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("two_hundred_steps.rs");
    fs::write(&file, a_chain_of(200))?;
    trybuild::TestCases::new().pass(file);
    Ok(())
}

/// A program whose steps each wait for the one before.
fn a_chain_of(steps: usize) -> String {
    let step = |at: usize| {
        let before = if at == 0 { "Context<u64>".to_owned() } else { format!("Output<S{}>", at - 1) };
        format!("#[step]\nasync fn s{at}(before: {before}) -> StepResult<u64> {{\n    Ok(*before)\n}}\n")
    };
    let listed: Vec<_> = (0..steps).map(|at| format!("S{at}")).collect();
    format!(
        "use tasker::prelude::*;\n{}\
         #[derive(Workflow)]\n\
         #[workflow(namespace = \"tests\", name = \"chain\", version = \"1.0.0\", context = u64, steps({}))]\n\
         struct Chain;\nfn main() {{\n    assert_eq!(Chain::definition().unwrap().template().step_templates.len(), {steps});\n}}\n",
        (0..steps).map(step).collect::<String>(),
        listed.join(", "),
    )
}
