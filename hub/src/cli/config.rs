//! The command line's own file: which hubs there are, how to trust each, and the token for it.
//!
//! It holds tokens, so it is written with mode 0600 and never printed.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use flagship_proto::process::files;
use serde::{Deserialize, Serialize};

use super::exit::{CliError, Exit};

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The context that is used unless told otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_context: Option<String>,
    /// Hubs by name.
    #[serde(default)]
    pub contexts: BTreeMap<String, Context>,
}

/// One hub, as this person reaches it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Context {
    /// Its address, `https://host:port`.
    pub hub: String,
    /// Its CA certificate (PEM), pinned at login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The file of this person's certificate (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<PathBuf>,
    /// The file of its key (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key: Option<PathBuf>,
    /// The project that is meant where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("hub", &self.hub)
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}

/// Where the file is: `FLAGSHIP_CONFIG`, else `$XDG_CONFIG_HOME/flagship/config.yaml`, else
/// `~/.config/flagship/config.yaml`.
pub fn path() -> Result<PathBuf, CliError> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(path) = set("FLAGSHIP_CONFIG") {
        return Ok(path.into());
    }
    let base = set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".config")));
    base.map(|base| base.join("flagship/config.yaml"))
        .ok_or_else(|| {
            CliError::new(Exit::Error, "neither HOME nor XDG_CONFIG_HOME is set")
                .remedy("set FLAGSHIP_CONFIG to a file")
        })
}

/// Reads the file; an absent one is empty.
pub fn load(path: &Path) -> Result<Config, CliError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Config::default()),
        Err(error) => {
            return Err(CliError::new(
                Exit::Error,
                format!("cannot read {}: {error}", path.display()),
            ));
        }
    };
    parse(&text, path)
}

/// Reads the file's text; `path` is for the errors.
pub fn parse(text: &str, path: &Path) -> Result<Config, CliError> {
    // The parser quotes lines of its input in errors, and this input holds tokens.
    serde_saphyr::from_str(text).map_err(|error| {
        let place = error
            .location()
            .map(|at| format!(" at line {}, column {}", at.line(), at.column()))
            .unwrap_or_default();
        CliError::bad(format!("{} is not valid{place}", path.display()))
            .remedy("mend it, or remove it and run `flagship login`")
    })
}

/// Writes the file at once or not at all, readable by its owner only.
pub fn save(path: &Path, config: &Config) -> Result<(), CliError> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        CliError::new(
            Exit::Error,
            format!("cannot {what} {}: {error}", path.display()),
        )
    };
    let text = serde_saphyr::to_string(config).map_err(|error| failed("encode", &error))?;
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder).map_err(|error| failed("make the folder of", &error))?;
    }
    files::write_atomic(path, text.as_bytes(), files::PRIVATE)
        .map_err(|error| CliError::new(Exit::Error, error.to_string()))
}

/// Whether others than the owner can read the file.
pub fn is_exposed(path: &Path) -> bool {
    files::stands_open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_read_back_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flagship/config.yaml");
        assert_eq!(load(&path).unwrap(), Config::default());
        let mut config = Config {
            current_context: Some("prod".into()),
            ..Config::default()
        };
        config.contexts.insert(
            "prod".into(),
            Context {
                hub: "https://hub:8443".into(),
                ca: Some("-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n".into()),
                token: Some("flagship_ab_c".into()),
                client_certificate: None,
                client_key: None,
                project: None,
            },
        );
        save(&path, &config).unwrap();
        save(&path, &config).unwrap();
        assert_eq!(load(&path).unwrap(), config);
        assert!(!is_exposed(&path));
    }

    #[test]
    fn an_error_in_the_file_does_not_quote_the_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        fs::write(
            &path,
            "contexts:\n  a: {hub: https://h, token: flagship_a_secret, wrong: 1}\n",
        )
        .unwrap();
        let error = load(&path).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(error.to_string().contains("line 2"), "{error}");
        assert!(!format!("{:?}", load(&path)).contains("flagship_a_secret"));
    }
}
