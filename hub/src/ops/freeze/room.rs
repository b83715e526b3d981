//! Where one more freeze goes. Everybody reads those that stand before anything else: so many of one
//! author, so that nobody's bury what others say. Nobody is refused for what others have frozen.

use flagship_proto::model::Scope;
use jiff::Timestamp;

use crate::{
    ops::{OpError, Ops},
    records::{FreezeRow, Stored},
};

/// So many of one author may stand that freeze less than a project.
pub(crate) const MOST_OF_AUTHOR: usize = 32;

/// So many of one author of the same scope; whoever freezes it longer then gives the last a later end.
pub(crate) const SAME: usize = 8;

/// Where a freeze goes.
#[derive(Debug)]
pub(super) enum Room {
    /// It is stored.
    Found,
    /// Its author's own stands there already, as long or longer.
    Stands(Stored<FreezeRow>),
    /// Enough of its author's own of this scope stand: the one that stands longest gets its end.
    Longer(Stored<FreezeRow>),
}

impl Ops {
    /// Where a new freeze goes beside those that stand. One of a project or of the fleet is never refused.
    pub(super) fn freeze_room(
        &self,
        new: &FreezeRow,
        standing: &[Stored<FreezeRow>],
    ) -> Result<Room, OpError> {
        let own = standing.iter().filter(|row| row.actor == new.actor);
        let is_same = |row: &Stored<FreezeRow>| row.scope == new.scope && row.reach == new.reach;
        let mut same: Vec<&Stored<FreezeRow>> = own.clone().filter(|row| is_same(row)).collect();
        same.sort_by_key(|row| end(row));
        if let Some(stands) = same.last().filter(|row| end(row) >= end(new)) {
            return Ok(Room::Stands((*stands).clone()));
        }
        if let Some(longest) = same.last().filter(|_| same.len() >= SAME) {
            return Ok(Room::Longer((*longest).clone()));
        }
        if is_wide(new) {
            return Ok(Room::Found);
        }
        if own.filter(|row| !is_wide(row)).count() < MOST_OF_AUTHOR {
            return Ok(Room::Found);
        }
        let what = format!(
            "{MOST_OF_AUTHOR} freezes by {} stand, and no more of one author fit",
            new.actor
        );
        Err(OpError::refused("freeze.tooMany", &what).try_this(
            "freeze wider, with --project or --fleet, which fits always; or unfreeze one that is not needed",
        ))
    }
}

/// When it ends by itself; at the end of time where a person has to end it.
fn end(row: &FreezeRow) -> Timestamp {
    row.until.unwrap_or(Timestamp::MAX)
}

fn is_wide(row: &FreezeRow) -> bool {
    matches!(row.scope, Scope::Fleet | Scope::Project(_))
}
