//! What was done to a schema.

use std::fmt;

use super::Hindrance;
use super::plan::Act;

/// What [`migrate_with`](crate::postgres::PostgresStorage::migrate_with) did, or would do. Its text is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    /// The schema of the database, by name.
    pub schema: String,
    /// Whose tables were there before.
    pub tables: TablesFound,
    /// What was done, in order; nothing when the schema was up to date.
    pub done: Vec<Done>,
    /// What was not added to the reference's tables, and why.
    pub hindered: Vec<Hindrance>,
    /// Whether it was only tried out: nothing was changed.
    pub dry_run: bool,
}

/// Whose tables were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TablesFound {
    /// None.
    None,
    /// Ours, of this release or an earlier one.
    Ours,
    /// The reference's: Rails made them. They stay as they are, and so do its functions unless it was asked otherwise.
    Rails,
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What.
    pub what: Change,
    /// The migration's name, or that of an index or constraint.
    pub name: &'static str,
    /// What was sent to the server; empty where nothing had to be.
    pub sql: &'static str,
}

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A migration was carried out.
    Applied,
    /// A migration was noted as applied, because the reference made what it would make.
    Adopted,
    /// The reference's functions were replaced by ours.
    Replaced,
    /// An index or constraint was added to the reference's tables.
    Added,
}

impl From<Act> for Done {
    fn from(act: Act) -> Self {
        let (what, name, sql) = match act {
            Act::Apply(migration) => (Change::Applied, migration.name, migration.up),
            Act::Adopt(migration) => (Change::Adopted, migration.name, ""),
            Act::Replace(migration) => (Change::Replaced, migration.name, migration.up),
            Act::Add(addition) => (Change::Added, addition.name, addition.add),
        };
        Self { what, name, sql }
    }
}

impl fmt::Display for MigrationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = match self.tables {
            TablesFound::None => "held no tables of the engine",
            TablesFound::Ours => "held our tables",
            TablesFound::Rails => "held tables that Rails made",
        };
        writeln!(f, "schema {} {tables}", self.schema)?;
        let would = if self.dry_run { "would be " } else { "" };
        for Done { what, name, .. } in &self.done {
            let what = match what {
                Change::Applied => "applied",
                Change::Adopted => "left as it was found",
                Change::Replaced => "put in place of the reference's",
                Change::Added => "added",
            };
            writeln!(f, "  {name}: {would}{what}")?;
        }
        if self.done.is_empty() {
            writeln!(f, "  it is up to date")?;
        }
        self.hindered.iter().try_for_each(|hindrance| writeln!(f, "  {hindrance}"))
    }
}
