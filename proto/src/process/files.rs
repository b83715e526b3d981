//! Files that are either the old or the new, never torn: write beside, fsync, rename, fsync the folder.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Mode of files that only their owner may read: keys, tokens.
pub const PRIVATE: u32 = 0o600;

/// What could not be done with which file.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct FileError {
    /// What was tried.
    pub action: &'static str,
    /// With which file.
    pub path: PathBuf,
    /// The system's answer.
    pub source: io::Error,
}

impl FileError {
    fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// Replaces a file durably. After an error the old file is still whole.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{:08x}.new", rand::random::<u32>()));
    let beside = folder.join(name);
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&beside)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if let Err(source) = written {
        // What is left over is only the half-written copy; failing to remove it changes nothing.
        let _ = fs::remove_file(&beside);
        return Err(FileError::new("write", path, source));
    }
    sync_folder(folder)
}

/// Removes a file durably; a file that is not there is fine.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(path.parent().unwrap_or(Path::new("."))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(FileError::new("remove", path, source)),
    }
}

/// Reads a file of at most `most` bytes; nothing if there is none.
pub fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, FileError> {
    let size = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(FileError::new("read", path, source)),
    };
    if size > most {
        let source = io::Error::other(format!("{size} bytes, at most {most} are taken"));
        return Err(FileError::new("read", path, source));
    }
    fs::read(path)
        .map(Some)
        .map_err(|source| FileError::new("read", path, source))
}

/// Makes a folder, and those above it, for its owner only.
pub fn private_folder(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| FileError::new("create", path, source))
}

/// Whether others than the owner can do anything with a file.
pub fn stands_open(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// Takes away what others than the owner may do with a file or folder; says whether that was anything.
/// What is not there is fine.
pub fn tighten(path: &Path) -> Result<bool, FileError> {
    let mode = match fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(FileError::new("read", path, source)),
    };
    if mode & 0o077 == 0 {
        return Ok(false);
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700))
        .map_err(|source| FileError::new("close to others", path, source))?;
    Ok(true)
}

/// [`tighten`] for several; each that stood open is said in the log.
pub fn tighten_all<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(), FileError> {
    for path in paths {
        if tighten(path)? {
            tracing::warn!(
                path = %path.display(),
                "others could reach this; it is closed to them now, and who could read it may have"
            );
        }
    }
    Ok(())
}

fn sync_folder(folder: &Path) -> Result<(), FileError> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| FileError::new("sync", folder, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        write_atomic(&path, b"one", PRIVATE).unwrap();
        write_atomic(&path, b"two", PRIVATE).unwrap();
        assert_eq!(read(&path, 10).unwrap().unwrap(), b"two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no copy is left over"
        );
    }

    #[test]
    fn what_stands_open_is_closed_to_others_and_said_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        assert!(!tighten(&path).unwrap(), "nothing is there");
        write_atomic(&path, b"key", 0o644).unwrap();
        assert!(tighten(&path).unwrap());
        assert!(!tighten(&path).unwrap());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(tighten(folder.path()).unwrap());
        assert_eq!(mode(folder.path()), 0o700);
    }

    #[test]
    fn errors_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none").join("file");
        let error = write_atomic(&path, b"", PRIVATE).unwrap_err();
        assert!(error.to_string().contains("none/file"), "{error}");
        assert!(read(&path, 10).unwrap().is_none());
        let big = folder.path().join("big");
        write_atomic(&big, b"12345", PRIVATE).unwrap();
        assert!(read(&big, 4).unwrap_err().to_string().contains("5 bytes"));
    }
}
