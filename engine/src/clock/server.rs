//! One time for all who share a server: the server's, as far as it was read, carried on by our monotonic clock.
//!
//! ```text
//! reading ──▶ keeper ── course ──▶ clocks: the course at this instant, never less than before
//! ```

use std::fmt;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Busy, Clock};
use crate::Timestamp;

/// A difference that is worth a word.
const NOTEWORTHY: Duration = Duration::from_secs(1);

/// What a server's clock said, and when it was asked and had answered by our monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct ClockReading {
    asked: Instant,
    told: Timestamp,
    answered: Instant,
}

impl ClockReading {
    /// The server said `told` at some instant between these two.
    pub const fn new(asked: Instant, told: Timestamp, answered: Instant) -> Self {
        Self { asked, told, answered }
    }

    /// How long the answer took; half of it is how far the reading may be off.
    pub fn round_trip(&self) -> Duration {
        self.answered.saturating_duration_since(self.asked)
    }

    /// How far another clock, which said `ours` when the answer came, is from the server's; `None` when it is at most a
    /// second.
    pub fn skew(&self, ours: Timestamp) -> Option<Skew> {
        let server = self.told + self.round_trip() / 2;
        let skew =
            if ours > server { Skew::Ahead(ours.since(server)) } else { Skew::Behind(server.since(ours)) };
        let (Skew::Ahead(by) | Skew::Behind(by)) = skew;
        (by > NOTEWORTHY).then_some(skew)
    }
}

/// How far a clock is from the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skew {
    /// It is later than the server's.
    Ahead(Duration),
    /// It is earlier.
    Behind(Duration),
}

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ahead(by) => write!(f, "{:.1} s ahead", by.as_secs_f64()),
            Self::Behind(by) => write!(f, "{:.1} s behind", by.as_secs_f64()),
        }
    }
}

/// The time of a server. Clones are one clock.
///
/// Workers that share a storage share its time too: whose own clock is wrong would otherwise wake tasks early, or take
/// living workers for dead. It is read now and then, and runs with our monotonic clock in between; so it goes on when the
/// server does not answer. It never goes backwards: where it was ahead, it stands until the server's has come up to it.
#[derive(Clone, Debug)]
pub struct ServerClock {
    /// Written by the [`ClockKeeper`] alone, which waits while somebody reads.
    course: watch::Receiver<Course>,
}

/// Corrects a [`ServerClock`] whenever the server was asked again. Dropping it lets the clock run as it does.
#[derive(Debug)]
pub struct ClockKeeper {
    course: watch::Sender<Course>,
}

impl ServerClock {
    /// A clock that starts with that reading, and what corrects it.
    pub fn started(reading: ClockReading) -> (Self, ClockKeeper) {
        let (keeper, course) = watch::channel(Course::by(reading));
        (Self { course }, ClockKeeper { course: keeper })
    }
}

impl ClockKeeper {
    /// Takes another reading. One that does not contradict the clock changes nothing.
    pub fn correct(&self, reading: ClockReading) {
        self.course.send_if_modified(|course| {
            // Nobody reads the clock at this instant: whoever did has seen no later time.
            let corrected = course.corrected(reading, Instant::now());
            let changes = corrected.is_some();
            *course = corrected.unwrap_or(*course);
            changes
        });
    }

    /// Ready when no clock is left to be corrected.
    pub async fn unused(&self) {
        self.course.closed().await;
    }
}

impl Clock for ServerClock {
    fn now(&self) -> Timestamp {
        let course = self.course.borrow();
        course.time_at(Instant::now())
    }

    fn sleep_until(&self, until: Timestamp) -> impl Future<Output = Busy> + Send + 'static {
        let clock = self.clone();
        let mut corrections = self.course.clone();
        async move {
            loop {
                // Seen before the time is read, so that no correction is missed.
                let is_kept = corrections.has_changed().is_ok();
                corrections.mark_unchanged();
                let wait = until.since(clock.now());
                if wait.is_zero() {
                    return Busy::unneeded();
                }
                // Rounded up by a microsecond: waking a little late is right, waking a little early is not.
                let sleep = tokio::time::sleep(wait + Duration::from_micros(1));
                if is_kept {
                    tokio::select! {
                        () = sleep => {}
                        _ = corrections.changed() => {}
                    }
                } else {
                    sleep.await;
                }
            }
        }
    }

    fn busy(&self) -> Busy {
        Busy::unneeded()
    }
}

/// How the server's time runs by our monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Course {
    /// It was then `time`.
    at: Instant,
    time: Timestamp,
    /// What was told before.
    not_before: Timestamp,
}

impl Course {
    /// The answer is taken to have been as long under way as the question.
    fn by(reading: ClockReading) -> Self {
        let time = reading.told + reading.round_trip() / 2;
        Self { at: reading.answered, time, not_before: time }
    }

    fn time_at(&self, instant: Instant) -> Timestamp {
        let time = self.time + instant.saturating_duration_since(self.at);
        time.max(self.not_before)
    }

