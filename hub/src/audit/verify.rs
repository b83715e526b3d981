//! Checks an exported audit chain without the hub: every link, the count, and the head.

use flagship_proto::digest::Digest;
use serde::{Deserialize, Serialize};

use super::AuditHead;

/// An export: one entry's exact bytes a line, then a line that states count and head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditExport {
    /// The entries' stored bytes, oldest first.
    pub entries: Vec<String>,
    /// What the hub said the end is.
    pub stated: AuditHead,
}

impl AuditExport {
    /// As JSON lines.
    pub fn to_text(&self) -> String {
        let trailer = serde_json::to_string(&self.stated).expect("a head is plain data");
        let mut text = self.entries.join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&trailer);
        text.push('\n');
        text
    }
}

/// What a whole chain says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// How many entries were checked.
    pub count: u64,
    /// The digest of the last; compare it with one that was kept elsewhere.
    pub head: Digest,
}

/// Where and how a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A line is not an entry.
    #[error("line {line} is not an audit entry: {message}")]
    NotAnEntry {
        /// From 1.
        line: usize,
        /// The reader's words.
        message: String,
    },
    /// Entries are missing, doubled or exchanged.
    #[error("line {line} has index {found}, expected {expected}: entries are missing or exchanged")]
    Index {
        /// From 1.
        line: usize,
        /// What stands there.
        found: u64,
        /// What should.
        expected: u64,
    },
    /// The entry before was changed.
    #[error("entry {index} does not continue the entry before it: entry {} was changed", .index.saturating_sub(1))]
    Link {
        /// The entry whose `previous` does not fit.
        index: u64,
    },
    /// The export has no closing line: its tail was cut.
    #[error("export has no closing line with count and head: its end is missing")]
    NoTrailer,
    /// Count or head are not what the closing line states: the last entry was changed or cut.
    #[error("export has {count} entries and head {head}, but states {stated_count} and {stated}")]
    Trailer {
        /// Counted.
        count: u64,
        /// Computed.
        head: Digest,
        /// Stated.
        stated_count: u64,
        /// Stated.
        stated: Digest,
    },
    /// The head that the caller kept is nowhere in the chain: the tail was cut and closed again.
    #[error("head {0} is not in this chain: entries after it was noted are missing or changed")]
    UnknownHead(Digest),
}

/// Checks an export. With `kept`, a head noted earlier, it also finds a tail that was cut.
pub fn verify(text: &str, kept: Option<Digest>) -> Result<Verified, Broken> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let Some((trailer, entries)) = lines.split_last() else {
        return Err(Broken::NoTrailer);
    };
    let mut chain = AuditHead::default();
    let mut seen_kept = kept.is_none_or(|kept| kept == chain.head);
    for line in entries {
        chain.follow(line)?;
        seen_kept |= kept == Some(chain.head);
    }
    let stated: AuditHead = serde_json::from_str(trailer).map_err(|_| Broken::NoTrailer)?;
    chain.ends_at(&stated)?;
    match kept {
        Some(kept) if !seen_kept => Err(Broken::UnknownHead(kept)),
        Some(_) | None => Ok(Verified {
            count: chain.count,
            head: chain.head,
        }),
    }
}

#[cfg(test)]
mod tests;
