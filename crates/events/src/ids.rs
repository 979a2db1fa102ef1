//! Identifiers. Each is a type of its own, so that one is never passed for another.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{bounded::TOO_LONG, text::read_text};

/// Why a text is not an identifier of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// It is empty.
    #[error("is empty")]
    Empty,
    /// It has more characters than allowed.
    #[error("{TOO_LONG} {0} characters")]
    TooLong(usize),
    /// It is not the hexadecimal text of a pseudonym.
    #[error("is not a shopper id (32 hexadecimal digits)")]
    NotHexadecimal,
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A shopper's pseudonym: 128 bits of a keyed hash of the id the shop knows the shopper by. The key of every
/// shopper-keyed topic. Written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShopperId(pub [u8; 16]);

impl ShopperId {
    /// The pseudonym's bytes: the key of its records.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn with_text<R>(self, see: impl FnOnce(&str) -> R) -> R {
        let mut text = [0; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        see(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Display for ShopperId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl fmt::Debug for ShopperId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShopperId({self})")
    }
}

impl FromStr for ShopperId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return Err(InvalidId::NotHexadecimal);
        }
        let digit = |byte: u8| (byte as char).to_digit(16).ok_or(InvalidId::NotHexadecimal);
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let value = digit(pair[0])? * 16 + digit(pair[1])?;
            *byte = u8::try_from(value).map_err(|_| InvalidId::NotHexadecimal)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for ShopperId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for ShopperId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_text(
            deserializer,
            "a shopper id (32 hexadecimal digits)",
            str::parse,
        )
    }
}

impl JsonSchema for ShopperId {
    fn schema_name() -> Cow<'static, str> {
        "ShopperId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
    }
}

/// Defines an identifier that is opaque text of 1 to `$max` characters.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:literal, $inner:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($inner);

        impl $name {
            /// The most characters it may have.
            pub const MAX_CHARS: usize = $max;

            /// Takes `text` as an identifier.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                if text.is_empty() {
                    return Err(InvalidId::Empty);
                }
                if text.len() > $max && text.chars().count() > $max {
                    return Err(InvalidId::TooLong($max));
                }
                Ok(Self(text.into()))
            }

            /// The text of the identifier.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                read_text(deserializer, concat!("text of 1 to ", $max, " characters"), Self::new)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "minLength": 1, "maxLength": $max })
            }
        }
    };
}

text_id! {
    /// What makes an event itself: the client's message id, or one made at ingest. Two events with one id are one.
    EventId, 100, Box<str>
}
impl EventId {
    /// The id that is a UUID's text.
    pub fn from_uuid(uuid: u128) -> Self {
        let digits = format!("{uuid:032x}");
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
        Self(parts.join("-").into())
    }
}

text_id! {
    /// The shop's id of a visit.
    SessionId, 128, Box<str>
}
text_id! {
    /// Whom receipts and fates are counted for: a write key's short hash, or `import:<run>`.
    SourceId, 80, Arc<str>
}
impl SourceId {
    /// The source of requests with a write key: `key:` and the key's `fingerprint`, cut off where it would be too long.
    pub fn of_key(fingerprint: &str) -> Self {
        let name = "key:".chars().chain(fingerprint.chars());
        Self(name.take(Self::MAX_CHARS).collect::<String>().into())
    }
}

text_id! {
    /// A product category as the shop names it. Cloning is cheap: a shop has few, and every profile mentions some.
    Category, 128, Arc<str>
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_made_of_a_uuid_is_its_usual_text() {
        let id = EventId::from_uuid(0x0192_3b5c_7d8e_7f00_8123_4567_89ab_cdef);
        assert_eq!(id.as_str(), "01923b5c-7d8e-7f00-8123-456789abcdef");
        let smallest = EventId::from_uuid(0);
        assert_eq!(smallest.as_str(), "00000000-0000-0000-0000-000000000000");
    }

    #[test]
    fn a_source_of_a_key_is_always_valid() {
        for (fingerprint, length) in [("", 4), ("50e721e4", 12), (&"x".repeat(100), 80)] {
            let source = SourceId::of_key(fingerprint);
            assert_eq!(source.as_str().len(), length);
            assert_eq!(SourceId::new(source.as_str()), Ok(source));
        }
    }
}
