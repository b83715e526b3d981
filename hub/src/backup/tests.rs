//! A backup that is not whole is refused, whatever is wrong with it.

use super::*;
use crate::audit::AuditEntry;

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn position(seq: u64) -> Position {
    Position { epoch: 1, seq }
}

/// A backup of two audit entries, a plan and a key.
fn whole() -> Vec<u8> {
    let mut audit = AuditHead::default();
    let mut rows = Vec::new();
    for seq in 1..3 {
        let entry = AuditEntry::new(AT, "ana", "plan.apply", "plan shop/checkout", "why not");
        let (index, bytes) = audit.append(position(seq), entry);
        rows.push((Key::audit(index), Bytes::from(bytes)));
    }
    rows.push((
        Key::from_path("/v1/plan/shop/checkout"),
        Bytes::from_static(b"{\"v\":1}"),
    ));
    let mut bytes = Vec::new();
    let head = Head::new("fleet-1".parse().unwrap(), AT, position(2), audit);
    let mut writer = Writer::begin(&mut bytes, head).unwrap();
    let file = File {
        name: "ca.key.pem".to_owned(),
        mode: 0o600,
        content: b"secret".to_vec(),
    };
    writer.file(file).unwrap();
    for (key, value) in rows {
        let row = Row::new(value, position(1), position(2));
        writer.row(&key, &row).unwrap();
    }
    writer.end().unwrap();
    bytes
}

#[test]
fn what_was_written_is_read_back() {
    let contents = read(whole().as_slice()).unwrap();
    assert_eq!(contents.head.position, position(2));
    assert_eq!(contents.files[0].content, b"secret");
    assert_eq!(contents.rows.len(), 3);
    assert_eq!(contents.rows[2].1.modified, position(2));
}

#[test]
fn a_backup_that_was_cut_anywhere_is_refused() {
    let whole = whole();
    for end in 0..whole.len() {
        assert!(read(&whole[..end]).is_err(), "cut at {end}");
    }
    let longer = [whole.as_slice(), b"{}\n"].concat();
    assert!(read(longer.as_slice()).is_err());
}

#[test]
fn a_backup_with_one_changed_byte_is_refused() {
    let whole = whole();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(read(changed.as_slice()).is_err(), "changed at {at}");
    }
}

#[test]
fn a_backup_whose_audit_log_was_changed_and_closed_again_is_refused() {
    let text = String::from_utf8(whole())
        .unwrap()
        .replace("why not", "why yes");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.pop();
    let mut closed = lines.join("\n");
    closed.push('\n');
    let end = End {
        files: 1,
        rows: 3,
        sha256: Digest::of(closed.as_bytes()),
    };
    closed += &serde_json::to_string(&Line::End(end)).unwrap();
    closed.push('\n');
    let refused = read(closed.as_bytes()).unwrap_err();
    assert!(matches!(refused, Unusable::Audit(_)), "{refused}");
}
