//! Temporary PostgreSQL servers for tests, examples and benches.
//!
//! A [`Cluster`] is a server of its own: made in a fresh directory, reached through a unix socket in that
//! directory and through nothing else, and gone without a trace when it is dropped, or when the process that
//! owns it ends, even by `kill -9`. A [`TestDatabase`] is one database on such a server, a copy of a template
//! that was prepared once.
//!
//! ```text
//! this process ──spawns──▶ watchdog (sh) ──▶ initdb, pg_ctl ──▶ postgres
//!      └── holds the pipe that is the watchdog's input
//!          └── which ends with this process: the watchdog stops the server and removes its files
//! ```
//!
//! What it needs is PostgreSQL 13 or later on this machine, in `PATH` or where packages put it; it need not
//! run, nor be set up. As root, the server runs as the user `postgres`, or `nobody`, because PostgreSQL
//! refuses to run as root.
//!
//! # Examples
//!
//! ```no_run
//! use tasker_storage::postgres::cluster::{Cluster, Durability};
//!
//! # fn main() -> Result<(), tasker_storage::postgres::cluster::ClusterError> {
//! let cluster = Cluster::start(Durability::Fast)?;
//! println!("psql '{}'", cluster.url("postgres"));
//! # Ok(())
//! # }
//! ```

mod system;
mod test_database;

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::{env, error};

use system::ServerUser;
pub use test_database::{TEST_DATABASE_URL, TestDatabase};

/// The program of the watchdog, which also makes and starts the server. It is the only place that knows how.
const WATCHDOG: &str = include_str!("cluster/watchdog.sh");

/// The port that names the socket's file. No other server shares the directory, so one serves all.
const PORT: u16 = 5432;

/// Whether a commit waits until it is safe on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As a real server does it, so that figures mean something. Under `/var/tmp`, which is on a disk, as
    /// `/tmp` on many systems is not.
    Durable,
    /// Nothing waits for a disk. Data survives the crash of a client, which is all that tests ask for. Under
    /// `/dev/shm`, in memory, where that has 4 GiB free; else under `/tmp`.
    Fast,
}

impl Durability {
    fn parent(self) -> PathBuf {
        match self {
            Self::Durable => "/var/tmp".into(),
            Self::Fast => system::directory_in_memory().unwrap_or_else(|| "/tmp".into()),
        }
    }

    /// Whether to wait, and how much may be written between two checkpoints: much, lest one fall into a
    /// measurement, or little, since it is kept in memory.
    fn settings(self) -> [(&'static str, &'static str); 4] {
        let (wait, between_checkpoints) = match self {
            Self::Durable => ("on", "4GB"),
            Self::Fast => ("off", "512MB"),
        };
        [
            ("fsync", wait),
            ("synchronous_commit", wait),
            ("full_page_writes", wait),
            ("max_wal_size", between_checkpoints),
        ]
    }
}

/// A temporary PostgreSQL server, removed on drop.
///
/// # Drop
///
/// Stops the server at once, whoever is connected, and returns when its directory is gone. A value in a
/// `static` is not dropped when a process ends; then the watchdog does the same a moment later.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    /// Ends when its input does, which nobody but us holds open; it has removed the server by then.
    watchdog: Child,
    /// What it answers.
    answers: BufReader<ChildStdout>,
}

impl Cluster {
    /// Starts a server with the settings that suit most tests and benches.
    ///
    /// Takes a second or two, and blocks that long: asynchronous code calls it through `spawn_blocking`.
    ///
    /// # Errors
    ///
    /// As [`ClusterBuilder::start`].
    pub fn start(durability: Durability) -> Result<Self, ClusterError> {
        Self::builder(durability).start()
    }

    /// A server to start with settings of one's own.
    #[must_use]
    pub fn builder(durability: Durability) -> ClusterBuilder {
        ClusterBuilder::new(durability)
    }

