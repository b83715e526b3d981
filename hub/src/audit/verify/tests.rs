//! Every way to tamper with an export, and how it is found.

use flagship_proto::model::Position;
use jiff::Timestamp;

use super::*;
use crate::audit::AuditEntry;

fn export(entries: usize) -> AuditExport {
    let mut stated = AuditHead::default();
    let entries = (0..entries)
        .map(|n| {
            let position = Position {
                epoch: 1,
                seq: n as u64,
            };
            let entry = AuditEntry::new(
                Timestamp::UNIX_EPOCH,
                "anna",
                "rollout.start",
                "rollout shop/checkout-1",
                "ship it",
            );
            String::from_utf8(stated.append(position, entry).1).unwrap()
        })
        .collect();
    AuditExport { entries, stated }
}

#[test]
fn a_whole_chain_verifies() {
    let export = export(3);
    let verified = verify(&export.to_text(), None).unwrap();
    assert_eq!(verified.count, 3);
    assert_eq!(verified.head, export.stated.head);
    assert!(verify(&super::AuditExport::default().to_text(), None).is_ok());
}

#[test]
fn a_changed_entry_is_found_by_the_next_one() {
    let mut export = export(3);
    export.entries[1] = export.entries[1].replace("anna", "otto");
    assert_eq!(
        verify(&export.to_text(), None),
        Err(Broken::Link { index: 2 })
    );
}

#[test]
fn a_changed_last_entry_is_found_by_the_head() {
    let mut export = export(2);
    export.entries[1] = export.entries[1].replace("anna", "otto");
    let found = verify(&export.to_text(), None);
    assert!(matches!(found, Err(Broken::Trailer { .. })), "{found:?}");
}

#[test]
fn a_missing_entry_is_found_by_its_index() {
    let mut export = export(3);
    export.entries.remove(1);
    assert_eq!(
        verify(&export.to_text(), None),
        Err(Broken::Index {
            line: 2,
            found: 2,
            expected: 1
        })
    );
}

#[test]
fn a_cut_tail_is_found_with_and_without_a_closing_line() {
    let whole = export(3);
    let text = whole.to_text();
    let cut: String = text
        .lines()
        .take(2)
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(verify(&cut, None), Err(Broken::NoTrailer));
    let closed_again = export(2).to_text();
    assert!(verify(&closed_again, None).is_ok());
    assert_eq!(
        verify(&closed_again, Some(whole.stated.head)),
        Err(Broken::UnknownHead(whole.stated.head))
    );
    assert!(verify(&text, Some(export(2).stated.head)).is_ok());
}

proptest::proptest! {
    #[test]
    fn any_text_is_judged_without_a_panic(text in ".*") {
        let _ = verify(&text, None);
    }
}
