//! The migrations, embedded when the crate is built. [`migrate`](super::migrate) carries them out.

#[cfg(unix)]
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use sha2::{Digest as _, Sha256};

/// One step of the schema, there and back.
#[derive(Debug)]
pub(super) struct Migration {
    pub(super) number: i64,
    pub(super) name: &'static str,
    pub(super) makes: Makes,
    pub(super) up: &'static str,
    pub(super) down: &'static str,
}

/// Whose objects a migration makes; it decides what is done with it on a database that the reference's own migrations
/// made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Makes {
    /// The reference's tables, and nothing else. Where the reference made them they are compared, and left.
    ReferenceTables,
    /// The reference's functions and its view, and nothing else, by `CREATE OR REPLACE`. Where the reference made them
    /// they are left, unless somebody asks for ours.
    ReferenceFunctions,
    /// What is ours alone.
    Ours,
}

impl Migration {
    /// Tells whether the text with which it was applied is the one that we have.
    pub(super) fn checksum(&self) -> Vec<u8> {
        Sha256::digest(self.up).to_vec()
    }
}

macro_rules! migrations {
    ($($number:literal $name:literal $($makes:ident)?)*) => {
        &[$(Migration {
            number: $number,
            name: $name,
            makes: migrations!(@ $($makes)?),
            up: include_str!(concat!("../../migrations/", $name, ".up.sql")),
            down: include_str!(concat!("../../migrations/", $name, ".down.sql")),
        }),*]
    };
    (@) => { Makes::Ours };
    (@ $makes:ident) => { Makes::$makes };
}

/// In the order in which they are applied.
pub(super) const MIGRATIONS: &[Migration] = migrations! {
    1 "0001_create_catalogue" ReferenceTables
    2 "0002_create_tasks" ReferenceTables
    3 "0003_create_engine_tables"
    4 "0004_define_judging"
    5 "0005_add_moves"
    6 "0006_add_create"
    7 "0007_add_advance"
    8 "0008_add_operations"
    9 "0009_add_loading"
    10 "0010_add_readiness"
    11 "0011_add_execution_contexts"
    12 "0012_add_step_graph"
    13 "0013_add_analytics"
    14 "0014_add_health_counts"
    15 "0015_name_as_the_reference_does" ReferenceFunctions
    20 "0020_add_taking_over"
    30 "0030_hand_out_wakes"
    40 "0040_add_records"
};

/// Changes with any of the migrations.
#[cfg(unix)]
pub(super) fn fingerprint() -> u64 {
    let mut hasher = DefaultHasher::new();
    for Migration { number, name, up, down, .. } in MIGRATIONS {
        (number, name, up, down).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The crate is packaged by itself, so it has to bring the files of the workspace's room with it: by a link.
    #[test]
    fn every_file_of_the_migrations_is_embedded_and_none_is_missing() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let files: BTreeSet<_> = fs::read_dir(here)
            .expect("storage/migrations leads to the migrations")
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let names = MIGRATIONS.iter().map(|migration| migration.name);
        let embedded: BTreeSet<_> =
            names.flat_map(|name| [format!("{name}.up.sql"), format!("{name}.down.sql")]).collect();
        assert_eq!(files, embedded);
    }

    #[test]
    fn numbers_ascend_and_names_begin_with_them() {
        assert!(MIGRATIONS.is_sorted_by(|one, next| one.number < next.number));
        for Migration { number, name, .. } in MIGRATIONS {
            assert!(name.starts_with(&format!("{number:04}_")), "{name}");
        }
    }
}
