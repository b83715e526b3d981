//! The redb file: rows, the position, the end of the audit chain. Opening, committing, and what is
//! done when the disk is full.

mod rows;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use flagship_proto::{model::Position, process::files::PRIVATE};
use redb::{
    Database, DatabaseError, ReadableDatabase as _, TableDefinition, backends::FileBackend,
};
use serde::{Deserialize, Serialize};

use super::Options;
use crate::{
    audit::AuditHead,
    store::{
        table::{Staged, Table},
        types::{Key, Part, Row, StoreError, is_cold},
    },
};
pub(crate) use rows::decode_row;
use rows::{ROWS, each_row, encode_row, read_rows};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const HEADER: &str = "header";
const FORMAT: u32 = 1;

/// redb's own cache; rows are mirrored, so little is read through it.
const CACHE_BYTES: usize = 8 << 20;

/// What the file says of itself; written in every commit.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    product: String,
    format: u32,
    position: Position,
    audit: AuditHead,
}

impl Header {
    fn new(position: Position, audit: AuditHead) -> Self {
        Self {
            product: "flagship-hub".to_owned(),
            format: FORMAT,
            position,
            audit,
        }
    }
}

/// An open file. None only while it is being opened again after an error.
pub(super) struct RowFile {
    path: PathBuf,
    options: Options,
    database: RwLock<Option<Database>>,
}

