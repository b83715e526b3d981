//! Small terminals, long names and large fleets: every page stays readable.

use super::{
    super::{abort, explain, fleet, rollout, watching},
    WIDE,
    fixture::{at, held_up, line, rolling, status},
};
use crate::{
    api::types::{NotHeardView, RolloutView},
    cli::output::Look,
};

/// The rolling rollout, with so many more clusters in its last wave.
fn large(clusters: usize) -> RolloutView {
    let mut view = rolling();
    let like = view.clusters[2].clone();
    for number in 0..clusters {
        let mut cluster = like.clone();
        cluster.cluster = format!("us-{number:05}");
        view.waves[2].clusters.push(cluster.cluster.clone());
        view.clusters.push(cluster);
    }
    view
}

#[test]
fn a_picture_fits_its_terminal_with_ten_thousand_clusters() {
    let view = large(10_000);
    for (width, height) in [(20, 12), (40, 24), (80, 24), (200, 60)] {
        let look = Look {
            height,
            ..Look::plain(width)
        };
        let picture = watching::picture(look, &view, at(300));
        assert!(look.rows(&picture) <= height, "{width}x{height}\n{picture}");
        assert!(picture.contains("eu-1"), "who is under way\n{picture}");
        assert!(picture.contains("50%"), "{picture}");
        assert!(
            picture.contains("more"),
            "the others are counted\n{picture}"
        );
    }
}

#[test]
fn no_line_of_a_picture_is_wider_than_its_terminal_whatever_the_names() {
    let mut view = rolling();
    for cluster in &mut view.clusters {
        cluster.wave = "w".repeat(40);
        cluster.cluster = format!("{}-{}", cluster.cluster, "c".repeat(40));
    }
    for width in 60..=130 {
        let look = Look {
            height: 40,
            ..Look::plain(width)
        };
        let picture = watching::picture(look, &view, at(300));
        let clusters = picture.lines().filter(|line| line.starts_with("www"));
        let widest = clusters.map(|line| line.chars().count()).max();
        assert!(
            widest.is_some_and(|widest| widest <= width),
            "{width}\n{picture}"
        );
    }
}

#[test]
fn pages_of_ten_thousand_clusters_name_those_that_matter_and_count_the_others() {
    let view = large(10_000);
    let described = rollout::describe(WIDE, &view, at(300));
    assert!(described.lines().count() < 60, "{described}");
    assert!(described.contains("10001 Waiting"), "{described}");
    let explained = explain::page(WIDE, &view, &[], None, at(300));
    assert!(explained.lines().count() < 60, "{explained}");
    let mut view = status();
    let silent = view.not_heard.remove(0);
    let silent = |n| NotHeardView {
        cluster: format!("us-{n:05}"),
        ..silent.clone()
    };
    view.not_heard = (0..10_000).map(silent).collect();
    let glance = fleet::status(WIDE, &view, at(300));
    assert!(glance.contains("and 9988 more"), "{glance}");
    assert!(glance.len() < 4_000, "{glance}");
}

#[test]
fn a_name_of_253_characters_leaves_room_for_weight_and_state() {
    let mut view = rolling();
    view.clusters[1].cluster = "n".repeat(253);
    for width in [20, 80, 120] {
        let look = Look::plain(width);
        let picture = watching::picture(look, &view, at(300));
        let line = picture.lines().find(|line| line.contains("50%"));
        let line = line.unwrap_or_else(|| panic!("{picture}"));
        assert!(line.contains("nnn"), "{line}");
        assert!(line.chars().count() <= width, "{width}: {line}");
    }
}

#[test]
fn an_explanation_goes_from_the_start_to_now_and_says_what_is_not_yet() {
    let view = rolling();
    let history = [
        line(1, 1, None, "Started", "rollout of 1.1.0 started"),
        line(
            2,
            60,
            None,
            "WaveDone",
            "wave pilot is done: 1 cluster done, 0 skipped",
        ),
        line(3, 61, Some("eu-1"), "Order", "Run 1.1.0 for eu-1"),
        line(4, 61, None, "ClusterStarted", "eu-1 started, attempt 1"),
    ];
    let whole = explain::page(WIDE, &view, &history, None, at(300));
    let one = explain::page(WIDE, &view, &history, Some(&view.clusters[1]), at(300));
    let other = explain::page(WIDE, &view, &history, Some(&view.clusters[2]), at(300));
    insta::assert_snapshot!(format!("{whole}--\n{one}--\n{other}"));
}

#[test]
fn a_cluster_without_a_place_is_told_who_has_them() {
    let mut view = rolling();
    let mut second = view.clusters[1].clone();
    second.cluster = "eu-2".into();
    second.state = "Waiting".into();
    second.weight = None;
    view.clusters.push(second);
    let text = explain::cluster_not_yet(&view, &view.clusters[3], at(300)).unwrap();
    assert!(
        text.contains("takes 50% at once") && text.contains("eu-1"),
        "{text}"
    );
    view.clusters[3].connected = false;
    let text = explain::cluster_not_yet(&view, &view.clusters[3], at(300)).unwrap();
    assert!(text.contains("not connected"), "{text}");
    view.state = "Paused".into();
    let text = explain::cluster_not_yet(&view, &view.clusters[3], at(300)).unwrap();
    assert!(text.contains("Paused"), "{text}");
}

#[test]
fn an_abort_of_ten_thousand_clusters_fits_its_terminal_with_those_that_did_not_stop() {
    let mut view = held_up();
    let like = view.clusters[3].clone();
    let fixed = view.not_fixed.first().cloned();
    for number in 0..10_000 {
        let mut cluster = like.clone();
        cluster.cluster = format!("us-{number:05}");
        view.clusters.insert(0, cluster);
        view.not_fixed.extend(fixed.clone());
    }
    let look = Look {
        height: 60,
        ..Look::plain(120)
    };
    let picture = abort::picture(look, &view, at(12));
    assert!(look.rows(&picture) <= 60, "{picture}");
    assert!(picture.contains("NOT STOPPED"), "{picture}");
    assert!(picture.contains("more cluster"), "{picture}");
}
