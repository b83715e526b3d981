//! Tokens, renewal and proof of the old key, against a store in memory.

mod limits;

use std::{collections::BTreeMap, time::Duration};

use flagship_proto::{
    digest::Digest,
    identity::peer_id,
    model::{EnrolToken, Labels, Mono},
    sign::{Kind, SignKey},
};
use rcgen::CertificateParams;

use super::*;
use crate::{
    audit::AuditRecord,
    records::{ClusterState, EnrolTokenRow, Guard},
};

struct Fixture {
    enrol: Enrol,
    store: Store,
    now: Tick,
    _folder: tempfile::TempDir,
}

fn csr(key: &SignKey) -> Vec<u8> {
    let params = CertificateParams::default();
    params.serialize_request(key.pair()).unwrap().der().to_vec()
}

fn home() -> Origin {
    Origin::of([127, 0, 0, 1].into())
}

fn key_of() -> SignKey {
    SignKey::generate().unwrap()
}

fn der(enrolled: &Enrolled) -> Vec<u8> {
    match enrolled {
        Enrolled::Issued { certificate, .. } => certificate.der.clone(),
        Enrolled::Pending { message } => panic!("{message}"),
    }
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = Tick {
            wall: "2026-01-01T00:00:00Z".parse().unwrap(),
            mono: Mono { run: 1, millis: 0 },
        };
        let ca = Arc::new(Ca::create(folder.path(), "fleet-1", now.wall).unwrap());
        let store = Store::memory();
        let fleet = "fleet-1".parse().unwrap();
        let enrol = Enrol::new(store.clone(), ca, fleet, "shop.example");
        Self {
            enrol,
            store,
            now,
            _folder: folder,
        }
    }

    async fn token(&self, edit: impl FnOnce(&mut EnrolTokenRow)) -> String {
        let mut row = EnrolTokenRow {
            id: "t-1".parse().unwrap(),
            secret: Digest::of(b""),
            pattern: "eu-1".into(),
            labels: Labels::from([("region".to_owned(), "eu".to_owned())]),
            uses: 1,
            used: vec![],
            approve: false,
            created: self.now.wall,
            created_by: "olga".into(),
            expires: self
                .now
                .wall
                .saturating_add(Duration::from_secs(3600))
                .unwrap(),
            revoked: false,
        };
        edit(&mut row);
        let token = EnrolToken::new(
            row.id.clone(),
            "0123456789abcdef0123".into(),
            self.enrol.ca.hash(),
        )
        .unwrap();
        row.secret = token.secret_hash();
        self.store.txn(Txn::new().put(&row)).await.unwrap();
        token.to_string()
    }

    async fn ask(&self, token: &str, key: &SignKey, name: &str) -> Result<Enrolled, EnrolError> {
        self.enrol
            .enroll(token, &csr(key), name, home(), self.now)
            .await
    }

    fn row(&self, name: &str) -> ClusterRow {
        self.enrol
            .cluster(&name.parse().unwrap())
            .unwrap()
            .unwrap()
            .into_value()
    }

    fn audited(&self) -> BTreeMap<String, String> {
        let listing = self.store.list(key::AUDIT).unwrap();
        let entries = listing.rows.iter().map(|(_, row)| {
            let record: AuditRecord = serde_json::from_slice(&row.value).unwrap();
            (record.entry.action, record.entry.reason)
        });
        entries.collect()
    }
}

#[tokio::test]
async fn a_token_makes_a_member_with_its_labels_and_the_hub_says_who_it_is() {
    let hub = Fixture::new();
    let token = hub.token(|_| {}).await;
    let key = key_of();
    let enrolled = hub.ask(&token, &key, "").await.unwrap();
    let peer = peer_id(&der(&enrolled)).unwrap();
    let row = hub.row("eu-1");
    assert_eq!((peer.cluster.as_str(), &peer.uid), ("eu-1", &row.uid));
    assert_eq!(row.state, ClusterState::Active);
    assert_eq!(row.labels["region"], "eu");
    assert_eq!(row.keys[0].serial, peer.serial);
    assert!(hub.audited().contains_key("cluster.enrol"));
}

#[tokio::test]
async fn p02_inside_its_time_a_token_answers_again_for_the_same_key_and_for_no_other() {
    let hub = Fixture::new();
    let token = hub.token(|_| {}).await;
    let key = key_of();
    let first = hub.ask(&token, &key, "eu-1").await.unwrap();
    let again = hub.ask(&token, &key, "eu-1").await.unwrap();
    assert_eq!(der(&first), der(&again));
    let other = hub.ask(&token, &key_of(), "eu-1").await.unwrap_err();
    assert!(matches!(other, EnrolError::Used(_)), "{other}");
}