    /// The course by a newer reading; `None` when the time on this one lies between what the server said and the latest
    /// that it can have been when the answer came. Later than `now`, nobody has read the time on this one.
    fn corrected(&self, reading: ClockReading, now: Instant) -> Option<Self> {
        let ours = self.time + reading.answered.saturating_duration_since(self.at);
        let agrees = (reading.told..=reading.told + reading.round_trip()).contains(&ours);
        (!agrees).then(|| Self { not_before: self.time_at(now), ..Self::by(reading) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: Timestamp = Timestamp::from_micros(1_767_268_800_000_000);

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// A reading that was asked for and answered so many milliseconds after an instant.
    fn reading(start: Instant, asked: u64, told: Timestamp, answered: u64) -> ClockReading {
        ClockReading::new(start + millis(asked), told, start + millis(answered))
    }

    #[test]
    fn the_server_is_taken_to_have_answered_in_the_middle() {
        let start = Instant::now();
        let course = Course::by(reading(start, 0, NOON, 10));
        assert_eq!(course.time_at(start + millis(10)), NOON + millis(5));
        assert_eq!(course.time_at(start + millis(25)), NOON + millis(20));
    }

    #[test]
    fn a_reading_that_may_be_true_changes_nothing() {
        let start = Instant::now();
        let course = Course::by(reading(start, 0, NOON, 10));
        // At 1000 the course says 995. The server said so when it was asked, or when it had answered.
        for told in [985, 995] {
            let again = reading(start, 990, NOON + millis(told), 1000);
            assert_eq!(course.corrected(again, start + millis(1000)), None, "{told}");
        }
        for told in [984, 996] {
            let again = reading(start, 990, NOON + millis(told), 1000);
            let corrected = course.corrected(again, start + millis(1000)).unwrap();
            assert_eq!(corrected.time, NOON + millis(told + 5));
        }
    }

    #[test]
    fn a_clock_that_was_ahead_stands_until_the_server_has_come_up_to_it() {
        let start = Instant::now();
        let course = Course::by(reading(start, 0, NOON, 0));
        let corrected = course.corrected(reading(start, 100, NOON + millis(40), 100), start + millis(100));
        let corrected = corrected.unwrap();
        for (at, time) in [(100, 100), (130, 100), (160, 100), (161, 101), (1000, 940)] {
            assert_eq!(corrected.time_at(start + millis(at)), NOON + millis(time), "at {at}");
        }
    }

    #[test]
    fn a_clock_that_was_behind_is_right_at_once() {
        let start = Instant::now();
        let course = Course::by(reading(start, 0, NOON, 0));
        let corrected = course.corrected(reading(start, 100, NOON + millis(5000), 100), start + millis(100));
        assert_eq!(corrected.unwrap().time_at(start + millis(101)), NOON + millis(5001));
    }

    #[test]
    fn a_skew_of_more_than_a_second_is_told_with_its_direction() {
        let start = Instant::now();
        let reading = reading(start, 0, NOON, 10);
        assert_eq!(reading.skew(NOON + millis(1005)), None);
        assert_eq!(reading.skew(NOON + millis(1006)), Some(Skew::Ahead(millis(1001))));
        assert_eq!(reading.skew(NOON - millis(995)), None);
        assert_eq!(reading.skew(NOON - millis(996)), Some(Skew::Behind(millis(1001))));
        assert_eq!(Skew::Behind(millis(1250)).to_string(), "1.2 s behind");
    }

    proptest! {
        /// Whatever a server says, in whatever order it is read and asked.
        #[test]
        fn time_never_goes_backwards(
            events in prop::collection::vec((0..5_000_u64, prop::option::of((0..50_u64, -10_000..10_000_i64))), 1..60)
        ) {
            let start = Instant::now();
            let mut course = Course::by(reading(start, 0, NOON, 0));
            let (mut now, mut last) = (0, NOON);
            for (pause, asked) in events {
                now += pause;
                if let Some((round_trip, off)) = asked {
                    let told = Timestamp::from_micros(NOON.as_micros() + i64::try_from(now).unwrap() * 1000 + off * 1000);
                    let reading = reading(start, now, told, now + round_trip);
                    now += round_trip;
                    course = course.corrected(reading, start + millis(now)).unwrap_or(course);
                }
                let time = course.time_at(start + millis(now));
                prop_assert!(time >= last, "{time} after {last}");
                last = time;
            }
        }
    }

    fn at(told: Timestamp) -> ClockReading {
        let now = Instant::now();
        ClockReading::new(now, told, now)
    }

    #[tokio::test]
    async fn a_sleeper_is_woken_when_the_server_turns_out_to_be_further_on() {
        let (clock, keeper) = ServerClock::started(at(NOON));
        let hour = Duration::from_secs(3600);
        let sleep = tokio::spawn(clock.sleep_until(NOON + hour));
        tokio::task::yield_now().await;
        keeper.correct(at(NOON + 2 * hour));
        drop(sleep.await.unwrap());
        assert!(clock.now() >= NOON + 2 * hour);
    }

    #[tokio::test]
    async fn a_sleeper_is_not_woken_early_when_the_server_turns_out_to_be_behind() {
        let (clock, keeper) = ServerClock::started(at(NOON));
        let until = NOON + millis(3);
        let sleep = tokio::spawn(clock.sleep_until(until));
        tokio::task::yield_now().await;
        keeper.correct(at(NOON - millis(20)));
        drop(sleep.await.unwrap());
        assert!(clock.now() >= until);
    }

    #[tokio::test]
    async fn a_clock_goes_on_without_its_keeper_and_a_keeper_hears_when_no_clock_is_left() {
        let (clock, keeper) = ServerClock::started(at(NOON));
        let (other, dropped) = ServerClock::started(at(NOON));
        drop(dropped);
        drop(other.sleep_until(other.now() + millis(2)).await);
        drop(clock);
        keeper.unused().await;
    }
}
