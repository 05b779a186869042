//! What handlers write down themselves, outside of the engine: a file for each process, a line for each begin and end.
//!
//! Each line is one call of the system, at the end of the file, so a process that is killed leaves whole lines.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, str};

use serde::{Deserialize, Serialize};
use tasker::Call;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Microseconds since 1970, by the clock of the machine.
    pub(crate) at: i64,
    /// The process.
    pub(crate) worker: String,
    pub(crate) task: i64,
    pub(crate) step: i64,
    /// The claim under which it runs.
    pub(crate) token: i64,
    pub(crate) attempt: u32,
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// The handler was called.
    Started,
    /// It returned its output.
    Completed,
    /// It returned an error.
    Failed,
    /// It asked to sleep.
    Snoozed,
}

impl What {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Snoozed => "snoozed",
        }
    }
}

/// The ledger of this process.
#[derive(Debug)]
pub(crate) struct Ledger {
    worker: String,
    file: File,
}

impl Ledger {
    pub(crate) fn open(directory: &Path, worker: &str) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(Self::file(directory, worker))?;
        Ok(Self { worker: worker.to_owned(), file })
    }

    /// Where a process keeps its own; there from the moment at which it can be told to stop.
    pub(crate) fn file(directory: &Path, worker: &str) -> PathBuf {
        directory.join(format!("{worker}.jsonl"))
    }

    /// # Panics
    /// When it cannot be written: without its ledger a run proves nothing.
    pub(crate) fn write(&self, call: &Call, what: What) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let entry = Entry {
            at: i64::try_from(now.as_micros()).unwrap_or(i64::MAX),
            worker: self.worker.clone(),
            task: call.task().0,
            step: call.step().0,
            token: call.token().0,
            attempt: call.attempt(),
            what,
        };
        let line = serde_json::to_string(&entry).expect("an entry is plain data") + "\n";
        (&self.file).write_all(line.as_bytes()).expect("the ledger can be written");
    }
}

/// All entries of all processes.
///
/// # Errors
/// When a file cannot be read, or a line is none.
pub(crate) fn read_all(directory: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = vec![];
    for file in fs::read_dir(directory)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            for line in str::from_utf8(&fs::read(path)?).map_err(io::Error::other)?.lines() {
                entries.push(serde_json::from_str(line)?);
            }
        }
    }
    Ok(entries)
}