#[tokio::test]
async fn a_wrong_used_expired_or_revoked_token_is_said_so_and_audited() {
    let hub = Fixture::new();
    let good = hub.token(|_| {}).await;
    let wrong = good.replace("0123456789abcdef0123", "0123456789abcdef0124");
    let unknown = good.replace("t-1", "t-2");
    for token in [wrong.as_str(), unknown.as_str(), "rubbish"] {
        let error = hub.ask(token, &key_of(), "eu-1").await.unwrap_err();
        assert!(
            matches!(error, EnrolError::WrongToken(_)),
            "{token}: {error}"
        );
    }
    type Edit = fn(&mut EnrolTokenRow);
    let cases: [(Edit, &str); 3] = [
        (|row| row.revoked = true, "revoked"),
        (|row| row.expires = row.created, "expired"),
        (|row| row.uses = 0, "used"),
    ];
    for (edit, word) in cases {
        let token = hub.token(edit).await;
        let error = hub.ask(&token, &key_of(), "eu-1").await.unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        assert_eq!(hub.audited()["enrol.refuse"], error.to_string());
    }
}

#[tokio::test]
async fn a_pattern_serves_its_names_as_often_as_it_says_and_takes_no_members_name() {
    let hub = Fixture::new();
    let wide = |row: &mut EnrolTokenRow| {
        row.pattern = "eu-*".into();
        row.uses = 2;
    };
    let token = hub.token(wide).await;
    hub.ask(&token, &key_of(), "eu-1").await.unwrap();
    let other = hub.ask(&token, &key_of(), "us-1").await.unwrap_err();
    assert!(matches!(other, EnrolError::OtherName { .. }), "{other}");
    let taken = hub.ask(&token, &key_of(), "eu-1").await.unwrap_err();
    assert!(matches!(taken, EnrolError::NameTaken(_)), "{taken}");
    hub.ask(&token, &key_of(), "eu-2").await.unwrap();
    let used = hub.ask(&token, &key_of(), "eu-3").await.unwrap_err();
    assert!(matches!(used, EnrolError::Used(_)), "{used}");
}

#[tokio::test]
async fn p01_the_same_name_enrolled_again_has_another_uid_and_the_old_one_is_former() {
    let hub = Fixture::new();
    let token = hub.token(|_| {}).await;
    let first = hub.ask(&token, &key_of(), "eu-1").await.unwrap();
    let before = hub.row("eu-1").uid;
    let token = hub.token(|row| row.id = "t-2".parse().unwrap()).await;
    hub.ask(&token, &key_of(), "eu-1").await.unwrap();
    let row = hub.row("eu-1");
    assert_ne!(row.uid, before);
    assert_eq!(row.former, [before]);
    let old = peer_id(&der(&first)).unwrap();
    let refused = hub.enrol.renew(&old, &csr(&key_of()), hub.now).await;
    assert!(matches!(refused, Err(EnrolError::Certificate(_))));
}

#[tokio::test]
async fn who_waits_for_approval_gets_its_certificate_with_the_same_key() {
    let hub = Fixture::new();
    let token = hub.token(|row| row.approve = true).await;
    let key = key_of();
    for _ in 0..2 {
        let pending = hub.ask(&token, &key, "eu-1").await.unwrap();
        assert!(
            matches!(pending, Enrolled::Pending { ref message } if message.contains("approve eu-1"))
        );
    }
    let mut row = hub.row("eu-1");
    row.state = ClusterState::Active;
    hub.store.txn(Txn::new().put(&row)).await.unwrap();
    let issued = hub.ask(&token, &key, "eu-1").await.unwrap();
    assert_eq!(peer_id(&der(&issued)).unwrap().uid, row.uid);
    assert_eq!(hub.row("eu-1").keys.len(), 1);
    let other = hub.ask(&token, &key_of(), "eu-1").await.unwrap_err();
    assert!(matches!(other, EnrolError::Used(_)), "{other}");
}

#[tokio::test]
async fn a_member_renews_and_both_certificates_stay_on_record() {
    let hub = Fixture::new();
    let token = hub.token(|_| {}).await;
    let key = key_of();
    let first = hub.ask(&token, &key, "eu-1").await.unwrap();
    let peer = peer_id(&der(&first)).unwrap();
    let next = hub.enrol.renew(&peer, &csr(&key), hub.now).await.unwrap();
    let serials: Vec<String> = hub
        .row("eu-1")
        .keys
        .into_iter()
        .map(|key| key.serial)
        .collect();
    assert_eq!(serials, [peer_id(&der(&next)).unwrap().serial, peer.serial]);
}

