//! What this machine can have: a row that needs what is not there is skipped by name.

use std::{fmt, path::Path};

/// Set by `tests/faults` where this process has its mounts for itself.
const OWN_MOUNTS: &str = "FAULTS_OWN_MOUNTS";

/// Where `tests/faults` found libfaketime, if it did.
pub(super) const FAKETIME: &str = "FAULTS_FAKETIME";

/// What a row may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// A mount namespace of our own, and the right to mount in it.
    Mounts,
    /// A file as a disk, and ext4 on it.
    Loop,
    /// A wall clock that can be moved for one process.
    Faketime,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mounts => "mount namespace of our own (unshare --mount)",
            Self::Loop => "loop device with ext4 (losetup, mkfs.ext4)",
            Self::Faketime => "libfaketime (tests/tools/faketime)",
        })
    }
}

impl Need {
    /// Whether it is there.
    pub(super) fn is_met(self) -> bool {
        match self {
            Self::Mounts => std::env::var_os(OWN_MOUNTS).is_some(),
            Self::Loop => Path::new("/dev/loop-control").exists() && on_path("mkfs.ext4"),
            Self::Faketime => std::env::var_os(FAKETIME).is_some(),
        }
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}