impl RowFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file; it is whole under its name, or not there.
    pub(super) fn create(
        path: &Path,
        options: Options,
        position: Position,
        audit: AuditHead,
        rows: &[(Key, Row)],
    ) -> Result<(Self, Table), StoreError> {
        if path.exists() {
            let message = "it exists already; `serve` opens it, `init` wants an empty folder";
            return Err(open_error(path, message));
        }
        let beside = path.with_extension("new");
        let made = (|| -> Result<(), redb::Error> {
            let database = Database::builder()
                .set_cache_size(CACHE_BYTES)
                .create_with_backend(FileBackend::new(private(&beside)?)?)?;
            let txn = database.begin_write()?;
            {
                let mut table = txn.open_table(ROWS)?;
                for (key, row) in rows {
                    table.insert(key.as_str(), encode_row(row).as_slice())?;
                }
                let header = Header::new(position, audit);
                txn.open_table(META)?
                    .insert(HEADER, encode(&header).as_slice())?;
            }
            txn.commit()?;
            Ok(())
        })();
        let renamed = made
            .map_err(|error| open_error(path, &error.to_string()))
            .and_then(|()| fs::rename(&beside, path).map_err(|e| open_error(path, &e.to_string())));
        if let Err(error) = renamed {
            // What is left is our own half-made file; failing to remove it changes nothing.
            let _ = fs::remove_file(&beside);
            return Err(error);
        }
        Self::open(path, options)
    }

    /// Opens the file and reads what is mirrored.
    pub(super) fn open(path: &Path, options: Options) -> Result<(Self, Table), StoreError> {
        let (database, header) = open_database(path)?;
        let mut table = Table::new(header.position, header.audit);
        read_rows(&database, "", |key, row| {
            if !is_cold(key.as_str()) {
                table.rows.insert(key, row);
            }
        })
        .map_err(|error| open_error(path, &error.to_string()))?;
        let file = Self {
            path: path.to_owned(),
            options,
            database: RwLock::new(Some(database)),
        };
        file.keep_ballast();
        Ok((file, table))
    }

    /// One row from disk.
    pub(super) fn get(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        self.reading(|database| {
            let table = database.begin_read()?.open_table(ROWS)?;
            Ok(table
                .get(key.as_str())?
                .and_then(|value| decode_row(value.value())))
        })
    }

    /// Rows from disk.
    pub(super) fn list(&self, prefix: &str) -> Result<Vec<(Key, Row)>, StoreError> {
        let mut rows = Vec::new();
        self.reading(|database| read_rows(database, prefix, |key, row| rows.push((key, row))))?;
        Ok(rows)
    }

    /// Everything of one moment: one read transaction, which holds up no writer.
    pub(super) fn export(
        &self,
        each: &mut dyn FnMut(Part) -> std::io::Result<()>,
    ) -> Result<(), StoreError> {
        self.reading(|database| {
            let snapshot = database.begin_read()?;
            let meta = snapshot.open_table(META)?;
            let bytes = meta.get(HEADER)?.map(|value| value.value().to_vec());
            let header = bytes.and_then(|bytes| serde_json::from_slice::<Header>(&bytes).ok());
            let Some(header) = header else {
                return Err(redb::Error::Corrupted("it has no header".to_owned()));
            };
            each(Part::Head(header.position, header.audit))?;
            each_row(&snapshot, "", |key, row| Ok(each(Part::Row(key, row))?))
        })
    }

    fn reading<T>(
        &self,
        action: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else {
            return Err(self.io("the file could not be opened again after an error"));
        };
        action(database).map_err(|error| self.io(&error.to_string()))
    }

    /// Commits durably, or not at all. A failure opens the file again; where the disk is full the
    /// ballast is given up and the commit is tried once more.
    pub(super) fn commit(&self, staged: &Staged) -> Result<(), StoreError> {
        let Err(first) = self.try_commit(staged) else {
            return Ok(());
        };
        tracing::error!(store = %self.path.display(), error = %first, "commit failed, opening the store again");
        if self.reopen()? == staged.position {
            return Ok(()); // the failure came after the commit was durable
        }
        if fs::remove_file(self.ballast()).is_err() {
            return Err(first);
        }
        tracing::warn!(store = %self.path.display(), "ballast given up for this commit");
        self.reopen()?;
        self.try_commit(staged).or_else(|error| {
            if self.reopen()? == staged.position {
                Ok(())
            } else {
                Err(error)
            }
        })
    }

    fn try_commit(&self, staged: &Staged) -> Result<(), StoreError> {
        let write = |database: &Database| -> Result<(), redb::Error> {
            let txn = database.begin_write()?;
            {
                let mut rows = txn.open_table(ROWS)?;
                for (key, row) in &staged.rows {
                    match row {
                        Some(row) => rows.insert(key.as_str(), encode_row(row).as_slice())?,
                        None => rows.remove(key.as_str())?,
                    };
                }
                let header = Header::new(staged.position, staged.audit);
                txn.open_table(META)?
                    .insert(HEADER, encode(&header).as_slice())?;
            }
            txn.commit()?;
            Ok(())
        };
        self.reading(write)
    }

    /// Closes and opens; answers with the position that the file has.
    fn reopen(&self) -> Result<Position, StoreError> {
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        database.take();
        let (opened, header) = open_database(&self.path)?;
        *database = Some(opened);
        Ok(header.position)
    }

    /// Whether ordinary transactions may be taken.
    pub(super) fn check_space(&self) -> Result<(), StoreError> {
        let Some(free) = self.disk_free() else {
            return Ok(()); // the commit itself will say what is wrong
        };
        if free < self.options.disk_low {
            let path = self.folder().display().to_string();
            return Err(StoreError::DiskLow { path, free });
        }
        if free
            > self
                .options
                .disk_low
                .saturating_mul(2)
                .saturating_add(self.options.ballast)
        {
            self.keep_ballast();
        }
        Ok(())
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Bytes that are left on its disk; none where the system does not say.
    pub(super) fn disk_free(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(self.folder()).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn ballast(&self) -> PathBuf {
        self.path.with_file_name("ballast")
    }

    /// Sets space aside; best effort, tried again when there is room.
    fn keep_ballast(&self) {
        let path = self.ballast();
        if self.options.ballast == 0 || path.exists() {
            return;
        }
        let made = private(&path).and_then(|mut file| {
            let block = vec![0_u8; 1 << 16];
            let mut left = self.options.ballast;
            while left > 0 {
                let now = left.min(block.len() as u64);
                file.write_all(&block[..usize::try_from(now).unwrap_or(block.len())])?;
                left -= now;
            }
            file.sync_all()
        });
        if let Err(error) = made {
            tracing::warn!(ballast = %path.display(), %error, "ballast cannot be kept");
            let _ = fs::remove_file(&path);
        }
    }

    fn io(&self, message: &str) -> StoreError {
        StoreError::Io {
            path: self.path.display().to_string(),
            message: message.to_owned(),
        }
    }
}

fn open_error(path: &Path, message: &str) -> StoreError {
    StoreError::Open {
        path: path.display().to_string(),
        message: message.to_owned(),
    }
}

fn open_database(path: &Path) -> Result<(Database, Header), StoreError> {
    let refuse = |message: &str| open_error(path, message);
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(refuse(
                "there is none; run `flagship-hub init` once, or mend --data",
            ));
        }
        Err(error) => return Err(refuse(&error.to_string())),
    };
    if length == 0 {
        return Err(refuse(
            "it is empty: put back a copy of it; nothing was changed",
        ));
    }
    let opened = open_unchanged(path);
    let database = opened.map_err(|error| {
        if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
            return refuse("another flagship-hub has it open; stop that one first");
        }
        refuse(&format!(
            "it is torn or not a store of Flagship ({error}): put back a copy of it; nothing was changed"
        ))
    })?;
    let header = (|| -> Result<Option<Vec<u8>>, redb::Error> {
        let table = database.begin_read()?.open_table(META)?;
        Ok(table.get(HEADER)?.map(|value| value.value().to_vec()))
    })();
    let header = match header {
        Ok(Some(bytes)) => serde_json::from_slice::<Header>(&bytes).ok(),
        Ok(None) | Err(_) => None,
    };
    let Some(header) = header.filter(|header| header.product == "flagship-hub") else {
        return Err(refuse(
            "it is a redb file, but not a store of Flagship; nothing was changed",
        ));
    };
    if header.format != FORMAT {
        let message = format!(
            "it has format {}, this hub reads {FORMAT}: use the hub that wrote it",
            header.format
        );
        return Err(refuse(&message));
    }
    Ok((database, header))
}

/// Opening for writing marks and repairs a file before it is known to be whole. So a look that
/// writes nothing goes first; where a repair is needed (a hub was killed), it is done with a copy
/// at hand that is put back if the repair fails.
fn open_unchanged(path: &Path) -> Result<Database, DatabaseError> {
    let open = || Database::builder().set_cache_size(CACHE_BYTES).open(path);
    match Database::builder().open_read_only(path).map(drop) {
        Ok(()) => open(),
        Err(DatabaseError::RepairAborted) => {
            let copy = path.with_extension("before-repair");
            let copied = fs::copy(path, &copy);
            if let Err(error) = &copied {
                tracing::warn!(store = %path.display(), %error, "store is repaired without a copy at hand");
            }
            let opened = open();
            let settled = match (&opened, copied) {
                (Err(_), Ok(_)) => fs::rename(&copy, path),
                (Ok(_), _) | (Err(_), Err(_)) => fs::remove_file(&copy),
            };
            if let Err(error) = settled {
                tracing::warn!(copy = %copy.display(), %error, "copy from before the repair is left over");
            }
            opened
        }
        Err(error) => Err(error),
    }
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("a header is plain data")
}

/// A file for its owner only from its first moment, to read and write; made where it is not there.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE)
        .open(path)
}
