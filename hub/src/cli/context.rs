//! What a verb works with: the hub's client, the project, the look of the terminal, and questions.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::Path,
    sync::Arc,
};

use flagship_proto::{command::Command, digest::Digest, process::files, tls::CurrentCert};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::{
    client::Client,
    common::Global,
    config::{self, Config, Context},
    exit::{CliError, Exit},
    output::{Format, Look, remark},
};

/// What a verb works with.
#[derive(Debug)]
pub struct Session {
    /// The hub.
    pub client: Client,
    /// The project that is meant where none is named.
    pub project: Option<String>,
    /// The project that was typed; for `abort` it is a scope, which nothing else may be by accident.
    pub named_project: Option<String>,
    /// How answers are printed.
    pub format: Format,
    /// How text may look.
    pub look: Look,
    yes: bool,
}

impl Session {
    /// Finds hub, CA and token: options first, then the environment, then the context. Says so where
    /// others can read the file that holds tokens.
    pub fn open(global: &Global) -> Result<Self, CliError> {
        if let Ok(path) = config::path() {
            warn_if_exposed(&path);
        }
        Self::find(global)
    }

    /// The same without a word.
    pub fn find(global: &Global) -> Result<Self, CliError> {
        let context = chosen(global)?;
        let hub = global
            .hub
            .clone()
            .or_else(|| context.as_ref().map(|c| c.hub.clone()))
            .ok_or_else(|| {
                CliError::bad("no hub is known").remedy(
                    "run `flagship login https://host:port --ca-hash sha256:…`, or give --hub and --ca",
                )
            })?;
        // A token and a CA are for the hub that they were kept with, and for no other.
        let kept = context.as_ref().filter(|c| same_hub(&c.hub, &hub));
        let ca = match &global.ca {
            Some(path) => Some(read(path)?),
            None => kept.and_then(|c| c.ca.clone()),
        };
        let token = match token(global)? {
            Some(token) => Some(token),
            None => kept.and_then(|c| c.token.clone()),
        };
        let own = match certificate(global)? {
            Some(own) => Some(own),
            None => kept.map(Context::certificate).transpose()?.flatten(),
        };
        let client = Client::certified(&hub, ca.as_deref(), token, own)?;
        Ok(Self {
            client: client.mended(another_token(global, &hub, ca.as_deref())),
            project: global
                .project
                .clone()
                .or_else(|| {
                    std::env::var("FLAGSHIP_PROJECT")
                        .ok()
                        .filter(|p| !p.is_empty())
                })
                .or_else(|| context.and_then(|c| c.project)),
            named_project: global.project.clone(),
            format: global.output,
            look: global.look(),
            yes: global.yes,
        })
    }

    /// This moment, for texts.
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Asks before what is dangerous. Without a terminal there is nobody to ask: it goes on.
    pub fn confirm(&self, question: &str) -> Result<(), CliError> {
        if self.yes || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Ok(());
        }
        write!(io::stderr(), "{question} [y/N] ").ok();
        let mut answer = String::new();
        io::stdin()
            .lock()
            .read_line(&mut answer)
            .map_err(|error| CliError::new(Exit::Error, format!("cannot read stdin: {error}")))?;
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            Ok(())
        } else {
            Err(CliError::new(Exit::Refused, "nothing was changed")
                .remedy("answer y, or give --yes"))
        }
    }

    /// Asks before something is gone for good. Without a terminal there is nobody to ask: it is refused
    /// unless `--yes` was typed.
    pub fn insist(&self, question: &str) -> Result<(), CliError> {
        if self.yes || io::stdin().is_terminal() && io::stderr().is_terminal() {
            return self.confirm(question);
        }
        let what = format!("nobody is here to answer: {question}");
        Err(CliError::new(Exit::Refused, what).remedy("give --yes"))
    }

    /// A remark about what was done; not where an answer for programs was asked for.
    pub fn say(&self, text: &str) {
        if self.format.for_people() {
            remark(text);
        }
    }
}

