//! Time as a part that can be replaced: the system's, a server's, or a simulated one that jumps.

mod server;

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant, SystemTime};

use tokio::task::coop::poll_proceed;

use crate::Timestamp;
pub use server::{ClockKeeper, ClockReading, ServerClock, Skew};

/// Tells the time, and waits.
///
/// # Contract
///
/// - `now` never goes backwards.
/// - `sleep_until` takes note of the sleeper when it is *called*, and its future is ready at the first moment that is
///   not before `t`. It yields a [`Busy`], held from the very moment at which the sleeper is woken, so that a clock
///   that jumps does not jump on before the sleeper had its turn. Dropping the future forgets the sleeper.
/// - Whoever works holds a [`Busy`]; whoever only waits for the clock, or for somebody who holds one, does not. A
///   simulated clock jumps to the next sleeper when nobody is busy.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Ready at `until`, or at once when that is past.
    fn sleep_until(&self, until: Timestamp) -> impl Future<Output = Busy> + Send + 'static;

    /// Holds the time still, on a clock that jumps, until it is dropped.
    fn busy(&self) -> Busy;
}

/// Somebody works. On the system's clock it is nothing.
#[derive(Default)]
pub struct Busy(Option<Arc<Simulated>>);

impl Busy {
    /// For clocks that do not jump.
    pub const fn unneeded() -> Self {
        Self(None)
    }

    /// Begins to wait for a future, and gives the guard up only then: what is waited for knows of it before time may go
    /// on. The guard comes back where there was nothing to wait for.
    pub async fn wait_for<F: Future>(self, future: F) -> (F::Output, Self) {
        let mut busy = Some(self);
        let mut future = pin!(future);
        let output = poll_fn(|context| {
            let polled = future.as_mut().poll(context);
            if polled.is_pending() {
                drop(busy.take());
            }
            polled
        })
        .await;
        (output, busy.unwrap_or_default())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(clock) = self.0.take() {
            clock.leave();
        }
    }
}

impl fmt::Debug for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Busy" } else { "Busy (unneeded)" })
    }
}

/// The clock of the machine: UTC at its start, carried on by the monotonic clock, so that it never goes backwards.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Timestamp,
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { start: Timestamp::EPOCH + since_epoch, started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.start + self.started.elapsed()
    }

    fn sleep_until(&self, until: Timestamp) -> impl Future<Output = Busy> + Send + 'static {
        // Rounded up by a microsecond: waking a little late is right, waking a little early is not.
        let wait = until.since(self.now());
        async move {
            if !wait.is_zero() {
                tokio::time::sleep(wait + Duration::from_micros(1)).await;
            }
            Busy::unneeded()
        }
    }

    fn busy(&self) -> Busy {
        Busy::unneeded()
    }
}

/// A clock that stands still while anybody works, and jumps to the next sleeper when nobody does: hours pass in
/// microseconds, and the same run takes the same moments every time.
///
/// ```
/// use std::time::Duration;
/// use tasker_engine::{Clock, SimulatedClock, Timestamp};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let clock = SimulatedClock::new(Timestamp::EPOCH);
/// drop(clock.sleep_until(clock.now() + Duration::from_secs(6 * 3600)).await);
/// assert_eq!(clock.now().as_micros(), 6 * 3600 * 1_000_000);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct SimulatedClock(Arc<Simulated>);

#[derive(Debug)]
struct Simulated {
    /// Guards the time, who works and who sleeps; held for a few instructions, never while anybody is woken.
    state: Mutex<SimulatedState>,
}

#[derive(Debug)]
struct SimulatedState {
    now: Timestamp,
    busy: usize,
    next_sleeper: u64,
    sleepers: BTreeMap<(Timestamp, u64), Sleeper>,
}

#[derive(Debug)]
enum Sleeper {
    Asleep(Option<Waker>),
    /// Its moment has come, and it is counted as busy until it takes its guard.
    Woken,
}

