//! Workers drive every task that their engine has handlers for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::inbox::Message;
use crate::{Busy, Clock, Delivery, Engine, EngineTypes, Erased, Queue};

/// How long recording may take when the grace is over.
const TO_RECORD: Duration = Duration::from_secs(5);
/// The waits after a queue that is not available: the first, and the longest.
const QUEUE_RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Drives many tasks, until it is told to stop.
///
/// ```text
/// queue ── hints ──▶ run loop ── advance ──▶ storage
///                      ▲   └── claims ──▶ handlers, at most `concurrency` at a time
///                      └───── outcomes ──────┘   what finishes while a call is under way goes out in the next
/// ```
///
/// All workers of one engine, and whoever waits for a task of it, share one run loop and its concurrency.
pub struct Worker<T: EngineTypes = Erased> {
    engine: Engine<T>,
    grace: Duration,
}

impl<T: EngineTypes> Worker<T> {
    pub(crate) const fn new(engine: Engine<T>) -> Self {
        Self { engine, grace: Duration::from_secs(30) }
    }

    /// How long running steps may go on once it stops; half a minute by default. Then they are cut off, and fail
    /// retryably as `WorkerShutdown`.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Works until `stop` is ready; then claims nothing more, and returns when what runs has been recorded: within its
    /// grace and five seconds, also when the storage does not answer any more. What could not be recorded by then is
    /// taken for lost by other workers, and run again.
    ///
    /// # Cancel safety
    /// Dropping the future stops it as if `stop` were ready, but does not wait.
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send) {
        let shared = Arc::clone(&self.engine.shared);
        let mut serving = Serving { engine: self.engine, grace: self.grace, stopped: false };
        shared.post(Message::Serve);
        // In one order, so that the same run takes the same turns every time.
        tokio::select! {
            biased;
            () = stop => {}
            () = listen(&serving.engine) => {}
        }
        if let Some(done) = serving.stop() {
            let deadline = shared.clock.sleep_until(shared.clock.now() + serving.grace + TO_RECORD);
            tokio::select! {
                biased;
                // Without an answer the run loop has ended, and with it all that ran.
                _ = done => {}
                woken = deadline => {
                    drop(woken);
                    tracing::error!("stopped before all that ran here was recorded");
                }
            }
        }
    }
}

/// Passes on what the queue says. Never ends.
async fn listen<T: EngineTypes>(engine: &Engine<T>) {
    let shared = &engine.shared;
    let mut pause = QUEUE_RETRY.0;
    loop {
        let (limit, busy) = shared.demand.until(|room| (*room > 0).then_some(*room)).await;
        let received = async {
            tokio::select! {
                biased;
                received = shared.queue.receive(shared.interest(limit)) => Some(received),
                // Full by other means: what comes now is for others.
                _ = shared.demand.until(|room| (*room == 0).then_some(())) => None,
            }
        };
        let (received, busy) = busy.wait_for(received).await;
        match received {
            None => {}
            Some(Ok(Delivery { wakes, missed, busy: _held })) => {
                pause = QUEUE_RETRY.0;
                // First, so that the loop can ask for more as soon as it has taken these.
                shared.demand.peek(|room| *room = 0);
                shared.post(Message::Hints { wakes, missed });
            }
            Some(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the queue did not give hints");
                let sleep = shared.clock.sleep_until(shared.clock.now() + pause);
                drop(busy);
                drop(sleep.await);
                pause = (pause * 2).min(QUEUE_RETRY.1);
            }
        }
    }
}

/// Stops serving when it is dropped.
struct Serving<T: EngineTypes> {
    engine: Engine<T>,
    grace: Duration,
    stopped: bool,
}

impl<T: EngineTypes> Serving<T> {
    fn stop(&mut self) -> Option<oneshot::Receiver<Busy>> {
        if std::mem::replace(&mut self.stopped, true) {
            return None;
        }
        let (done, answer) = oneshot::channel();
        let shared = &self.engine.shared;
        shared.inbox.post_if_alive(Message::Stop { grace: self.grace, done }, &*shared.clock);
        Some(answer)
    }
}

impl<T: EngineTypes> Drop for Serving<T> {
    fn drop(&mut self) {
        drop(self.stop());
    }
}
