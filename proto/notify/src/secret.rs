//! Secrets of channels: named by where they are kept, read when they are needed, never printed.

use std::{env, fmt, fs, path::PathBuf};

use serde::{Deserialize, Serialize};

/// Where a secret is kept. It is read at each delivery, so a rotated one needs no restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum SecretRef {
    /// A file; the white space around its content does not count.
    File(PathBuf),
    /// An environment variable of the process that sends.
    Env(String),
}

/// A secret. Its `Debug` and `Display` show nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// A secret could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("secret file {path} cannot be read: {why}")]
    File {
        /// Which file.
        path: String,
        /// The system's words.
        why: String,
    },
    /// The variable is not set.
    #[error("environment variable {0}, which holds a secret, is not set")]
    Env(String),
    /// There is nothing in it.
    #[error("the secret in {0} is empty")]
    Empty(String),
}

impl SecretRef {
    /// Reads the secret.
    pub fn read(&self) -> Result<Secret, SecretError> {
        let (found, place) = match self {
            Self::File(path) => {
                let place = path.display().to_string();
                let text = fs::read_to_string(path).map_err(|error| SecretError::File {
                    path: place.clone(),
                    why: error.to_string(),
                })?;
                (text, place)
            }
            Self::Env(name) => {
                let text = env::var(name).map_err(|_| SecretError::Env(name.clone()))?;
                (text, name.clone())
            }
        };
        let text = found.trim();
        if text.is_empty() {
            return Err(SecretError::Empty(place));
        }
        Ok(Secret(text.to_owned()))
    }
}

impl Secret {
    /// From a text that is already known.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The secret itself, for the wire only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_its_file_and_never_printed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        fs::write(&path, " https://hooks.example/T0/B0/hush \n").unwrap();
        let secret = SecretRef::File(path).read().unwrap();
        assert_eq!(secret.expose(), "https://hooks.example/T0/B0/hush");
        assert_eq!(format!("{secret:?} {secret}"), "Secret(…) …");
    }

    #[test]
    fn what_is_missing_or_empty_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none");
        let error = SecretRef::File(path.clone()).read().unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
        fs::write(&path, "\n").unwrap();
        let error = SecretRef::File(path).read().unwrap_err();
        assert!(error.to_string().contains("is empty"), "{error}");
        let error = SecretRef::Env("FLAGSHIP_NO_SUCH_VARIABLE".into())
            .read()
            .unwrap_err();
        assert!(error.to_string().contains("is not set"), "{error}");
    }
}