impl SimulatedClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        let state = SimulatedState { now: start, busy: 0, next_sleeper: 0, sleepers: BTreeMap::new() };
        Self(Arc::new(Simulated { state: Mutex::new(state) }))
    }

    /// Moves the time on by hand; whoever sleeps until then, or before, is woken.
    pub fn advance(&self, by: Duration) {
        let wakers = {
            let mut state = self.0.lock();
            state.now = state.now + by;
            state.wake_sleepers()
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Simulated {
    fn lock(&self) -> MutexGuard<'_, SimulatedState> {
        self.state.lock().expect("nothing panics while it holds the clock")
    }

    fn leave(&self) {
        let wakers = {
            let mut state = self.lock();
            state.busy -= 1;
            state.jump()
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl SimulatedState {
    /// When nobody works, the next sleeper's moment is now.
    fn jump(&mut self) -> Vec<Waker> {
        if self.busy > 0 {
            return vec![];
        }
        let next = self.sleepers.iter().find(|(_, sleeper)| matches!(sleeper, Sleeper::Asleep(_)));
        match next {
            Some(((due, _), _)) => {
                self.now = self.now.max(*due);
                self.wake_sleepers()
            }
            None => vec![],
        }
    }

    fn wake_sleepers(&mut self) -> Vec<Waker> {
        let mut wakers = vec![];
        for (_, sleeper) in self.sleepers.range_mut(..=(self.now, u64::MAX)) {
            if let Sleeper::Asleep(waker) = sleeper {
                wakers.extend(waker.take());
                *sleeper = Sleeper::Woken;
                self.busy += 1;
            }
        }
        wakers
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.0.lock().now
    }

    fn sleep_until(&self, until: Timestamp) -> impl Future<Output = Busy> + Send + 'static {
        let key = {
            let mut state = self.0.lock();
            let key = (until, state.next_sleeper);
            state.next_sleeper += 1;
            state.sleepers.insert(key, Sleeper::Asleep(None));
            if until <= state.now {
                drop(state.wake_sleepers());
            }
            key
        };
        let mut sleep = Sleep { clock: Some(Arc::clone(&self.0)), key };
        async move {
            // Whoever registers while nobody works may be the one to jump to, and nobody else would find out.
            let wakers = {
                let mut state = sleep.state();
                state.jump()
            };
            wakers.into_iter().for_each(Waker::wake);
            poll_fn(move |context| sleep.poll(context)).await
        }
    }

    fn busy(&self) -> Busy {
        self.0.lock().busy += 1;
        Busy(Some(Arc::clone(&self.0)))
    }
}

/// One sleeper of a simulated clock.
struct Sleep {
    /// `None` when it has been woken and has its guard.
    clock: Option<Arc<Simulated>>,
    key: (Timestamp, u64),
}

impl Sleep {
    fn state(&self) -> MutexGuard<'_, SimulatedState> {
        self.clock.as_ref().expect("a sleeper is asked only until it has its guard").lock()
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Busy> {
        // Time that jumps at once would otherwise never let others run.
        let turn = ready!(poll_proceed(context));
        let key = self.key;
        let mut state = self.state();
        match state.sleepers.get_mut(&key).expect("a sleeper stands in the list until it is ready") {
            Sleeper::Asleep(slot) => {
                *slot = Some(context.waker().clone());
                Poll::Pending
            }
            Sleeper::Woken => {
                state.sleepers.remove(&key);
                drop(state);
                turn.made_progress();
                Poll::Ready(Busy(self.clock.take()))
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let Some(clock) = self.clock.take() else { return };
        let woken = {
            let mut state = clock.lock();
            matches!(state.sleepers.remove(&self.key), Some(Sleeper::Woken))
        };
        if woken {
            clock.leave();
        }
    }
}

/// The object-safe face of [`Clock`]. Its methods have names of their own, so that both can be in scope.
pub trait DynClock: Send + Sync + 'static {
    /// See [`Clock::now`].
    fn dyn_now(&self) -> Timestamp;
    /// See [`Clock::sleep_until`].
    fn dyn_sleep_until(&self, until: Timestamp) -> Pin<Box<dyn Future<Output = Busy> + Send>>;
    /// See [`Clock::busy`].
    fn dyn_busy(&self) -> Busy;
}

impl<C: Clock> DynClock for C {
    fn dyn_now(&self) -> Timestamp {
        self.now()
    }
    fn dyn_sleep_until(&self, until: Timestamp) -> Pin<Box<dyn Future<Output = Busy> + Send>> {
        Box::pin(self.sleep_until(until))
    }
    fn dyn_busy(&self) -> Busy {
        self.busy()
    }
}

impl Clock for Arc<dyn DynClock> {
    fn now(&self) -> Timestamp {
        (**self).dyn_now()
    }
    fn sleep_until(&self, until: Timestamp) -> impl Future<Output = Busy> + Send + 'static {
        (**self).dyn_sleep_until(until)
    }
    fn busy(&self) -> Busy {
        (**self).dyn_busy()
    }
}

/// The clock as one running handler has it: busy, but for the time it sleeps.
pub(crate) struct CallClock {
    clock: Arc<dyn DynClock>,
    /// The handler's own guard, and how many of its futures sleep; the guard is there when none does.
    own: Mutex<OwnGuard>,
}

struct OwnGuard {
    busy: Option<Busy>,
    asleep: usize,
}

impl CallClock {
    pub(crate) fn new(clock: Arc<dyn DynClock>, busy: Busy) -> Self {
        Self { clock, own: Mutex::new(OwnGuard { busy: Some(busy), asleep: 0 }) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) const fn inner(&self) -> &Arc<dyn DynClock> {
        &self.clock
    }

    /// Takes note of the sleeper at once, so that several futures of a handler fall asleep at one moment.
    pub(crate) fn sleep_until(&self, until: Timestamp) -> impl Future<Output = ()> + Send + '_ {
        let sleep = self.clock.sleep_until(until);
        async move {
            let asleep = self.fall_asleep();
            let woken = sleep.await;
            drop(asleep);
            drop(woken);
        }
    }

    fn fall_asleep(&self) -> Asleep<'_> {
        let mut own = self.lock();
        own.asleep += 1;
        let busy = own.busy.take();
        drop(own);
        drop(busy);
        Asleep(self)
    }

    fn lock(&self) -> MutexGuard<'_, OwnGuard> {
        self.own.lock().expect("nothing panics while it holds the guard")
    }
}

/// One sleeping future of a handler. When the last one wakes, or is dropped, the handler is busy again.
struct Asleep<'a>(&'a CallClock);

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        let mut own = self.0.lock();
        own.asleep -= 1;
        if own.asleep == 0 {
            own.busy = Some(self.0.clock.busy());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: i64) -> Timestamp {
        Timestamp::from_micros(count * 1_000_000)
    }

    #[tokio::test]
    async fn time_jumps_from_sleeper_to_sleeper() {
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let hold = clock.busy();
        let (late, early) = (clock.sleep_until(seconds(7)), clock.sleep_until(seconds(3)));
        drop(hold);
        assert_eq!(clock.now(), seconds(3), "the time waits for the sleeper to work");
        drop(early.await);
        drop(late.await);
        assert_eq!(clock.now(), seconds(7));
    }

    #[tokio::test]
    async fn whoever_sleeps_again_and_again_lets_others_run() {
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let sleepless = clock.clone();
        let sleeper = tokio::spawn(async move {
            loop {
                drop(sleepless.sleep_until(sleepless.now() + Duration::from_secs(1)).await);
            }
        });
        tokio::task::yield_now().await;
        sleeper.abort();
        assert!(sleeper.await.unwrap_err().is_cancelled());
        assert!(clock.now() > Timestamp::EPOCH);
    }

    #[tokio::test]
    async fn time_stands_while_somebody_works() {
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let work = clock.busy();
        let sleep = clock.sleep_until(seconds(3));
        assert_eq!(clock.now(), Timestamp::EPOCH);
        drop(sleep);
        drop(work);
        assert_eq!(clock.now(), Timestamp::EPOCH, "a forgotten sleeper moves nothing");
    }

    #[tokio::test]
    async fn a_woken_sleeper_that_is_dropped_lets_time_go_on() {
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let hold = clock.busy();
        let (first, second) = (clock.sleep_until(seconds(1)), clock.sleep_until(seconds(2)));
        drop(hold);
        drop(first);
        assert_eq!(clock.now(), seconds(2));
        drop(second.await);
    }

    #[tokio::test]
    async fn sleeping_into_the_past_is_ready_at_once() {
        let clock = SimulatedClock::new(seconds(9));
        drop(clock.sleep_until(seconds(1)).await);
        assert_eq!(clock.now(), seconds(9));
    }

    #[tokio::test]
    async fn the_system_clock_does_not_wake_early() {
        let clock = SystemClock::default();
        let until = clock.now() + Duration::from_millis(2);
        drop(clock.sleep_until(until).await);
        assert!(clock.now() >= until);
    }
}
