//! The status of a workload on disk. It is written by a thread of its own, one write at a time, and the
//! wait for it ends early when the workload is told to go back, and after a moment when it is going back:
//! nothing that returns traffic waits for a disk (P13).

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use flagship_canary::CanaryStatus;
use flagship_proto::{
    model::{Intent, WorkloadRef},
    process::files::{self, FileError},
};
use tokio::task::JoinHandle;

use super::{Drive, LinkPort};
use crate::platform::Platform;

/// How long a turn that goes back waits for the disk: the next one says and does what is left (P13).
const MOMENT: Duration = Duration::from_secs(1);

/// Largest status file that is read.
const LARGEST_STATUS: u64 = 4 << 20;

/// A status that cannot be read back. Nothing is changed; the workload goes on as it is.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It holds something else.
    #[error("{} is torn or not a canary's status ({source}): put back a copy of it, or remove it to begin with what serves now", path.display())]
    Torn {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// A write that is under way: what is written, and how it ended.
pub(super) type Writing = JoinHandle<(CanaryStatus, Result<(), FileError>)>;

fn status_path(folder: &Path, workload: &WorkloadRef) -> PathBuf {
    let name = percent_encoding::utf8_percent_encode(
        &workload.to_string(),
        percent_encoding::NON_ALPHANUMERIC,
    )
    .to_string();
    folder.join(format!("{name}.json"))
}

/// The status of a workload as it was last stored; none if it never was.
pub fn load_status(
    folder: &Path,
    workload: &WorkloadRef,
) -> Result<Option<CanaryStatus>, StatusError> {
    let path = status_path(folder, workload);
    let Some(bytes) = files::read(&path, LARGEST_STATUS)? else {
        return Ok(None);
    };
    let status = serde_json::from_slice(&bytes);
    status
        .map(Some)
        .map_err(|source| StatusError::Torn { path, source })
}

impl<P: Platform + 'static, L: LinkPort + 'static> Drive<P, L> {
    /// Stores the status; says whether it is on disk. A write that is under way is waited for first.
    /// `goes_back` says that the turn was decided under an order to go back.
    pub(super) async fn store(
        &mut self,
        workload: &WorkloadRef,
        writing: &mut Option<Writing>,
        goes_back: bool,
    ) -> bool {
        loop {
            let write = writing.get_or_insert_with(|| self.write(workload));
            let ended = tokio::select! {
                ended = write => ended,
                () = self.until_told_back(workload), if !goes_back => return false,
                () = tokio::time::sleep(MOMENT), if goes_back => return false,
            };
            *writing = None;
            let (status, written) = ended.expect("writing a status does not panic");
            if let Err(error) = written {
                tracing::error!(%workload, %error, "status cannot be stored, nothing advances");
                return false;
            }
            let is_newest = status == *self.driver.status();
            self.driver.persisted(status, self.clock.now());
            if is_newest {
                return true;
            }
        }
    }

    fn write(&self, workload: &WorkloadRef) -> Writing {
        let path = status_path(&self.folder, workload);
        let status = self.driver.status().clone();
        tokio::task::spawn_blocking(move || {
            let bytes = serde_json::to_vec(&status).expect("a status is plain data");
            let written = files::write_atomic(&path, &bytes, files::PRIVATE);
            (status, written)
        })
    }

    async fn until_told_back(&self, workload: &WorkloadRef) {
        let mut changes = self.link.changes();
        loop {
            let ruling = self.link.permission(workload, self.clock.now());
            if ruling.is_some_and(|ruling| goes_back(ruling.intent)) {
                return;
            }
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

/// Whether this intent takes traffic back.
pub(super) fn goes_back(intent: Intent) -> bool {
    match intent {
        Intent::Retreat | Intent::Remove => true,
        Intent::Run | Intent::Hold => false,
    }
}
