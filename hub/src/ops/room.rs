//! Whether one more abort finds room. Agents show every abort that stands when they connect, in one message:
//! so many find room as it holds. Nobody is refused because others have stopped: each author has places that
//! nobody else takes, and bytes for them.

use std::collections::BTreeMap;

use flagship_proto::model::{Abort, AbortId, Reach, Scope};

use super::{OpError, Ops};
use crate::records::{AbortRow, key};

/// So many aborts may stand at once, besides those of [`ASSURED`].
pub(crate) const MOST_STANDING: usize = 64;

/// So many of one author, so that nobody takes the room in which others stop.
pub(crate) const MOST_OF_AUTHOR: usize = MOST_STANDING / 2;

/// So many of each author find room, however many of others stand.
pub(crate) const ASSURED: usize = 4;

/// So many bytes of all together, as they are signed: they leave a message room for all else that it says.
pub(crate) const MOST_BYTES: usize = 640 * 1024;

/// So many bytes of each author find room, whatever others take: one of the largest, or four that are usual. There
/// are as many for 48 authors, who are people with a token that may stop.
pub(crate) const ASSURED_BYTES: usize = 8 * 1024;

/// So many bytes are there for all that is beyond [`ASSURED_BYTES`], of whomever.
pub(crate) const SHARED_BYTES: usize = MOST_BYTES - 48 * ASSURED_BYTES;

/// So many bytes of one author.
pub(crate) const BYTES_OF_AUTHOR: usize = SHARED_BYTES / 4;

/// What a signature and the key's and the abort's names take beside an abort.
const SIGNED: usize = 256;

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
        if let Some(same) = self.stands_already(new, standing)? {
            return Ok(Room::Stands(same.id().clone()));
        }
        if is_wide(new) {
            return Ok(Room::Found);
        }
        let author = new.author();
        let theirs = |row: &&&AbortRow| row.author() == author && is_counted(row);
        let own = standing.iter().filter(theirs);
        let (count, bytes) = (own.clone().count(), own.map(|row| size(row)).sum::<usize>());
        let bytes = bytes + size(new);
        if count >= MOST_OF_AUTHOR || bytes > BYTES_OF_AUTHOR {
            let what = format!("{count} aborts of {author} stand, and no more of one author fit");
            return Err(OpError::refused("abort.tooMany", &what).try_this(
                "stop all at once by a label that all have, with --project or with --fleet, or have one lifted that is not needed",
            ));
        }
        let rows = || standing.iter().copied().chain([new]);
        let is_full = count >= ASSURED && standing.len() >= MOST_STANDING;
        let is_large = bytes > ASSURED_BYTES && shared(rows()) > SHARED_BYTES;
        // What finds room always takes none of what others are assured of.
        let bounded = rows().filter(|row| !is_wide(row)).map(size);
        let holds = bounded.sum::<usize>() <= MOST_BYTES;
        if is_full || is_large || !holds {
            let what = format!(
                "{} aborts stand, {count} of them of {author}, and no more fit",
                standing.len()
            );
            return Err(OpError::refused("abort.tooMany", &what).try_this(
                "stop all at once with --project or --fleet, or lift one that is not needed",
            ));
        }
        Ok(Room::Found)
    }

    /// Whether what is left of an abort finds room in the bytes that all share. One for one fits where a few end
    /// already.
    pub(super) fn parts_have_room(
        &self,
        parts: &[AbortRow],
        standing: &[&AbortRow],
    ) -> Result<(), OpError> {
        let most = match parts {
            [] => return Ok(()),
            [_] => SHARED_BYTES + SHARED_BYTES / 4,
            _ => SHARED_BYTES,
        };
        if shared(standing.iter().copied().chain(parts)) <= most {
            return Ok(());
        }
        let message = format!(
            "{} aborts stand, and {} in place of one take too many bytes: nothing was lifted",
            standing.len(),
            parts.len()
        );
        Err(OpError::refused("abort.tooMany", &message)
            .in_field("except")
            .try_this(
                "except fewer parts, with shorter selectors, or lift first what is not needed",
            ))
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

/// Whether it counts for its author: what stops a project or the fleet finds room always, and what is left of another
/// abort is of the one who lifted it.
fn is_counted(row: &AbortRow) -> bool {
    !is_wide(row) && row.narrowed_from.is_none()
}

fn is_wide(row: &AbortRow) -> bool {
    matches!(row.unplaced().scope, Scope::Fleet | Scope::Project(_))
}

/// What these take of the bytes that all share: what each author has beyond their own.
fn shared<'a>(rows: impl Iterator<Item = &'a AbortRow>) -> usize {
    let (mut all, mut by) = (0, BTreeMap::<&str, usize>::new());
    for row in rows {
        if is_counted(row) {
            *by.entry(row.author()).or_default() += size(row);
        } else {
            all += size(row);
        }
    }
    let beyond = by.values().map(|bytes| bytes.saturating_sub(ASSURED_BYTES));
    all + beyond.sum::<usize>()
}

/// What it takes of a message, about.
fn size(row: &AbortRow) -> usize {
    let signed = Abort {
        reach: row.reach.as_ref().and_then(Reach::carried),
        ..row.unplaced().clone()
    };
    serde_json::to_vec(&signed).map_or(0, |bytes| bytes.len()) + SIGNED
}