    /// Ends the server as a crash does, whoever is connected and whatever they were doing, and starts it again. Returns
    /// when it has recovered what was committed and accepts connections; blocks the thread that long.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Refused`] with the server's own words when it does not come back.
    pub fn crash(&mut self) -> Result<(), ClusterError> {
        match self.ask("crash").map_err(ClusterError::Watchdog)?.strip_prefix("failed ") {
            None => Ok(()),
            Some(log) => Err(ClusterError::Refused { what: self.directory.clone(), log: log.to_owned() }),
        }
    }

    /// Lets the files of the server stay when it is dropped. It is stopped then, so that `pg_ctl start` can go on from
    /// there.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Watchdog`] when there is nobody any more who could do it.
    pub fn keep(&mut self) -> Result<(), ClusterError> {
        self.ask("keep").map(drop).map_err(ClusterError::Watchdog)
    }

    /// One line to the watchdog, and one back.
    fn ask(&mut self, what: &str) -> io::Result<String> {
        let input = self.watchdog.stdin.as_mut().expect("its input is a pipe, which is closed on drop");
        writeln!(input, "{what}")?;
        let mut answer = String::new();
        match self.answers.read_line(&mut answer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(answer.trim_end().to_owned()),
        }
    }

    /// The directory that holds all of this server: data, socket and log.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The URL of a database on this server, for sqlx as well as for libpq (`psql`, `pgbench`, a Rails
    /// application).
    ///
    /// The database `postgres` always exists. The user is `tasker`, a superuser without a password.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        // The port is named because sqlx would take it from the environment otherwise.
        let socket = percent_encoded(&self.directory.to_string_lossy());
        format!("postgres://tasker@localhost:{PORT}/{}?host={socket}", percent_encoded(database))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Waiting closes the watchdog's input first, which is its sign.
        let _ = self.watchdog.wait();
    }
}

/// Settings of a [`Cluster`] that is to be started.
#[derive(Debug, Clone)]
pub struct ClusterBuilder {
    parent: PathBuf,
    settings: String,
}

impl ClusterBuilder {
    fn new(durability: Durability) -> Self {
        let defaults = [
            ("listen_addresses", ""),
            ("port", &PORT.to_string()),
            // Many tests at once, each with a pool.
            ("max_connections", "200"),
            ("shared_buffers", "256MB"),
            ("autovacuum", "on"),
            // The same on every machine, whatever its own zone is.
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
        ];
        let builder = Self { parent: durability.parent(), settings: String::new() };
        let settings = defaults.into_iter().chain(durability.settings());
        settings.fold(builder, |builder, (name, value)| builder.setting(name, value))
    }

    /// Adds a setting of `postgresql.conf`. The last one of a name counts.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        let value = value.replace('\\', r"\\").replace('\'', "''");
        writeln!(self.settings, "{name} = '{value}'").expect("writing to a string cannot fail");
        self
    }

    /// Makes the server's directory in `parent`.
    ///
    /// Its path has to be short, since a socket's may have about a hundred bytes, and the server's user has
    /// to be able to write there.
    #[must_use]
    pub fn parent(mut self, parent: impl Into<PathBuf>) -> Self {
        self.parent = parent.into();
        self
    }

    /// Starts the server and returns when it accepts connections. Blocks the thread that long.
    ///
    /// # Errors
    ///
    /// [`ClusterError::NotInstalled`] and [`ClusterError::NoUser`] when this machine lacks something, with
    /// what to do; [`ClusterError::Refused`] with the server's own words. Nothing is left behind.
    pub fn start(&self) -> Result<Cluster, ClusterError> {
        let programs = system::programs()?;
        let mut watchdog = self.watchdog(&programs)?.spawn().map_err(ClusterError::Watchdog)?;
        let mut answers = BufReader::new(watchdog.stdout.take().expect("its output is a pipe"));
        match told_directory(&mut answers).map_err(ClusterError::Watchdog)? {
            Ok(directory) => Ok(Cluster { directory, watchdog, answers }),
            Err(log) => {
                let _ = watchdog.wait();
                Err(ClusterError::Refused { what: programs, log })
            }
        }
    }

    fn watchdog(&self, programs: &Path) -> Result<Command, ClusterError> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", WATCHDOG, "tasker-watchdog"])
            .args([&self.parent, programs])
            .arg(&self.settings)
            // The user that the server runs as may not enter the directory we are in.
            .current_dir("/")
            // A process group of its own, so that what is meant for ours (an interrupt from the keyboard, a
            // test runner's time limit) does not hit it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        // Settings of the caller's own server would be taken for this one's.
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C");
        if let Some(user) = ServerUser::to_change_to()? {
            command.uid(user.uid).gid(user.gid);
        }
        Ok(command)
    }
}

