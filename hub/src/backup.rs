//! The form of a backup: what it holds, and how it is known to be whole.
//!
//! Lines of JSON. The first says what it is, of which fleet and as of which position; then one line
//! a file of the data folder (keys, CA, names: **secrets**) and one a row of the store, in key
//! order; the last has the counts and the SHA-256 of all bytes before it. Reading checks the sum,
//! the counts and the whole audit chain.

use std::io::{self, BufRead, Write};

use bytes::Bytes;
use flagship_proto::{
    digest::Digest,
    model::{FleetId, Position},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    audit::{AuditHead, Broken},
    records::key,
    store::{Key, Row},
};

const KIND: &str = "flagship-backup";
const VERSION: u32 = 1;

/// Longest line that is read, in bytes: far above any row or file.
const LONGEST: u64 = 64 << 20;

/// What a backup is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    kind: String,
    version: u32,
    /// The fleet.
    pub fleet: FleetId,
    /// The version of the hub that made it.
    pub hub: String,
    /// When, by the hub's clock.
    pub at: Timestamp,
    /// As of which commit.
    pub position: Position,
    /// The end of the audit chain then.
    pub audit: AuditHead,
}

impl Head {
    /// Of a fleet at a moment.
    pub fn new(fleet: FleetId, at: Timestamp, position: Position, audit: AuditHead) -> Self {
        Self {
            kind: KIND.to_owned(),
            version: VERSION,
            fleet,
            hub: env!("CARGO_PKG_VERSION").to_owned(),
            at,
            position,
            audit,
        }
    }
}

