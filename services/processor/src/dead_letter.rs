//! Records of `foretide.actions` that are no events: foreign or corrupt, for ingest writes none such. They have no receipt
//! and no fate; they go to `foretide.dead-letters` with the cause, and are counted apart.
//!
//! A letter is settled by another record beside it, which names where the letter's record lies: so it stays settled whoever
//! folds the log again, and a letter that is written twice is one.

use std::{borrow::Cow, fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use foretide_events::EpochMs;
use foretide_ports::{ACTIONS, DEAD_LETTERS, NewRecord, Record, TopicPartition};
use serde::{Deserialize, Serialize};

const LETTERS: TopicPartition = TopicPartition {
    topic: DEAD_LETTERS,
    partition: 0,
};
/// The most of a payload that is kept, in bytes. A letter must stay below what a log takes as one record, a megabyte, even
/// if JSON writes each of these bytes as six characters.
const MAX_PAYLOAD_BYTES: usize = 96 * 1024;
/// The most of a key that is kept, in bytes.
const MAX_KEY_BYTES: usize = 1024;
/// The most of a problem's description that is kept, in bytes: it may quote the payload.
const MAX_MESSAGE_BYTES: usize = 1024;

/// Why a record is not an event that can be folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It has no content.
    Empty,
    /// Its content is not the stored form of an event.
    NotAnEvent(String),
    /// It lies in another partition than its shopper's.
    WrongPartition,
}

impl Cause {
    /// Its stable name, as in the letter, the metric label and the log.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotAnEvent(_) => "not_an_event",
            Self::WrongPartition => "wrong_partition",
        }
    }

    fn message(&self) -> &str {
        match self {
            Self::Empty => "the record has no content",
            Self::NotAnEvent(problem) => {
                let cut = problem.floor_char_boundary(MAX_MESSAGE_BYTES);
                &problem[..cut]
            }
            Self::WrongPartition => "the record lies in another partition than its shopper's",
        }
    }
}

/// A letter as stored, in JSON.
#[derive(Serialize)]
struct Letter<'a> {
    topic: &'a str,
    partition: u32,
    offset: u64,
    appended_at: EpochMs,
    cause: &'static str,
    message: &'a str,
    /// The key as text, where it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    /// The key in base64, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    /// The content as text, where it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    /// The content in base64, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    /// The length of the content, where only its beginning is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_bytes: Option<usize>,
}

/// The record to append for `record` of `from`, which is not an event because of `cause`. Its key is the partition it was
/// found in.
pub(crate) fn dead_letter(from: TopicPartition, record: &Record, cause: &Cause) -> NewRecord {
    let (key, key_base64) = text_or_base64(beginning(&record.key, MAX_KEY_BYTES));
    let kept = record
        .value
        .as_deref()
        .map(|value| beginning(value, MAX_PAYLOAD_BYTES));
    let (payload, payload_base64) = kept.map_or((None, None), text_or_base64);
    let whole = record.value.as_ref().map(Bytes::len);
    let letter = Letter {
        topic: from.topic,
        partition: from.partition,
        offset: record.offset,
        appended_at: record.appended_at,
        cause: cause.code(),
        message: cause.message(),
        key,
        key_base64,
        payload,
        payload_base64,
        payload_bytes: whole.filter(|length| *length > MAX_PAYLOAD_BYTES),
    };
    NewRecord {
        at: LETTERS,
        key: Bytes::from(from.to_string()),
        // A struct of texts and numbers has nothing that could fail to serialise.
        value: Some(serde_json::to_vec(&letter).unwrap_or_default().into()),
    }
}

/// The first `limit` of `bytes`, if there are more; text is not cut within a character.
fn beginning(bytes: &[u8], limit: usize) -> &[u8] {
    if bytes.len() <= limit {
        return bytes;
    }
    let cut = &bytes[..limit];
    match std::str::from_utf8(cut) {
        Err(error) if error.error_len().is_none() => &cut[..error.valid_up_to()],
        _ => cut,
    }
}

fn text_or_base64(bytes: &[u8]) -> (Option<&str>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(_) => (None, Some(STANDARD.encode(bytes))),
    }
}

