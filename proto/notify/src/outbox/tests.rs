//! Tables of the outbox: once, in order, again after a failure, never twice for the same.

use proptest::prelude::*;

use super::*;
use crate::{Severity, format::tests::message};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

fn places(channels: &[&str]) -> BTreeMap<String, Place> {
    channels
        .iter()
        .map(|name| ((*name).into(), Place::default()))
        .collect()
}

fn keep(kept: &mut BTreeMap<String, Entry>, entries: Vec<Entry>) {
    kept.extend(entries.into_iter().map(|entry| (entry.id.clone(), entry)));
}

fn failed(wait: Option<Duration>) -> Outcome {
    Outcome::Failed {
        why: "503".into(),
        wait,
    }
}

#[test]
fn the_same_event_admitted_again_makes_nothing() {
    let mut kept = BTreeMap::new();
    let first = admit(&kept, &message(), &places(&["a", "b"]), at(0));
    assert_eq!(first.len(), 2);
    keep(&mut kept, first);
    assert_eq!(admit(&kept, &message(), &places(&["a", "b"]), at(1)), []);
}

#[test]
fn the_same_words_of_one_story_are_said_once_in_ten_minutes() {
    let mut kept = BTreeMap::new();
    let entries = admit(&kept, &message(), &places(&["a"]), at(0));
    let sent = entries[0].after(&Outcome::Delivered, at(1));
    keep(&mut kept, vec![sent]);
    let again = Message {
        id: "another event".into(),
        ..message()
    };
    assert_eq!(admit(&kept, &again, &places(&["a"]), at(60)), []);
    assert_eq!(admit(&kept, &again, &places(&["a"]), at(602)).len(), 1);
    let other_cluster = Message {
        key: "rollout/shop/checkout-3/us-1".into(),
        ..again
    };
    assert_eq!(
        admit(&kept, &other_cluster, &places(&["a"]), at(60)).len(),
        1
    );
}

#[test]
fn what_waits_for_the_morning_is_overtaken_by_later_news_of_its_story() {
    let mut kept = BTreeMap::new();
    let morning = BTreeMap::from([(
        "a".to_owned(),
        Place {
            until: Some(at(3600)),
            ..Place::default()
        },
    )]);
    let first = admit(&kept, &message(), &morning, at(0));
    keep(&mut kept, first);
    let later = Message {
        id: "later".into(),
        title: "it is over".into(),
        ..message()
    };
    let changed = admit(&kept, &later, &morning, at(60));
    assert_eq!(changed.len(), 2);
    keep(&mut kept, changed);
    let due: Vec<_> = due(&kept, at(3600)).iter().map(|e| &e.message.id).collect();
    assert_eq!(due, ["later"]);
}

#[test]
fn the_end_of_a_story_goes_only_where_it_was_opened_if_it_matters_little() {
    let mut kept = BTreeMap::new();
    let opened = admit(&kept, &message(), &places(&["a"]), at(0));
    keep(&mut kept, opened);
    let resolved = Message {
        id: "over".into(),
        resolves: true,
        ..message()
    };
    let closes = Place {
        only_closes: true,
        until: None,
    };
    let both = BTreeMap::from([("a".to_owned(), closes), ("b".to_owned(), closes)]);
    let admitted = admit(&kept, &resolved, &both, at(1));
    let to: Vec<&str> = admitted
        .iter()
        .map(|entry| entry.channel.as_str())
        .collect();
    assert_eq!(to, ["a"]);
}

/// A cluster that did not stop, stopped, and then did not.
fn stop_and_go() -> [Message; 3] {
    let problem = Message {
        never_muted: true,
        severity: Severity::Critical,
        ..message()
    };
    let over = Message {
        id: "over".into(),
        title: "it stopped".into(),
        resolves: true,
        severity: Severity::Info,
        at: problem.at + SignedDuration::from_secs(1),
        ..message()
    };
    let again = Message {
        id: "again".into(),
        at: problem.at + SignedDuration::from_secs(2),
        ..problem.clone()
    };
    [problem, over, again]
}

#[test]
fn what_is_so_again_after_its_end_is_said_again() {
    let mut kept = BTreeMap::new();
    let [problem, over, again] = stop_and_go();
    for (seconds, message) in [(0, &problem), (10, &over), (20, &again)] {
        let admitted = admit(&kept, message, &places(&["a"]), at(seconds));
        assert_eq!(admitted.len(), 1, "{}", message.id);
        let sent = admitted[0].after(&Outcome::Delivered, at(seconds + 1));
        keep(&mut kept, vec![sent]);
    }
    let repeated = Message {
        id: "once more".into(),
        ..again
    };
    assert_eq!(admit(&kept, &repeated, &places(&["a"]), at(30)), []);
}

