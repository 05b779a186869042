//! Newcomers of a full worker: while there is no place they are left to other workers, and when some become free, half of
//! those are offered to them before the tasks that run here already go on.

use super::{NEWCOMERS_EVERY, RunLoop, STORAGE_RETRY};
use crate::{Clock, Delivery, EngineTypes, Queue};

impl<T: EngineTypes> RunLoop<T> {
    /// Asks the queue for as many as half of the places that have just become free, if nobody receives for this loop at the
    /// moment.
    pub(super) async fn ask_for_newcomers(&mut self) {
        let now = self.shared.clock.now();
        if self.serving == 0 || now < self.newcomers_at || self.shared.demand.peek(|room| *room > 0) {
            return;
        }
        let places = self.finished.len().div_ceil(2);
        let waiting = self.wanted.iter().filter(|task| self.received.contains_key(task)).take(places).count();
        let limit = places - waiting;
        if limit == 0 {
            return;
        }
        match self.shared.queue.try_receive(self.shared.interest(limit)).await {
            Ok(Delivery { wakes, missed, busy: _held }) => {
                if wakes.len() < limit {
                    self.newcomers_at = now + NEWCOMERS_EVERY;
                }
                self.take_hints(wakes, missed);
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the queue did not give hints");
                self.newcomers_at = now + STORAGE_RETRY.1;
            }
        }
    }
}
