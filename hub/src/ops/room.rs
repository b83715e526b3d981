//! Whether one more abort finds room. Agents show every abort that stands when they connect, in one message:
//! so many find room as it holds. Nobody is refused because others have stopped: each author has places that
//! nobody else takes.

use flagship_proto::model::{AbortId, Scope};

use super::{OpError, Ops};
use crate::records::{AbortRow, key};

/// So many aborts may stand at once, besides those of [`ASSURED`].
pub(crate) const MOST_STANDING: usize = 64;

/// So many of one author, so that nobody takes the room in which others stop.
pub(crate) const MOST_OF_AUTHOR: usize = MOST_STANDING / 2;

/// So many of each author find room, however many of others stand.
pub(crate) const ASSURED: usize = 4;

/// So many bytes of all together: with their signatures they leave a message room for all else that it says.
pub(crate) const MOST_BYTES: usize = 640 * 1024;

/// So many of one scope and mode may stand: each needs a lift of its own.
const SAME: usize = 2;

/// Where an abort goes.
#[derive(Debug)]
pub(super) enum Room {
    /// It is stored.
    Found,
    /// It stands already, so often as it is worth: this one is the newest of them.
    Stands(AbortId),
}

impl Ops {
    /// Whether a new abort finds room beside those that stand. What stops all of a project or of the fleet
    /// finds it always, but not again and again.
    pub(super) fn room_for(&self, new: &AbortRow, standing: &[&AbortRow]) -> Result<Room, OpError> {
        let scope = &new.unplaced().scope;
        if let Some(same) = self.stands_already(new, standing)? {
            return Ok(Room::Stands(same.id().clone()));
        }
        if matches!(scope, Scope::Fleet | Scope::Project(_)) {
            return Ok(Room::Found);
        }
        let author = &new.unplaced().actor;
        let is_theirs =
            |row: &&&AbortRow| row.unplaced().actor == *author && row.narrowed_from.is_none();
        let own = standing.iter().filter(is_theirs).count();
        if own >= MOST_OF_AUTHOR {
            let what =
                format!("{MOST_OF_AUTHOR} aborts of {author} stand, and no more of one author fit");
            return Err(OpError::refused("abort.tooMany", &what).try_this(
                "stop all at once by a label that all have, with --project or with --fleet, or have one lifted that is not needed",
            ));
        }
        let is_full = own >= ASSURED && standing.len() >= MOST_STANDING;
        let bytes = standing.iter().map(|row| size(row)).sum::<usize>() + size(new);
        if is_full || bytes > MOST_BYTES {
            let what = format!(
                "{} aborts stand, {own} of them of {author}, and no more fit",
                standing.len()
            );
            return Err(OpError::refused("abort.tooMany", &what).try_this(
                "stop all at once with --project or --fleet, or lift one that is not needed",
            ));
        }
        Ok(Room::Found)
    }

    /// The newest abort of the same scope and mode, where enough of them stand.
    fn stands_already<'a>(
        &self,
        new: &AbortRow,
        standing: &[&'a AbortRow],
    ) -> Result<Option<&'a AbortRow>, OpError> {
        let (scope, mode) = (&new.unplaced().scope, new.unplaced().mode);
        let is_same = |row: &&&AbortRow| {
            let abort = row.unplaced();
            (&abort.scope, abort.mode, &row.reach) == (scope, mode, &new.reach)
        };
        let all: Vec<&AbortRow> = standing.iter().filter(is_same).copied().collect();
        // One whose lift is under way stops nothing for long.
        let stays = |row: &&&AbortRow| matches!(self.store.get(&key::lift(row.id())), Ok(None));
        let staying: Vec<&AbortRow> = all.iter().filter(stays).copied().collect();
        let newest = staying.iter().max_by_key(|row| row.unplaced().at);
        Ok(newest.copied().filter(|_| staying.len() >= SAME))
    }
}

/// What it takes of a message, about.
fn size(row: &AbortRow) -> usize {
    serde_json::to_vec(&row.provisional()).map_or(0, |bytes| bytes.len())
}
