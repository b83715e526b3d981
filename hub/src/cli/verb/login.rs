//! `flagship login`: trusts a hub by the hash of its CA, and keeps a token for it.

use std::{
    io::{self, IsTerminal as _, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use flagship_proto::{
    digest::Digest,
    tls::{self, CurrentCert, PinnedCa},
};

use crate::{
    api::types::WhoAmI,
    cli::{
        client::Client,
        common::Global,
        config::{self, Context},
        context::{certificate, read, token},
        exit::{CliError, Exit},
        output::tell,
        render::lists::in_words,
        typed,
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
`flagship-hub init` prints the first admin token and the CA's hash. The file
~/.config/flagship/config.yaml (FLAGSHIP_CONFIG) keeps hub, CA and token, readable by you alone.

Examples:
  flagship login https://hub:8440 --ca-hash sha256:5d3f… --token-stdin < token
  flagship login https://hub:8440 --ca hub-ca.pem --context prod --project shop
  flagship login https://hub:8440 --ca hub-ca.pem --client-cert me.pem --client-key me.key";

/// What can be typed after `login`.
#[derive(Debug, Args)]
pub struct Login {
    /// The hub's address, https://host:port
    url: String,
    /// SHA-256 of the hub's CA certificate, sha256:…, as `flagship-hub init` printed it
    #[arg(long, value_name = "HASH", conflicts_with = "ca")]
    ca_hash: Option<String>,
    /// Read the token from stdin
    #[arg(long)]
    token_stdin: bool,
}

impl Login {
    /// Checks the hub and the token first, then keeps both.
    pub async fn run(self, global: &Global) -> Result<Exit, CliError> {
        let own = certificate(global)?;
        let token = token_of(global, self.token_stdin, own.is_none())?;
        if own.is_none() && token.is_none() {
            return Err(CliError::bad("no token was given").remedy(
                "give --token-stdin, --token-file FILE, or FLAGSHIP_TOKEN; or --client-cert and --client-key",
            ));
        }
        let (ca, client) = self.trust(global, token.as_deref(), own).await?;
        let who: WhoAmI = client.get("/api/v1/whoami").await?;
        let path = config::path()?;
        let mut config = config::load(&path)?;
        let name = global
            .context
            .clone()
            .unwrap_or_else(|| "default".to_owned());
        let project = global.project.clone().or_else(|| {
            config
                .contexts
                .get(&name)
                .and_then(|context| context.project.clone())
        });
        let context = Context {
            hub: client.base().to_owned(),
            ca,
            token,
            client_certificate: absolute(global.client_cert.as_deref()),
            client_key: absolute(global.client_key.as_deref()),
            project,
        };
        config.contexts.insert(name.clone(), context);
        config.current_context = Some(name.clone());
        config::save(&path, &config)?;
        tell(&format!(
            "logged in to fleet {} at {} as {} ({}); context {name} in {}\n",
            who.fleet,
            client.base(),
            who.name,
            in_words(&who.bindings),
            path.display()
        ))?;
        Ok(Exit::Done)
    }

    async fn trust(
        &self,
        global: &Global,
        token: Option<&str>,
        own: Option<Arc<CurrentCert>>,
    ) -> Result<(Option<String>, Client), CliError> {
        let token = token.map(ToOwned::to_owned);
        if let Some(path) = &global.ca {
            let ca = read(path)?;
            let client = Client::certified(&self.url, Some(&ca), token, own)?;
            return Ok((Some(ca), client));
        }
        if self.url.starts_with("http://") {
            return Ok((None, Client::new(&self.url, None, token)?));
        }
        let Some(hash) = &self.ca_hash else {
            return Err(CliError::bad("how to trust the hub is not said")
                .remedy("give --ca-hash sha256:… (flagship-hub init printed it), or --ca FILE"));
        };
        let pin: Digest = hash
            .parse()
            .map_err(|error| CliError::bad(format!("--ca-hash: {error}")))?;
        let pinned = PinnedCa::new(pin);
        let config = tls::pinned_client(pinned.clone(), &[b"h2", b"http/1.1"])
            .map_err(|error| CliError::new(Exit::Error, format!("cannot set up TLS: {error}")))?;
        // Nothing secret is sent before the pinned CA has vouched for the other side.
        let first = Client::with_tls(&self.url, config, None)?;
        first.get_text("/healthz").await.map_err(|error| {
            if error.what.contains("UnknownIssuer") || error.what.contains("certificate") {
                CliError::new(
                    Exit::Refused,
                    format!("the hub at {} has not the CA with the hash {hash}", self.url),
                )
                .remedy("compare it with what `flagship-hub init` printed; otherwise somebody else answers there")
            } else {
                error
            }
        })?;
        let seen = pinned
            .seen()
            .ok_or_else(|| CliError::new(Exit::Error, format!("{} showed no CA", self.url)))?;
        let ca = pem(&seen);
        let client = Client::certified(&self.url, Some(&ca), token, own)?;
        Ok((Some(ca), client))
    }
}

/// The token that comes with a command: from stdin, a file or the environment; on a terminal it may be
/// asked for.
pub fn token_of(global: &Global, stdin: bool, ask: bool) -> Result<Option<String>, CliError> {
    let mut text = String::new();
    let failed = |error| CliError::new(Exit::Error, format!("cannot read stdin: {error}"));
    let is_typed = io::stdin().is_terminal();
    if stdin && !is_typed {
        io::stdin().read_to_string(&mut text).map_err(failed)?;
    } else if !stdin && let Some(token) = token(global)? {
        text = token;
    } else if is_typed && (stdin || ask) {
        let question = "Paste the token, then press Enter (it is not shown):";
        text = typed::secret(question).map_err(failed)?;
    } else {
        return Ok(None);
    }
    let token = text.trim();
    if token.is_empty() {
        return Err(CliError::bad("the token is empty")
            .remedy("give what `flagship-hub init` or `flagship token create` printed"));
    }
    Ok(Some(token.to_owned()))
}

/// A file as the configuration keeps it: found from anywhere.
pub fn absolute(path: Option<&Path>) -> Option<PathBuf> {
    path.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem + "-----END CERTIFICATE-----\n"
}