/// Waits for the watchdog's word: where the server is, or else all that it says about why there is none.
fn told_directory(output: &mut impl BufRead) -> io::Result<Result<PathBuf, String>> {
    let mut said = String::new();
    output.read_line(&mut said)?;
    if let Some(directory) = said.trim_end().strip_prefix("ready ") {
        return Ok(Ok(directory.into()));
    }
    output.read_to_string(&mut said)?;
    Ok(Err(said.trim_end().to_owned()))
}

/// Encodes whatever is not plain in a URL. Slashes are kept, for the sake of people.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                encoded.push(char::from(byte))
            }
            _ => write!(encoded, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
        encoded
    })
}

/// A temporary server, or a database on one, that could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// This machine has no PostgreSQL server to start.
    #[error(
        "found no PostgreSQL server on this machine (initdb, pg_ctl and postgres, in PATH or where packages put \
         them); it need not run, but has to be installed: apt-get install postgresql, \
         dnf install postgresql-server, apk add postgresql, or brew install postgresql@17"
    )]
    NotInstalled,
    /// We are root, PostgreSQL refuses to run as root, and there is no one else to run it as.
    #[error(
        "PostgreSQL refuses to run as root, and there is neither a user `postgres` nor a user `nobody` to run \
         it as; make one (useradd --system postgres), or run this as a user that is not root"
    )]
    NoUser,
    /// The process that makes, starts and removes the server could not be run.
    #[error("could not run /bin/sh, which starts a temporary server and watches over it")]
    Watchdog(#[source] io::Error),
    /// The server could not be made or did not start.
    #[error("the temporary server of {} did not start: {log}", what.display())]
    Refused {
        /// Where its programs are; or its files, when it was there before.
        what: PathBuf,
        /// The last that was said about it.
        log: String,
    },
    /// The caller's function that fills a template failed. The next caller tries again from the start.
    #[error("could not prepare the template database for {key:?}")]
    Prepare {
        /// What the caller calls the template.
        key: String,
        /// The function's error.
        source: Box<dyn error::Error + Send + Sync>,
    },
    /// The server for tests could not be reached, or refused a statement.
    #[error("could not {action}")]
    Server {
        /// What we were about to do.
        action: &'static str,
        /// The driver's error.
        source: sqlx::Error,
    },
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgConnectOptions;

    use super::*;

    #[test]
    fn a_url_says_where_the_socket_is_whatever_the_path() {
        let directory = PathBuf::from("/tmp/a dir/100%?&ü");
        let mut watchdog = Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
        let answers = BufReader::new(watchdog.stdout.take().unwrap());
        let cluster = Cluster { directory: directory.clone(), watchdog, answers };
        let options: PgConnectOptions = cluster.url("a b/c").parse().unwrap();
        assert_eq!(options.get_socket(), Some(&directory));
        assert_eq!(options.get_port(), PORT);
        assert_eq!(options.get_username(), "tasker");
        assert_eq!(options.get_database(), Some("a b/c"));
    }

    #[test]
    fn a_setting_is_quoted() {
        let builder = Cluster::builder(Durability::Fast).setting("cluster_name", r"it's \ here");
        assert!(builder.settings.ends_with("cluster_name = 'it''s \\\\ here'\n"), "{}", builder.settings);
    }

    #[test]
    fn whatever_is_not_a_directory_is_a_reason() {
        let told = |text: &str| told_directory(&mut text.as_bytes()).unwrap();
        assert_eq!(told("ready /tmp/x\n"), Ok("/tmp/x".into()));
        assert_eq!(told("initdb: error\nof some kind\n"), Err("initdb: error\nof some kind".into()));
        assert_eq!(told(""), Err(String::new()));
    }
}
