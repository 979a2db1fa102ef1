//! Keyed pseudonyms: HMAC-SHA-256 (RFC 2104, FIPS 198-1), cut to 128 bits.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Why a text is not a pseudonym key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not standard base64.
    #[error("the pseudonym key is not base64 text")]
    NotBase64,
    /// It has another length than 32 bytes.
    #[error("the pseudonym key has {0} bytes instead of 32")]
    Length(usize),
}

/// The secret that pseudonyms are made with: 32 random bytes. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PseudonymKey([u8; 32]);

impl PseudonymKey {
    /// Takes 32 bytes that the caller drew at random.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the text of a key file: base64 of 32 bytes, white space around it ignored.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let bytes = STANDARD
            .decode(text.trim())
            .map_err(|_| KeyError::NotBase64)?;
        let length = bytes.len();
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| KeyError::Length(length))
    }

    /// The text of a key file.
    pub fn to_text(&self) -> String {
        STANDARD.encode(self.0) + "\n"
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey(redacted)")
    }
}

/// What a raw id names. Equal texts of different kinds get different pseudonyms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdKind {
    /// A shopper who signed in.
    User,
    /// A device or browser.
    Anonymous,
    /// A group of shoppers.
    Group,
}

impl IdKind {
    fn label(self) -> &'static [u8] {
        match self {
            Self::User => b"user\0",
            Self::Anonymous => b"anonymous\0",
            Self::Group => b"group\0",
        }
    }
}

/// Makes pseudonyms with one key. Cloning is cheap.
#[derive(Clone)]
pub struct Pseudonymiser {
    keyed: Hmac<Sha256>,
}

impl Pseudonymiser {
    /// Prepares `key`.
    pub fn new(key: &PseudonymKey) -> Self {
        let mut padded = [0; 64];
        padded[..32].copy_from_slice(&key.0);
        Self {
            keyed: Hmac::new(&padded.into()),
        }
    }

    /// The pseudonym of `raw`: the first 128 bits of HMAC-SHA-256 over the kind and the id.
    pub fn pseudonym(&self, kind: IdKind, raw: &str) -> [u8; 16] {
        let mut mac = self.keyed.clone();
        mac.update(kind.label());
        mac.update(raw.as_bytes());
        let digest = mac.finalize().into_bytes();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        first
    }

    /// Names the key without giving it away: 16 hexadecimal digits. Equal keys have equal fingerprints.
    pub fn fingerprint(&self) -> String {
        let mut mac = self.keyed.clone();
        mac.update(b"fingerprint\0");
        let digest = mac.finalize().into_bytes();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        format!("{:016x}", u64::from_be_bytes(first))
    }
}

impl fmt::Debug for Pseudonymiser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pseudonymiser({})", self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(byte: u8) -> Pseudonymiser {
        Pseudonymiser::new(&PseudonymKey::from_bytes([byte; 32]))
    }

    #[test]
    fn a_pseudonym_depends_on_id_kind_and_key_alone() {
        let one = with(1).pseudonym(IdKind::User, "ann");
        assert_eq!(one, with(1).pseudonym(IdKind::User, "ann"));
        assert_ne!(one, with(1).pseudonym(IdKind::User, "bob"));
        assert_ne!(one, with(1).pseudonym(IdKind::Anonymous, "ann"));
        assert_ne!(one, with(2).pseudonym(IdKind::User, "ann"));
    }

    #[test]
    fn it_is_hmac_sha_256_as_published() {
        // HMAC-SHA-256 with 32 bytes 0x0b over "user\0ann", computed with Python's hmac module.
        let expected = [
            0xe1, 0x1b, 0x83, 0xf2, 0xec, 0xb7, 0x3b, 0x14, 0x13, 0x03, 0xa4, 0x5b, 0x42, 0x2c,
            0x43, 0xad,
        ];
        assert_eq!(with(0x0b).pseudonym(IdKind::User, "ann"), expected);
    }

    #[test]
    fn a_key_survives_its_text_and_is_never_printed() {
        let key = PseudonymKey::from_bytes([7; 32]);
        assert_eq!(PseudonymKey::from_text(&key.to_text()), Ok(key.clone()));
        assert_eq!(PseudonymKey::from_text("AAAA"), Err(KeyError::Length(3)));
        assert_eq!(
            PseudonymKey::from_text("not base64!"),
            Err(KeyError::NotBase64)
        );
        assert_eq!(format!("{key:?}"), "PseudonymKey(redacted)");
    }
}
