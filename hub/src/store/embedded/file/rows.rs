//! Rows in the redb file: their form, and reading them in key order.

use bytes::Bytes;
use flagship_proto::model::Position;
use redb::{Database, ReadableDatabase as _, TableDefinition};

use crate::store::types::{Key, Row};

pub(super) const ROWS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("rows");

/// Bytes before a row's value: created and modified, each epoch and sequence, big endian.
const ROW_HEADER: usize = 32;

pub(super) fn read_rows(
    database: &Database,
    prefix: &str,
    mut each: impl FnMut(Key, Row),
) -> Result<(), redb::Error> {
    each_row(&database.begin_read()?, prefix, |key, row| {
        each(key, row);
        Ok(())
    })
}

pub(super) fn each_row(
    snapshot: &redb::ReadTransaction,
    prefix: &str,
    mut each: impl FnMut(Key, Row) -> Result<(), redb::Error>,
) -> Result<(), redb::Error> {
    let table = snapshot.open_table(ROWS)?;
    for entry in table.range(prefix..)? {
        let (key, value) = entry?;
        if !key.value().starts_with(prefix) {
            break;
        }
        let row = decode_row(value.value())
            .ok_or_else(|| redb::Error::Corrupted(format!("row {} is too short", key.value())))?;
        each(Key::from_path(key.value()), row)?;
    }
    Ok(())
}

pub(super) fn encode_row(row: &Row) -> Vec<u8> {
    let Row {
        value,
        created,
        modified,
        decoded: _,
    } = row;
    let mut bytes = Vec::with_capacity(ROW_HEADER + value.len());
    for number in [created.epoch, created.seq, modified.epoch, modified.seq] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(value);
    bytes
}

pub(crate) fn decode_row(bytes: &[u8]) -> Option<Row> {
    let (header, value) = bytes.split_at_checked(ROW_HEADER)?;
    let number = |place: usize| {
        let part = header.get(place * 8..place * 8 + 8)?;
        part.try_into().map(u64::from_be_bytes).ok()
    };
    let created = Position {
        epoch: number(0)?,
        seq: number(1)?,
    };
    let modified = Position {
        epoch: number(2)?,
        seq: number(3)?,
    };
    Some(Row::new(Bytes::copy_from_slice(value), created, modified))
}
