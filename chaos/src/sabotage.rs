//! Deliberate faults, to show that the judge finds them. Each breaks a function in the database of the run; the program
//! itself knows nothing of them.

use clap::ValueEnum;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;

use crate::Failure;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sabotage {
    /// An outcome counts whatever claim it comes under
    NoFence,
    /// Nobody takes steps from workers that died
    NoRescue,
    /// A claim does not count as an attempt
    ForgetAttempt,
    /// What is to be looked at later is forgotten, and nobody sweeps
    LoseWakes,
}

/// In that function this text is replaced by that one.
type Change = (&'static str, &'static str, &'static str);

impl Sabotage {
    const fn changes(self) -> &'static [Change] {
        match self {
            Self::NoFence => &[(
                "tasker_record",
                "c.id = o.token AND c.workflow_step_id = o.step AND c.most_recent AND c.to_state = 'in_progress'",
                "c.workflow_step_id = o.step AND c.most_recent",
            )],
            Self::NoRescue => &[("tasker_lost_claims", "WHERE NOT EXISTS (", "WHERE false AND NOT EXISTS (")],
            Self::ForgetAttempt => {
                &[("tasker_claim", "SET attempts = c.attempt,", "SET attempts = c.attempt - 1,")]
            }
            Self::LoseWakes => &[
                ("tasker_write_wakes", "WHERE old.due_at IS NULL OR", "WHERE"),
                ("tasker_write_wakes", "OR u.task = ANY (p_wanted) AND", "OR false AND"),
                ("tasker_sweep", "tasker_is_forgotten(open.task)", "false"),
            ],
        }
    }

    /// Breaks what is to be broken.
    ///
    /// # Errors
    /// When the functions are no longer written as this file says: then it has to follow them.
    pub(crate) async fn commit(self, pool: &PgPool) -> Result<(), Failure> {
        for (function, sound, broken) in self.changes() {
            let body: String =
                sqlx::query_scalar("SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p WHERE p.proname = $1")
                    .bind(function)
                    .fetch_one(pool)
                    .await?;
            if body.matches(sound).count() != 1 {
                return Err(format!("`{sound}` does not stand once in {function}").into());
            }
            sqlx::raw_sql(AssertSqlSafe(body.replace(sound, broken))).execute(pool).await?;
        }
        Ok(())
    }
}
