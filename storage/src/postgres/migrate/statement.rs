//! Statements that are run before the backend can be compiled.

/// A statement, checked by sqlx's macros once the backend is compiled: that the schema has what it names, and takes these
/// arguments. Before, `scripts/prepare` makes with it the very schema that the macros are to ask, so what runs is not what
/// they make of it.
macro_rules! statement {
    ($sql:literal $(, $argument:expr)* $(,)?) => {{
        #[cfg(feature = "postgres")]
        let _ = || sqlx::query!($sql $(, $argument)*);
        sqlx::query($sql)$(.bind($argument))*
    }};
}

pub(super) use statement;
