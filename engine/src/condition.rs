//! A value that can be waited for.

use std::collections::BTreeMap;
use std::mem;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};

use tokio::task::coop::poll_proceed;

use crate::{Busy, Clock};

/// A value that some change and others wait for: a condition variable for futures, which keeps a simulated clock still
/// between a change and the moment at which those it woke have looked.
///
/// ```
/// use tasker_engine::{Condition, SystemClock};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let count = Condition::new(0);
/// let (seen, ()) = tokio::join!(count.until(|count| (*count >= 3).then_some(*count)), async {
///     count.change(&SystemClock::default(), |count| *count += 3);
/// });
/// assert_eq!(seen.0, 3);
/// # });
/// ```
#[derive(Debug, Default)]
pub struct Condition<T> {
    /// Guards the value and who waits for it; held for a few instructions.
    state: Mutex<State<T>>,
}

#[derive(Debug, Default)]
struct State<T> {
    value: T,
    waiting: BTreeMap<u64, Waiter>,
    next: u64,
}

#[derive(Debug)]
enum Waiter {
    Asleep(Waker),
    /// Busy on behalf of a future that was woken and has not run yet.
    Woken(Busy),
}

impl<T> Condition<T> {
    /// With that value, and nobody waiting.
    pub const fn new(value: T) -> Self {
        Self { state: Mutex::new(State { value, waiting: BTreeMap::new(), next: 0 }) }
    }

    /// Changes the value, and wakes all who wait.
    pub fn change<R>(&self, clock: &impl Clock, change: impl FnOnce(&mut T) -> R) -> R {
        let mut state = self.lock();
        let answer = change(&mut state.value);
        let wakers = state.wake_all(clock);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        answer
    }

    /// Looks at the value, and wakes nobody.
    pub fn peek<R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        look(&mut self.lock().value)
    }

    /// Waits until `take` takes something. Also yields the guard that has been held since the change which woke it.
    ///
    /// # Cancel safety
    /// What was not taken stays for others, and all of them were woken.
    pub const fn until<R, F: FnMut(&mut T) -> Option<R>>(&self, take: F) -> Until<'_, T, F> {
        Until { condition: self, take, id: None }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().expect("nothing panics while it holds a condition")
    }
}

impl<T> State<T> {
    fn wake_all(&mut self, clock: &impl Clock) -> Vec<Waker> {
        let mut wakers = vec![];
        for waiter in self.waiting.values_mut() {
            if let Waiter::Asleep(_) = waiter
                && let Waiter::Asleep(waker) = mem::replace(waiter, Waiter::Woken(clock.busy()))
            {
                wakers.push(waker);
            }
        }
        wakers
    }
}

/// See [`Condition::until`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Until<'a, T, F> {
    condition: &'a Condition<T>,
    take: F,
    id: Option<u64>,
}

// The value is never pinned.
impl<T, F> Unpin for Until<'_, T, F> {}

impl<T, R, F: FnMut(&mut T) -> Option<R>> Future for Until<'_, T, F> {
    type Output = (R, Busy);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<(R, Busy)> {
        let this = &mut *self;
        // Whoever always finds something lets others run now and then.
        let turn = ready!(poll_proceed(context));
        let mut state = this.condition.lock();
        let id = *this.id.get_or_insert_with(|| {
            state.next += 1;
            state.next
        });
        let busy = match state.waiting.remove(&id) {
            Some(Waiter::Woken(busy)) => busy,
            _ => Busy::unneeded(),
        };
        if let Some(taken) = (this.take)(&mut state.value) {
            turn.made_progress();
            return Poll::Ready((taken, busy));
        }
        state.waiting.insert(id, Waiter::Asleep(context.waker().clone()));
        // The guard goes after the lock: the clock may wake others.
        drop(state);
        drop(busy);
        Poll::Pending
    }
}

impl<T, F> Drop for Until<'_, T, F> {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let waiter = self.condition.lock().waiting.remove(&id);
        drop(waiter);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{SimulatedClock, Timestamp};

    #[tokio::test]
    async fn time_stands_between_a_change_and_the_look_of_those_it_woke() {
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let condition = Condition::new(0);
        let hold = clock.busy();
        let sleep = clock.sleep_until(Timestamp::EPOCH + Duration::from_secs(9));
        let mut until = condition.until(|value| (*value > 0).then_some(*value));
        assert!(poll_once(&mut until).await.is_pending());
        condition.change(&clock, |value| *value = 1);
        drop(hold);
        assert_eq!(clock.now(), Timestamp::EPOCH, "whoever was woken has not looked yet");
        let (taken, busy) = until.await;
        assert_eq!((taken, clock.now()), (1, Timestamp::EPOCH));
        drop(busy);
        drop(sleep.await);
        assert_eq!(clock.now(), Timestamp::EPOCH + Duration::from_secs(9));
    }

    #[tokio::test]
    async fn whoever_was_woken_for_nothing_or_is_dropped_lets_time_go_on() {
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let condition = Condition::new(0);
        let hold = clock.busy();
        let sleep = clock.sleep_until(Timestamp::EPOCH + Duration::from_secs(9));
        let mut in_vain = condition.until(|value| (*value > 5).then_some(()));
        let mut dropped = condition.until(|value| (*value > 0).then_some(()));
        assert!(poll_once(&mut in_vain).await.is_pending());
        assert!(poll_once(&mut dropped).await.is_pending());
        condition.change(&clock, |value| *value = 1);
        assert!(poll_once(&mut in_vain).await.is_pending());
        drop(dropped);
        drop(hold);
        drop(sleep.await);
        assert_eq!(clock.now(), Timestamp::EPOCH + Duration::from_secs(9));
    }

    async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context))).await
    }
}
