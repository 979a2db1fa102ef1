//! Keys that were made at run time. Only their digests are kept, never the keys.

use std::{fmt, str::FromStr};

use foretide_decision::catalogue::Name;
use foretide_events::{EpochMs, SourceId};

/// A text that names no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a key's id (8 hexadecimal digits, lower case)")]
pub struct InvalidKeyId;

/// Names a key without giving it away: the first 4 bytes of its SHA-256, written as 8 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u32);

impl KeyId {
    /// The id of the key with this SHA-256.
    pub fn of(digest: &[u8; 32]) -> Self {
        let [a, b, c, d, ..] = *digest;
        Self(u32::from_be_bytes([a, b, c, d]))
    }

    /// Whom the events that come with the key are counted for.
    pub fn source(self) -> SourceId {
        SourceId::of_key(&self.to_string())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 8 || !text.bytes().all(is_digit) {
            return Err(InvalidKeyId);
        }
        u32::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| InvalidKeyId)
    }
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyRole {
    /// Sending actions, and nothing else.
    Write,
    /// Reading, deciding, erasing.
    Admin,
}

impl KeyRole {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Write, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

/// A key to add.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The SHA-256 of the key.
    pub digest: [u8; 32],
    /// What it is for.
    pub role: KeyRole,
    /// What people call it.
    pub name: Name,
}

/// Without the digest, which belongs in no log.
impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey")
            .field("id", &KeyId::of(&self.digest))
            .field("role", &self.role)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A key as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its name on the log: the first digits of its digest.
    pub id: KeyId,
    /// The SHA-256 of the key.
    pub digest: [u8; 32],
    /// What it is for.
    pub role: KeyRole,
    /// What people call it.
    pub name: Name,
    /// When it was added.
    pub created_at: EpochMs,
    /// When it was revoked; `None` while it counts.
    pub revoked_at: Option<EpochMs>,
}

impl StoredKey {
    /// `key` as it is kept from `at`.
    pub fn new(key: NewKey, at: EpochMs) -> Self {
        Self {
            id: KeyId::of(&key.digest),
            digest: key.digest,
            role: key.role,
            name: key.name,
            created_at: at,
            revoked_at: None,
        }
    }

    /// Whether it counts.
    pub fn is_active(&self) -> bool {
        self.revoked_at.is_none()
    }
}

/// Without the digest, which belongs in no log.
impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey")
            .field("id", &self.id)
            .field("role", &self.role)
            .field("name", &self.name)
            .field("created_at", &self.created_at)
            .field("revoked_at", &self.revoked_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_the_first_digits_of_its_digest() {
        let mut digest = [0; 32];
        digest[..5].copy_from_slice(&[0x00, 0xe7, 0x21, 0xe4, 0xff]);
        let id = KeyId::of(&digest);
        assert_eq!(id.to_string(), "00e721e4");
        assert_eq!("00e721e4".parse(), Ok(id));
        assert_eq!(id.source().as_str(), "key:00e721e4");
    }

    #[test]
    fn only_the_exact_text_of_an_id_names_a_key() {
        for bad in [
            "",
            "00E721E4",
            "+0e721e4",
            "0e721e4",
            "000e721e4",
            "00e721eé",
        ] {
            assert_eq!(bad.parse::<KeyId>(), Err(InvalidKeyId), "{bad}");
        }
    }

    #[test]
    fn a_key_that_is_printed_does_not_show_its_digest() {
        let key = NewKey {
            digest: [0xab; 32],
            role: KeyRole::Write,
            name: Name::new("shop").unwrap(),
        };
        let printed = format!("{key:?} {:?}", StoredKey::new(key.clone(), EpochMs(0)));
        assert!(printed.contains("abababab") && !printed.contains("ababababab"));
        assert!(!printed.contains("171"), "{printed}");
    }
}
