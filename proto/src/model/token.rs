//! The enrolment token as it is printed and typed: who may join, the secret, and the hub's CA to expect.

use std::{fmt, str::FromStr};

use super::id::TokenId;
use crate::digest::Digest;

/// What every enrolment token begins with; the number grows if the form changes.
pub const PREFIX: &str = "flt1";

/// An enrolment token: `flt1.<id>.<secret>.<SHA-256 of the CA's DER, 64 hexadecimal digits>`.
///
/// The hub stores a hash of the secret only; the agent trusts the hub at first contact because the
/// token says which CA it must show. `Display` writes the secret, `Debug` does not.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolToken {
    /// The public half: names the token's row on the hub.
    pub id: TokenId,
    secret: String,
    /// SHA-256 of the DER of the hub's CA certificate.
    pub ca_hash: Digest,
}

/// A text was not an enrolment token. The text is not repeated: it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an enrolment token ({rule}): copy all of what `flagship token create` printed, flt1.<id>.<secret>.<ca hash>"
)]
pub struct InvalidToken {
    /// What is wrong with it.
    pub rule: &'static str,
}

impl EnrolToken {
    /// Puts a token together. The secret has 16 to 128 letters, digits, `-` and `_`.
    pub fn new(id: TokenId, secret: String, ca_hash: Digest) -> Result<Self, InvalidToken> {
        let fits = (16..=128).contains(&secret.len())
            && secret
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if fits {
            Ok(Self {
                id,
                secret,
                ca_hash,
            })
        } else {
            Err(InvalidToken {
                rule: "the secret has 16 to 128 letters, digits, '-' and '_'",
            })
        }
    }

    /// The secret half.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// What the hub stores and compares: the hash of the secret.
    pub fn secret_hash(&self) -> Digest {
        Digest::of(self.secret.as_bytes())
    }
}

impl FromStr for EnrolToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let parts: Vec<&str> = text.trim().split('.').collect();
        let [prefix, id, secret, ca_hash] = parts.as_slice() else {
            return Err(InvalidToken {
                rule: "it has four parts with dots between them",
            });
        };
        if *prefix != PREFIX {
            return Err(InvalidToken {
                rule: "it begins with flt1",
            });
        }
        let id = id.parse().map_err(|_| InvalidToken {
            rule: "the id has lower case letters, digits and '-'",
        })?;
        let ca_hash = format!("sha256:{ca_hash}")
            .parse()
            .map_err(|_| InvalidToken {
                rule: "the hash of the CA has 64 hexadecimal digits",
            })?;
        Self::new(id, (*secret).to_owned(), ca_hash)
    }
}

impl fmt::Display for EnrolToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ca_hash = self.ca_hash.hex();
        write!(f, "{PREFIX}.{}.{}.{ca_hash}", self.id, self.secret)
    }
}

impl fmt::Debug for EnrolToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolToken")
            .field("id", &self.id)
            .field("secret", &"…")
            .field("ca_hash", &self.ca_hash)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> EnrolToken {
        let id = "t-4f1c".parse().unwrap();
        EnrolToken::new(id, "0123456789abcdef".to_owned(), Digest::of(b"ca")).unwrap()
    }

    #[test]
    fn a_token_prints_and_parses() {
        let text = token().to_string();
        assert_eq!(text.parse(), Ok(token()));
        assert_eq!(format!("  {text}\n").parse(), Ok(token()));
    }

    #[test]
    fn what_is_not_a_token_is_refused_without_repeating_it() {
        let text = token().to_string();
        let cut = &text[..text.len() - 1];
        for bad in [
            "",
            "flt1",
            "flt1.t.short.00",
            cut,
            &text.replace("flt1", "flt2"),
        ] {
            let error = bad.parse::<EnrolToken>().unwrap_err();
            assert!(!error.to_string().contains("0123456789abcdef"), "{error}");
        }
    }

    #[test]
    fn a_secret_is_not_in_logs() {
        assert!(!format!("{:?}", token()).contains("0123456789abcdef"));
    }
}
