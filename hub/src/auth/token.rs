//! Bearer tokens: drawn once, shown once, kept as a hash.
//!
//! `flagship_<id>_<secret>`: the id is public and finds the row; the secret is 32 random bytes, so
//! a plain SHA-256 is enough to keep it (there is nothing to guess).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use flagship_proto::model::TokenId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

const PREFIX: &str = "flagship_";

/// The hash of a token's secret, as it is stored: 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(String);

impl TokenHash {
    fn of(secret: &str) -> Self {
        Self(hex::encode(Sha256::digest(secret.as_bytes())))
    }

    /// Whether a secret is the one that was hashed; takes the same time for every wrong one.
    pub fn matches(&self, secret: &str) -> bool {
        self.0
            .as_bytes()
            .ct_eq(Self::of(secret).0.as_bytes())
            .into()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// A token that was just drawn. `Debug` does not show it; [`Secret::reveal`] does, once.
pub struct Secret {
    id: TokenId,
    text: String,
}

impl Secret {
    /// Draws a token from the system's randomness.
    pub fn draw() -> Self {
        let id: [u8; 5] = rand::random();
        let secret: [u8; 32] = rand::random();
        let id: TokenId = hex::encode(id)
            .parse()
            .expect("hexadecimal digits are a valid token id");
        Self {
            id,
            text: URL_SAFE_NO_PAD.encode(secret),
        }
    }

    /// The public half.
    pub fn id(&self) -> &TokenId {
        &self.id
    }

    /// What is stored.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.text)
    }

    /// What the person is given.
    pub fn reveal(self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}, …)", self.id)
    }
}

/// A token as it came with a request.
pub struct Presented {
    /// Its public half.
    pub id: TokenId,
    secret: String,
}

impl Presented {
    /// Takes a token apart; none if it has not the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        Some(Self {
            id: id.parse().ok()?,
            secret: secret.to_owned(),
        })
    }

    /// Whether it is the token whose hash is stored.
    pub fn is(&self, stored: &TokenHash) -> bool {
        stored.matches(&self.secret)
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presented({}, …)", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_token_is_known_again_and_no_other_is() {
        let secret = Secret::draw();
        let hash = secret.hash();
        let id = secret.id().clone();
        let text = secret.reveal();
        let presented = Presented::parse(&text).unwrap();
        assert_eq!(presented.id, id);
        assert!(presented.is(&hash));
        let other = Presented::parse(&Secret::draw().reveal()).unwrap();
        assert!(!other.is(&hash));
    }

    #[test]
    fn no_secret_is_in_what_a_log_would_show() {
        let secret = Secret::draw();
        let shown = format!("{secret:?} {:?}", secret.hash());
        let text = secret.reveal();
        let presented = Presented::parse(&text).unwrap();
        let hidden = text.splitn(3, '_').last().unwrap();
        assert!(!shown.contains(hidden));
        assert!(!format!("{presented:?}").contains(hidden));
    }

    #[test]
    fn what_has_not_the_form_of_a_token_is_none() {
        for text in [
            "",
            "flagship_",
            "flagship_abc",
            "Flagship_a_b",
            "flagship_A_b",
        ] {
            assert!(Presented::parse(text).is_none(), "{text}");
        }
    }
}
