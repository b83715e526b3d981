//! Releases, aborts, local control and the agent's record as files: one a thing, replaced whole, refused by name
//! where they are torn. A torn file is never overwritten: the hub has what it said, so moving the
//! file away is enough.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use flagship_proto::{
    model::{Incarnation, Witness, WorkloadRef},
    process::files::{FileError, PRIVATE, private_folder, read, tighten_all, write_atomic},
};
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{AbortBook, Kept, LocalBook, Record, Release, Save, Saved};

/// Largest file that is read; far above what is ever written.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The form of the files; it grows when they change.
const VERSION: u32 = 1;

const RELEASES: &str = "releases";
const ABORTS: &str = "aborts.json";
const LOCAL: &str = "local.json";
const RECORD: &str = "agent.json";
const WITNESS: &str = "audit.json";
const LOCK: &str = "lock";

/// The folder of one agent, locked for this process.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
    _lock: File,
}

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Reading or writing failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder cannot be listed or locked.
    #[error("cannot use {}: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another agent runs on it.
    #[error("{} is in use by another flagship-agent: stop it, or give this one another data folder", path.display())]
    InUse {
        /// The lock.
        path: PathBuf,
    },
    /// A file is not what it should be.
    #[error(
        "{} is torn or foreign ({problem}): it was left as it is; move it away and start again, the hub sends what it held",
        path.display()
    )]
    Torn {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// What stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<T> {
    kind: String,
    version: u32,
    value: T,
}

impl Files {
    /// Locks the folder, makes what is missing in it, and reads what was kept. The record's
    /// incarnation is raised for this start, see [`raised`]; the link writes it.
    pub fn open(folder: &Path) -> Result<(Self, Kept), FilesError> {
        private_folder(&folder.join(RELEASES))?;
        tighten_all([folder])?;
        let path = folder.join(LOCK);
        let usable = |source| FilesError::Folder {
            path: path.clone(),
            source,
        };
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(usable)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(FilesError::InUse { path }),
            Err(error) => return Err(usable(error.into())),
        }
        let files = Self {
            folder: folder.to_owned(),
            _lock: lock,
        };
        let mut kept = files.load()?;
        kept.record.incarnation = raised(kept.record.incarnation, Timestamp::now());
        Ok((files, kept))
    }

    fn load(&self) -> Result<Kept, FilesError> {
        let mut kept = Kept {
            aborts: load::<AbortBook>(&self.folder.join(ABORTS), "aborts")?.unwrap_or_default(),
            local: load::<LocalBook>(&self.folder.join(LOCAL), "local control")?
                .unwrap_or_default(),
            witness: load::<Witness>(&self.folder.join(WITNESS), "audit")?.unwrap_or_default(),
            record: load::<Record>(&self.folder.join(RECORD), "agent")?.unwrap_or_default(),
            ..Kept::default()
        };
        let folder = self.folder.join(RELEASES);
        let listed = |source| FilesError::Folder {
            path: folder.clone(),
            source,
        };
        for entry in fs::read_dir(&folder).map_err(listed)? {
            let path = entry.map_err(listed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // Copies that a crash left half-written begin with a dot.
            if name.starts_with('.') {
                continue;
            }
            let Some(release) = load::<Release>(&path, "release")? else {
                continue;
            };
            let workload = release.order().workload.clone();
            if name != release_name(&workload) {
                let problem = format!("it holds the release of {workload}");
                return Err(FilesError::Torn { path, problem });
            }
            kept.releases.insert(workload, release);
        }
        Ok(kept)
    }

    /// Replaces one thing durably. After an error the old one is still whole.
    pub fn save(&self, save: &Save) -> Result<(), FileError> {
        let (path, bytes) = match &save.what {
            Saved::Release(release) => (
                self.release_path(&release.order().workload),
                encode("release", release.as_ref()),
            ),
            Saved::Aborts(aborts) => (self.folder.join(ABORTS), encode("aborts", aborts.as_ref())),
            Saved::Local(local) => (
                self.folder.join(LOCAL),
                encode("local control", local.as_ref()),
            ),
            Saved::Witness(witness) => (self.folder.join(WITNESS), encode("audit", witness)),
            Saved::Record(record) => (self.folder.join(RECORD), encode("agent", record)),
        };
        write_atomic(&path, &bytes, PRIVATE)
    }

    /// Where a workload's release is kept.
    pub fn release_path(&self, workload: &WorkloadRef) -> PathBuf {
        self.folder.join(RELEASES).join(release_name(workload))
    }
}

