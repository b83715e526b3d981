//! Where the real Envoy is.

use std::path::PathBuf;

/// The Envoy that `tests/tools/envoy` brought: `FLAGSHIP_ENVOY`, or `tools/envoy` in the target folder.
///
/// # Panics
/// It is not there; the message says how to bring it.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("FLAGSHIP_ENVOY") {
        return path.into();
    }
    let mut folder = std::env::current_exe().expect("a process has a program");
    while folder.pop() {
        let path = folder.join("tools/envoy");
        if path.exists() {
            return path;
        }
    }
    panic!("Envoy is missing; tests/tools/envoy brings it")
}
