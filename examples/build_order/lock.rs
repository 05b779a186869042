//! Reads a lock file as a graph of packages without a cycle.

use std::collections::HashMap;
use std::str::FromStr;

use cargo_lock::{Dependency, Lockfile, Package};

/// What a lock file says about the order in which its packages can be built.
#[derive(Debug)]
pub(crate) struct Lock {
    /// The packages in the order of the file; no two have the same name.
    pub(crate) names: Vec<String>,
    /// For each package the places of those that it depends on.
    pub(crate) dependencies: Vec<Vec<usize>>,
    /// The edges that are not among these, since they would close a cycle: a package, and what it depends on.
    pub(crate) left_out: Vec<(usize, usize)>,
}

impl Lock {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// When it is no lock file, with the place; when packages are missing, all that miss one.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<String>> {
        let Lockfile { packages, .. } =
            Lockfile::from_str(text).map_err(|error| vec![placed(&error.to_string(), text)])?;
        if packages.is_empty() {
            return Err(vec!["not a lock file: there is no [[package]] in it".to_owned()]);
        }
        let wanted = resolved(&packages)?;
        let (dependencies, left_out) = without_cycles(&wanted, |place| packages[place].source.is_none());
        Ok(Self { names: names(&packages), dependencies, left_out })
    }
}

/// The reader's errors carry their place, but for a dependency that is named without a version and is not there.
fn placed(error: &str, text: &str) -> String {
    let error = error.trim_start_matches("parse error: ").trim_end();
    let missing = error.strip_prefix("couldn't resolve dependency: ");
    let line = missing.and_then(|name| {
        let quoted = format!("\"{name}\"");
        text.lines().position(|line| line.contains(&quoted) && !line.trim_start().starts_with("name"))
    });
    line.map_or_else(|| format!("not a lock file: {error}"), |line| format!("line {}: {error}", line + 1))
}

/// For each package the places of its dependencies.
fn resolved(packages: &[Package]) -> Result<Vec<Vec<usize>>, Vec<String>> {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, package) in packages.iter().enumerate() {
        by_name.entry(package.name.as_str()).or_default().push(place);
    }
    let find = |dependency: &Dependency| {
        let places = by_name.get(dependency.name.as_str()).into_iter().flatten().copied();
        let same = places.filter(|place| dependency.matches(&packages[*place]));
        // Only where one version comes from two sources does the source decide.
        same.min_by_key(|place| packages[*place].source != dependency.source)
    };
    let mut missing = vec![];
    let resolved = packages.iter().map(|package| {
        let places = package.dependencies.iter().filter_map(|dependency| {
            find(dependency).or_else(|| {
                let Package { name, version, .. } = package;
                missing.push(format!(
                    "package `{name} {version}` depends on `{dependency}`, which is not in it"
                ));
                None
            })
        });
        places.collect()
    });
    let resolved = resolved.collect();
    if missing.is_empty() { Ok(resolved) } else { Err(missing) }
}

type Edges = (Vec<Vec<usize>>, Vec<(usize, usize)>);

/// Leaves out edges that would close a cycle.
///
/// A lock file does not say which dependencies of a workspace member are needed for its tests alone, and those may need
/// the member itself. Packages from elsewhere are listed without theirs. So all edges of the latter stand, and those of
/// members are added one by one, in the order of the file: which edge of a cycle is that of a test, it does not tell.
fn without_cycles(wanted: &[Vec<usize>], is_member: impl Fn(usize) -> bool) -> Edges {
    let (mut kept, mut left_out) = (vec![vec![]; wanted.len()], vec![]);
    for (package, dependencies) in wanted.iter().enumerate().filter(|(package, _)| !is_member(*package)) {
        kept[package].clone_from(dependencies);
    }
    for (package, dependencies) in wanted.iter().enumerate().filter(|(package, _)| is_member(*package)) {
        for dependency in dependencies.iter().copied() {
            if reaches(&kept, dependency, package) {
                left_out.push((package, dependency));
            } else {
                kept[package].push(dependency);
            }
        }
    }
    (kept, left_out)
}