#[test]
fn an_end_that_was_not_told_yet_is_overtaken_when_the_story_goes_on() {
    let mut kept = BTreeMap::new();
    let [problem, over, again] = stop_and_go();
    let opened = admit(&kept, &problem, &places(&["a"]), at(0));
    keep(&mut kept, vec![opened[0].after(&Outcome::Delivered, at(1))]);
    let ended = admit(&kept, &over, &places(&["a"]), at(10));
    let tried = ended[0].after(&failed(Some(Duration::from_secs(600))), at(11));
    keep(&mut kept, vec![tried]);
    let changed = admit(&kept, &again, &places(&["a"]), at(20));
    keep(&mut kept, changed);
    // A try that was under way when it was overtaken leaves it so.
    let late = kept[&ended[0].id].after(&failed(None), at(21));
    keep(&mut kept, vec![late]);
    let waiting: Vec<_> = due(&kept, at(10_000))
        .iter()
        .map(|entry| entry.message.id.as_str())
        .collect();
    assert_eq!(waiting, ["again"], "nothing closes it after it was opened");
}

#[test]
fn an_end_waits_for_what_it_ends() {
    let mut kept = BTreeMap::new();
    let [problem, over, _] = stop_and_go();
    let opened = admit(&kept, &problem, &places(&["a"]), at(0));
    let tried = opened[0].after(&failed(Some(Duration::from_secs(600))), at(1));
    keep(&mut kept, vec![tried]);
    let ended = admit(&kept, &over, &places(&["a"]), at(10));
    keep(&mut kept, ended);
    assert!(due(&kept, at(20)).is_empty());
    assert_eq!(wakes_at(&kept, &[]), Some(at(601)), "no turn for nothing");
    let next = due(&kept, at(601))[0].clone();
    assert_eq!(next.message.title, message().title);
    keep(&mut kept, vec![next.after(&Outcome::Delivered, at(602))]);
    assert_eq!(due(&kept, at(602))[0].message.id, "over");
}

#[test]
fn what_is_due_is_found_by_reading_every_entry_twice_however_many_wait() {
    let mut kept = BTreeMap::new();
    let [problem, over, _] = stop_and_go();
    for number in 0..300 {
        for message in [&problem, &over] {
            let message = Message {
                id: format!("{} {number}", message.id),
                key: format!("story {number}"),
                ..message.clone()
            };
            let admitted = admit(&kept, &message, &places(&["a"]), at(0));
            keep(&mut kept, admitted);
        }
    }
    let reads = std::cell::Cell::new(0);
    let counted = kept.values().inspect(|_| reads.set(reads.get() + 1));
    assert_eq!(
        waiting(counted).count(),
        300,
        "each end waits for its story"
    );
    assert_eq!((kept.len(), reads.get()), (600, 1200));
}

#[test]
fn an_abort_goes_first_then_what_matters_most_then_the_oldest() {
    let mut kept = BTreeMap::new();
    for (id, severity, never_muted, seconds) in [
        ("info", Severity::Info, false, 0),
        ("late", Severity::Critical, false, 9),
        ("early", Severity::Critical, false, 1),
        ("abort", Severity::Warning, true, 9),
    ] {
        let message = Message {
            id: id.into(),
            key: id.into(),
            severity,
            never_muted,
            at: at(seconds),
            ..message()
        };
        let entries = admit(&kept, &message, &places(&["a"]), at(10));
        keep(&mut kept, entries);
    }
    let order: Vec<_> = due(&kept, at(10))
        .iter()
        .map(|e| e.message.id.as_str())
        .collect();
    assert_eq!(order, ["abort", "early", "late", "info"]);
}

#[test]
fn a_failure_is_tried_again_later_and_later_and_given_up_after_a_day() {
    let entries = admit(&BTreeMap::new(), &message(), &places(&["a"]), at(0));
    let mut entry = entries[0].clone();
    let mut now = at(0);
    let mut waits = Vec::new();
    while let State::Waiting(due) = entry.state {
        waits.push(due.duration_since(now).as_secs());
        now = due;
        entry = entry.after(&failed(None), now);
    }
    assert!(matches!(entry.state, State::GivenUp(_)));
    assert_eq!(waits[0], 0);
    assert!((5..=8).contains(&waits[1]), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 900), "{waits:?}");
    assert!(now.duration_since(at(0)) >= GIVE_UP);
    assert!(!entry.is_stale(now) && entry.is_stale(at(4 * 86_400)));
}

#[test]
fn a_channel_that_asks_for_a_pause_gets_it_within_reason() {
    let entries = admit(&BTreeMap::new(), &message(), &places(&["a"]), at(0));
    let entry = entries[0].after(&failed(Some(Duration::from_secs(120))), at(0));
    assert_eq!(entry.state, State::Waiting(at(120)));
    let entry = entries[0].after(&failed(Some(Duration::from_secs(1_000_000))), at(0));
    assert_eq!(entry.state, State::Waiting(at(3600)));
}

proptest! {
    #[test]
    fn every_message_ends_delivered_whatever_fails_before(fails in prop::collection::vec(any::<bool>(), 0..40)) {
        let mut kept = BTreeMap::new();
        keep(&mut kept, admit(&BTreeMap::new(), &message(), &places(&["a", "b"]), at(0)));
        let mut now = at(0);
        let mut fails = fails.into_iter();
        while let Some(wake) = wakes_at(&kept, &[]) {
            now = now.max(wake);
            let entry = due(&kept, now)[0].clone();
            let outcome = if fails.next().unwrap_or(false) { failed(None) } else { Outcome::Delivered };
            keep(&mut kept, vec![entry.after(&outcome, now)]);
        }
        prop_assert!(kept.values().all(|entry| matches!(entry.state, State::Delivered(_))));
    }
}
