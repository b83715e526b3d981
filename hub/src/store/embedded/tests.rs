//! The file: created once, opened only, refused by name where it is not ours, whole after a kill.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use bytes::Bytes;

use super::*;
use crate::store::txn::{Precondition, Write};

/// With this set, the test process is the child that writes until it is killed.
const CHILD: &str = "FLAGSHIP_TEST_STORE_CHILD";

const SMALL: Options = Options {
    disk_low: 0,
    ballast: 4096,
};

fn key(name: &str) -> Key {
    Key::from_path(&format!("/v1/test/{name}"))
}

fn put(name: &str, value: &str) -> Txn {
    let mut txn = Txn::new();
    let value = Bytes::copy_from_slice(value.as_bytes());
    txn.writes.push(Write::bytes(key(name), value));
    txn
}

fn message(result: Result<EmbeddedStore, StoreError>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::init(folder.path(), SMALL).unwrap();
    let outcome = store.txn(put("a", "1")).await.unwrap();
    let Outcome::Committed { position } = outcome else {
        panic!("{outcome:?}")
    };
    let mut lost = put("a", "2");
    lost.preconditions.push(Precondition::Absent(key("a")));
    assert_eq!(
        store.txn(lost).await.unwrap(),
        Outcome::Conflict { key: key("a") }
    );
    drop(store);

    let store = reopened(folder.path());
    let row = store.get(&key("a")).unwrap().unwrap();
    assert_eq!(
        (row.value.as_ref(), row.modified),
        (b"1".as_slice(), position)
    );
    assert_eq!(store.position(), position);
}

/// The writer thread lets go of the file a moment after the last handle is gone.
fn reopened(folder: &Path) -> EmbeddedStore {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        match EmbeddedStore::open(folder, SMALL) {
            Ok(store) => return store,
            Err(error) => assert!(std::time::Instant::now() < deadline, "{error}"),
        }
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn trap_33_receipts_that_come_together_become_durable_together() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::init(folder.path(), SMALL).unwrap();
    let before = store.commits.load(std::sync::atomic::Ordering::Relaxed);
    let names: Vec<String> = (0..1000).map(|n| format!("receipt-{n}")).collect();
    let receipts = names.iter().map(|name| store.txn(put(name, "stopped")));
    let outcomes = futures::future::join_all(receipts).await;
    let stored = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Ok(Outcome::Committed { .. })));
    assert_eq!(stored.count(), names.len());
    let commits = store.commits.load(std::sync::atomic::Ordering::Relaxed) - before;
    assert!(
        commits <= 20,
        "{commits} commits for {} receipts",
        names.len()
    );

    drop(store);
    let store = reopened(folder.path());
    for name in &names {
        assert!(store.get(&key(name)).unwrap().is_some(), "{name}");
    }
}

#[test]
fn trap_34_only_init_creates_and_what_is_not_ours_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = path_in(folder.path());
    assert!(message(EmbeddedStore::open(folder.path(), SMALL)).contains("flagship-hub init"));
    assert!(!path.exists(), "opening created nothing");

    for (content, word) in [
        (Vec::new(), "empty"),
        (b"not a database".to_vec(), "not a store"),
        (vec![7; 9000], "not a store"),
    ] {
        std::fs::write(&path, &content).unwrap();
        let refused = message(EmbeddedStore::open(folder.path(), SMALL));
        assert!(
            refused.contains(word) && refused.contains("flagship.redb"),
            "{refused}"
        );
        let after = std::fs::read(&path).unwrap();
        assert!(after == content, "the file was changed");
        assert!(message(EmbeddedStore::init(folder.path(), SMALL)).contains("exists already"));
    }

    std::fs::remove_file(&path).unwrap();
    drop(redb::Database::create(&path).unwrap());
    assert!(message(EmbeddedStore::open(folder.path(), SMALL)).contains("not a store of Flagship"));
}

#[test]
fn a_torn_file_is_refused_and_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    drop(EmbeddedStore::init(folder.path(), SMALL).unwrap());
    drop(reopened(folder.path()));
    let path = path_in(folder.path());
    let whole = std::fs::read(&path).unwrap();
    let torn = &whole[..whole.len() / 3];
    let beside = folder.path().join("torn");
    std::fs::create_dir(&beside).unwrap();
    std::fs::write(path_in(&beside), torn).unwrap();
    let refused = message(EmbeddedStore::open(&beside, SMALL));
    assert!(refused.contains("torn"), "{refused}");
    let after = std::fs::read(path_in(&beside)).unwrap();
    assert!(after == torn, "the file was changed");
}

#[test]
fn a_second_hub_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = EmbeddedStore::init(folder.path(), SMALL).unwrap();
    let refused = message(EmbeddedStore::open(folder.path(), SMALL));
    assert!(refused.contains("another flagship-hub"), "{refused}");
}

