//! The server's clock, which all processes that share it go by.

use std::time::{Duration, Instant};

use tasker_engine::{Clock as _, ClockKeeper, ClockReading, ServerClock, Skew, StorageError, SystemClock};

use super::PostgresStorage;
use super::error::storage_error;

/// How often the clock is read anew.
const EVERY: Duration = Duration::from_secs(60);
/// How many times it is read then; the quickest answer counts.
const READINGS: usize = 3;

impl PostgresStorage {
    /// A clock that goes by the server's: read now and every minute, for as long as the clock or a clone of it is there.
    ///
    /// When the clock of this machine is off by more than a second, that is logged; nothing depends on it.
    ///
    /// # Errors
    /// When the server cannot be asked. Later on that is logged, and the clock goes on by itself.
    pub async fn clock(&self) -> Result<ServerClock, StorageError> {
        let reading = self.read_clock().await?;
        let skew = tell_skew(reading, None);
        let (clock, keeper) = ServerClock::started(reading);
        tokio::spawn(keep(keeper, self.clone(), skew));
        Ok(clock)
    }

    async fn read_clock(&self) -> Result<ClockReading, StorageError> {
        let mut connection = self.pool.acquire().await.map_err(storage_error)?;
        let mut best: Option<ClockReading> = None;
        for _ in 0..READINGS {
            let asked = Instant::now();
            let told = sqlx::query_scalar!(r#"SELECT clock_timestamp() AT TIME ZONE 'UTC' AS "now!""#)
                .fetch_one(&mut *connection)
                .await
                .map_err(storage_error)?;
            let reading = ClockReading::new(asked, told.0, Instant::now());
            best = best.into_iter().chain([reading]).min_by_key(ClockReading::round_trip);
        }
        Ok(best.expect("it is read at least once"))
    }
}

/// Ends with the last clock.
async fn keep(keeper: ClockKeeper, storage: PostgresStorage, mut skew: Option<Skew>) {
    loop {
        tokio::select! {
            () = keeper.unused() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        match storage.read_clock().await {
            Ok(reading) => {
                skew = tell_skew(reading, skew);
                keeper.correct(reading);
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the server's clock was not read");
            }
        }
    }
}

/// Logs how far the clock of this machine is off, unless that was told before.
fn tell_skew(reading: ClockReading, told: Option<Skew>) -> Option<Skew> {
    let skew = reading.skew(SystemClock::default().now());
    if let (Some(skew), None) = (skew, told) {
        tracing::warn!("the clock of this machine is {skew} of the database server's; its time is used");
    }
    skew
}