fn release_name(workload: &WorkloadRef) -> String {
    let (namespace, kind, name) = (workload.namespace(), workload.kind(), workload.name());
    let text = format!("{namespace}_{kind}_{name}");
    if text.len() <= 200 {
        format!("{text}.json")
    } else {
        let digest = flagship_proto::digest::Digest::of(text.as_bytes());
        format!("{}_{}.json", &text[..120], digest.hex())
    }
}

fn encode<T: Serialize>(kind: &str, value: &T) -> Vec<u8> {
    let envelope = Envelope {
        kind: kind.to_owned(),
        version: VERSION,
        value,
    };
    serde_json::to_vec_pretty(&envelope).expect("what is kept has text keys and no failing parts")
}

fn load<T: DeserializeOwned + Check>(path: &Path, kind: &str) -> Result<Option<T>, FilesError> {
    let Some(bytes) = read(path, LARGEST)? else {
        return Ok(None);
    };
    decode(kind, &bytes)
        .map(Some)
        .map_err(|problem| FilesError::Torn {
            path: path.to_owned(),
            problem,
        })
}

/// Reads what a file holds; total on arbitrary bytes.
pub(crate) fn decode<T: DeserializeOwned + Check>(kind: &str, bytes: &[u8]) -> Result<T, String> {
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    let envelope: Envelope<serde_json::Value> =
        serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if envelope.kind != kind {
        return Err(format!("it is of kind {:?}, not {kind:?}", envelope.kind));
    }
    if envelope.version != VERSION {
        let version = envelope.version;
        return Err(format!("its form is {version}, this agent reads {VERSION}"));
    }
    let value: T = serde_json::from_value(envelope.value).map_err(|error| error.to_string())?;
    value.check()?;
    Ok(value)
}

/// Checks what the types alone do not: values against the bytes that were signed.
pub(crate) trait Check {
    /// What is wrong, in words.
    fn check(&self) -> Result<(), String>;
}

impl Check for Release {
    fn check(&self) -> Result<(), String> {
        same(&self.order.value, &self.order.body)
    }
}

impl Check for AbortBook {
    fn check(&self) -> Result<(), String> {
        for kept in self.standing.values() {
            same(&kept.signed.value, &kept.signed.body)?;
        }
        for lifted in self.lifted.values() {
            same(&lifted.lift.value, &lifted.lift.body)?;
        }
        Ok(())
    }
}

impl Check for LocalBook {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Check for Witness {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Check for Record {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

fn same<T: DeserializeOwned + PartialEq>(value: &T, body: &[u8]) -> Result<(), String> {
    match serde_json::from_slice::<T>(body) {
        Ok(signed) if signed == *value => Ok(()),
        Ok(_) => Err("it differs from what the hub signed".to_owned()),
        Err(error) => Err(format!("what the hub signed cannot be read: {error}")),
    }
}

/// The incarnation of a start: above the one that was kept, and above those that a folder does not know
/// of because it was put back from an older copy. Equal to one of them, the numbers of its reports and
/// receipts would be taken for such as were heard already, and dropped. So it is at least the second of
/// the wall clock; where that went back too, the hub says which is the highest (S13).
pub(super) fn raised(kept: Incarnation, now: Timestamp) -> Incarnation {
    let second = u64::try_from(now.as_second()).unwrap_or_default();
    Incarnation(kept.0.saturating_add(1).max(second))
}
