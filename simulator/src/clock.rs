//! The clock of one process: that of the simulation, or a little ahead of it, as no two machines agree to the microsecond.

use std::time::Duration;

use tasker_engine::{Busy, Clock, SimulatedClock, Timestamp};

/// No clock is further ahead than that.
pub(crate) const FURTHEST_AHEAD: Duration = Duration::from_millis(300);

#[derive(Clone)]
pub(crate) struct Ahead {
    pub(crate) clock: SimulatedClock,
    pub(crate) by: Duration,
}

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.clock.now() + self.by
    }

    fn sleep_until(&self, until: Timestamp) -> impl Future<Output = Busy> + Send + 'static {
        self.clock.sleep_until(until - self.by)
    }

    fn busy(&self) -> Busy {
        self.clock.busy()
    }
}
