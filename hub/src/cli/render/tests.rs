//! Pages as snapshots: the same view, several widths.

pub(in crate::cli) mod fixture;
mod limits;

use insta::assert_snapshot;
use jiff::Timestamp;

use super::{abort, explain, fleet, freeze, rollout, watching};
use crate::{
    api::types::{AbortPreview, About, Banner, FreezeEndView, MORE},
    cli::output::Look,
};
use fixture::{at, banner, freeze_banner, frozen, held_up, rolling, status};

const WIDE: Look = Look::plain(120);
const NARROW: Look = Look::plain(20);

#[test]
fn a_rollout_in_words() {
    assert_snapshot!(rollout::describe(WIDE, &rolling(), at(300)));
}

#[test]
fn a_stopped_rollout_shows_the_banner_and_what_can_be_done() {
    let mut view = rolling();
    view.state = "Aborted".into();
    view.banners = vec![banner()];
    view.next_steps = vec!["flagship lift a-1 --reason …".into()];
    assert_snapshot!(rollout::describe(WIDE, &view, at(300)));
}

#[test]
fn after_the_abort_was_lifted_the_fleet_at_a_glance_says_what_can_be_done() {
    let mut view = status();
    view.banners.clear();
    let retreat = "flagship retreat shop/checkout-3 --reason …   # takes every cluster back";
    view.rollouts[0].next_steps = vec![retreat.into()];
    let page = fleet::status(WIDE, &view, at(300));
    let told = format!("\nWhat you can do about shop/checkout-3:\n  {retreat}\n");
    assert!(page.ends_with(&told), "{page}");
    let lift = "flagship lift a-1 --reason …".to_owned();
    view.rollouts[0].next_steps.push(lift);
    let page = fleet::status(WIDE, &view, at(300));
    assert!(
        !page.contains("What you can do"),
        "its banner says it: {page}"
    );
}

#[test]
fn nothing_is_cut_in_a_pipe() {
    let long = "a reason in many words ".repeat(600);
    let mut view = status();
    view.banners.clear();
    view.rollouts[0].why.message.clone_from(&long);
    let piped = fleet::status(Look::plain(Look::ENDLESS), &view, at(300));
    assert!(
        piped.contains(long.trim_end()) && !piped.contains('…'),
        "{piped}"
    );
    let shown = fleet::status(Look::plain(200), &view, at(300));
    assert!(shown.contains('…'), "{shown}");
}

#[test]
fn a_share_on_the_way_back_is_of_what_goes_and_unknown_where_not_every_proxy_is_read() {
    let mut view = rolling();
    let eu = &mut view.clusters[1];
    (eu.state, eu.phase) = ("Retreating".into(), Some("Failed".into()));
    (eu.weight, eu.observed, eu.version) = (Some(0), None, Some("1.1.0".into()));
    let said = |view: &crate::api::types::RolloutView| {
        let explained = explain::page(WIDE, view, &[], Some(&view.clusters[1]), at(300));
        explained + &rollout::describe(WIDE, view, at(300))
    };
    let unread = said(&view);
    assert!(
        unread.contains("on the change is not known: not every proxy is read"),
        "{unread}"
    );
    assert!(
        unread.contains("eu-1             Retreating     ?  Failed"),
        "{unread}"
    );
    view.clusters[1].observed = Some(60);
    let read = said(&view);
    assert!(
        read.contains("60% of its traffic on the change (0% wanted)"),
        "{read}"
    );
    (view.clusters[1].weight, view.clusters[1].observed) = (Some(100), Some(100));
    view.clusters[1].version = Some("1.0.0".into());
    let other = said(&view);
    assert!(other.contains("100% of its traffic on 1.0.0"), "{other}");
    assert!(other.contains("100% on 1.0.0  Failed"), "{other}");
}

#[test]
fn what_is_lifted_and_has_not_ended_is_not_said_to_be_over() {
    let mut view = held_up();
    view.lifted = Some(crate::api::types::LiftView {
        at: at(600),
        actor: "dan".into(),
        reason: "false alarm".into(),
        narrowed_to: Vec::new(),
    });
    let head = |view: &crate::api::types::AbortView| abort::head(WIDE, view, at(300));
    let waits = head(&view);
    assert!(waits.contains("  is lifted and ends at "), "{waits}");
    assert!(
        waits.contains("nothing advances anywhere in scope after"),
        "{waits}"
    );
    assert!(!waits.contains("it stood already"), "{waits}");
    view.stood = true;
    assert!(head(&view).contains("it stood already: nothing new was ordered"));
    view.standing = false;
    let over = head(&view);
    assert!(
        over.contains("  lifted at ") && !over.contains("nothing advances"),
        "{over}"
    );
}

