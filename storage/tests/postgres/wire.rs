//! A wire to the server that can be cut at the worst of moments: when a call is committed, and its reply is on the way.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{env, fs, process};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{UnixListener, UnixStream};

/// Carries connections to the server of a database.
pub(crate) struct Wire {
    /// Where it listens.
    directory: PathBuf,
    loses: Arc<AtomicBool>,
}

/// The file of a server's socket, whose port is the one of our clusters.
const SOCKET: &str = ".s.PGSQL.5432";

impl Wire {
    /// To the server whose socket lies in that directory.
    pub(crate) async fn to(server: PathBuf) -> Self {
        // Short, for the path of a socket may have about a hundred bytes.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("tasker-wire-{}-{count}", process::id()));
        fs::create_dir(&directory).unwrap();
        let listener = UnixListener::bind(directory.join(SOCKET)).unwrap();
        let loses = Arc::new(AtomicBool::new(false));
        tokio::spawn({
            let loses = Arc::clone(&loses);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let server = UnixStream::connect(server.join(SOCKET)).await.unwrap();
                    tokio::spawn(carry(client, server, Arc::clone(&loses)));
                }
            }
        });
        Self { directory, loses }
    }

    /// What to connect with instead.
    pub(crate) fn options(&self, options: &PgConnectOptions) -> PgConnectOptions {
        options.clone().socket(&self.directory)
    }

    /// The server does what it is asked next; then the wire is cut, and nobody hears of it.
    pub(crate) fn lose_the_next_reply(&self) {
        self.loses.store(true, Ordering::SeqCst);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

async fn carry(client: UnixStream, server: UnixStream, loses: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let questions = tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
    let mut reply = [0; 8192];
    while let Ok(length @ 1..) = from_server.read(&mut reply).await {
        // A server answers a statement when its transaction is committed.
        if loses.swap(false, Ordering::SeqCst) || to_client.write_all(&reply[..length]).await.is_err() {
            break;
        }
    }
    questions.abort();
}
