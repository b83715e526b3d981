//! What the hub stores: one struct a kind of row, and how rows are written and read back.
//!
//! A value is JSON: `{"v": <format>, "row": {…}}`. A row that cannot be read is an error that names
//! its key, never a default. Sequence numbers that a row gets from its commit (an order's revision,
//! an abort's position) are not in its value: they come with [`Stored`].

pub mod key;

mod abort;
mod cluster;
mod fleet;
mod freeze;
mod local;
mod notice;
mod order;
mod rollout;
mod token;

use std::ops::Deref;

use bytes::Bytes;
use flagship_proto::model::Position;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::store::{Key, Row, StoreError};

pub use abort::{AbortRow, LiftRow, ReceiptRow};
pub use cluster::{ClusterRow, ClusterState, Enrolled, PublicKey, ReportRow};
pub use fleet::{FleetMeta, Guard, ProjectRow, SeenRow, TermRow};
pub use freeze::{FreezeEnd, FreezeRow};
pub use local::LocalReleaseRow;
pub use notice::{NoticeRow, NotifiedRow};
pub use order::OrderRow;
pub use rollout::{
    ClaimRow, GoodVersion, HistoryRow, LastGoodRow, PlanRow, RejectedRow, RolloutRow,
};
pub use token::{EnrolTokenRow, EnrolUse, IdempotencyRow, TokenRow, TokenScope};

/// A kind of row.
pub trait Record: Serialize + DeserializeOwned {
    /// The format that this build writes; it reads this one and those below it.
    const FORMAT: u32 = 1;

    /// Where this row is stored.
    fn key(&self) -> Key;
}

/// A row as it was read: its value and where in history it stands. Derefs to the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<R> {
    /// What was stored.
    pub value: R,
    /// Where the row was created.
    pub created: Position,
    /// Where it was last written.
    pub modified: Position,
}

impl<R> Deref for Stored<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.value
    }
}

#[derive(Serialize)]
struct Writing<'a, R> {
    v: u32,
    row: &'a R,
}

#[derive(Deserialize)]
struct Reading<R> {
    row: R,
}

#[derive(Deserialize)]
struct Format {
    v: u32,
}

/// The bytes of a row.
pub fn encode<R: Record>(row: &R) -> Bytes {
    let writing = Writing { v: R::FORMAT, row };
    serde_json::to_vec(&writing)
        .expect("rows are plain data: no map has keys other than text")
        .into()
}

/// Reads a row; total over any bytes.
pub fn decode<R: Record>(key: &Key, row: &Row) -> Result<Stored<R>, StoreError> {
    decode_value(key, &row.value).map(|value| Stored {
        value,
        created: row.created,
        modified: row.modified,
    })
}

pub(crate) fn decode_value<R: Record>(key: &Key, bytes: &[u8]) -> Result<R, StoreError> {
    let refuse = |message: String| StoreError::Decode {
        key: key.clone(),
        message,
    };
    let format: Format =
        serde_json::from_slice(bytes).map_err(|error| refuse(format!("not a row: {error}")))?;
    if format.v == 0 || format.v > R::FORMAT {
        return Err(refuse(format!(
            "it has format {}, this hub reads up to {}: a newer hub wrote it; run that version",
            format.v,
            R::FORMAT
        )));
    }
    let reading: Reading<R> =
        serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
    Ok(reading.row)
}

#[cfg(test)]
mod tests;
