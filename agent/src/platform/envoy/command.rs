//! The command of a version: what is filled in, and the digest that identifies it in every cluster (S6).

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Mutex,
};

use flagship_proto::digest::Digest;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// A version cannot be started here, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("version {version:?} cannot be started: {why}")]
pub struct NotStartable {
    version: String,
    why: String,
}

impl NotStartable {
    pub(super) fn new(version: &str, why: impl Into<String>) -> Self {
        Self {
            version: version.chars().take(80).collect(),
            why: why.into(),
        }
    }
}

/// What a cluster fills in for one process; no part of the digest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'a> {
    pub port: u16,
    pub replica: u32,
    pub data: &'a Path,
}

/// The command line of one process: the executable's path, and its arguments.
pub(super) fn argv(
    command: &[String],
    version: &str,
    own: Own<'_>,
) -> Result<(PathBuf, Vec<String>), NotStartable> {
    let mut parts = with_version(command, version)?.into_iter().map(|part| {
        part.replace("{port}", &own.port.to_string())
            .replace("{replica}", &own.replica.to_string())
            .replace("{data}", &own.data.to_string_lossy())
    });
    let name = parts
        .next()
        .ok_or_else(|| NotStartable::new(version, "the command is empty"))?;
    Ok((executable(&name, version)?, parts.collect()))
}

/// Digests of versions. Executables are read again only when the file has changed.
#[derive(Debug, Default)]
pub(super) struct Identifier {
    read: Mutex<BTreeMap<PathBuf, (Stamp, Digest)>>,
}

/// What changes when a file's bytes do.
type Stamp = (u64, u64, i64, i64);

#[derive(Serialize)]
struct Identity<'a> {
    command: &'a [String],
    executable: Digest,
}

impl Identifier {
    /// The digest of a version: of the command with `{version}` filled in and the cluster's own
    /// placeholders as they stand, and of the executable's bytes. Reads a file: not for async tasks.
    pub(super) fn digest(&self, command: &[String], version: &str) -> Result<Digest, NotStartable> {
        let filled = with_version(command, version)?;
        let name = filled
            .first()
            .ok_or_else(|| NotStartable::new(version, "the command is empty"))?;
        let path = executable(name, version)?;
        let executable = self.bytes_of(&path).map_err(|error| {
            NotStartable::new(version, format!("cannot read {}: {error}", path.display()))
        })?;
        let identity = Identity {
            command: &filled,
            executable,
        };
        Digest::of_document(&identity)
            .map_err(|error| NotStartable::new(version, format!("no digest: {error}")))
    }

    fn bytes_of(&self, path: &Path) -> std::io::Result<Digest> {
        let metadata = fs::metadata(path)?;
        let stamp = (
            metadata.ino(),
            metadata.len(),
            metadata.mtime(),
            metadata.mtime_nsec(),
        );
        let mut read = self.read.lock().expect("no holder of this lock panics");
        if let Some((known, digest)) = read.get(path)
            && *known == stamp
        {
            return Ok(*digest);
        }
        let digest = hash_file(path)?;
        read.insert(path.to_owned(), (stamp, digest));
        Ok(digest)
    }
}

fn hash_file(path: &Path) -> std::io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(Digest::from_bytes(hasher.finalize().into()));
        }
        hasher.update(&buffer[..count]);
    }
}

fn with_version(command: &[String], version: &str) -> Result<Vec<String>, NotStartable> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    let begins = version.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !begins || version.len() > 128 || !version.chars().all(plain) {
        return Err(NotStartable::new(
            version,
            "not a version: use 1 to 128 letters, digits and '.', '_', '-', '+', with a letter or digit first",
        ));
    }
    Ok(command
        .iter()
        .map(|part| part.replace("{version}", version))
        .collect())
}

/// Where the executable is: a path as it stands, a bare name by `PATH`.
fn executable(name: &str, version: &str) -> Result<PathBuf, NotStartable> {
    let runs = |path: &Path| {
        fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    let found = if name.contains('/') {
        Some(PathBuf::from(name)).filter(|path| runs(path))
    } else {
        let folders = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&folders)
            .map(|folder| folder.join(name))
            .find(|path| runs(path))
    };
    found.ok_or_else(|| {
        NotStartable::new(
            version,
            format!("its command {name:?} is missing or not executable"),
        )
    })
}

/// Finds an executable as a command's first word would be found.
pub(super) fn find_executable(name: &Path) -> Option<PathBuf> {
    executable(name.to_str()?, "").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    #[test]
    fn s06_the_clusters_own_placeholders_are_no_part_of_the_digest() {
        let identifier = Identifier::default();
        let command = command(&["/bin/sh", "{version}", "--port", "{port}", "{data}"]);
        let one = identifier.digest(&command, "1.0.0").unwrap();
        let again = Identifier::default().digest(&command, "1.0.0").unwrap();
        assert_eq!(one, again);
        assert_ne!(one, identifier.digest(&command, "1.0.1").unwrap());
        let own = Own {
            port: 8080,
            replica: 2,
            data: Path::new("/d"),
        };
        let (path, arguments) = argv(&command, "1.0.0", own).unwrap();
        assert_eq!(path, Path::new("/bin/sh"));
        assert_eq!(arguments, ["1.0.0", "--port", "8080", "/d"]);
    }

    #[test]
    fn s06_other_bytes_of_the_executable_are_another_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app");
        let command = vec![path.to_str().unwrap().to_owned(), "{version}".to_owned()];
        let write = |text: &str| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        };
        let identifier = Identifier::default();
        write("one");
        let one = identifier.digest(&command, "1").unwrap();
        write("other");
        assert_ne!(one, identifier.digest(&command, "1").unwrap());
    }

    #[test]
    fn a_missing_command_and_a_strange_version_are_said() {
        let identifier = Identifier::default();
        let missing = identifier
            .digest(&command(&["/none/app-{version}"]), "1.2")
            .unwrap_err();
        assert_eq!(
            missing.to_string(),
            "version \"1.2\" cannot be started: its command \"/none/app-1.2\" is missing or not executable"
        );
        let strange = identifier
            .digest(&command(&["/bin/sh"]), "../1")
            .unwrap_err();
        assert!(strange.to_string().contains("not a version"), "{strange}");
    }
}
