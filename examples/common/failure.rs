//! How a program ends without success, and with which exit code.

use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;

use clap::error::ErrorKind;
use tasker::{EngineError, Report};

/// Why a program ends without success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What it was given cannot be used. Exit code 2, as for arguments that cannot be used.
    Input(String),
    /// The run was not what it had to be. Exit code 1.
    Run(String),
}

impl Failure {
    /// What stands in that file cannot be used, for these reasons.
    pub(crate) fn in_file(file: &str, mistakes: &[impl Display]) -> Self {
        let lines: Vec<_> = mistakes.iter().map(|mistake| format!("{file}: {mistake}")).collect();
        Self::Input(lines.join("\n"))
    }

    const fn code(&self) -> u8 {
        match self {
            Self::Input(_) => 2,
            Self::Run(_) => 1,
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Input(text) | Self::Run(text) => text,
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let causes = std::iter::successors(error.source(), |cause| (*cause).source());
        let causes: String = causes.map(|cause| format!(": {cause}")).collect();
        Self::Run(format!("{error}{causes}"))
    }
}

/// A report of a task that is complete; of another one, what it is blocked by.
pub(crate) fn completed(report: Report) -> Result<Report, Failure> {
    if report.is_complete() {
        return Ok(report);
    }
    let blocked: Vec<_> = report.blocked().map(|(step, why)| format!("step `{step}`: {why}")).collect();
    Err(Failure::Run(format!("the task ended in {}\n{}", report.state(), blocked.join("\n"))))
}

/// Says on standard error what went wrong, and gives the exit code; that of a bad input goes before that of a bad run.
pub(crate) fn ended(failures: &[Failure]) -> ExitCode {
    for failure in failures {
        // As clap writes its own: `error:`, coloured on a terminal only. When that fails, nobody is there to be told.
        let _ = clap::Error::raw(ErrorKind::ValueValidation, format!("{}\n", failure.text())).print();
    }
    failures.iter().map(Failure::code).max().unwrap_or(0).into()
}
