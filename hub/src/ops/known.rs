//! What a caller knows of a thing that it changes: a change that rests on an older state is refused.

use flagship_proto::model::Position;

use super::OpError;
use crate::store::{Key, Precondition, Store};

/// The states of a thing for which its change is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Whatever it is, if it is there.
    Any,
    /// Last written at one of these.
    At(Vec<Position>),
}

impl Known {
    /// That the thing in a row is still as it is known, for the commit; refused if it is not now.
    pub(super) fn holds(
        &self,
        store: &Store,
        thing: Option<&Key>,
    ) -> Result<Precondition, OpError> {
        let Some(key) = thing else {
            return Err(
                stale("this makes something new: there is no older state of it")
                    .try_this("send it without If-Match"),
            );
        };
        let modified = store.get(key)?.map(|row| row.modified);
        let holds = |now: &Position| match self {
            Self::Any => true,
            Self::At(known) => known.contains(now),
        };
        match modified {
            Some(now) if holds(&now) => Ok(Precondition::At {
                key: key.clone(),
                modified: now,
            }),
            Some(_) => Err(stale(
                "it has changed since it was read; nothing was stored",
            )),
            None => Err(stale("it is not there (any more); nothing was stored")),
        }
    }
}

fn stale(why: &str) -> OpError {
    OpError::stale("ifMatch.stale", why)
        .in_field("If-Match")
        .try_this("read it again, look at what changed, and decide anew")
}
