//! What the processes of a fleet are given beside the example's settings: replicas, retries, short
//! certificates, clocks that can be moved.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{machine::FAKETIME, stage::CERTIFICATE, table::Setup};
use crate::{fleet::Given, tools};

/// Two processes of each primary, so that one may die; a request that meets a dead one is tried at the
/// other.
pub(super) fn given(folder: &Path, setup: Setup) -> anyhow::Result<Given> {
    let settings = [
        ("replicas: 1", "replicas: 2"),
        ("timeout: 5s}", "timeout: 5s, retries: 2}"),
    ];
    let mut given = Given {
        settings: settings
            .map(|(from, to)| (from.to_owned(), to.to_owned()))
            .to_vec(),
        ..Given::default()
    };
    match setup {
        Setup::Plain | Setup::Disk(..) => {}
        Setup::Certificates => {
            let life = "FLAGSHIP_HUB_CERTIFICATE_SECONDS".to_owned();
            given.hub.push((life, CERTIFICATE.into()));
        }
        Setup::Clocks => {
            given.hub = clock(folder, "hub");
            given.agents = clock(folder, "{cluster}");
            let envoy = envoy_without(folder)?.display().to_string();
            given.settings.push(("${ENVOY}".to_owned(), envoy));
        }
    }
    Ok(given)
}

/// The wall clock alone: leases and waits run on clocks that nobody can set.
fn clock(folder: &Path, whose: &str) -> Vec<(String, OsString)> {
    let library = std::env::var_os(FAKETIME).unwrap_or_default();
    let file = file(folder, whose);
    let fixed = [
        ("FAKETIME_CACHE_DURATION", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
        ("NO_FAKE_STAT", "1"),
        ("FAKETIME_SKIP_CMDS", "flagship-sample"),
    ];
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value.into()));
    let named = [
        ("LD_PRELOAD".to_owned(), library),
        ("FAKETIME_TIMESTAMP_FILE".to_owned(), file.into()),
    ];
    fixed.into_iter().chain(named).collect()
}

/// Envoy does not start with the library in it.
fn envoy_without(folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("envoy");
    let envoy = tools::envoy();
    let script = format!(
        "#!/bin/sh\nexec env -u LD_PRELOAD '{}' \"$@\"\n",
        envoy.display()
    );
    fs::write(&path, script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// Sets one clock off by so many seconds, from one moment to the next.
pub(super) fn set_clock(folder: &Path, whose: &str, seconds: i64) -> anyhow::Result<()> {
    let (new, path) = (file(folder, &format!("{whose}.new")), file(folder, whose));
    fs::write(&new, format!("{seconds:+}"))?;
    Ok(fs::rename(new, path)?)
}

fn file(folder: &Path, whose: &str) -> PathBuf {
    folder.join(format!("clock-{whose}"))
}
