//! What is to be done, decided from what was found.

use super::additions::Addition;
use super::found::Found;
use super::{Migrate, MigrateError};
use crate::postgres::migrations::{Makes, Migration};

/// One thing to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Carry a migration out.
    Apply(&'static Migration),
    /// Note that the reference made what a migration would make.
    Adopt(&'static Migration),
    /// Put our functions in the place of the reference's, and keep those.
    Replace(&'static Migration),
    /// Add to the reference's tables what ours have in addition.
    Add(&'static Addition),
}

/// What brings a schema up to date, in order; nothing when it is.
pub(super) fn plan(
    found: &Found,
    migrations: &'static [Migration],
    options: Migrate,
) -> Result<Vec<Act>, MigrateError> {
    check_applied(found, migrations)?;
    if !found.differences.is_empty() {
        let (schema, differences) = (found.schema.clone(), found.differences.clone());
        return Err(MigrateError::Differs { schema, differences });
    }
    let theirs = found.is_foreign() || found.is_adopted();
    let mut acts = vec![];
    for migration in migrations {
        let applied = found.applied.iter().find(|applied| applied.number == migration.number);
        let replaces = options.replace_functions && migration.makes == Makes::ReferenceFunctions;
        match applied {
            Some(applied) if applied.adopted && replaces => acts.push(Act::Replace(migration)),
            Some(_) => {}
            None if !theirs || migration.makes == Makes::Ours => acts.push(Act::Apply(migration)),
            None if replaces => acts.push(Act::Replace(migration)),
            None => acts.push(Act::Adopt(migration)),
        }
    }
    acts.extend(found.missing.iter().map(|addition| Act::Add(addition)));
    check_may(found, &acts)?;
    Ok(acts)
}

/// Every migration that was applied is known, with the same text.
pub(super) fn check_applied(found: &Found, migrations: &[Migration]) -> Result<(), MigrateError> {
    let newest = migrations.last().map_or(0, |migration| migration.number);
    for applied in &found.applied {
        let (number, name) = (applied.number, applied.name.clone());
        match migrations.iter().find(|migration| migration.number == number) {
            None => return Err(MigrateError::TooNew { number, name, newest }),
            Some(migration) if migration.checksum() != applied.checksum => {
                return Err(MigrateError::Altered { number, name });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn check_may(found: &Found, acts: &[Act]) -> Result<(), MigrateError> {
    let missing = found.server.missing_to_create(&found.schema);
    match acts {
        [] => Ok(()),
        _ if found.server.read_only => Err(MigrateError::ReadOnly),
        _ if !missing.is_empty() => Err(found.server.may_not(missing)),
        _ => Ok(()),
    }
}