#[tokio::test]
async fn an_expired_member_enrols_again_with_its_old_key_inside_the_grace_period_only() {
    let mut hub = Fixture::new();
    let token = hub.token(|_| {}).await;
    let key = key_of();
    let old = der(&hub.ask(&token, &key, "eu-1").await.unwrap());
    hub.now = hub.now.plus(Duration::from_secs(10 * 24 * 3600));
    let next = csr(&key);
    let proof = key.sign_bytes(Kind::Reenroll, &next).unwrap();
    let stranger = key_of().sign_bytes(Kind::Reenroll, &next).unwrap();
    let refused = hub
        .enrol
        .reenroll(&old, &next, &stranger, home(), hub.now)
        .await;
    assert!(matches!(refused, Err(EnrolError::Certificate(_))));
    hub.enrol
        .reenroll(&old, &next, &proof, home(), hub.now)
        .await
        .unwrap();
    hub.now = hub.now.plus(Duration::from_secs(30 * 24 * 3600));
    let late = hub
        .enrol
        .reenroll(&old, &next, &proof, home(), hub.now)
        .await;
    assert!(matches!(late, Err(EnrolError::GraceOver(_))));
}

#[tokio::test]
async fn a_renewal_whose_answer_was_lost_gets_the_same_certificate_however_often_it_asks() {
    let hub = Fixture::new();
    let token = hub.token(|_| {}).await;
    let key = key_of();
    let first = hub.ask(&token, &key, "eu-1").await.unwrap();
    let peer = peer_id(&der(&first)).unwrap();
    let next = der(&hub.enrol.renew(&peer, &csr(&key), hub.now).await.unwrap());
    for _ in 0..2 * KEPT_KEYS {
        let again = hub.enrol.renew(&peer, &csr(&key), hub.now).await.unwrap();
        assert_eq!(der(&again), next);
    }
    assert_eq!(
        hub.row("eu-1").keys.len(),
        2,
        "what the agent lives by stays on record"
    );
}

#[tokio::test]
async fn p01_who_has_a_members_key_and_asks_for_another_one_is_a_clone() {
    for is_expired in [false, true] {
        let mut hub = Fixture::new();
        let token = hub.token(|_| {}).await;
        let key = key_of();
        let old = der(&hub.ask(&token, &key, "eu-1").await.unwrap());
        let other = csr(&key_of());
        let refused = if is_expired {
            hub.now = hub.now.plus(Duration::from_secs(10 * 24 * 3600));
            let proof = key.sign_bytes(Kind::Reenroll, &other).unwrap();
            hub.enrol
                .reenroll(&old, &other, &proof, home(), hub.now)
                .await
        } else {
            let peer = peer_id(&old).unwrap();
            hub.enrol.renew(&peer, &other, hub.now).await
        };
        assert!(matches!(refused, Err(EnrolError::OtherKey(_))));
        let row = hub.row("eu-1");
        let ClusterState::Quarantined { reason } = &row.state else {
            panic!("{:?}", row.state);
        };
        assert_eq!(&hub.audited()["cluster.quarantine"], reason);
        assert_eq!(row.keys.len(), 1, "no second key was certified");
        let guard: Option<Stored<Guard>> = hub.store.read(&key::guard()).unwrap();
        assert_eq!(guard.unwrap().by, "quarantine of eu-1");
    }
}

#[tokio::test]
async fn p15_who_asks_for_the_name_of_a_member_bumps_the_guard_as_the_member_leaves() {
    let hub = Fixture::new();
    let token = hub.token(|_| {}).await;
    hub.ask(&token, &key_of(), "eu-1").await.unwrap();
    let guard = || -> Stored<Guard> { hub.store.read(&key::guard()).unwrap().unwrap() };
    let before = guard().modified;
    let waiting = |row: &mut EnrolTokenRow| {
        row.id = "t-2".parse().unwrap();
        row.approve = true;
    };
    let token = hub.token(waiting).await;
    let pending = hub.ask(&token, &key_of(), "eu-1").await.unwrap();
    assert!(matches!(pending, Enrolled::Pending { .. }));
    assert_eq!(hub.row("eu-1").state, ClusterState::Pending);
    assert!(
        guard().modified > before,
        "an admission in between conflicts"
    );
}

#[tokio::test]
async fn a_removed_or_quarantined_member_gets_no_certificate() {
    let hub = Fixture::new();
    let token = hub.token(|_| {}).await;
    let key = key_of();
    let peer = peer_id(&der(&hub.ask(&token, &key, "eu-1").await.unwrap())).unwrap();
    for state in [
        ClusterState::Removed {
            at: hub.now.wall,
            left: Vec::new(),
        },
        ClusterState::Quarantined {
            reason: "two keys".into(),
        },
    ] {
        let mut row = hub.row("eu-1");
        row.state = state;
        hub.store.txn(Txn::new().put(&row)).await.unwrap();
        let renewed = hub.enrol.renew(&peer, &csr(&key), hub.now).await;
        assert!(matches!(renewed, Err(EnrolError::NotActive { .. })));
        let replayed = hub.ask(&token, &key, "eu-1").await;
        assert!(matches!(replayed, Err(EnrolError::NotActive { .. })));
    }
}
