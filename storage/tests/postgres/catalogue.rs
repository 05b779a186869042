//! What a schema is made of, to be compared before and after.

use std::collections::BTreeSet;

use sqlx::Row as _;
use sqlx::postgres::PgPool;

/// Everything in the current schema, by kind and name, with what it is made of; but for the notes of migrations.
pub(crate) async fn catalogue(pool: &PgPool) -> BTreeSet<String> {
    let rows = sqlx::query(
        "WITH here AS (SELECT quote_ident(current_schema())::regnamespace AS id), own AS (
             SELECT c.* FROM pg_class AS c, here WHERE c.relnamespace = here.id AND c.relname !~ '^tasker_migrations'
         )
         SELECT 'relation ' || c.relname || ' ' || c.relkind::text || coalesce(' ' || c.reloptions::text, '')
         FROM own AS c WHERE c.relkind NOT IN ('i', 'c')
         UNION ALL
         SELECT 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
             || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
             || coalesce(' ' || pg_get_expr(d.adbin, d.adrelid), '')
         FROM own AS c
         JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE c.relkind IN ('r', 'v', 'c')
         UNION ALL
         SELECT 'constraint ' || c.relname || ' ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
         FROM own AS c JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype <> 'n'
         UNION ALL
         SELECT 'index ' || pg_get_indexdef(c.oid) FROM own AS c WHERE c.relkind = 'i'
         UNION ALL
         SELECT 'view ' || c.relname || ' ' || pg_get_viewdef(c.oid) FROM own AS c WHERE c.relkind = 'v'
         UNION ALL
         SELECT 'sequence ' || s.sequencename || ' ' || s.data_type || ' ' || s.start_value || ' ' || s.increment_by
         FROM pg_sequences AS s WHERE s.schemaname = current_schema()
         UNION ALL
         SELECT 'function ' || p.oid::regprocedure || ' ' || md5(pg_get_functiondef(p.oid))
         FROM pg_proc AS p, here WHERE p.pronamespace = here.id
         UNION ALL
         SELECT 'type ' || t.typname FROM pg_type AS t, here
         WHERE t.typnamespace = here.id AND t.typname !~ '^_?tasker_migrations'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Two catalogues are the same; what they differ in is told otherwise.
#[track_caller]
pub(crate) fn assert_same(found: &BTreeSet<String>, expected: &BTreeSet<String>, what: &str) {
    let missing: Vec<_> = expected.difference(found).collect();
    let surplus: Vec<_> = found.difference(expected).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "{what}\nmissing: {missing:#?}\nsurplus: {surplus:#?}");
}

/// The reference's tables, in the words of `reference_tables.txt`: one text for each, lines in no order.
pub(crate) async fn reference_tables(pool: &PgPool) -> Vec<(String, BTreeSet<String>)> {
    let names = sqlx::query_scalar::<_, String>(
        "SELECT DISTINCT t.tablename::text FROM pg_tables AS t WHERE t.schemaname = current_schema() ORDER BY 1",
    );
    let mut tables = vec![];
    for name in names.fetch_all(pool).await.unwrap() {
        let lines = sqlx::query_scalar::<_, String>(
            "SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
                 || CASE WHEN a.attnotnull THEN ' not null' ELSE ' null' END
                 || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
             FROM pg_attribute AS a
             LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
             UNION ALL
             SELECT CASE k.contype WHEN 'p' THEN 'primary key ' WHEN 'f' THEN 'foreign key ' ELSE 'check ' END
                 || k.conname || ' ' || CASE k.contype
                     WHEN 'c' THEN concat_ws(' in ', 'of ' || (
                         SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute AS a
                         WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
                     ), (
                         SELECT string_agg(m[1], ', ')
                         FROM regexp_matches(pg_get_constraintdef(k.oid), '''([^'']*)''', 'g') AS m
                     ))
                     ELSE regexp_replace(pg_get_constraintdef(k.oid), '^(PRIMARY|FOREIGN) KEY ', '') END
             FROM pg_constraint AS k WHERE k.conrelid = $1::regclass AND k.contype IN ('p', 'f', 'c')
             UNION ALL
             SELECT CASE WHEN i.indisunique THEN 'unique ' ELSE 'index ' END || x.relname || ' '
                 || regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING btree ', '')
             FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
             WHERE i.indrelid = $1::regclass AND NOT i.indisprimary",
        );
        tables.push((name.clone(), lines.bind(&name).fetch_all(pool).await.unwrap().into_iter().collect()));
    }
    tables
}