fn chosen(global: &Global) -> Result<Option<Context>, CliError> {
    let Ok(path) = config::path() else {
        return Ok(None);
    };
    let config = config::load(&path)?;
    let Some(name) = global.context.as_ref().or(config.current_context.as_ref()) else {
        return Ok(None);
    };
    match config.contexts.get(name) {
        Some(context) => Ok(Some(context.clone())),
        None => Err(no_context(&config, name, &path)),
    }
}

/// Says so where others can read the file that holds tokens.
pub fn warn_if_exposed(path: &Path) {
    if config::is_exposed(path) {
        remark(&format!(
            "warning: {} can be read by others; run `chmod 600 {0}`",
            path.display()
        ));
    }
}

/// A context that was named and is not there.
pub fn no_context(config: &Config, name: &str, path: &Path) -> CliError {
    let known: Vec<&str> = config.contexts.keys().map(String::as_str).collect();
    let what = format!("there is no context {name:?} in {}", path.display());
    CliError::bad(what).remedy(if known.is_empty() {
        "it has none: `flagship login https://host:port` makes one".to_owned()
    } else {
        format!("it has: {}", known.join(", "))
    })
}

/// What to do where the hub does not let in by the token that was shown: it depends on where that is from.
fn another_token(global: &Global, hub: &str, ca: Option<&str>) -> String {
    if let Some(path) = &global.token_file {
        return format!(
            "ask an admin for another, and put it into {}",
            path.display()
        );
    }
    if token(global).is_ok_and(|token| token.is_some()) {
        return "ask an admin for another, and set FLAGSHIP_TOKEN to it".to_owned();
    }
    let login = Command::flagship("login").of(hub);
    let pinned = ca.and_then(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).ok());
    let login = match pinned {
        Some(der) => login.of("--ca-hash").of(Digest::of(&der)),
        None => login,
    };
    let login = login.of("--token-stdin");
    format!("ask an admin for another, and log in with it: {login}")
}

fn same_hub(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// The token that was given beside the context.
pub fn token(global: &Global) -> Result<Option<String>, CliError> {
    if let Some(path) = &global.token_file {
        return Ok(Some(read(path)?.trim().to_owned()));
    }
    Ok(std::env::var("FLAGSHIP_TOKEN")
        .ok()
        .filter(|token| !token.is_empty()))
}

/// The certificate that was given beside the context.
pub fn certificate(global: &Global) -> Result<Option<Arc<CurrentCert>>, CliError> {
    pair(global.client_cert.as_deref(), global.client_key.as_deref())
}

impl Context {
    fn certificate(&self) -> Result<Option<Arc<CurrentCert>>, CliError> {
        pair(
            self.client_certificate.as_deref(),
            self.client_key.as_deref(),
        )
    }
}

fn pair(
    certificate: Option<&Path>,
    key: Option<&Path>,
) -> Result<Option<Arc<CurrentCert>>, CliError> {
    let (Some(certificate), Some(key)) = (certificate, key) else {
        return Ok(None);
    };
    let own = CurrentCert::new(&read(certificate)?, &read(key)?).map_err(|error| {
        let (certificate, key) = (certificate.display(), key.display());
        CliError::bad(format!("{certificate} with {key} cannot be used: {error}"))
            .remedy("give --client-cert and --client-key PEM files that belong together")
    })?;
    if files::stands_open(key) {
        let key = key.display();
        remark(&format!(
            "warning: {key} can be read by others; run `chmod 600 {key}`"
        ));
    }
    Ok(Some(Arc::new(own)))
}

/// Reads a file of the command line.
pub fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path)
        .map_err(|error| CliError::bad(format!("cannot read {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_let_in_is_told_where_another_token_goes() {
        let kept = another_token(&Global::default(), "https://hub:8440", None);
        assert_eq!(
            kept,
            "ask an admin for another, and log in with it: flagship login https://hub:8440 --token-stdin"
        );
        let global = Global {
            token_file: Some("/run/token".into()),
            ..Global::default()
        };
        let file = another_token(&global, "https://hub:8440", None);
        assert_eq!(file, "ask an admin for another, and put it into /run/token");
    }
}