fn reaches(dependencies: &[Vec<usize>], from: usize, to: usize) -> bool {
    let mut seen = vec![false; dependencies.len()];
    let mut left = vec![from];
    while let Some(place) = left.pop() {
        if place == to {
            return true;
        }
        if !std::mem::replace(&mut seen[place], true) {
            left.extend(&dependencies[place]);
        }
    }
    false
}

/// `name version`, and the source where that would not be unique.
fn names(packages: &[Package]) -> Vec<String> {
    let short = |package: &Package| format!("{} {}", package.name, package.version);
    let mut uses: HashMap<String, usize> = HashMap::new();
    packages.iter().for_each(|package| *uses.entry(short(package)).or_default() += 1);
    let names = packages.iter().map(|package| {
        let short = short(package);
        match &package.source {
            Some(source) if uses[&short] > 1 => with_source(&short, &source.to_string()),
            _ => short,
        }
    });
    names.collect()
}

/// Names of steps have 128 characters at most. What tells two sources apart, as the hash of a commit, stands at the end.
fn with_source(short: &str, source: &str) -> String {
    let room = 128_usize.saturating_sub(short.chars().count() + " ()".len());
    let surplus = source.chars().count().saturating_sub(room);
    format!("{short} ({})", source.chars().skip(surplus).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, source: &str, dependencies: &[&str]) -> String {
        let source = if source.is_empty() { String::new() } else { format!("source = \"{source}\"\n") };
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n{source}dependencies = {dependencies:?}\n"
        )
    }

    const CRATES: &str = "registry+https://github.com/rust-lang/crates.io-index";

    #[test]
    fn only_edges_of_members_are_left_out() {
        // `a` tests itself with `far`, which somebody patched to come from here; `b` tests itself with `a`, and itself.
        let text = [
            package("a", "", &["b", "far"]),
            package("b", "", &["a", "b", "near"]),
            package("far", CRATES, &["a"]),
            package("near", CRATES, &[]),
        ];
        let lock = Lock::parse(&text.concat()).unwrap();
        assert_eq!(lock.dependencies, [vec![1], vec![3], vec![0], vec![]]);
        assert_eq!(lock.left_out, [(0, 2), (1, 0), (1, 1)]);
    }

    #[test]
    fn names_are_unique() {
        let fork = format!("git+https://example.org/{}?rev=0123456#0123456789", "long/".repeat(30));
        let text = [
            package("a", "", &[&format!("b 1.0.0 ({fork})"), &format!("b 1.0.0 ({CRATES})")]),
            package("b", &fork, &[]),
            package("b", CRATES, &[]),
        ];
        let lock = Lock::parse(&text.concat()).unwrap();
        assert_eq!(lock.dependencies[0], [1, 2]);
        assert_eq!(lock.names[0], "a 1.0.0");
        assert_eq!(lock.names[2], format!("b 1.0.0 ({CRATES})"));
        assert_eq!(lock.names[1].chars().count(), 128);
        assert!(lock.names[1].ends_with("?rev=0123456#0123456789)"), "{}", lock.names[1]);
    }

    #[test]
    fn what_is_no_lock_file_is_told_with_its_place() {
        let unversioned = package("a", "", &["b"]);
        let versioned = package("a", "", &["b 2.0.0"]) + &package("b", "", &[]);
        for (text, says) in [
            ("", "not a lock file: there is no [[package]] in it"),
            ("[workspace]\nmembers = []\n", "not a lock file: there is no [[package]] in it"),
            ("hello", "not a lock file: TOML parse error at line 1, column 6"),
            ("[package]\nname = \"a\"\n", "not a lock file: TOML parse error at line 1, column 1"),
            ("version = 99\n", "not a lock file: invalid Cargo.lock format version"),
            (&unversioned, "line 4: couldn't resolve dependency: b"),
            (&versioned, "package `a 1.0.0` depends on `b 2.0.0`, which is not in it"),
        ] {
            let mistakes = Lock::parse(text).unwrap_err();
            assert!(matches!(&mistakes[..], [one] if one.starts_with(says)), "{mistakes:?}");
        }
    }
}
