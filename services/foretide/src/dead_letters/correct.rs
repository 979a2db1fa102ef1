//! What ingest says of a record that was set right, and the event that it becomes.

use foretide_events::{
    Currency, Event, EventId, Intake, LinkRecord, ShopperId, SourceId, native, wire,
};
use foretide_ports::{ACTIONS, NewRecord, TopicPartition, partition_for, shopper_key};
use foretide_privacy::Pseudonymiser;
use foretide_processor::dead_letter::DeadLetter;

/// Whom events are counted for that come in the form in which they are sent.
const SOURCE: &str = "dead-letters";

/// A record that can be folded.
#[derive(Debug, PartialEq)]
pub(super) struct Corrected {
    /// Whose it is.
    pub(super) shopper: ShopperId,
    /// Its id: copies of it count once.
    pub(super) id: EventId,
    /// Its content as stored.
    pub(super) value: Vec<u8>,
}

impl Corrected {
    /// The record to append, in the shopper's partition.
    pub(super) fn record(&self, partitions: u32) -> NewRecord {
        let key = shopper_key(&self.shopper);
        NewRecord {
            at: TopicPartition {
                topic: ACTIONS,
                partition: partition_for(&key, partitions),
            },
            key: key.to_vec().into(),
            value: Some(self.value.clone().into()),
        }
    }
}

/// Reads `content`, which was set right: an event in the stored form, as the topic holds it, or an action as `POST /v1/actions`
/// takes it, whose ids are made pseudonyms. What is wrong with it is said as ingest says it.
pub(super) fn read(
    content: &[u8],
    letter: &DeadLetter,
    pseudonymiser: Option<&Pseudonymiser>,
) -> Result<Corrected, String> {
    let stored = match wire::decode(content) {
        Ok(event) => return Ok(stored(event)),
        Err(problem) => problem,
    };
    if let Ok(link) = LinkRecord::decode(content) {
        return Ok(Corrected {
            shopper: link.anonymous,
            value: link.encode(),
            id: link.id,
        });
    }
    let sent: serde_json::Value = serde_json::from_slice(content)
        .map_err(|error| format!("the content is not JSON: {error}"))?;
    if sent.get("v").is_some() || !sent.is_object() {
        return Err(stored.to_string());
    }
    let pseudonymiser = pseudonymiser.ok_or(
        "it has the form in which actions are sent to POST /v1/actions, and its shopper's ids have to be made pseudonyms: give \
         the log's --pseudonym-key-file",
    )?;
    read_sent(content, letter, pseudonymiser).map(self::stored)
}

fn stored(event: Event) -> Corrected {
    let mut value = Vec::new();
    wire::encode(&event, &mut value);
    Corrected {
        shopper: event.shopper,
        id: event.id,
        value,
    }
}

fn read_sent(
    content: &[u8],
    letter: &DeadLetter,
    pseudonymiser: &Pseudonymiser,
) -> Result<Event, String> {
    let source = SourceId::new(SOURCE).map_err(|error| error.to_string())?;
    let id = EventId::new(&format!("dead-letter:{}", letter.origin));
    let id = id.map_err(|error| error.to_string())?;
    let mut intake = Intake {
        pseudonymiser,
        // It was there then, whoever wrote it.
        received_at: letter.appended_at,
        source: &source,
        // The same however often it is run again.
        make_id: &mut || id.clone(),
        default_currency: Currency::EUR,
        timings: None,
    };
    let receipts = native::parse_json(content, &mut intake).map_err(|error| error.to_string())?;
    let [receipt] = <[_; 1]>::try_from(receipts)
        .map_err(|all| format!("it is {} actions, and one is needed", all.len()))?;
    receipt.map_err(|rejection| match rejection.field {
        Some(field) => format!("{}: {field} {}", rejection.code.as_str(), rejection.message),
        None => format!("{}: {}", rejection.code.as_str(), rejection.message),
    })
}

#[cfg(test)]
mod tests {
    use foretide_events::EpochMs;
    use foretide_privacy::PseudonymKey;

    use super::*;

    fn read_with_key(content: &str) -> Result<Corrected, String> {
        let key = Pseudonymiser::new(&PseudonymKey::from_bytes([1; 32]));
        read(content.as_bytes(), &letter(), Some(&key))
    }

    fn letter() -> DeadLetter {
        DeadLetter {
            origin: "3/12".parse().unwrap(),
            appended_at: EpochMs(1_795_341_600_000),
            cause: String::new(),
            message: String::new(),
            key: Vec::new(),
            payload: None,
            cut_from: None,
        }
    }

    const STORED: &str = r#"{"v":1,"type":"cart_view","id":"e-1","at":"2026-11-22T08:00:00.000Z","received_at":"2026-11-22T08:00:01.000Z","shopper":{"user":"00112233445566778899aabbccddeeff"},"source":"key:0a1b2c3d","cart_id":"c-1"}"#;

    #[test]
    fn a_stored_event_stays_as_it_is_and_goes_to_its_shoppers_partition() {
        let corrected = read(STORED.as_bytes(), &letter(), None).unwrap();
        assert_eq!(corrected.value, STORED.as_bytes());
        assert_eq!(corrected.id.as_str(), "e-1");
        let record = corrected.record(7);
        assert_eq!(record.key, "00112233445566778899aabbccddeeff");
        assert_eq!(record.at.partition, partition_for(&record.key, 7));
    }

    #[test]
    fn an_action_as_it_is_sent_gets_pseudonyms_and_an_id_that_stays() {
        let sent =
            r#"{"type":"page_view","shopper":{"user_id":"ann"},"at":"2026-11-22T08:00:00Z"}"#;
        let corrected = read_with_key(sent).unwrap();
        assert_eq!(corrected.id.as_str(), "dead-letter:3/12");
        assert_eq!(read_with_key(sent).unwrap(), corrected);
        assert!(!String::from_utf8(corrected.value).unwrap().contains("ann"));
        let keyless = read(sent.as_bytes(), &letter(), None).unwrap_err();
        assert!(keyless.contains("--pseudonym-key-file"), "{keyless}");
    }

    #[test]
    fn what_is_wrong_is_said_as_ingest_says_it() {
        for (content, said) in [
            ("nonsense", "not JSON"),
            ("[]", "malformed"),
            (&STORED.replace("cart_view", "cart_look"), "cart_look"),
            (&STORED.replace("\"v\":1", "\"v\":9"), "version 9"),
            (r#"{"type":"page_view"}"#, "missing_"),
            (
                r#"{"type":"page_look","shopper":{"user_id":"ann"}}"#,
                "unknown_type",
            ),
        ] {
            let error = read_with_key(content).unwrap_err();
            assert!(error.contains(said), "{content}: {error}");
        }
    }
}
