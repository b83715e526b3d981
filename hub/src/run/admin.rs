//! The hub's socket for people on its own machine: whoever may read the data folder may also have a
//! backup of it, and nobody else. It lies in the folder, so a hub on another one is another socket.

use std::{io, time::Duration};

use bytes::Bytes;
use flagship_proto::process::socket::{self, LINE_DEADLINE};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use super::{Folder, snapshot};
use crate::store::Store;

/// The socket's name in the data folder.
pub(super) const SOCKET: &str = "admin.sock";

/// How long a reader may take for one piece: it holds a snapshot of the store meanwhile.
const PIECE: Duration = Duration::from_secs(20);

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "do", deny_unknown_fields)]
pub(crate) enum Request {
    /// A backup; its bytes follow the answer.
    Backup {},
}

/// What is answered before any bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    /// Why not.
    pub(super) refused: Option<String>,
}

/// Listens in the data folder.
pub(super) fn listen(folder: &Folder) -> io::Result<UnixListener> {
    socket::listen(folder.path(), SOCKET)
}

/// Answers one at a time until it is told to stop.
pub(super) async fn serve(
    listener: UnixListener,
    folder: Folder,
    store: Store,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            outcome = converse(stream, &folder, &store) => {
                if let Err(error) = outcome {
                    tracing::warn!(%error, "a question on the hub's own socket was not answered");
                }
            }
        }
    }
}

async fn converse(stream: UnixStream, folder: &Folder, store: &Store) -> io::Result<()> {
    let user = socket::peer(&stream)?;
    let (from, mut to) = stream.into_split();
    let request = socket::read_line(&mut BufReader::new(from), LINE_DEADLINE).await?;
    match request {
        Request::Backup {} => {
            let begun = snapshot::audited(store, &user).await;
            let refused = begun.err().map(|error| format!("{error:#}"));
            let is_refused = refused.is_some();
            socket::write_line(&mut to, &Answer { refused }).await?;
            if is_refused {
                return Ok(());
            }
        }
    }
    let (pieces, mut waiting) = mpsc::channel::<Bytes>(4);
    let (folder, store) = (folder.clone(), store.clone());
    let writing = tokio::task::spawn_blocking(move || {
        snapshot::write(&folder, &store, Pieces(pieces)).map_err(io::Error::other)
    });
    while let Some(piece) = waiting.recv().await {
        tokio::time::timeout(PIECE, to.write_all(&piece)).await??;
    }
    drop(waiting);
    writing.await??;
    to.shutdown().await
}

/// Hands what is written to the task that sends it.
struct Pieces(mpsc::Sender<Bytes>);

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        let sent = self.0.blocking_send(piece);
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
