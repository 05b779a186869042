//! The reference's tables as the database describes them: those that are there, and those that our migrations would
//! make.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Row as _};

use super::additions;
use super::statement::statement;
use super::{Difference, MigrateError};
use crate::postgres::migrations::{MIGRATIONS, Makes};

/// The tables that the reference makes.
pub(super) const REFERENCE_TABLES: [&str; 13] = [
    "tasker_task_namespaces",
    "tasker_named_tasks",
    "tasker_dependent_systems",
    "tasker_dependent_system_object_maps",
    "tasker_named_steps",
    "tasker_named_tasks_named_steps",
    "tasker_tasks",
    "tasker_task_transitions",
    "tasker_workflow_steps",
    "tasker_workflow_step_edges",
    "tasker_workflow_step_transitions",
    "tasker_annotation_types",
    "tasker_task_annotations",
];

/// The functions that the reference makes; and it makes one view.
pub(super) const REFERENCE_FUNCTIONS: [&str; 9] = [
    "get_step_readiness_status",
    "get_step_readiness_status_batch",
    "get_task_execution_context",
    "get_task_execution_contexts_batch",
    "calculate_dependency_levels",
    "get_analytics_metrics_v01",
    "get_slowest_steps_v01",
    "get_slowest_tasks_v01",
    "get_system_health_counts_v01",
];

/// Tables by name.
pub(super) type Catalogue = BTreeMap<String, Table>;

