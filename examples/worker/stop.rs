//! How a process is told to stop: SIGTERM, as services are, or Ctrl-C at a keyboard.

use std::process;

use crate::common::Failure;

/// As shells report a program that an interrupt ended.
const INTERRUPTED: i32 = 130;

/// Ready when the process is told to stop for the first time. When it is told once more, it ends at once.
pub(crate) fn told() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::Run(format!("no signals: {error}")))?;
    Ok(async move {
        signals.next().await;
        tokio::spawn(async move {
            signals.next().await;
            process::exit(INTERRUPTED);
        });
    })
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        // Without signals the process is ended from outside.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