/// Where on `foretide.actions` a record lies that became a dead letter: what names the letter, be it written twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Its partition.
    pub partition: u32,
    /// Its offset there.
    pub offset: u64,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.offset)
    }
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text
            .strip_prefix(ACTIONS)
            .map_or(text, |rest| rest.trim_start_matches('/'));
        let parts = text.split_once('/').and_then(|(partition, offset)| {
            Some(Self {
                partition: partition.parse().ok()?,
                offset: offset.parse().ok()?,
            })
        });
        parts.ok_or("a dead letter is named PARTITION/OFFSET, such as 3/1200: where its record lies on foretide.actions")
    }
}

/// A dead letter as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where its record lies.
    pub origin: Origin,
    /// When the record was appended there.
    pub appended_at: EpochMs,
    /// Why it is no event: `empty`, `not_an_event` or `wrong_partition`.
    pub cause: String,
    /// The same in words.
    pub message: String,
    /// The beginning of its key, up to a kilobyte.
    pub key: Vec<u8>,
    /// The beginning of its content, up to 96 kilobytes; `None` where there was none.
    pub payload: Option<Vec<u8>>,
    /// The length of the content, where only its beginning is kept.
    pub cut_from: Option<usize>,
}

/// How a dead letter was settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// What it says is on `foretide.actions` as the event with this id.
    Rerun(String),
    /// Someone decided to leave it at that.
    Dismissed,
}

/// What a record of `foretide.dead-letters` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Post {
    /// A letter.
    Letter(DeadLetter),
    /// That the letter of this origin is settled.
    Settlement(Origin, Settled),
}

/// What is read of a letter.
#[derive(Deserialize)]
struct StoredLetter {
    partition: u32,
    offset: u64,
    appended_at: EpochMs,
    cause: String,
    message: String,
    key: Option<String>,
    key_base64: Option<String>,
    payload: Option<String>,
    payload_base64: Option<String>,
    payload_bytes: Option<usize>,
}

/// The settlement of a letter, as stored.
#[derive(Serialize, Deserialize)]
struct StoredSettlement {
    topic: Cow<'static, str>,
    partition: u32,
    offset: u64,
    settled: Settled,
}

impl Post {
    /// Reads the content of a record of `foretide.dead-letters`; `None` if it is neither.
    pub fn read(value: &[u8]) -> Option<Self> {
        if let Ok(stored) = serde_json::from_slice::<StoredSettlement>(value) {
            let StoredSettlement {
                partition, offset, ..
            } = stored;
            return Some(Self::Settlement(
                Origin { partition, offset },
                stored.settled,
            ));
        }
        let stored: StoredLetter = serde_json::from_slice(value).ok()?;
        let bytes = |text: Option<String>, base64: Option<String>| match (text, base64) {
            (Some(text), _) => Some(Some(text.into_bytes())),
            (None, Some(base64)) => STANDARD.decode(base64).ok().map(Some),
            (None, None) => Some(None),
        };
        Some(Self::Letter(DeadLetter {
            origin: Origin {
                partition: stored.partition,
                offset: stored.offset,
            },
            appended_at: stored.appended_at,
            cause: stored.cause,
            message: stored.message,
            key: bytes(stored.key, stored.key_base64)?.unwrap_or_default(),
            payload: bytes(stored.payload, stored.payload_base64)?,
            cut_from: stored.payload_bytes,
        }))
    }
}

