//! What a sample application served, kept in a file that is rewritten in place with every answer.
//!
//! One write call an answer: what was counted is in the kernel's hands before the answer leaves, so
//! the counts are exact after a kill too.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// The file's length: the JSON text, filled up with spaces.
const LENGTH: usize = 512;

/// What one process of the application answered. Times are Unix milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Its port.
    pub port: u16,
    /// Answers by status.
    pub by_status: BTreeMap<u16, u64>,
    /// When it answered first.
    pub first: Option<u64>,
    /// When it answered last.
    pub last: Option<u64>,
    /// When it first answered with 500 or above.
    pub first_bad: Option<u64>,
}

impl Counts {
    /// All answers.
    pub fn served(&self) -> u64 {
        self.by_status.values().sum()
    }

    /// Answers with 500 or above.
    pub fn bad(&self) -> u64 {
        self.by_status.range(500..).map(|(_, count)| count).sum()
    }
}

pub(super) struct CountsFile {
    counts: Mutex<Counts>,
    file: Option<File>,
}

impl CountsFile {
    pub(super) fn create(folder: Option<&Path>, version: &str, port: u16) -> anyhow::Result<Self> {
        let pid = std::process::id();
        let counts = Counts {
            version: version.to_owned(),
            pid,
            port,
            ..Counts::default()
        };
        let file = match folder {
            Some(folder) => {
                let path = folder.join(format!("{version}-{port}-{pid}.json"));
                let file = fs::create_dir_all(folder).and_then(|()| File::create(&path));
                Some(file.with_context(|| format!("cannot create {}", path.display()))?)
            }
            None => None,
        };
        let made = Self {
            counts: Mutex::new(counts),
            file,
        };
        made.add_none();
        Ok(made)
    }

    pub(super) fn get(&self) -> Counts {
        self.counts.lock().expect("no holder panics").clone()
    }

    pub(super) fn add(&self, status: u16, now: u64) {
        let mut counts = self.counts.lock().expect("no holder panics");
        *counts.by_status.entry(status).or_default() += 1;
        counts.first.get_or_insert(now);
        counts.last = Some(now);
        if status >= 500 {
            counts.first_bad.get_or_insert(now);
        }
        self.write(&counts);
    }

    fn add_none(&self) {
        self.write(&self.get());
    }

    fn write(&self, counts: &Counts) {
        let Some(file) = &self.file else { return };
        let mut text = serde_json::to_vec(counts).expect("counts are plain data");
        text.resize(LENGTH - 1, b' ');
        text.push(b'\n');
        if let Err(error) = file.write_all_at(&text, 0) {
            eprintln!("cannot write the counts: {error}");
        }
    }

    pub(super) fn sync(&self) -> anyhow::Result<()> {
        match &self.file {
            Some(file) => file.sync_all().context("cannot write the last counts"),
            None => Ok(()),
        }
    }
}

/// The counts of every process that ever wrote into `folder`; none if the folder is not there yet.
///
/// # Errors
/// A file cannot be read, or is not what a sample application writes.
pub fn read_counts(folder: &Path) -> anyhow::Result<Vec<Counts>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let text = fs::read(&path)?;
        if !text.is_empty() {
            let read = serde_json::from_slice(&text);
            found.push(read.with_context(|| format!("{} holds no counts", path.display()))?);
        }
    }
    Ok(found)
}

pub(super) fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
