//! What waits to be sent: which deliveries a message makes, which is next, and what a failure leads to.
//!
//! Plain functions over values; the owner keeps the entries durably (the hub in its store) and writes
//! an entry *before* it is sent, so that a crash sends again rather than never. Receivers can tell a
//! repeated one by the message's id.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{message::Message, route::Place};

/// Within this time a channel is not told the same of the same story twice.
pub const SAME: SignedDuration = SignedDuration::from_mins(10);
/// For so long a delivery is tried.
pub const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);
/// For so long an ended entry is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(48);
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// One message for one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Made of the message's id and the channel's name: the same delivery has the same.
    pub id: String,
    /// The channel's name.
    pub channel: String,
    /// What is said.
    pub message: Message,
    /// When it was admitted.
    pub since: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// Where it stands.
    pub state: State,
    /// Why the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// To be tried, not before this.
    Waiting(Timestamp),
    /// The channel took it.
    Delivered(Timestamp),
    /// A later message of the same story went instead.
    Overtaken(Timestamp),
    /// It was tried for [`GIVE_UP`]; the error says why it failed.
    GivenUp(Timestamp),
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The channel took it.
    Delivered,
    /// It did not; secrets are not in the words.
    Failed {
        /// Why.
        why: String,
        /// How long the channel asked to be left alone.
        wait: Option<Duration>,
    },
}

/// The id of a delivery: 32 hexadecimal digits.
pub fn id(message: &str, channel: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(message.as_bytes());
    hash.update([0]);
    hash.update(channel.as_bytes());
    hex::encode(&hash.finalize()[..16])
}

/// The entries that a message makes, beside those that are kept: new ones, and those of the same story
/// that it overtakes while they wait. The same event admitted again makes nothing, nor does one that says
/// what its story said last.
pub fn admit(
    kept: &BTreeMap<String, Entry>,
    message: &Message,
    places: &BTreeMap<String, Place>,
    now: Timestamp,
) -> Vec<Entry> {
    let mut changed = Vec::new();
    for (channel, place) in places {
        let id = id(&message.id, channel);
        let story = || {
            kept.values()
                .filter(|entry| entry.channel == *channel && entry.message.key == message.key)
        };
        let newest = story().max_by_key(|entry| (entry.since, entry.message.at));
        if kept.contains_key(&id) || newest.is_some_and(|entry| entry.says(message, now)) {
            continue;
        }
        if place.only_closes && newest.is_none() {
            continue;
        }
        let overtaken = story()
            .filter(|entry| entry.is_overtaken_by(message, now))
            .map(|entry| Entry {
                state: State::Overtaken(now),
                ..entry.clone()
            });
        changed.extend(overtaken);
        changed.push(Entry {
            id,
            channel: channel.clone(),
            message: message.clone(),
            since: now,
            tries: 0,
            state: State::Waiting(place.until.unwrap_or(now)),
            error: None,
        });
    }
    changed
}

/// What is to be tried now: what matters most first, then the oldest.
pub fn due(kept: &BTreeMap<String, Entry>, now: Timestamp) -> Vec<&Entry> {
    let waiting = waiting(kept.values());
    let mut due: Vec<&Entry> = waiting
        .filter(|(at, _)| *at <= now)
        .map(|(_, entry)| entry)
        .collect();
    due.sort_by_key(|entry| {
        let message = &entry.message;
        (
            !message.never_muted,
            std::cmp::Reverse(message.severity),
            message.at,
        )
    });
    due
}

/// When the next one is due, of the channels that are not busy.
pub fn wakes_at(kept: &BTreeMap<String, Entry>, busy: &[String]) -> Option<Timestamp> {
    let free = kept.values().filter(|entry| !busy.contains(&entry.channel));
    waiting(free).map(|(at, _)| at).min()
}

/// What is to be tried, with when. The end of a story waits for what it ends: told before, it would close
/// an incident that is opened only then, for good. Reads every entry twice, however many there are.
fn waiting<'a>(
    entries: impl Iterator<Item = &'a Entry> + Clone,
) -> impl Iterator<Item = (Timestamp, &'a Entry)> {
    let untold = entries.clone().filter(|entry| !entry.message.resolves);
    let untold = untold.filter(|entry| matches!(entry.state, State::Waiting(_)));
    let untold: BTreeSet<(&str, &str)> = untold.map(Entry::story).collect();
    entries.filter_map(move |entry| match entry.state {
        State::Waiting(_) if entry.message.resolves && untold.contains(&entry.story()) => None,
        State::Waiting(at) => Some((at, entry)),
        State::Delivered(_) | State::Overtaken(_) | State::GivenUp(_) => None,
    })
}

impl Entry {
    /// The entry after a try.
    pub fn after(&self, outcome: &Outcome, now: Timestamp) -> Self {
        let mut next = self.clone();
        next.tries += 1;
        match outcome {
            Outcome::Delivered => {
                next.state = State::Delivered(now);
                next.error = None;
            }
            Outcome::Failed { why, wait } => {
                next.error = Some(why.chars().take(500).collect());
                let wait = wait
                    .unwrap_or_default()
                    .max(self.wait())
                    .min(Duration::from_hours(1));
                if !matches!(self.state, State::Waiting(_)) {
                    // Overtaken while it was tried: it is not tried again.
                    return next;
                }
                let is_over = now.duration_since(self.since) >= GIVE_UP;
                next.state = if is_over {
                    State::GivenUp(now)
                } else {
                    let wait = SignedDuration::try_from(wait).unwrap_or(SAME);
                    State::Waiting(now.saturating_add(wait).unwrap_or(Timestamp::MAX))
                };
            }
        }
        next
    }

    /// Whether it may be forgotten.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.ended()
            .is_some_and(|at| now.duration_since(at) >= KEPT)
    }

    fn ended(&self) -> Option<Timestamp> {
        match self.state {
            State::Waiting(_) => None,
            State::Delivered(at) | State::Overtaken(at) | State::GivenUp(at) => Some(at),
        }
    }

    /// Doubles with each try; spread by the id, so that many do not come back at one moment.
    fn wait(&self) -> Duration {
        let doubled = FIRST_WAIT.saturating_mul(1 << self.tries.min(10));
        let spread = u32::from_str_radix(self.id.get(..2).unwrap_or("0"), 16).unwrap_or_default();
        doubled.min(LONGEST_WAIT) * (256 + spread / 2) / 256
    }

    /// It already says this, or said it a moment ago.
    fn says(&self, message: &Message, now: Timestamp) -> bool {
        let said = &self.message;
        let is_same = (&said.code, &said.title, &said.text, said.resolves)
            == (
                &message.code,
                &message.title,
                &message.text,
                message.resolves,
            );
        is_same
            && match self.state {
                State::Waiting(_) => true,
                State::Delivered(at) => now.duration_since(at) < SAME,
                State::Overtaken(_) | State::GivenUp(_) => false,
            }
    }

    /// Of what it tells, to whom.
    fn story(&self) -> (&str, &str) {
        (&self.channel, &self.message.key)
    }

    /// Whether it need not be said any more once this is: it was to wait for a later hour; or it is an
    /// end that was not told yet, and the story goes on.
    fn is_overtaken_by(&self, message: &Message, now: Timestamp) -> bool {
        let State::Waiting(at) = self.state else {
            return false;
        };
        let is_put_off = self.tries == 0 && at > now && !self.message.never_muted;
        is_put_off || (self.message.resolves && !message.resolves)
    }
}

#[cfg(test)]
mod tests;
