//! Who joins an abort later (P9): what of it stands by itself is joined as the whole was.

use flagship_proto::model::*;

use super::{aborts::aborts, fixture::*};

#[test]
fn p09_what_is_left_of_a_selectors_abort_is_joined_by_who_would_have_joined_the_whole_and_matches()
{
    let mut hub = Fixture::new(&["eu-1"]);
    let by = |key: &str, value: &str| {
        Scope::Selector(Selector {
            match_labels: Labels::from([(key.to_owned(), value.to_owned())]),
            ..Selector::default()
        })
    };
    for (id, scope, wider) in [
        ("a-1", by("region", "eu"), None),
        ("a-2", by("tier", "pilot"), Some("a-1")),
    ] {
        let order = abort(id, scope, AbortMode::Return);
        hub.apply(|at| crate::fleet::Change::Abort {
            narrowed_from: wider.map(|wider| wider.parse().unwrap()),
            lease: std::time::Duration::from_secs(2),
            clusters: Some(Default::default()),
            abort: Box::new(Abort {
                position: Some(at),
                ..order
            }),
        });
    }
    hub.lift("a-1");
    hub.after(10);
    for (name, region, tier, met) in [
        ("eu-2", "eu", "pilot", 1),
        ("eu-3", "eu", "prod", 0),
        ("us-2", "us", "pilot", 0),
    ] {
        hub.member(name, |member| {
            member.labels = Labels::from([
                ("region".to_owned(), region.to_owned()),
                ("tier".to_owned(), tier.to_owned()),
            ]);
        });
        let id = hub.open(name);
        hub.hello(id, |_| {});
        assert_eq!(aborts(&hub.drain(id)), met, "{name}");
    }
}
