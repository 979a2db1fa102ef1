//! The record on `foretide.actions` by which an anonymous shopper's partition learns who it turned out to be.
//!
//! It lies under the anonymous shopper's key, among that shopper's actions, and is no action itself: it has no source, no fate
//! and no receipt.
//!
//! ```text
//! {"v":1,"type":"link","id":"e-1","at":"2026-11-22T08:00:00.000Z",
//!  "anonymous":"ffeeddccbbaa99887766554433221100","known":"00112233445566778899aabbccddeeff"}
//! ```

use serde::{Deserialize, Serialize};

use crate::{
    EpochMs, EventId, ShopperId,
    fault::{self, Fault},
    wire::{DecodeError, VERSION},
};

/// The `type` of the record.
const TYPE: &str = "link";
/// What every such record begins with, as it is written here.
const BEGINNING: &[u8] = br#"{"v":1,"type":"link","#;

/// That an anonymous shopper turned out to be a known one, as stored. The event that named both makes it what it is: however
/// often it is written, it says the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRecord {
    /// The id of the event that named both.
    pub id: EventId,
    /// When that happened.
    pub at: EpochMs,
    /// The anonymous shopper, whose key the record has.
    pub anonymous: ShopperId,
    /// The known shopper.
    pub known: ShopperId,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    v: u64,
    #[serde(rename = "type")]
    kind: String,
    id: EventId,
    at: EpochMs,
    anonymous: ShopperId,
    known: ShopperId,
}

impl LinkRecord {
    /// Its stored form.
    pub fn encode(&self) -> Vec<u8> {
        let stored = Stored {
            v: VERSION,
            kind: TYPE.to_owned(),
            id: self.id.clone(),
            at: self.at,
            anonymous: self.anonymous,
            known: self.known,
        };
        // Texts and numbers have nothing that could fail to serialise.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Whether `bytes` begin as such a record does: to be asked before anything else is tried, at next to no cost.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(BEGINNING)
    }

    /// Reads the stored form, be its members in another order than they are written here.
    ///
    /// # Errors
    /// The bytes are no such record.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8)?;
        let stored: Stored = fault::read(text, "")?;
        if stored.v != VERSION {
            return Err(DecodeError::UnknownVersion(stored.v));
        }
        if stored.kind != TYPE {
            return Err(DecodeError::UnknownType(stored.kind));
        }
        if stored.anonymous == stored.known {
            return Err(Fault::in_field("known", "is the anonymous shopper itself").into());
        }
        Ok(Self {
            id: stored.id,
            at: stored.at,
            anonymous: stored.anonymous,
            known: stored.known,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;

    fn link() -> LinkRecord {
        LinkRecord {
            id: EventId::new("e-\"1").unwrap(),
            at: EpochMs(1_763_000_000_000),
            anonymous: ShopperId([0xff; 16]),
            known: ShopperId([1; 16]),
        }
    }

    #[test]
    fn a_link_is_one_line_of_json_and_read_back_as_it_was() {
        let stored = link().encode();
        assert!(LinkRecord::is_one(&stored));
        assert_eq!(LinkRecord::decode(&stored), Ok(link()));
        assert_eq!(
            String::from_utf8(stored).unwrap(),
            format!(
                r#"{{"v":1,"type":"link","id":"e-\"1","at":"2025-11-13T02:13:20.000Z","anonymous":"{}","known":"{}"}}"#,
                "ff".repeat(16),
                "01".repeat(16)
            )
        );
    }

    #[test]
    fn a_link_is_no_event_and_an_event_is_no_link() {
        let stored = link().encode();
        assert_eq!(
            wire::decode(&stored),
            Err(DecodeError::UnknownType("link".into()))
        );
        let event = br#"{"v":1,"type":"cart_view","id":"e-1"}"#;
        assert!(!LinkRecord::is_one(event));
        assert!(LinkRecord::decode(event).is_err());
    }

    #[test]
    fn a_link_to_oneself_or_of_another_version_is_refused() {
        let mut oneself = link();
        oneself.known = oneself.anonymous;
        assert!(LinkRecord::decode(&oneself.encode()).is_err());
        let newer = String::from_utf8(link().encode())
            .unwrap()
            .replace("\"v\":1", "\"v\":2");
        assert_eq!(
            LinkRecord::decode(newer.as_bytes()),
            Err(DecodeError::UnknownVersion(2))
        );
    }
}
