//! Ringing in other processes: `NOTIFY` and `LISTEN`.
//!
//! A notification says only that it is worth looking at the table of wakes. It is sent by itself: inside the transaction
//! of a wave it would take the one lock that orders all notifications of a server, and cap its commits.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use tokio::task::AbortHandle;

use super::Inner;

/// The channel, one for each database.
const CHANNEL: &str = "tasker_wakes";

/// A process sends no more than one notification in that time. It spares the server, so it is real time, whatever the clock.
const EVERY: Duration = Duration::from_millis(50);

/// The waits after a server that cannot be listened to: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Sends notifications, the first at once, and those that follow soon after together.
#[derive(Clone)]
pub(super) struct Notifier {
    pool: PgPool,
    /// Guards who sends; held for a few instructions.
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// A task of the runtime sends, or waits until it may again.
    sending: bool,
    /// It is to send once more.
    again: bool,
}

impl Notifier {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool, state: Arc::default() }
    }

    pub(super) fn notify_soon(&self) {
        {
            let mut state = self.lock();
            if state.sending {
                state.again = true;
                return;
            }
            state.sending = true;
        }
        let notifier = self.clone();
        tokio::spawn(async move { notifier.send_until_quiet().await });
    }

    async fn send_until_quiet(&self) {
        loop {
            if let Err(error) = sqlx::query!("SELECT pg_notify($1, '')", CHANNEL).execute(&self.pool).await {
                // Others look by themselves after a while.
                tracing::warn!(error = &error as &dyn std::error::Error, "other processes were not notified");
            }
            tokio::time::sleep(EVERY).await;
            let mut state = self.lock();
            if !std::mem::take(&mut state.again) {
                state.sending = false;
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the notifier")
    }
}

/// Rings when another process, or this one, notifies. Begins when it is first asked to, and ends with its queue.
pub(super) struct Listener {
    queue: Weak<Inner>,
    options: Arc<PgConnectOptions>,
    listening: OnceLock<AbortHandle>,
}

impl Listener {
    pub(super) fn new(queue: Weak<Inner>, pool: &PgPool) -> Self {
        Self { queue, options: pool.connect_options(), listening: OnceLock::new() }
    }

    pub(super) fn listen(&self) {
        self.listening.get_or_init(|| {
            let (queue, options) = (self.queue.clone(), Arc::clone(&self.options));
            tokio::spawn(async move { listen_on(&queue, &options).await }).abort_handle()
        });
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.get() {
            listening.abort();
        }
    }
}

/// Listens again whenever that ends, until the queue is gone.
async fn listen_on(queue: &Weak<Inner>, options: &PgConnectOptions) {
    let mut pause = RETRY.0;
    while queue.strong_count() > 0 {
        match listen_once(queue, options).await {
            Ok(()) => pause = RETRY.0,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "notifications are not heard");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY.1);
            }
        }
    }
}

/// Until the connection is lost, or the queue is gone.
async fn listen_once(queue: &Weak<Inner>, options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    // A pool of its own: the others' connections are for calls, and this one is never given back.
    let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let pool = pool.connect_with(options.clone()).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // Also at first, and after a gap: something may have been said meanwhile.
        let Some(inner) = queue.upgrade() else { return Ok(()) };
        inner.ring();
        drop(inner);
        if listener.try_recv().await?.is_none() {
            return Ok(());
        }
    }
}
