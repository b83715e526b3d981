//! Who does something on the hub's own machine.

use flagship_proto::process::socket::LocalUser;

/// As the audit log names them.
pub(super) fn actor(user: &LocalUser) -> String {
    if user.name.is_empty() {
        format!("uid {} on the hub's machine", user.uid)
    } else {
        format!("{} (uid {}) on the hub's machine", user.name, user.uid)
    }
}
