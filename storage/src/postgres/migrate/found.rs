//! What is there before anything is done.

use sqlx::{PgConnection, Row as _};

use super::additions::{ADDITIONS, Addition};
use super::catalogue::{REFERENCE_TABLES, differences};
use super::statement::statement;
use super::{Difference, Migrate, MigrateError};

/// The server, and the schema that its search path leads to.
#[derive(Clone, Debug)]
pub(super) struct Server {
    version_number: i32,
    version: String,
    database: String,
    pub(super) user: String,
    /// The first schema of the search path that is there.
    schema: Option<String>,
    search_path: String,
    /// Where the search path finds tables of this name, if not in that schema.
    other_schema: Option<String>,
    pub(super) read_only: bool,
    may_create: bool,
    may_use_temporary: bool,
}

/// A schema.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) server: Server,
    pub(super) schema: String,
    /// Whether there is a table of applied migrations.
    pub(super) has_records: bool,
    /// Migrations that were applied, ascending.
    pub(super) applied: Vec<Applied>,
    /// What was added to tables that the reference had made.
    pub(super) added: Vec<String>,
    /// Those of the reference's tables that are there.
    pub(super) tables: Vec<FoundTable>,
    /// What is wrong with them; only looked for when nothing was applied.
    pub(super) differences: Vec<Difference>,
    /// What they lack; only looked for where it is to be added.
    pub(super) missing: Vec<&'static Addition>,
}

/// A migration that was applied.
#[derive(Clone, Debug)]
pub(super) struct Applied {
    pub(super) number: i64,
    pub(super) name: String,
    pub(super) checksum: Vec<u8>,
    /// Whether its objects were there before: made by the reference.
    pub(super) adopted: bool,
    /// What makes the functions again that were replaced.
    pub(super) replaced: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct FoundTable {
    name: String,
    owner: String,
    is_ours: bool,
}

impl Found {
    /// Looks at the schema. From here on the transaction works in that schema alone.
    pub(super) async fn look(connection: &mut PgConnection, options: Migrate) -> Result<Self, MigrateError> {
        let server = Server::ask(connection).await?;
        let schema = server.check()?;
        let mut found = Self {
            has_records: false,
            applied: vec![],
            added: vec![],
            tables: vec![],
            differences: vec![],
            missing: vec![],
            server,
            schema,
        };
        // The functions keep this path as their own, whatever the session's is.
        statement!("SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)")
            .execute(&mut *connection)
            .await?;
        found.read_records(connection).await?;
        found.read_tables(connection).await?;
        if found.is_foreign() {
            found.check_adoptable()?;
            found.differences = differences(connection).await?;
        }
        let adds = found.is_foreign() || (found.is_adopted() && options.retry_hindered);
        if adds && found.differences.is_empty() {
            for addition in ADDITIONS {
                if !addition.is_there(connection).await? {
                    found.missing.push(addition);
                }
            }
        }
        Ok(found)
    }

    /// Whether the reference made its tables, and we have not been here.
    pub(super) const fn is_foreign(&self) -> bool {
        self.applied.is_empty() && !self.tables.is_empty()
    }

    /// Whether the reference made its tables, and we have taken them over.
    pub(super) fn is_adopted(&self) -> bool {
        self.applied.iter().any(|applied| applied.adopted)
    }

    async fn read_records(&mut self, connection: &mut PgConnection) -> Result<(), MigrateError> {
        let row = statement!("SELECT has_table_privilege(to_regclass('tasker_migrations')::oid, 'SELECT')");
        match row.fetch_one(&mut *connection).await?.try_get(0)? {
            None => return Ok(()),
            Some(true) => self.has_records = true,
            Some(false) => {
                let grant =
                    format!("GRANT SELECT ON {}.tasker_migrations TO {}", self.schema, self.server.user);
                return Err(self.server.may_not(vec![format!("SELECT on tasker_migrations: {grant}")]));
            }
        }
        let rows = statement!(
            "SELECT number, name, checksum, adopted, replaced FROM tasker_migrations ORDER BY number, name",
        );
        for row in rows.fetch_all(connection).await? {
            let name = row.try_get("name")?;
            match row.try_get("number")? {
                Some(number) => {
                    let (checksum, adopted) = (row.try_get("checksum")?, row.try_get("adopted")?);
                    let replaced = row.try_get("replaced")?;
                    self.applied.push(Applied { number, name, checksum, adopted, replaced });
                }
                None => self.added.push(name),
            }
        }
        Ok(())
    }

    async fn read_tables(&mut self, connection: &mut PgConnection) -> Result<(), MigrateError> {
        let rows = statement!(
            "SELECT c.relname::text AS name, pg_get_userbyid(c.relowner)::text AS owner,
                 pg_has_role(c.relowner, 'USAGE') AS is_ours
             FROM pg_class AS c
             WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relname = ANY ($1::text[])
             ORDER BY c.relname",
            &REFERENCE_TABLES[..],
        );
        for row in rows.fetch_all(connection).await? {
            self.tables.push(FoundTable {
                name: row.try_get("name")?,
                owner: row.try_get("owner")?,
                is_ours: row.try_get("is_ours")?,
            });
        }
        Ok(())
    }

