//! What this system offers a temporary server: programs, a user to run as, a place for its files.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use super::ClusterError;

/// The programs of a server; a directory counts only when it holds them all.
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// Where packages put the programs of each version: what stands before the version, and after it.
///
/// Debian and Ubuntu, the packages of postgresql.org for Fedora and its kin, Alpine, and Homebrew on its two
/// kinds of machine. Other systems have them in `PATH`.
const VERSIONED: [(&str, &str); 5] = [
    ("/usr/lib/postgresql/", "bin"),
    ("/usr/pgsql-", "bin"),
    ("/usr/libexec/postgresql", ""),
    ("/opt/homebrew/opt/postgresql@", "bin"),
    ("/usr/local/opt/postgresql@", "bin"),
];

/// The directory of PostgreSQL's programs: of `PATH` if they are there, else of the newest version installed.
pub(super) fn programs() -> Result<PathBuf, ClusterError> {
    let path: Vec<_> = env::var_os("PATH").iter().flat_map(env::split_paths).collect();
    let is_complete = |directory: &PathBuf| PROGRAMS.iter().all(|name| directory.join(name).is_file());
    path.into_iter().chain(installed()).find(is_complete).ok_or(ClusterError::NotInstalled)
}

/// Directories outside of `PATH` that may hold the programs, the best first.
fn installed() -> impl Iterator<Item = PathBuf> {
    VERSIONED.into_iter().flat_map(|(before, after)| versions(before, after)).chain(named_by_pg_config())
}

/// The directories that exist between `before` and `after`, the newest version first.
fn versions(before: &str, after: &str) -> Vec<PathBuf> {
    let (parent, prefix) = before.rsplit_once('/').expect("the places are absolute");
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join(after)))
        })
        .collect();
    found.sort_unstable_by_key(|(version, _)| Reverse(*version));
    found.into_iter().map(|(_, directory)| directory).collect()
}

fn named_by_pg_config() -> Option<PathBuf> {
    output_of("pg_config", &["--bindir"]).map(PathBuf::from)
}

/// A user that is not root, for PostgreSQL refuses to run as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServerUser {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl ServerUser {
    /// The user to change to if we are root: the system's own for PostgreSQL, or the one for nothing at all.
    pub(super) fn to_change_to() -> Result<Option<Self>, ClusterError> {
        if output_of("id", &["-u"]).as_deref() != Some("0") {
            return Ok(None);
        }
        ["postgres", "nobody"].into_iter().find_map(Self::named).map(Some).ok_or(ClusterError::NoUser)
    }

    fn named(name: &str) -> Option<Self> {
        let id = |which| output_of("id", &[which, name])?.parse().ok();
        Some(Self { uid: id("-u")?, gid: id("-g")? })
    }
}

/// A directory in memory with room for a server of hundreds of small databases, if this system has one.
///
/// Making a database means to make some three hundred files, which takes a tenth of the time there.
pub(super) fn directory_in_memory() -> Option<PathBuf> {
    const DIRECTORY: &str = "/dev/shm";
    /// In KiB.
    const ROOM: u64 = 4 << 20;

    let usage = output_of("df", &["-P", "-k", DIRECTORY])?;
    let available: u64 = usage.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    (available >= ROOM).then(|| DIRECTORY.into())
}

/// What a program prints, if it could be run and succeeded.
fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_comes_first_and_strangers_are_left_out() {
        let parent = env::temp_dir().join(format!("tasker-programs-{}", std::process::id()));
        for name in ["pg9", "pg15", "pg17", "pgadmin", "other"] {
            fs::create_dir_all(parent.join(name)).unwrap();
        }
        let found = versions(parent.join("pg").to_str().unwrap(), "bin");
        fs::remove_dir_all(&parent).unwrap();
        assert_eq!(found, ["pg17", "pg15", "pg9"].map(|name| parent.join(name).join("bin")));
    }

    #[test]
    fn a_user_that_does_not_exist_is_none() {
        assert_eq!(ServerUser::named("no such user"), None);
    }
}
