//! Conversions between wire and model: one way in (`TryFrom`, total, one error type), one way out
//! (`From`). Wire types stop here.

mod audit;
mod hello;
mod message;
mod report;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use crate::{
    digest::Digest,
    model::{Fence, LONGEST_VERSION, Position, Proof, Signed, Term, Weight, text::on_one_line},
    wire,
};

/// Largest body of a signed order, abort, lift or receipt, in bytes.
pub const LARGEST_BODY: usize = 192 * 1024;

/// A message from outside that is not what the contract says: which field, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct ConvertError {
    /// Where, as a path from the message.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

pub(crate) fn bad(field: &'static str, problem: impl ToString) -> ConvertError {
    let problem = line(&problem.to_string(), 300);
    ConvertError { field, problem }
}

pub(crate) fn missing(field: &'static str) -> ConvertError {
    bad(field, "is missing")
}

/// Parses a text field whose model type implements `FromStr`.
pub(crate) fn text<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, ConvertError>
where
    T::Err: ToString,
{
    text.parse().map_err(|error: T::Err| bad(field, error))
}

/// An empty text stands for nothing.
pub(crate) fn optional<T: std::str::FromStr>(
    field: &'static str,
    given: &str,
) -> Result<Option<T>, ConvertError>
where
    T::Err: ToString,
{
    if given.is_empty() {
        Ok(None)
    } else {
        text(field, given).map(Some)
    }
}

pub(crate) fn digest(
    field: &'static str,
    given: Option<String>,
) -> Result<Option<Digest>, ConvertError> {
    given.map(|given| text(field, &given)).transpose()
}

pub(crate) fn time(field: &'static str, millis: i64) -> Result<Timestamp, ConvertError> {
    Timestamp::from_millisecond(millis).map_err(|error| bad(field, error))
}

pub(crate) fn weight(field: &'static str, per_cent: u32) -> Result<Weight, ConvertError> {
    Weight::try_from(per_cent).map_err(|error| bad(field, error))
}

/// A peer's own words, for people who read them beside the hub's: on one line, so that none looks like
/// another's, and no longer than so many characters.
pub(crate) fn line(given: &str, most: usize) -> String {
    let end = given.char_indices().nth(most);
    on_one_line(&given[..end.map_or(given.len(), |(end, _)| end)])
}

/// A version, on one line too. Half of one is another version, so that one which is too long is refused.
pub(crate) fn version(
    field: &'static str,
    given: Option<String>,
) -> Result<Option<String>, ConvertError> {
    let Some(given) = given else {
        return Ok(None);
    };
    if given.len() > LONGEST_VERSION {
        let size = given.len();
        return Err(bad(
            field,
            format!("has {size} bytes, a version has at most {LONGEST_VERSION}"),
        ));
    }
    Ok(Some(line(&given, LONGEST_VERSION)))
}

/// Refuses lists that no honest peer sends.
pub(crate) fn bounded<T>(
    field: &'static str,
    list: Vec<T>,
    most: usize,
) -> Result<Vec<T>, ConvertError> {
    if list.len() > most {
        return Err(bad(
            field,
            format!("has {} entries, at most {most} are taken", list.len()),
        ));
    }
    Ok(list)
}

/// Reads a signed body as the type that it must hold. The signature is *not* verified here.
pub(crate) fn signed<T: DeserializeOwned>(
    field: &'static str,
    wire: wire::Signed,
) -> Result<Signed<T>, ConvertError> {
    let wire::Signed {
        body,
        signature,
        key_id,
    } = wire;
    let value = body_of(field, &body)?;
    Ok(Signed {
        value,
        body,
        signature,
        key_id,
    })
}

/// Reads the canonical JSON of a body.
pub fn body_of<T: DeserializeOwned>(field: &'static str, body: &[u8]) -> Result<T, ConvertError> {
    if body.len() > LARGEST_BODY {
        return Err(bad(
            field,
            format!("{} bytes, at most {LARGEST_BODY} are taken", body.len()),
        ));
    }
    serde_json::from_slice(body).map_err(|error| bad(field, error))
}

impl<T> From<Signed<T>> for wire::Signed {
    fn from(signed: Signed<T>) -> Self {
        let Signed {
            value: _,
            body,
            signature,
            key_id,
        } = signed;
        Self {
            body,
            signature,
            key_id,
        }
    }
}

impl From<Proof> for wire::Signed {
    fn from(proof: Proof) -> Self {
        let Proof {
            body,
            signature,
            key_id,
        } = proof;
        Self {
            body,
            signature,
            key_id,
        }
    }
}

impl TryFrom<wire::Signed> for Proof {
    type Error = ConvertError;

    fn try_from(wire: wire::Signed) -> Result<Self, ConvertError> {
        let wire::Signed {
            body,
            signature,
            key_id,
        } = wire;
        if body.len() > LARGEST_BODY {
            return Err(bad("proof.body", "too long"));
        }
        Ok(Self {
            body,
            signature,
            key_id,
        })
    }
}

impl From<Term> for wire::Term {
    fn from(term: Term) -> Self {
        let Term { epoch, counter } = term;
        Self { epoch, counter }
    }
}

impl From<wire::Term> for Term {
    fn from(term: wire::Term) -> Self {
        let wire::Term { epoch, counter } = term;
        Self { epoch, counter }
    }
}

impl From<Position> for wire::Position {
    fn from(position: Position) -> Self {
        let Position { epoch, seq } = position;
        Self { epoch, seq }
    }
}

impl From<wire::Position> for Position {
    fn from(position: wire::Position) -> Self {
        let wire::Position { epoch, seq } = position;
        Self { epoch, seq }
    }
}

impl From<Fence> for wire::Fence {
    fn from(fence: Fence) -> Self {
        let Fence { term, revision } = fence;
        Self {
            term: Some(term.into()),
            revision: Some(revision.into()),
        }
    }
}

impl TryFrom<wire::Fence> for Fence {
    type Error = ConvertError;

    fn try_from(fence: wire::Fence) -> Result<Self, ConvertError> {
        let term = fence.term.ok_or(missing("fence.term"))?.into();
        let revision = fence.revision.ok_or(missing("fence.revision"))?.into();
        Ok(Self { term, revision })
    }
}