#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    columns: BTreeMap<String, Column>,
    /// Keys and unique indexes.
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq)]
struct Column {
    of_type: String,
    nullable: bool,
    default: Option<String>,
    /// The database fills it by itself.
    generated: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Rule {
    name: String,
    definition: String,
}

/// In what the tables of the schema differ from those that our migrations make, as far as our statements rely on it.
///
/// Ours are made for a moment as temporary tables, so that there is one place where it stands what they are.
pub(super) async fn differences(connection: &mut PgConnection) -> Result<Vec<Difference>, MigrateError> {
    let found = read(connection).await?;
    sqlx::raw_sql("SAVEPOINT before_comparison; SET LOCAL search_path = pg_temp")
        .execute(&mut *connection)
        .await?;
    for migration in MIGRATIONS.iter().filter(|migration| migration.makes == Makes::ReferenceTables) {
        sqlx::raw_sql(migration.up).execute(&mut *connection).await?;
    }
    let expected = read(connection).await?;
    sqlx::raw_sql("ROLLBACK TO SAVEPOINT before_comparison").execute(&mut *connection).await?;
    Ok(compare(&expected, &found))
}

/// The reference's tables in the first schema of the search path.
async fn read(connection: &mut PgConnection) -> Result<Catalogue, MigrateError> {
    let columns = statement!(
        "SELECT c.relname::text AS of_table, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS of_type,
             NOT a.attnotnull AS nullable, pg_get_expr(d.adbin, d.adrelid) AS default_value,
             a.attidentity <> '' OR a.attgenerated <> '' AS generated
         FROM pg_class AS c
         JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relname = ANY ($1::text[]) AND c.relkind = 'r'
         ORDER BY c.relname, a.attnum",
        &REFERENCE_TABLES[..],
    );
    let mut catalogue = Catalogue::new();
    for row in columns.fetch_all(&mut *connection).await? {
        let column = Column {
            of_type: plain_type(row.try_get("of_type")?),
            nullable: row.try_get("nullable")?,
            default: row.try_get("default_value")?,
            generated: row.try_get("generated")?,
        };
        let table = catalogue.entry(row.try_get("of_table")?).or_default();
        table.columns.insert(row.try_get("name")?, column);
    }
    let rules = statement!(
        "SELECT c.relname::text AS of_table, k.conname::text AS name, pg_get_constraintdef(k.oid) AS definition
         FROM pg_class AS c
         JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype IN ('p', 'f')
         WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relname = ANY ($1::text[]) AND c.relkind = 'r'
         UNION ALL
         SELECT c.relname::text, x.relname::text,
             'UNIQUE ' || regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', 'USING ')
         FROM pg_class AS c
         JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND NOT i.indisprimary
         JOIN pg_class AS x ON x.oid = i.indexrelid
         WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relname = ANY ($1::text[]) AND c.relkind = 'r'
         ORDER BY 1, 2",
        &REFERENCE_TABLES[..],
    );
    for row in rules.fetch_all(connection).await? {
        let rule = Rule { name: row.try_get("name")?, definition: plain_rule(row.try_get("definition")?) };
        catalogue.entry(row.try_get("of_table")?).or_default().rules.push(rule);
    }
    Ok(catalogue)
}

/// A timestamp has six digits, whether it says so or not.
fn plain_type(of_type: &str) -> String {
    of_type.replace("timestamp(6)", "timestamp")
}

/// A condition on a flag may be written in two ways.
fn plain_rule(definition: &str) -> String {
    definition.replace("(most_recent = true)", "most_recent")
}

/// Names of keys and indexes do not matter, only what they say; more columns than ours are no harm as long as a new row
/// need not give them.
fn compare(expected: &Catalogue, found: &Catalogue) -> Vec<Difference> {
    let mut differences = vec![];
    for (name, expected) in expected {
        match found.get(name) {
            None => differences.push(Difference::Table { table: name.clone() }),
            Some(found) => compare_tables(name, expected, found, &mut differences),
        }
    }
    differences
}

fn compare_tables(name: &str, expected: &Table, found: &Table, differences: &mut Vec<Difference>) {
    for (column, expected) in &expected.columns {
        match found.columns.get(column) {
            None => differences.push(Difference::MissingColumn {
                table: name.to_owned(),
                column: column.clone(),
                declaration: expected.declaration(),
            }),
            Some(found) => compare_columns(name, column, expected, found, differences),
        }
    }
    for (column, _) in found.columns.iter().filter(|(column, found)| {
        !expected.columns.contains_key(*column)
            && !found.nullable
            && found.default.is_none()
            && !found.generated
    }) {
        differences.push(Difference::RequiredColumn { table: name.to_owned(), column: column.clone() });
    }
    for rule in &expected.rules {
        let is_there = found.rules.iter().any(|found| found.definition == rule.definition);
        // What the reference lacks is not asked for: it is added.
        if !is_there && additions::named(&rule.name).is_none() {
            differences.push(Difference::MissingRule {
                table: name.to_owned(),
                name: rule.name.clone(),
                definition: rule.definition.clone(),
            });
        }
    }
}

fn compare_columns(
    table: &str,
    column: &str,
    expected: &Column,
    found: &Column,
    differences: &mut Vec<Difference>,
) {
    let (table, column) = (table.to_owned(), column.to_owned());
    if found.of_type != expected.of_type {
        differences.push(Difference::Type {
            table: table.clone(),
            column: column.clone(),
            found: found.of_type.clone(),
            expected: expected.of_type.clone(),
        });
    }
    if found.nullable != expected.nullable {
        differences.push(Difference::Nullability {
            table: table.clone(),
            column: column.clone(),
            nullable: expected.nullable,
        });
    }
    if found.default != expected.default && !is_corrected_default(&table, &column) {
        differences.push(Difference::Default {
            table,
            column,
            found: found.default.clone(),
            expected: expected.default.clone(),
        });
    }
}

/// The reference's default is a JSON string of two braces; ours is an empty object, and both are read alike.
fn is_corrected_default(table: &str, column: &str) -> bool {
    (table, column) == ("tasker_named_tasks", "configuration")
}

impl Column {
    fn declaration(&self) -> String {
        let not_null = if self.nullable { "" } else { " NOT NULL" };
        let default = self.default.as_ref().map(|value| format!(" DEFAULT {value}")).unwrap_or_default();
        format!("{}{not_null}{default}", self.of_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(of_type: &str, nullable: bool, default: Option<&str>) -> Column {
        let default = default.map(ToOwned::to_owned);
        Column { of_type: plain_type(of_type), nullable, default, generated: false }
    }

    fn table(columns: &[(&str, Column)]) -> Table {
        let columns = columns.iter().map(|(name, column)| ((*name).to_owned(), column.clone())).collect();
        Table { columns, rules: vec![] }
    }

    fn between(expected: Table, found: Table) -> Vec<String> {
        let catalogue = |table| Catalogue::from([("t".to_owned(), table)]);
        compare(&catalogue(expected), &catalogue(found)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_difference_is_told_with_what_removes_it() {
        let expected = table(&[
            ("absent", column("text", false, Some("'x'"))),
            ("other", column("jsonb", true, None)),
            ("strict", column("integer", false, None)),
            ("loose", column("integer", true, Some("3"))),
        ]);
        let found = table(&[
            ("other", column("json", true, None)),
            ("strict", column("integer", true, None)),
            ("loose", column("integer", false, None)),
            ("more", column("text", false, None)),
        ]);
        let told = [
            "t has no column absent: ALTER TABLE t ADD COLUMN absent text NOT NULL DEFAULT 'x'",
            "t.loose does not allow NULL: ALTER TABLE t ALTER COLUMN loose DROP NOT NULL",
            "the default of t.loose is none, not 3: ALTER TABLE t ALTER COLUMN loose SET DEFAULT 3",
            "t.other is of type json, not jsonb: ALTER TABLE t ALTER COLUMN other TYPE jsonb",
            "t.strict allows NULL: ALTER TABLE t ALTER COLUMN strict SET NOT NULL",
            "t has a column more, unknown here, that every new row has to give: \
             ALTER TABLE t ALTER COLUMN more DROP NOT NULL, or give it a default",
        ];
        assert_eq!(between(expected, found), told);
    }

    #[test]
    fn a_table_that_is_missing_is_one_difference() {
        let expected = Catalogue::from([("t".to_owned(), table(&[("a", column("text", true, None))]))]);
        assert_eq!(compare(&expected, &Catalogue::new()), [Difference::Table { table: "t".into() }]);
    }

    #[test]
    fn columns_of_others_and_another_way_to_write_the_same_are_no_difference() {
        let expected = table(&[("at", column("timestamp without time zone", true, None))]);
        let found = table(&[
            ("at", column("timestamp(6) without time zone", true, None)),
            ("more", column("text", true, None)),
            ("filled", column("text", false, Some("''"))),
        ]);
        assert_eq!(between(expected, found), [""; 0]);
        assert_eq!(plain_rule("UNIQUE (a) WHERE (most_recent = true)"), "UNIQUE (a) WHERE most_recent");
    }

    #[test]
    fn keys_are_compared_by_what_they_say() {
        let rule = |name: &str, definition: &str| Rule { name: name.into(), definition: definition.into() };
        let with = |rules: &[Rule]| Table { rules: rules.to_vec(), ..Table::default() };
        let key = rule("t_pkey", "PRIMARY KEY (id)");
        assert_eq!(
            between(with(std::slice::from_ref(&key)), with(&[rule("other", "PRIMARY KEY (id)")])),
            [""; 0]
        );
        assert_eq!(
            between(with(&[key]), with(&[rule("t_pkey", "PRIMARY KEY (name)")])),
            [
                "t lacks PRIMARY KEY (id) (called t_pkey): ALTER TABLE t ADD CONSTRAINT t_pkey PRIMARY KEY (id)"
            ]
        );
        let unique = rule("once", "UNIQUE USING btree (name)");
        assert_eq!(
            between(with(&[unique]), with(&[])),
            [
                "t lacks UNIQUE USING btree (name) (called once): CREATE UNIQUE INDEX once ON t USING btree (name)"
            ]
        );
    }
}
