//! Bindings against objects: what is covered, what is only seen, and what a refusal says.

use flagship_proto::model::{Labels, Selector};

use super::*;

fn labels(text: &str) -> Labels {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn bound(role: Role, projects: &[&str], selector: Option<&str>) -> Grants {
    let projects = projects.iter().map(|name| name.parse().unwrap());
    Grants(vec![Binding {
        projects: projects.collect(),
        selector: selector.map(|text| Selector {
            match_labels: labels(text),
            ..Selector::default()
        }),
        ..Binding::of(role)
    }])
}

/// What is decided about one right over everything that there is to act on.
fn decided(grants: &Grants, right: Right) -> Vec<&'static str> {
    let (shop, bank) = ("shop".parse().unwrap(), "bank".parse().unwrap());
    let (mine, other) = ("shop/a".parse().unwrap(), "bank/b".parse().unwrap());
    let (eu, us) = ("eu-1".parse().unwrap(), "us-1".parse().unwrap());
    let (pay, none) = (labels("team=pay"), Labels::new());
    let (in_eu, in_us) = (labels("region=eu"), labels("region=us"));
    let workload = "shop/Deployment/checkout".parse().unwrap();
    let objects = [
        ("fleet", Object::Fleet),
        ("project", Object::Project(&shop)),
        ("plan", Object::Plan(&mine, &none)),
        ("labelled plan", Object::Plan(&mine, &pay)),
        ("other project", Object::Project(&bank)),
        ("other plan", Object::Plan(&other, &pay)),
        ("eu", Object::Cluster(&eu, &in_eu)),
        ("us", Object::Cluster(&us, &in_us)),
        ("workload", Object::Workload(&workload)),
    ];
    let may = objects
        .into_iter()
        .filter(|(_, object)| grants.decide(right, *object).is_ok());
    may.map(|(name, _)| name).collect()
}

#[test]
fn a_binding_covers_what_lies_wholly_in_it() {
    for (projects, selector, covered) in [
        (
            &[][..],
            None,
            &[
                "fleet",
                "project",
                "plan",
                "labelled plan",
                "other project",
                "other plan",
                "eu",
                "us",
                "workload",
            ][..],
        ),
        (&["shop"], None, &["project", "plan", "labelled plan"]),
        (&["shop"], Some("team=pay"), &["labelled plan"]),
        (&[], Some("team=pay"), &["labelled plan", "other plan"]),
        (&[], Some("region=eu"), &["eu"]),
        (&["shop"], Some("region=eu"), &[]),
    ] {
        let grants = bound(Role::Responder, projects, selector);
        assert_eq!(decided(&grants, Right::Stop), covered, "{grants}");
        assert!(decided(&grants, Right::Ship).is_empty(), "{grants}");
    }
}

#[test]
fn a_right_in_one_binding_is_none_in_the_place_of_another() {
    let mut grants = bound(Role::Operator, &["shop"], None);
    grants.0.extend(bound(Role::Viewer, &[], None).0);
    assert_eq!(
        decided(&grants, Right::Ship),
        ["project", "plan", "labelled plan"]
    );
    assert_eq!(decided(&grants, Right::View).len(), 9);
}

#[test]
fn lifting_is_a_right_of_its_own() {
    for role in Role::ALL {
        let mut grants = bound(role, &[], None);
        let by_role = role == Role::Admin;
        for right in [Right::Lift, Right::Unfreeze] {
            assert_eq!(grants.decide(right, Object::Fleet).is_ok(), by_role);
        }
        grants.0[0].lift = true;
        for right in [Right::Lift, Right::Unfreeze] {
            assert!(grants.decide(right, Object::Fleet).is_ok(), "{role}");
        }
        let ships = role.may(Right::Ship);
        let may_ship = grants.decide(Right::Ship, Object::Fleet).is_ok();
        assert_eq!(
            may_ship, ships,
            "{role} who may lift ships no more than before"
        );
    }
}

#[test]
fn what_may_not_be_seen_is_told_apart_from_what_may_not_be_done() {
    let grants = bound(Role::Viewer, &["shop"], None);
    let (shop, bank) = ("shop".parse().unwrap(), "bank".parse().unwrap());
    let other = grants.decide(Right::Stop, Object::Project(&bank));
    assert_eq!(other, Err(Denied::Unseen));
    let Err(Denied::Missing(missing)) = grants.decide(Right::Stop, Object::Project(&shop)) else {
        panic!("a viewer stops nothing");
    };
    assert_eq!(
        missing.to_string(),
        "may not stop all of project shop: it is viewer of project shop"
    );
    assert_eq!(missing.remedy, "use a token with the role responder");
}

#[test]
fn a_refusal_says_what_may_be_done_instead() {
    let grants = bound(Role::Responder, &["shop", "cart"], None);
    let Err(Denied::Missing(missing)) = grants.decide(Right::Stop, Object::Fleet) else {
        panic!("two projects are not the fleet");
    };
    assert_eq!(
        missing.to_string(),
        "may not stop the whole fleet: it may stop projects shop, cart"
    );
    assert_eq!(
        missing.remedy,
        "name something in projects shop, cart (`flagship abort` without a scope lists it), or use a token with the role responder of the whole fleet"
    );
}