/// The record by which the letter of `origin` is settled.
pub fn settlement(origin: Origin, settled: Settled) -> NewRecord {
    let from = TopicPartition {
        topic: ACTIONS,
        partition: origin.partition,
    };
    let stored = StoredSettlement {
        topic: ACTIONS.into(),
        partition: origin.partition,
        offset: origin.offset,
        settled,
    };
    NewRecord {
        at: LETTERS,
        key: Bytes::from(from.to_string()),
        value: Some(serde_json::to_vec(&stored).unwrap_or_default().into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn letter_of(key: &'static [u8], value: Option<Vec<u8>>) -> Value {
        let from = TopicPartition {
            topic: ACTIONS,
            partition: 3,
        };
        let record = Record {
            offset: 12,
            appended_at: EpochMs(0),
            key: Bytes::from_static(key),
            value: value.map(Bytes::from),
        };
        let letter = dead_letter(from, &record, &Cause::NotAnEvent("is nonsense".into()));
        assert_eq!(letter.key, "foretide.actions/3");
        serde_json::from_slice(&letter.value.unwrap()).unwrap()
    }

    #[test]
    fn a_letter_says_where_the_record_was_and_why_it_is_dead() {
        assert_eq!(
            letter_of(b"key", Some(b"nonsense".to_vec())),
            json!({
                "topic": "foretide.actions", "partition": 3, "offset": 12,
                "appended_at": "1970-01-01T00:00:00.000Z",
                "cause": "not_an_event", "message": "is nonsense",
                "key": "key", "payload": "nonsense",
            })
        );
    }

    #[test]
    fn a_letter_is_read_as_it_was_written_and_told_from_its_settlement() {
        let from = TopicPartition {
            topic: ACTIONS,
            partition: 3,
        };
        let origin: Origin = "3/12".parse().unwrap();
        assert_eq!("foretide.actions/3/12".parse(), Ok(origin));
        for (key, value) in [
            (&b"key"[..], Some(&b"nonsense"[..])),
            (b"\xff", Some(b"\xff\xfe")),
            (b"", Some(b"")),
            (b"", None),
        ] {
            let record = Record {
                offset: 12,
                appended_at: EpochMs(7),
                key: Bytes::from_static(key),
                value: value.map(Bytes::from_static),
            };
            let written = dead_letter(from, &record, &Cause::Empty).value.unwrap();
            let expected = DeadLetter {
                origin,
                appended_at: EpochMs(7),
                cause: "empty".to_owned(),
                message: "the record has no content".to_owned(),
                key: key.to_vec(),
                payload: value.map(<[u8]>::to_vec),
                cut_from: None,
            };
            assert_eq!(Post::read(&written), Some(Post::Letter(expected)));
        }
        for settled in [Settled::Rerun("e-1".to_owned()), Settled::Dismissed] {
            let record = settlement(origin, settled.clone());
            assert_eq!(record.key, "foretide.actions/3");
            let read = Post::read(&record.value.unwrap());
            assert_eq!(read, Some(Post::Settlement(origin, settled)));
        }
        for odd in ["", "{}", "[]", r#"{"v":1}"#] {
            assert_eq!(Post::read(odd.as_bytes()), None);
        }
    }

    #[test]
    fn what_is_not_text_is_kept_in_base64() {
        let letter = letter_of(b"\xff", Some(vec![0xff, 0xfe]));
        assert_eq!(
            (&letter["key_base64"], &letter["payload_base64"]),
            (&json!("/w=="), &json!("//4="))
        );
        assert_eq!(letter_of(b"", None).get("payload"), None);
    }

    #[test]
    fn a_huge_payload_is_cut_at_a_character_and_its_length_told() {
        let text = "é".repeat(MAX_PAYLOAD_BYTES);
        let letter = letter_of(b"x", Some([b"x", text.as_bytes()].concat()));
        let kept = letter["payload"].as_str().unwrap();
        assert!(text.starts_with(&kept[1..]) && kept.len() == MAX_PAYLOAD_BYTES - 1);
        assert_eq!(letter["payload_bytes"], 2 * MAX_PAYLOAD_BYTES + 1);
    }

    #[test]
    fn the_largest_letter_is_a_record_that_a_log_takes() {
        let from = TopicPartition {
            topic: ACTIONS,
            partition: 3,
        };
        let worst = Bytes::from(vec![1; 1_000_000]);
        let record = Record {
            offset: 12,
            appended_at: EpochMs(0),
            key: worst.clone(),
            value: Some(worst),
        };
        let letter = dead_letter(from, &record, &Cause::NotAnEvent("\u{1}é".repeat(500_000)));
        assert!(letter.value.unwrap().len() + letter.key.len() < 700_000);
    }
}