#[tokio::test]
async fn trap_12_on_a_nearly_full_disk_only_urgent_transactions_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        disk_low: u64::MAX,
        ballast: 0,
    };
    let store = EmbeddedStore::init(folder.path(), options).unwrap();
    let refused = store.txn(put("a", "1")).await.unwrap_err();
    assert!(refused.to_string().contains("nearly full"), "{refused}");
    assert!(matches!(
        store.txn(put("a", "1").urgent()).await,
        Ok(Outcome::Committed { .. })
    ));
}

/// With this set, the test process is the child whose file may not grow for a while.
const FULL: &str = "FLAGSHIP_TEST_STORE_FULL";

#[test]
fn the_child_whose_disk_is_full() {
    let Ok(folder) = std::env::var(FULL) else {
        return;
    };
    let grow_up_to = |bytes: Option<u64>| {
        let maximum = rustix::process::getrlimit(rustix::process::Resource::Fsize).maximum;
        let limit = rustix::process::Rlimit {
            current: bytes.or(maximum),
            maximum,
        };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = reopened(Path::new(&folder));
        let size = std::fs::metadata(path_in(Path::new(&folder)))
            .unwrap()
            .len();
        store.txn(put("before", "1")).await.unwrap();
        grow_up_to(Some(size));
        let large = "x".repeat(usize::try_from(size).unwrap());
        let failed = store.txn(put("large", &large)).await.unwrap_err();
        assert!(failed.is_retryable(), "{failed}");
        assert_eq!(store.get(&key("large")).unwrap(), None);
        store.txn(put("small", "1").urgent()).await.unwrap();
        grow_up_to(None);
        store.txn(put("large", &large)).await.unwrap();
        for name in ["before", "small", "large"] {
            assert!(store.get(&key(name)).unwrap().is_some(), "{name}");
        }
        assert_eq!(store.list("/v1/audit/").unwrap().rows, []);
    });
    println!("the store came back");
}

/// The shell ignores the signal that comes with a file that may not grow, and so does its child.
#[test]
fn trap_12_after_a_full_disk_the_store_goes_on_and_keeps_what_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    drop(EmbeddedStore::init(folder.path(), SMALL).unwrap());
    drop(reopened(folder.path()));
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::embedded::tests::the_child_whose_disk_is_full",
            "--nocapture",
        ])
        .env(FULL, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the store came back"), "{said}{errors}");
    let store = reopened(folder.path());
    assert!(store.get(&key("small")).unwrap().is_some());
}

#[test]
fn the_child_that_is_killed() {
    let Ok(folder) = std::env::var(CHILD) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = reopened(Path::new(&folder));
        for number in 0..1_000_000_u32 {
            let name = format!("{number:07}");
            store.txn(put(&name, &name)).await.unwrap();
            println!("acknowledged {name}");
        }
    });
}

#[test]
fn a_killed_hub_comes_back_with_everything_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    drop(EmbeddedStore::init(folder.path(), SMALL).unwrap());
    drop(reopened(folder.path()));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::embedded::tests::the_child_that_is_killed",
            "--nocapture",
        ])
        .env(CHILD, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let acknowledged = lines
        .map_while(Result::ok)
        .filter(|line| line.contains("acknowledged"));
    let seen: Vec<String> = acknowledged.take(200).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(seen.len(), 200);

    let store = reopened(folder.path());
    for line in seen {
        let (_, name) = line.split_once("acknowledged ").unwrap();
        let row = store
            .get(&key(name))
            .unwrap()
            .expect("acknowledged and there");
        assert_eq!(row.value.as_ref(), name.as_bytes());
    }
}

#[tokio::test]
async fn a_watch_tells_of_what_is_only_on_disk_without_reading_it_where_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::init(folder.path(), SMALL).unwrap();
    let mut reads = store.watch("/v1/", 0).unwrap();
    let mut leaves = store.watch("/v1/", 0).unwrap().without_values_on_disk();
    let mut txn = put("a", "1");
    let cold = Key::from_path("/v1/history/shop/r-1/1");
    let value = Bytes::from_static(b"{}");
    txn.writes.push(Write::bytes(cold.clone(), value));
    store.txn(txn).await.unwrap();
    store.txn(put("b", "1")).await.unwrap();
    let deleted = Txn::new().delete(key("b"));
    store.txn(deleted).await.unwrap();
    let told = |watch: &mut Watch| {
        let events = watch.poll().unwrap().events.into_iter();
        let told = events.map(|event| (event.key, event.deleted, event.row.is_some()));
        told.collect::<Vec<_>>()
    };
    let hot = [(key("a"), false, true), (key("b"), true, false)];
    let [a, b] = hot;
    let whole = [a.clone(), (cold.clone(), false, true), b.clone()];
    assert_eq!(told(&mut reads), whole);
    assert_eq!(told(&mut leaves), [a, (cold, false, false), b]);
}
