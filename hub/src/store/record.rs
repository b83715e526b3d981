//! How rows are written and read back.
//!
//! A value is JSON: `{"v": <format>, "row": {…}}`. A row that cannot be read is an error that names
//! its key, never a default. Sequence numbers that a row gets from its commit (an order's revision,
//! an abort's position) are not in its value: they come with [`Stored`].

use std::{fmt, ops::Deref, sync::Arc};

use bytes::Bytes;
use flagship_proto::model::Position;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::types::{Key, Row, StoreError};

/// A kind of row.
pub trait Record:
    Serialize + DeserializeOwned + Clone + PartialEq + fmt::Debug + Send + Sync + 'static
{
    /// The format that this build writes; it reads this one and those below it.
    const FORMAT: u32 = 1;

    /// Where this row is stored.
    fn key(&self) -> Key;
}

/// A row as it was read: its value and where in history it stands. Derefs to the value, which all
/// who read the row share.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored<R> {
    /// What was stored.
    pub value: Arc<R>,
    /// Where the row was created.
    pub created: Position,
    /// Where it was last written.
    pub modified: Position,
}

impl<R: Clone> Stored<R> {
    /// The value, to be changed.
    pub fn to_value(&self) -> R {
        R::clone(&self.value)
    }

    /// The same of a row that nobody needs any more.
    pub fn into_value(self) -> R {
        Arc::unwrap_or_clone(self.value)
    }
}

impl<R> Clone for Stored<R> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            created: self.created,
            modified: self.modified,
        }
    }
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
    v: u32,
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

/// Reads a row; total over any bytes. They are looked at once, whoever reads the row then.
pub fn decode<R: Record>(key: &Key, row: &Row) -> Result<Stored<R>, StoreError> {
    let value = row.decoded.get_or_try(|| decode_value(key, &row.value))?;
    Ok(Stored {
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
    let read = serde_json::from_slice::<Reading<R>>(bytes);
    let is_known = |v: u32| (1..=R::FORMAT).contains(&v);
    let problem = match read {
        Ok(reading) if is_known(reading.v) => return Ok(reading.row),
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let format: Format =
        serde_json::from_slice(bytes).map_err(|error| refuse(format!("not a row: {error}")))?;
    if is_known(format.v) {
        return Err(refuse(problem));
    }
    Err(refuse(format!(
        "it has format {}, this hub reads up to {}: a newer hub wrote it; run that version",
        format.v,
        R::FORMAT
    )))
}