#[test]
fn a_line_is_written_only_where_an_abort_was_lifted_and_for_no_other_banner() {
    let mut before = rolling();
    for kind in ["unknown", "behind", "unconfirmed", "abort"] {
        before.banners.push(Banner {
            kind: kind.into(),
            id: format!("{kind} of it"),
            ..banner()
        });
    }
    let lines = watching::changes(Some(&before), &rolling(), at(301)).join("\n");
    assert_eq!(lines.matches("was lifted").count(), 1, "{lines}");
    assert!(lines.contains("abort abort of it was lifted"), "{lines}");
    assert!(lines.contains("the hub gives orders again"), "{lines}");
    let mut ended = rolling();
    ended.ended = true;
    let lines = watching::changes(Some(&before), &ended, at(301)).join("\n");
    assert!(
        !lines.contains("orders again") && !lines.contains("confirmed"),
        "{lines}"
    );
}

#[test]
fn the_live_picture_of_a_rollout() {
    assert_snapshot!(watching::picture(WIDE, &rolling(), at(300)));
}

#[test]
fn a_narrow_terminal_still_shows_who_has_how_much() {
    let picture = watching::picture(NARROW, &rolling(), at(300));
    assert!(
        picture.contains("eu-1") && picture.contains("50%"),
        "{picture}"
    );
}

#[test]
fn plain_lines_come_only_where_something_changed() {
    let before = rolling();
    assert_eq!(
        watching::changes(Some(&before), &before, at(301)),
        Vec::<String>::new()
    );
    let mut after = before.clone();
    after.clusters[1].weight = Some(80);
    after.banners = vec![banner()];
    let first = watching::changes(None, &before, at(300)).join("\n");
    let second = watching::changes(Some(&before), &after, at(302)).join("\n");
    let third = watching::changes(Some(&after), &before, at(303)).join("\n");
    assert_snapshot!(format!("{first}\n--\n{second}\n--\n{third}"));
}

#[test]
fn a_freeze_that_is_counted_with_others_now_is_not_said_to_have_ended() {
    let (mut named, mut counted) = (rolling(), rolling());
    named.banners = vec![freeze_banner()];
    counted.banners = vec![Banner {
        kind: MORE.into(),
        id: "freezes".into(),
        text: "17 more freezes stand".into(),
        remedy: "flagship get freezes".into(),
        ..freeze_banner()
    }];
    let said = watching::changes(Some(&named), &counted, at(301)).join("\n");
    assert!(said.contains("FROZEN 17 more freezes stand"), "{said}");
    assert!(said.contains("to see them: flagship get freezes"), "{said}");
    assert!(!said.contains("has ended"), "{said}");
    let over = watching::changes(Some(&named), &rolling(), at(301)).join("\n");
    assert!(over.contains("freeze f-1 has ended"), "{over}");
}

#[test]
fn an_abort_says_who_has_stopped_who_has_not_and_what_is_not_fixed() {
    assert_snapshot!(abort::page(WIDE, &held_up(), at(12)));
}

#[test]
fn a_freeze_says_what_holds_until_when_and_what_ends_it() {
    let mut view = frozen();
    let stands = freeze::page(WIDE, &view, at(300));
    let listed = freeze::list(WIDE, std::slice::from_ref(&view), at(300));
    view.standing = false;
    view.ended = Some(FreezeEndView {
        at: at(400),
        actor: "hub".into(),
        reason: "its time is over".into(),
    });
    let ended = freeze::page(WIDE, &view, at(500));
    assert_snapshot!(format!("{stands}--\n{listed}--\n{ended}"));
}

#[test]
fn a_preview_says_who_stops_by_when_who_is_outside_and_what_stays_done() {
    let found = AbortPreview {
        scope: "fleet".into(),
        joins: None,
        bound_ms: 35_300,
        bound_at: at(335),
        connected: vec!["eu-1 at 20%".into()],
        not_heard: vec!["us-1 at 50%".into()],
        held_with: Vec::new(),
        outside: vec![
            "ap-1 at 5%: its plan lets it go on until 2026-01-01 02:00:00Z while it is not heard"
                .into(),
        ],
        done: held_up().not_fixed,
        done_stays: true,
        left: Vec::new(),
        rollouts: vec!["shop/checkout-3".into()],
        taken_back: Vec::new(),
        summary: "3 unfinished go back; 1 Done stay as they are; 0 with nothing in flight".into(),
    };
    assert_snapshot!(abort::preview(WIDE, "An abort", &found, at(300)));
}

#[test]
fn the_fleet_at_a_glance() {
    assert_snapshot!(fleet::status(WIDE, &status(), at(300)));
}

#[test]
fn colours_are_only_where_they_are_wanted() {
    let coloured = Look {
        colour: true,
        ..WIDE
    };
    assert!(watching::picture(coloured, &rolling(), at(300)).contains("\x1b["));
    assert!(!watching::picture(WIDE, &rolling(), at(300)).contains('\x1b'));
}

#[test]
fn a_line_that_wraps_counts_for_the_rows_that_it_takes() {
    let look = Look {
        colour: true,
        ..Look::plain(10)
    };
    let text = format!(
        "{}\n\nshort\n",
        look.paint(crate::cli::output::Tone::Bad, "0123456789ab")
    );
    assert_eq!(look.rows(&text), 4);
}

