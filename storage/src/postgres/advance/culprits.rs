//! Which outcomes the database refuses: found by trying parts of the batch, each in a transaction that is rolled back.
//!
//! Nothing is recorded until the culprits are known. Then they fail their own steps, and the whole call is made once
//! more; so it is still one commit, and one odd output stops nobody else's.

use tasker_engine::{Advance, Room, StorageError};

use super::super::PostgresStorage;
use super::super::error::storage_error;
use super::send;

impl PostgresStorage {
    /// The places in the call of outcomes that the database refuses by themselves, with what it says. When there is
    /// none, it was not for an outcome that it refused the call, which is `refused` then.
    pub(super) async fn culprits(
        &self,
        call: &Advance,
        sent: &[usize],
        refused: StorageError,
    ) -> Result<Vec<(usize, String)>, StorageError> {
        // Outcomes alone: what would be claimed after them is none of their doing.
        let call = Advance { wanted: vec![], room: Room::of(0), ..call.clone() };
        let mut culprits = vec![];
        let mut suspects = Vec::from([sent]);
        while let Some(places) = suspects.pop() {
            match (self.fault(&call, places).await?, places) {
                (None, _) => {}
                (Some(fault), [place]) => culprits.push((*place, fault)),
                (Some(_), _) => {
                    let (first, second) = places.split_at(places.len() / 2);
                    suspects.extend([second, first]);
                }
            }
        }
        if culprits.is_empty() { Err(refused) } else { Ok(culprits) }
    }

    /// What the database has against the outcomes at these places together.
    async fn fault(&self, call: &Advance, places: &[usize]) -> Result<Option<String>, StorageError> {
        let mut transaction =
            self.pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await.map_err(storage_error)?;
        let tried = send(&mut *transaction, call, places).await;
        transaction.rollback().await.map_err(storage_error)?;
        match tried {
            Ok(_) => Ok(None),
            Err(StorageError::Refused(fault)) => Ok(Some(fault.to_string())),
            Err(error) => Err(error),
        }
    }
}
