//! Tokens: shown once, kept as hashes, recognised, revoked.

use flagship_proto::identity::Person;

use super::*;
use crate::auth::{Binding, Grants, Role};

fn admin(hub: &Hub, name: &str) -> Result<CreatedToken, OpError> {
    let args = CreateToken {
        name: name.to_owned(),
        grants: Grants(vec![Binding::of(Role::Admin)]),
        certificate: false,
        ttl: None,
    };
    ready(hub.ops.create_token(&caller(), args, hub.now()))
}

#[test]
fn a_token_is_recognised_until_it_is_revoked_or_outdated() {
    let mut hub = Hub::empty();
    admin(&hub, "root").unwrap();
    let args = CreateToken {
        name: "ci".to_owned(),
        grants: Grants(vec![Binding::of(Role::Operator)]),
        certificate: false,
        ttl: Some(Duration::from_secs(3600)),
    };
    let created = ready(hub.ops.create_token(&caller(), args, hub.now())).unwrap();
    let id = created.row.id.clone();
    let text = created.secret.reveal();
    let known = |hub: &Hub| {
        let row = hub.ops.token(&text).unwrap();
        row.filter(|row| row.is_live(hub.now().wall))
    };
    assert_eq!(known(&hub).unwrap().name, "ci");
    let wrong = format!("{}x", &text[..text.len() - 1]);
    assert_eq!(hub.ops.token(&wrong).unwrap(), None);
    assert_eq!(hub.ops.token("").unwrap(), None);
    hub.seconds += 3600;
    assert_eq!(known(&hub), None, "its time is over");
    hub.seconds = 0;
    ready(hub.ops.revoke_token(&caller(), id.clone(), hub.now())).unwrap();
    assert_eq!(known(&hub), None);
    let twice = ready(hub.ops.revoke_token(&caller(), id, hub.now()));
    refused(twice, OpErrorKind::Refused, "token.revoked");
}

#[test]
fn no_secret_is_stored_or_audited() {
    let hub = Hub::empty();
    let text = admin(&hub, "root").unwrap().secret.reveal();
    let args = CreateEnrolToken {
        pattern: "eu-*".to_owned(),
        labels: Default::default(),
        uses: Some(3),
        ttl: None,
        approve: true,
    };
    let created = ready(hub.ops.create_enrol_token(&caller(), args, hub.now())).unwrap();
    let token = created.token(Digest::of(b"ca")).unwrap();
    assert_eq!(created.row.secret, token.secret_hash());
    let secrets = [text.splitn(3, '_').last().unwrap(), token.secret()];
    for (key, row) in hub.ops.store.list(key::ALL).unwrap().rows {
        let value = String::from_utf8_lossy(&row.value).into_owned();
        for secret in secrets {
            assert!(!value.contains(secret), "{key} holds a secret");
        }
    }
    assert!(!format!("{created:?}").contains(token.secret()));
    assert_eq!(hub.audited(), ["token.create", "enrolToken.create"]);
}

#[test]
fn a_replayed_creation_makes_no_second_token_and_shows_no_secret() {
    let hub = Hub::empty();
    let keyed = Caller {
        idempotency_key: Some("k".to_owned()),
        ..caller()
    };
    let args = CreateToken {
        name: "ci".to_owned(),
        grants: Grants(vec![Binding::of(Role::Viewer)]),
        certificate: false,
        ttl: None,
    };
    ready(hub.ops.create_token(&keyed, args.clone(), hub.now())).unwrap();
    let again = ready(hub.ops.create_token(&keyed, args, hub.now()));
    refused(again, OpErrorKind::Conflict, "token.shown");
    assert_eq!(hub.ops.tokens().unwrap().len(), 1);
}

#[test]
fn the_last_admin_token_stays() {
    let hub = Hub::empty();
    let first = admin(&hub, "root").unwrap().row.id;
    let revoke = |id| ready(hub.ops.revoke_token(&caller(), id, hub.now()));
    refused(
        revoke(first.clone()),
        OpErrorKind::Refused,
        "token.lastAdmin",
    );
    let second = admin(&hub, "other").unwrap().row.id;
    revoke(first).unwrap();
    refused(revoke(second), OpErrorKind::Refused, "token.lastAdmin");
    let unknown = revoke("nothing".parse().unwrap());
    refused(unknown, OpErrorKind::NotFound, "token.notFound");
}