/// A file of the data folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name in the folder.
    pub name: String,
    /// Its mode.
    pub mode: u32,
    /// What it holds.
    #[serde(with = "hex::serde")]
    pub content: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRow {
    key: String,
    created: Position,
    modified: Position,
    value: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    Head(Head),
    File(File),
    Row(StoredRow),
    End(End),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct End {
    files: u64,
    rows: u64,
    sha256: Digest,
}

/// Writes a backup, part by part.
pub struct Writer<W> {
    to: W,
    sum: Sha256,
    files: u64,
    rows: u64,
}

impl<W: Write> Writer<W> {
    /// Begins one.
    pub fn begin(to: W, head: Head) -> io::Result<Self> {
        let mut writer = Self {
            to,
            sum: Sha256::new(),
            files: 0,
            rows: 0,
        };
        writer.line(&Line::Head(head))?;
        Ok(writer)
    }

    /// Adds a file.
    pub fn file(&mut self, file: File) -> io::Result<()> {
        self.files += 1;
        self.line(&Line::File(file))
    }

    /// Adds a row; rows come in key order.
    pub fn row(&mut self, key: &Key, row: &Row) -> io::Result<()> {
        let value = std::str::from_utf8(&row.value)
            .map_err(|error| io::Error::other(format!("row {key} is no text: {error}")))?;
        self.rows += 1;
        self.line(&Line::Row(StoredRow {
            key: key.to_string(),
            created: row.created,
            modified: row.modified,
            value: value.to_owned(),
        }))
    }

    /// Closes it.
    pub fn end(mut self) -> io::Result<()> {
        let end = End {
            files: self.files,
            rows: self.rows,
            sha256: sum(self.sum.clone()),
        };
        self.line(&Line::End(end))?;
        self.to.flush()
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.sum.update(&bytes);
        self.to.write_all(&bytes)
    }
}

/// Everything that a backup holds, checked.
#[derive(Debug)]
pub struct Contents {
    /// What it is of.
    pub head: Head,
    /// Its files.
    pub files: Vec<File>,
    /// Its rows, in key order.
    pub rows: Vec<(Key, Row)>,
}

/// Why a backup is not used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("it is no backup of a flagship-hub: {0}")]
    Foreign(String),
    /// It was made by a newer hub.
    #[error("it has form {0}, this hub reads {VERSION}: use the hub that made it")]
    Newer(u32),
    /// A line of it is not what it should be.
    #[error("line {line} is damaged: {problem}")]
    Damaged {
        /// From 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// Its end is missing.
    #[error("its end is missing: it was cut after {0} lines")]
    Cut(u64),
    /// Bytes of it were changed.
    #[error("its sum is {found}, it states {stated}: bytes of it were changed")]
    Changed {
        /// Computed.
        found: Digest,
        /// Stated.
        stated: Digest,
    },
    /// The audit log in it is not whole.
    #[error("its audit log is broken: {0}")]
    Audit(#[from] Broken),
}

/// Reads a backup to its end; nothing of one that is not whole is given.
pub fn read(from: impl BufRead) -> Result<Contents, Unusable> {
    let mut lines = Lines::new(from);
    let Some((Line::Head(head), _)) = lines.next()? else {
        return Err(Unusable::Foreign("it does not begin as one".to_owned()));
    };
    if head.kind != KIND {
        return Err(Unusable::Foreign(format!(
            "it says that it is {:?}",
            head.kind
        )));
    }
    if head.version != VERSION {
        return Err(Unusable::Newer(head.version));
    }
    let mut contents = Contents {
        head,
        files: Vec::new(),
        rows: Vec::new(),
    };
    let mut chain = AuditHead::default();
    loop {
        let Some((line, before)) = lines.next()? else {
            return Err(Unusable::Cut(lines.number));
        };
        match line {
            Line::Head(_) => return Err(lines.damaged("a second beginning")),
            Line::File(file) => {
                let plain = !file.name.contains('/') && !file.name.starts_with('.');
                if !plain {
                    return Err(lines.damaged(&format!("{:?} is no name of a file", file.name)));
                }
                contents.files.push(file);
            }
            Line::Row(row) => {
                let key = Key::from_path(&row.key);
                if contents.rows.last().is_some_and(|(last, _)| *last >= key) {
                    return Err(lines.damaged("its row is out of order"));
                }
                if row.key.starts_with(key::AUDIT) {
                    chain.follow(&row.value)?;
                }
                let value = Bytes::from(row.value);
                let row = Row::new(value, row.created, row.modified);
                contents.rows.push((key, row));
            }
            Line::End(end) => {
                let found = End {
                    files: contents.files.len() as u64,
                    rows: contents.rows.len() as u64,
                    sha256: before,
                };
                if found.sha256 != end.sha256 {
                    return Err(Unusable::Changed {
                        found: found.sha256,
                        stated: end.sha256,
                    });
                }
                if found != end || lines.next()?.is_some() {
                    return Err(lines.damaged("it does not end as it says"));
                }
                chain.ends_at(&contents.head.audit)?;
                return Ok(contents);
            }
        }
    }
}

/// Lines, numbered, with the sum of all bytes before each.
struct Lines<R> {
    from: R,
    sum: Sha256,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn new(from: R) -> Self {
        Self {
            from,
            sum: Sha256::new(),
            number: 0,
        }
    }

    fn next(&mut self) -> Result<Option<(Line, Digest)>, Unusable> {
        let mut bytes = Vec::new();
        let mut bounded = io::Read::take(&mut self.from, LONGEST);
        bounded.read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        if bytes.last() != Some(&b'\n') {
            return Err(Unusable::Cut(self.number));
        }
        let before = sum(self.sum.clone());
        self.sum.update(&bytes);
        let line = serde_json::from_slice(&bytes).map_err(|error| {
            if self.number == 1 {
                Unusable::Foreign(error.to_string())
            } else {
                self.damaged(&error.to_string())
            }
        })?;
        Ok(Some((line, before)))
    }

    fn damaged(&self, problem: &str) -> Unusable {
        Unusable::Damaged {
            line: self.number,
            problem: problem.to_owned(),
        }
    }
}

fn sum(sum: Sha256) -> Digest {
    Digest::from_bytes(sum.finalize().into())
}

#[cfg(test)]
mod tests;
