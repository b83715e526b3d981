//! Rows come back as they were written; bytes that are none are refused with the key's name.

use std::sync::Arc;

use bytes::Bytes;
use flagship_proto::model::{Position, WorkloadRef};

use super::*;
use crate::store::{Key, Row};

fn row(bytes: &[u8]) -> Row {
    let at = |seq| Position { epoch: 1, seq };
    Row::new(Bytes::copy_from_slice(bytes), at(1), at(2))
}

#[test]
fn a_row_comes_back_as_it_was_written() {
    let guard = Guard {
        by: "abort a-1".to_owned(),
    };
    let read: Stored<Guard> = decode(&guard.key(), &row(&encode(&guard))).unwrap();
    assert_eq!(*read, guard);
    assert_eq!(read.modified, Position { epoch: 1, seq: 2 });
}

#[test]
fn all_who_read_a_row_share_one_value_and_the_next_commit_brings_another() {
    let store = crate::store::Store::memory();
    let put = |by: &str| {
        let guard = Guard { by: by.to_owned() };
        let txn = crate::store::Txn::new().put(&guard);
        futures::FutureExt::now_or_never(store.txn(txn))
            .unwrap()
            .unwrap();
    };
    let read = || -> Stored<Guard> { store.read(&key::guard()).unwrap().unwrap() };
    put("abort a-1");
    let (one, other) = (read(), read());
    assert!(Arc::ptr_eq(&one.value, &other.value));
    put("abort a-2");
    assert_eq!(
        (one.by.as_str(), read().by.as_str()),
        ("abort a-1", "abort a-2")
    );
}

#[test]
fn a_row_of_a_newer_hub_is_refused_with_its_key_and_a_remedy() {
    let error = decode::<Guard>(&key::guard(), &row(br#"{"v":2,"row":{"other":1}}"#)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("/v1/meta/guard"), "{text}");
    assert!(text.contains("a newer hub wrote it"), "{text}");
}

#[test]
fn a_name_cannot_leave_its_place_in_a_key() {
    let workload: WorkloadRef = "shop/Deployment/checkout".parse().unwrap();
    let uid = "u-1".parse().unwrap();
    let claim = key::claim(&workload, &uid);
    assert_eq!(claim.as_str(), "/v1/claim/shop%2FDeployment%2Fcheckout/u-1");
    let (kind, segments) = key::parse(&claim).unwrap();
    assert_eq!(kind, "claim");
    assert_eq!(segments, ["shop/Deployment/checkout", "u-1"]);
    assert!(claim.as_str().starts_with(&key::claims_of(&workload)));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes: Vec<u8>) {
        let key = key::guard();
        let row = row(&bytes);
        let _ = decode::<Guard>(&key, &row);
        let _ = decode::<ClusterRow>(&key, &row);
        let _ = decode::<RolloutRow>(&key, &row);
        let _ = decode::<OrderRow>(&key, &row);
        let _ = decode::<AbortRow>(&key, &row);
        let _ = decode::<FreezeRow>(&key, &row);
        let _ = decode::<TokenRow>(&key, &row);
    }

    #[test]
    fn any_json_in_a_row_is_read_or_refused_without_a_panic(text in r#"\{"v":1,"row":[\{\["a-z:,0-9\]\}]{0,40}\}"#) {
        let row = row(text.as_bytes());
        let _ = decode::<ClusterRow>(&key::guard(), &row);
        let _ = decode::<ReceiptRow>(&key::guard(), &row);
    }

    #[test]
    fn any_bytes_are_a_key_or_none_without_a_panic(text in ".*") {
        let _ = key::parse(&Key::from_path(&text));
    }
}
