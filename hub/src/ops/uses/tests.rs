//! Uses are written once for many, and not at all where they cannot be.

use futures::FutureExt as _;

use super::*;
use crate::store::Store;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn written(ops: &Ops) -> usize {
    ops.write_uses().now_or_never().unwrap().unwrap()
}

#[test]
fn a_token_that_is_used_often_is_written_once_and_its_last_use_is_known_at_once() {
    let store = Store::memory();
    let ops = Ops::new(store.clone());
    let (one, other): (TokenId, TokenId) = ("aa".parse().unwrap(), "bb".parse().unwrap());
    assert_eq!(written(&ops), 0);
    for second in 0..1000 {
        ops.note_use(&one, at(second));
    }
    ops.note_use(&other, at(7));
    let before = store.position().seq;
    assert_eq!(ops.last_use(&one).unwrap(), Some(at(999)));
    assert_eq!(written(&ops), 2);
    assert_eq!(written(&ops), 0, "there is nothing new");
    assert_eq!(store.position().seq, before + 1, "one transaction for both");
    let later = Ops::new(store);
    assert_eq!(later.last_use(&one).unwrap(), Some(at(999)));
    assert_eq!(later.last_use(&"cc".parse().unwrap()).unwrap(), None);
}

#[test]
fn what_a_full_disk_does_not_take_is_known_and_tried_again() {
    let Store::Memory(memory) = Store::memory() else {
        panic!("a store in memory");
    };
    let ops = Ops::new(Store::Memory(memory.clone()));
    let id: TokenId = "aa".parse().unwrap();
    ops.note_use(&id, at(7));
    memory.set_disk_low(true);
    assert!(ops.write_uses().now_or_never().unwrap().is_err());
    assert_eq!(ops.last_use(&id).unwrap(), Some(at(7)));
    memory.set_disk_low(false);
    assert_eq!(written(&ops), 1);
}