#[test]
fn bad_input_of_tokens_is_refused_by_field() {
    let hub = Hub::empty();
    for name in ["", " x", "hub", "agent eu-1", "a\nb", &"x".repeat(64)] {
        refused(admin(&hub, name), OpErrorKind::BadInput, "token.name");
    }
    for (pattern, uses, ttl, code) in [
        ("", 1, 3600, "token.pattern"),
        ("EU-*", 1, 3600, "token.pattern"),
        ("eu/1", 1, 3600, "token.pattern"),
        ("eu-*", 0, 3600, "token.uses"),
        ("eu-1", 2, 3600, "token.uses"),
        ("eu-*", 2, 1, "token.ttl"),
        ("eu-*", 2, u64::MAX, "token.ttl"),
    ] {
        let args = CreateEnrolToken {
            pattern: pattern.to_owned(),
            labels: Default::default(),
            uses: Some(uses),
            ttl: Some(Duration::from_secs(ttl)),
            approve: false,
        };
        let made = ready(hub.ops.create_enrol_token(&caller(), args, hub.now()));
        let error = refused(made, OpErrorKind::BadInput, code);
        assert!(error.field.is_some() && !error.remedy.is_empty());
    }
    assert!(hub.audited().is_empty());
}

#[test]
fn a_revoked_enrolment_token_says_so() {
    let hub = Hub::empty();
    let args = CreateEnrolToken {
        pattern: "eu-1".to_owned(),
        labels: Default::default(),
        uses: None,
        ttl: None,
        approve: false,
    };
    let created = ready(hub.ops.create_enrol_token(&caller(), args, hub.now())).unwrap();
    let revoke = || {
        ready(
            hub.ops
                .revoke_enrol_token(&caller(), created.row.id.clone(), hub.now()),
        )
    };
    revoke().unwrap();
    assert!(hub.ops.enrol_tokens().unwrap()[0].revoked);
    refused(revoke(), OpErrorKind::Refused, "token.revoked");
}

#[test]
fn no_token_has_the_products_own_name_or_one_that_hides_what_it_is() {
    let hub = Hub::empty();
    for name in [
        "",
        " ada",
        "hub",
        "Hub",
        "init",
        "unknown",
        "agent",
        "agent eu-1",
        "flagship-hub",
        "root (uid 0) in eu-1",
        "uid 0 on the hub's machine",
        "ada on the hub",
        "a\u{200b}da",
        "ada\u{200d}",
        "\u{202e}ada",
        "ada\u{1b}[2J",
        "two\nlines",
        "ada\u{a0}",
        "\u{3164}",
    ] {
        let made = admin(&hub, name);
        refused(
            made.map(|made| made.row),
            OpErrorKind::BadInput,
            "token.name",
        );
    }
    for name in [
        "ada",
        "Zoë Müller",
        "山田",
        "ci/shop",
        "hubert",
        "agents' keeper",
    ] {
        admin(&hub, name).unwrap();
    }
}

#[test]
fn the_command_that_grants_a_certificate_something_takes_its_name_as_one_word() {
    let hub = Hub::empty();
    let person = Person {
        name: "x; touch $(id) #".to_owned(),
        serial: "01".to_owned(),
        not_before: hub.now().wall,
        not_after: hub.now().wall + Duration::from_secs(86_400),
    };
    let refused = hub.ops.certified(&person, hub.now().wall).unwrap_err();
    let remedy = refused.remedy;
    assert!(
        remedy.contains("--name 'x; touch $(id) #' --role"),
        "{remedy}"
    );
}

#[test]
fn a_grant_for_certificates_is_found_as_soon_as_it_is_made_and_only_by_certificates_made_since() {
    let mut hub = Hub::empty();
    let made = |hub: &Hub| Person {
        name: "ann".to_owned(),
        serial: "01".to_owned(),
        not_before: hub.now().wall,
        not_after: hub.now().wall + Duration::from_secs(86_400),
    };
    let grant = |hub: &Hub| {
        let args = CreateToken {
            name: "ann".to_owned(),
            grants: Grants(vec![Binding::of(Role::Operator)]),
            certificate: true,
            ttl: None,
        };
        ready(hub.ops.create_token(&caller(), args, hub.now())).unwrap()
    };
    let code = |hub: &Hub, person: &Person| {
        let known = hub.ops.certified(person, hub.now().wall);
        known.map(|actor| actor.name).map_err(|error| error.message)
    };
    let old = made(&hub);
    assert!(code(&hub, &old).unwrap_err().contains("granted nothing"));
    let id = grant(&hub).row.id;
    assert_eq!(code(&hub, &old).as_deref(), Ok("ann"));
    hub.seconds += 10;
    ready(hub.ops.revoke_token(&caller(), id, hub.now())).unwrap();
    assert!(code(&hub, &old).unwrap_err().contains("were revoked"));
    grant(&hub);
    let again = code(&hub, &old).unwrap_err();
    assert!(again.contains("was made before the rights"), "{again}");
    hub.seconds += 10;
    assert_eq!(code(&hub, &made(&hub)).as_deref(), Ok("ann"));
}
