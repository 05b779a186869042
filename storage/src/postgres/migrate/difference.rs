//! In what the tables that were found differ from the reference's.

use std::fmt;

/// One thing that is not as our statements need it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// A table is missing, or is no ordinary table.
    Table {
        /// Its name.
        table: String,
    },
    /// A column is missing.
    MissingColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// How it is declared.
        declaration: String,
    },
    /// A column is of another type.
    Type {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// A column is nullable and should not be, or the other way round.
    Nullability {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Whether NULL should be allowed.
        nullable: bool,
    },
    /// A column has another default.
    Default {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its default.
        found: Option<String>,
        /// What it should be.
        expected: Option<String>,
    },
    /// A column that we do not know has to be given in every new row.
    RequiredColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A key or unique index is missing, or says something else.
    MissingRule {
        /// The table.
        table: String,
        /// Its name where the reference made it.
        name: String,
        /// What it says.
        definition: String,
    },
}

impl Difference {
    /// The statement that removes it; where rows stand in its way, they have to be changed before.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Table { table } => {
                format!("let the Rails application's migrations make {table}")
            }
            Self::MissingColumn { table, column, declaration } => {
                format!("ALTER TABLE {table} ADD COLUMN {column} {declaration}")
            }
            Self::Type { table, column, expected, .. } => {
                format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {expected}")
            }
            Self::Nullability { table, column, nullable } => {
                let change = if *nullable { "DROP" } else { "SET" };
                format!("ALTER TABLE {table} ALTER COLUMN {column} {change} NOT NULL")
            }
            Self::Default { table, column, expected: Some(expected), .. } => {
                format!("ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {expected}")
            }
            Self::Default { table, column, expected: None, .. } => {
                format!("ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT")
            }
            Self::RequiredColumn { table, column } => {
                format!("ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL, or give it a default")
            }
            Self::MissingRule { table, name, definition } => match definition.strip_prefix("UNIQUE ") {
                Some(rest) => format!("CREATE UNIQUE INDEX {name} ON {table} {rest}"),
                None => format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"),
            },
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |default: &Option<String>| default.clone().unwrap_or_else(|| "none".to_owned());
        match self {
            Self::Table { table } => write!(f, "there is no table {table}")?,
            Self::MissingColumn { table, column, .. } => write!(f, "{table} has no column {column}")?,
            Self::Type { table, column, found, expected } => {
                write!(f, "{table}.{column} is of type {found}, not {expected}")?;
            }
            Self::Nullability { table, column, nullable: true } => {
                write!(f, "{table}.{column} does not allow NULL")?;
            }
            Self::Nullability { table, column, nullable: false } => {
                write!(f, "{table}.{column} allows NULL")?;
            }
            Self::Default { table, column, found, expected } => {
                write!(
                    f,
                    "the default of {table}.{column} is {}, not {}",
                    or_none(found),
                    or_none(expected)
                )?;
            }
            Self::RequiredColumn { table, column } => {
                write!(f, "{table} has a column {column}, unknown here, that every new row has to give")?;
            }
            Self::MissingRule { table, name, definition } => {
                write!(f, "{table} lacks {definition} (called {name})")?;
            }
        }
        write!(f, ": {}", self.remedy())
    }
}