#[test]
fn rows_are_counted_as_they_are_broken() {
    let text = "aaaaaaa bbbbbbb ccccccc";
    assert_eq!(Look::plain(12).rows(text), 3, "not 23 columns in 2 rows");
    assert_eq!(Look::plain(12).sentence(text, 2), "aaaaaaa\nbbbbbbb …");
}

#[test]
fn an_option_to_copy_is_whole_in_any_width() {
    let hit: crate::api::types::ScopeHit = serde_json::from_value(serde_json::json!({
        "option": "--workload shop/Deployment/checkout", "scope": "workload",
        "hits": "3 clusters (eu-1, eu-2, us-1), 1 rollout (shop/checkout-1), 2 in flight (eu-1 at 5%, eu-2 at 20%)",
        "clusters": 3, "rollouts": 1, "inFlight": 2,
    }))
    .unwrap();
    for width in [20, 40, 60, 80, 120] {
        let page = abort::scopes(Look::plain(width), std::slice::from_ref(&hit));
        let is_whole = |line: &str| line.contains("--workload shop/Deployment/checkout");
        assert!(page.lines().any(is_whole), "{width}\n{page}");
    }
    let page = abort::scopes(Look::plain(40), std::slice::from_ref(&hit));
    let told = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(told, format!("{} {}", hit.option, hit.hits));
    assert!(
        page.lines().skip(1).all(|line| line.chars().count() <= 40),
        "{page}"
    );
}

#[test]
fn what_is_not_fixed_says_who_is_silent_or_stuck_and_which_way_back_comes_after_which() {
    let mut view = held_up();
    let first = "flagship retreat shop/checkout-4 --reason …";
    let fixed = view.not_fixed.remove(0);
    let one = |cluster: &str, unheard: Option<&str>, stuck: Option<&str>, command: String| {
        crate::api::types::NotFixed {
            cluster: cluster.into(),
            unheard: unheard.map(Into::into),
            stuck: stuck.map(Into::into),
            command,
            ..fixed.clone()
        }
    };
    let then = format!("{first}   # then {}", fixed.command);
    view.not_fixed = vec![
        one("eu-1", Some("not heard"), None, first.to_owned()),
        one("eu-2", None, Some("crashed 3 times"), then.clone()),
    ];
    let page = abort::page(WIDE, &view, at(12));
    assert!(
        page.contains("with 100% of its traffic, done, not heard\n"),
        "{page}"
    );
    assert!(
        page.contains("with 100% of its traffic, done, crashed 3 times\n"),
        "{page}"
    );
    let ways = page.lines().filter(|line| line.contains("take them back"));
    let ways: Vec<&str> = ways.collect();
    assert_eq!(ways, [format!("  to take them back: {then}")], "{page}");
}

#[test]
fn what_stays_is_the_last_that_an_abort_says() {
    let mut view = held_up();
    let before = abort::page(WIDE, &view, at(12));
    view.stays = Some("what had succeeded stays as it is: eu-1 serves 1.1.0".into());
    let after = abort::page(WIDE, &view, at(12));
    assert_eq!(after, format!("{before}{}\n", view.stays.unwrap()));
}

#[test]
fn who_accepts_a_rollout_is_told_who_still_goes_back() {
    let mut view = rolling();
    assert_eq!(rollout::still_go_back(&view), "");
    view.clusters[0].state = "Retreating".into();
    let name = view.clusters[0].cluster.clone();
    view.clusters[0].connected = true;
    let told = format!("still going back: {name}\n");
    assert_eq!(rollout::still_go_back(&view), told);
    view.clusters[0].connected = false;
    let told = format!("not heard, going back when heard again: {name}\n");
    assert_eq!(rollout::still_go_back(&view), told);
}

#[test]
fn the_last_words_say_who_still_serves_it_who_goes_back_and_which_command_shows_who_is_not_stopped()
{
    let now: Timestamp = "2026-11-26T03:04:41Z".parse().unwrap();
    let banner = |kind: &str| Banner {
        kind: kind.to_owned(),
        id: "shop/checkout-1".to_owned(),
        text: "1.1.0 is still served by eu-1".to_owned(),
        since: now,
        remedy: "flagship-agent ctl status".to_owned(),
        about: About::Seen,
    };
    let mut view = rolling();
    let shows = "flagship describe abort a-1   # who has stopped, and who has not";
    view.next_steps = vec![shows.to_owned()];
    view.clusters.truncate(1);
    view.clusters[0].state = "Retreating".to_owned();
    let banners = [banner("abort"), banner("serving")];
    let said = watching::last_words(Look::plain(80), &banners, &view, now);
    assert_eq!(
        said,
        format!(
            "NOT FIXED 1.1.0 is still served by eu-1 (since 03:04:41Z, 0s)\n         \
             to take it back: flagship-agent ctl status\n\
             still going back: {}\n\
             What you can do:\n  {shows}\n",
            view.clusters[0].cluster
        )
    );
}

#[test]
fn an_explanation_begins_with_what_stands() {
    let mut view = rolling();
    view.banners = vec![banner()];
    let page = explain::page(WIDE, &view, &[], None, at(300));
    assert!(page.starts_with("STOPPED"), "{page}");
}
