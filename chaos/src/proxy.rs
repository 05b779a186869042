//! Stands between the workers and the server, to lose replies: a call takes effect, and whoever made it never learns.
//!
//! ```text
//! worker ──▶ socket in a directory of ours ──▶ socket of the server
//!    ◀── passed on, or the connection ends here ──┘
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

/// A reply of fewer bytes tells nothing but that the server is there.
const TELLING: usize = 200;
/// The name of the socket follows from the port.
const SOCKET: &str = ".s.PGSQL.5432";

/// Ends with the runtime.
pub(crate) struct Proxy {
    /// How many of the next replies are lost.
    to_lose: Arc<AtomicUsize>,
    lost: Arc<AtomicUsize>,
}

impl Proxy {
    /// Listens in `directory` for connections to the server whose socket is in `server`.
    pub(crate) fn start(directory: &Path, server: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(directory.join(SOCKET))?;
        let proxy = Self { to_lose: Arc::default(), lost: Arc::default() };
        let (to_lose, lost) = (Arc::clone(&proxy.to_lose), Arc::clone(&proxy.lost));
        let server = server.join(SOCKET);
        tokio::spawn(async move {
            while let Ok((worker, _)) = listener.accept().await {
                let through = pass(worker, server.clone(), Arc::clone(&to_lose), Arc::clone(&lost));
                // How a connection ends is for its two ends to find out.
                tokio::spawn(async move { drop(through.await) });
            }
        });
        Ok(proxy)
    }

    /// Loses the next reply that says something, whoever it is for.
    pub(crate) fn lose_a_reply(&self) {
        self.to_lose.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were lost since this was asked.
    pub(crate) fn take_lost(&self) -> usize {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

async fn pass(
    worker: UnixStream,
    server: PathBuf,
    to_lose: Arc<AtomicUsize>,
    lost: Arc<AtomicUsize>,
) -> io::Result<()> {
    let server = UnixStream::connect(server).await?;
    let (mut from_worker, mut to_worker) = worker.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = async move {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = from_server.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            let one_less = |count: usize| count.checked_sub(1);
            if read >= TELLING && to_lose.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
            {
                lost.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            to_worker.write_all(&buffer[..read]).await?;
        }
    };
    // Whichever way ends first takes the other with it.
    tokio::select! {
        ended = tokio::io::copy(&mut from_worker, &mut to_server) => ended.map(drop),
        ended = back => ended,
    }
}
