//! Where the real servers are that the scripts under `tests/tools` bring.

use std::path::PathBuf;

/// The Envoy that `tests/tools/envoy` brought: `FLAGSHIP_ENVOY`, or in the target folder.
///
/// # Panics
/// It is not there; the message says how to bring it.
pub fn envoy() -> PathBuf {
    brought("envoy", "FLAGSHIP_ENVOY")
}

/// The Prometheus that `tests/tools/prometheus` brought: `FLAGSHIP_PROMETHEUS`, or in the target folder.
///
/// # Panics
/// It is not there; the message says how to bring it.
pub fn prometheus() -> PathBuf {
    brought("prometheus", "FLAGSHIP_PROMETHEUS")
}

/// The folder of the Chromium that `tests/tools/chromium` brought: `FLAGSHIP_CHROMIUM`, or in the target
/// folder.
///
/// # Panics
/// It is not there; the message says how to bring it.
pub fn chromium() -> PathBuf {
    brought("chromium", "FLAGSHIP_CHROMIUM")
}

fn brought(program: &str, variable: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let mut folder = std::env::current_exe().expect("a process has a program");
    while folder.pop() {
        let path = folder.join("tools").join(program);
        if path.exists() {
            return path;
        }
    }
    panic!("{program} is missing; tests/tools/{program} brings it")
}
