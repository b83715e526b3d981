//! Mail over SMTP (RFC 5321), by STARTTLS unless told otherwise. A server that does not offer TLS where
//! it is asked for gets nothing, the password least of all.

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message as Letter, Tokio1Executor,
    message::header::ContentType,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls as Security, TlsParameters},
    },
};

use crate::{Channel, SecretError, channel::Tls, format::Mail};

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum MailError {
    /// The channel is none of mail.
    #[error("this channel sends no mail")]
    NoMail,
    /// The password could not be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// An address cannot be read.
    #[error("mail address {0:?} is not one: use name@example.com or Name <name@example.com>")]
    Address(String),
    /// The CA file cannot be used.
    #[error("caFile {0} cannot be used: {1}")]
    Ca(String, String),
    /// The letter could not be made.
    #[error("the mail could not be written: {0}")]
    Letter(#[from] lettre::error::Error),
    /// The server did not take it.
    #[error("the mail server did not take it: {0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
}

/// Sends one mail to all its receivers.
pub(super) async fn send(channel: &Channel, mail: &Mail) -> Result<(), MailError> {
    let Channel::Email {
        host,
        port,
        tls,
        ca_file,
        username,
        password,
        ..
    } = channel
    else {
        return Err(MailError::NoMail);
    };
    let parameters = || -> Result<TlsParameters, MailError> {
        let mut parameters = TlsParameters::builder(host.clone());
        if let Some(path) = ca_file {
            let refuse = |words: String| MailError::Ca(path.display().to_string(), words);
            let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
            let ca = Certificate::from_pem(&pem).map_err(|error| refuse(error.to_string()))?;
            parameters = parameters.add_root_certificate(ca);
        }
        Ok(parameters.build_rustls()?)
    };
    let (security, usual) = match tls {
        Tls::Starttls => (Security::Required(parameters()?), 587),
        Tls::Implicit => (Security::Wrapper(parameters()?), 465),
        Tls::None => (Security::None, 25),
    };
    let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(port.unwrap_or(usual))
        .tls(security)
        .timeout(Some(super::DEADLINE));
    if let (Some(username), Some(password)) = (username, password) {
        let password = password.read()?.expose().to_owned();
        server = server.credentials(Credentials::new(username.clone(), password));
    }
    server.build().send(letter(mail)?).await?;
    Ok(())
}

fn letter(mail: &Mail) -> Result<Letter, MailError> {
    let address = |text: &String| text.parse().map_err(|_| MailError::Address(text.clone()));
    let thread = format!("<{}@flagship.invalid>", mail.thread);
    let mut letter = Letter::builder()
        .from(address(&mail.from)?)
        .subject(&mail.subject)
        .message_id(Some(format!("<{}@flagship.invalid>", mail.id)))
        .in_reply_to(thread.clone())
        .references(thread)
        .header(ContentType::TEXT_PLAIN);
    for to in &mail.to {
        letter = letter.to(address(to)?);
    }
    Ok(letter.body(mail.text.clone())?)
}
