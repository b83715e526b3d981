//! The limit on open files: a hub holds one for each agent.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises this process's limit on open files as far as the system lets it, and says how many that
/// is; `None` is no limit. Processes that it starts inherit it.
///
/// # Errors
/// The system refuses.
pub fn raise_open_files() -> io::Result<Option<u64>> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, limit)?;
    Ok(maximum)
}