    /// The tables of others can be compared and added to.
    fn check_adoptable(&self) -> Result<(), MigrateError> {
        let mut missing = self.server.missing_to_create(&self.schema);
        let Server { database, user, .. } = &self.server;
        if !self.server.may_use_temporary {
            missing.push(format!(
                "TEMPORARY on the database `{database}`, to compare tables: \
                 GRANT TEMPORARY ON DATABASE {database} TO {user}"
            ));
        }
        for FoundTable { name, owner, .. } in self.tables.iter().filter(|table| !table.is_ours) {
            missing.push(format!("to act as the owner of {name}: GRANT {owner} TO {user}"));
        }
        if missing.is_empty() { Ok(()) } else { Err(self.server.may_not(missing)) }
    }
}

impl Server {
    async fn ask(connection: &mut PgConnection) -> Result<Self, MigrateError> {
        let row = statement!(
            "SELECT current_setting('server_version_num')::integer AS version_number,
                 current_setting('server_version') AS version, current_database()::text AS database,
                 current_user::text AS user_name, current_schema()::text AS schema_name,
                 current_setting('search_path') AS search_path, (
                     SELECT n.nspname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                     WHERE c.oid IN (to_regclass('tasker_tasks'), to_regclass('tasker_migrations'))
                         AND n.nspname <> current_schema()
                     LIMIT 1) AS other_schema,
                 current_setting('transaction_read_only')::boolean AS read_only,
                 coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
                 has_database_privilege(current_database(), 'TEMPORARY') AS may_use_temporary",
        )
        .fetch_one(connection)
        .await?;
        Ok(Self {
            version_number: row.try_get("version_number")?,
            version: row.try_get("version")?,
            database: row.try_get("database")?,
            user: row.try_get("user_name")?,
            schema: row.try_get("schema_name")?,
            search_path: row.try_get("search_path")?,
            other_schema: row.try_get("other_schema")?,
            read_only: row.try_get("read_only")?,
            may_create: row.try_get("may_create")?,
            may_use_temporary: row.try_get("may_use_temporary")?,
        })
    }

    /// The schema to work in.
    fn check(&self) -> Result<String, MigrateError> {
        if self.version_number < 130_000 {
            return Err(MigrateError::OldServer { found: self.version.clone() });
        }
        let search_path = self.search_path.clone();
        let Some(schema) = self.schema.clone() else {
            return Err(MigrateError::NoSchema { search_path, schema: None });
        };
        // A misspelt name would be passed over, and the tables made in the next schema of the path.
        let first = schemas(&search_path).into_iter().find(|name| name != "$user");
        if let Some(first) = first.filter(|first| *first != schema && self.user != schema) {
            return Err(MigrateError::NoSchema { search_path, schema: Some(first) });
        }
        match &self.other_schema {
            Some(found) => Err(MigrateError::OtherSchema { schema, found: found.clone() }),
            None => Ok(schema),
        }
    }

    /// An error of the server, told in our words where it is one of permission.
    pub(super) fn explain(&self, error: MigrateError) -> MigrateError {
        match error {
            MigrateError::Failed { migration, source }
                if source.as_database_error().and_then(|refused| refused.code()).as_deref()
                    == Some("42501") =>
            {
                self.may_not(vec![format!("{migration}: {source}")])
            }
            error => error,
        }
    }

    /// What the user lacks to make tables and functions.
    pub(super) fn missing_to_create(&self, schema: &str) -> Vec<String> {
        let user = &self.user;
        let create = format!("CREATE on the schema `{schema}`: GRANT CREATE ON SCHEMA {schema} TO {user}");
        if self.may_create { vec![] } else { vec![create] }
    }

    pub(super) fn may_not(&self, missing: Vec<String>) -> MigrateError {
        MigrateError::Permission { user: self.user.clone(), missing }
    }
}

/// The names in a search path, as the server stores them.
fn schemas(search_path: &str) -> Vec<String> {
    let mut names = vec![];
    let mut name = String::new();
    let mut quoted = false;
    let mut letters = search_path.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => name.extend(letters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(std::mem::take(&mut name)),
            ' ' if !quoted => {}
            letter if quoted => name.push(letter),
            letter => name.extend(letter.to_lowercase()),
        }
    }
    names.push(name);
    names.retain(|name| !name.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(schema: Option<&str>, search_path: &str) -> Server {
        Server {
            version_number: 150_000,
            version: "15.0".into(),
            database: "d".into(),
            user: "u".into(),
            schema: schema.map(Into::into),
            search_path: search_path.into(),
            other_schema: None,
            read_only: false,
            may_create: true,
            may_use_temporary: true,
        }
    }

    #[test]
    fn a_search_path_is_read_as_the_server_reads_it() {
        assert_eq!(schemas(r#""$user", public"#), ["$user", "public"]);
        assert_eq!(schemas(r#"App,"Two Words", "a""b,c""#), ["app", "Two Words", r#"a"b,c"#]);
        assert_eq!(schemas(""), [""; 0]);
    }

    #[test]
    fn the_schema_is_the_first_of_the_search_path() {
        for (schema, search_path) in
            [("public", r#""$user", public"#), ("u", r#""$user", public"#), ("app", "app, public")]
        {
            assert_eq!(server(Some(schema), search_path).check().unwrap(), schema);
        }
    }

    #[test]
    fn a_schema_that_is_named_first_and_is_not_there_is_refused() {
        let refused = server(Some("public"), "app, public").check().unwrap_err();
        assert!(matches!(&refused, MigrateError::NoSchema { schema: Some(name), .. } if name == "app"));
        let refused = server(None, "app").check().unwrap_err();
        assert!(matches!(refused, MigrateError::NoSchema { schema: None, .. }));
    }

    #[test]
    fn tables_further_down_the_search_path_are_not_passed_over() {
        let two = Server { other_schema: Some("public".into()), ..server(Some("app"), "app, public") };
        assert!(matches!(two.check(), Err(MigrateError::OtherSchema { .. })));
    }

    #[test]
    fn a_server_that_is_too_old_is_refused() {
        let old =
            Server { version_number: 120_017, version: "12.17".into(), ..server(Some("public"), "public") };
        assert!(matches!(old.check(), Err(MigrateError::OldServer { found }) if found == "12.17"));
    }
}
