//! Who follows a hub's changes: each over a connection of its own, with the moment at which each change
//! came to the last of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::ensure;
use futures::StreamExt as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::bench::{
    child,
    client::{events, http},
};

/// So many share a token, which is what a hub allows.
pub(super) const A_TOKEN: usize = 32;
/// So many share an address, which is less than what it allows.
const AN_ADDRESS: usize = 400;
/// So many dial at a time.
const TOGETHER: usize = 16;

/// Whom they follow.
#[derive(Debug, Clone, clap::Args)]
pub struct Followers {
    /// The hub.
    #[arg(long)]
    url: String,
    /// Its CA.
    #[arg(long)]
    ca: PathBuf,
    /// A file of tokens, one a line.
    #[arg(long)]
    tokens: PathBuf,
    /// How many.
    #[arg(long)]
    count: usize,
}

/// What is answered: how many streams are open, and who has seen the change that is asked for.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Followed {
    /// Open streams.
    pub open: usize,
    /// How many have seen it.
    pub seen: usize,
    /// When the last of them did.
    pub last: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Seen {
    open: usize,
    /// By the name of what changed: who has seen it, and when the last of them first did.
    names: BTreeMap<String, (BTreeSet<usize>, Timestamp)>,
}

type Shared = Arc<Mutex<Seen>>;

impl Followers {
    pub(in crate::bench) async fn follow(self) -> anyhow::Result<()> {
        let ca = fs::read_to_string(&self.ca)?;
        let tokens = fs::read_to_string(&self.tokens)?;
        let tokens: Vec<&str> = tokens.lines().collect();
        ensure!(
            tokens.len() * A_TOKEN >= self.count,
            "too few tokens for so many"
        );
        let seen = Shared::default();
        let gate = Arc::new(Semaphore::new(TOGETHER));
        for number in 0..self.count {
            let octet = u8::try_from(number / AN_ADDRESS + 1)?;
            let client = http(&ca, Some(IpAddr::from([127, 0, 0, octet])))?;
            let token = tokens[number / A_TOKEN].to_owned();
            let (url, gate, seen) = (self.url.clone(), gate.clone(), seen.clone());
            tokio::spawn(async move {
                let ended = one(number, client, url, token, gate, &seen).await;
                at(&seen, |seen| seen.open = seen.open.saturating_sub(1));
                eprintln!("follower {number}: {ended:?}");
            });
        }
        child::answer(async |name| {
            at(&seen, |seen| {
                let known = seen.names.get(name);
                Followed {
                    open: seen.open,
                    seen: known.map_or(0, |(who, _)| who.len()),
                    last: known.map(|(_, last)| *last),
                }
            })
        })
        .await
    }
}

fn at<T>(seen: &Shared, act: impl FnOnce(&mut Seen) -> T) -> T {
    act(&mut seen.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn one(
    number: usize,
    client: reqwest::Client,
    url: String,
    token: String,
    gate: Arc<Semaphore>,
    seen: &Shared,
) -> anyhow::Result<()> {
    let dialling = gate.acquire().await?;
    let mut events = Box::pin(events(&client, &url, &token).await?);
    drop(dialling);
    at(seen, |seen| seen.open += 1);
    while let Some((event, moment)) = events.next().await {
        if event.kind == "freeze" {
            at(seen, |seen| seen.take(event.name, number, moment));
        }
    }
    Ok(())
}

impl Seen {
    /// One more has seen it; who sees it again, as its end, does not count twice.
    fn take(&mut self, name: String, who: usize, moment: Timestamp) {
        let (known, last) = self.names.entry(name).or_insert((BTreeSet::new(), moment));
        if known.insert(who) {
            *last = moment.max(*last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sees_a_change_twice_does_not_stand_in_for_who_misses_it() {
        let mut seen = Seen::default();
        let at = |second| Timestamp::from_second(second).expect("it is a time");
        for (who, second) in [(0, 1), (1, 3), (0, 9)] {
            seen.take("f-1".to_owned(), who, at(second));
        }
        assert_eq!(seen.names["f-1"], (BTreeSet::from([0, 1]), at(3)));
    }
}
