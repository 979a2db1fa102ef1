//! Records of the log as lines of JSON that a person can read.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use foretide_events::{EpochMs, LinkRecord, ShopperId, wire};
use foretide_features::FoldRules;
use foretide_ports::{
    ACTIONS, ARTEFACTS, LINKS, PROFILES, Record, References, TopicPartition, why_refused,
};
use foretide_processor::{
    PartitionCounts, SourceSummary, links,
    published::{self, Key},
};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::value::RawValue;

use crate::profile_view::ProfileView;

/// What profiles are read by.
pub(crate) struct Terms {
    /// By what they were folded.
    pub(crate) rules: FoldRules,
    /// What was usual when.
    pub(crate) references: References,
}

/// A record in a line.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    topic: &'static str,
    partition: u32,
    offset: u64,
    appended_at: EpochMs,
    /// The key as text, where it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    /// The content; `null` where there is none, or none that can be read.
    value: Value<'a>,
    /// Whether the record says that there is nothing under its key any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tombstone: bool,
    /// The content as it is, where it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    /// Why it cannot be read, or is not what belongs there.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// The content of a record.
#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Nothing,
    Stored(&'a RawValue),
    /// JSON over several lines, which has to be written anew.
    Rewritten(serde_json::Value),
    Profile(Box<ProfileView>),
    Counts(CountsView),
    Contribution(ContributionView),
}

/// The counts of a partition.
#[derive(Serialize)]
struct CountsView {
    partition: u32,
    /// The offset up to which the partition's actions are folded.
    next_offset: u64,
    /// When the newest of them was appended.
    as_of: EpochMs,
    dead_letters: u64,
    /// The offset up to which the partition of `foretide.links` is part of its profiles.
    next_link: u64,
    sources: Sources,
}

/// What an anonymous shopper contributes to the profile of a known one.
#[derive(Serialize)]
struct ContributionView {
    known: ShopperId,
    source: ShopperId,
    /// How far the source had applied its partition of the actions.
    position: u64,
    /// Whether it contributes nothing any more.
    withdrawn: bool,
}

/// The fates of the events of each source, by name.
struct Sources(PartitionCounts);

impl Serialize for Sources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (source, count) in self.0.sources() {
            map.serialize_entry(source, &SourceSummary::from(count.fates))?;
        }
        map.end()
    }
}

/// `record` of `from`, with what of it can be read.
pub(crate) fn line<'a>(from: TopicPartition, record: &'a Record, terms: &Terms) -> Line<'a> {
    let key = std::str::from_utf8(&record.key).ok();
    let mut line = Line {
        topic: from.topic,
        partition: from.partition,
        offset: record.offset,
        appended_at: record.appended_at,
        key,
        key_base64: key.is_none().then(|| STANDARD.encode(&record.key)),
        value: Value::Nothing,
        tombstone: record.value.is_none(),
        value_base64: None,
        problem: None,
    };
    let Some(stored) = &record.value else {
        return line;
    };
    let read = match from.topic {
        PROFILES => published(record, stored, terms),
        LINKS => contribution(record, stored, &terms.rules),
        _ => json(stored),
    };
    match read {
        Ok(value) => line.value = value,
        Err(problem) => {
            line.problem = Some(problem);
            line.value_base64 = Some(STANDARD.encode(stored));
        }
    }
    if from.topic == ACTIONS && line.problem.is_none() {
        line.problem = wire::decode(stored)
            .err()
            .filter(|_| LinkRecord::decode(stored).is_err())
            .map(|problem| problem.to_string());
    }
    if from.topic == ARTEFACTS
        && let Some(cause) = why_refused(record)
    {
        line.problem = Some(cause.to_string());
    }
    line
}

/// What `foretide.profiles` holds under a key. Profiles are shown as of when they were stored.
fn published(record: &Record, stored: &[u8], terms: &Terms) -> Result<Value<'static>, String> {
    match published::parse_key(&record.key) {
        Some(Key::Profile(shopper)) => profile(&shopper, record, stored, terms),
        Some(Key::Counts(partition)) => {
            let counts = published::decode_counts(stored).map_err(|error| error.to_string())?;
            Ok(Value::Counts(CountsView {
                partition,
                next_offset: counts.next_offset,
                as_of: counts.as_of,
                dead_letters: counts.dead_letters,
                next_link: counts.next_link,
                sources: Sources(counts),
            }))
        }
        None => Err("the key is neither a shopper nor a partition's counts".to_owned()),
    }
}

fn profile(
    shopper: &ShopperId,
    record: &Record,
    stored: &[u8],
    terms: &Terms,
) -> Result<Value<'static>, String> {
    let profile = published::decode_profile(shopper, stored, &terms.rules)
        .map_err(|error| format!("the profile cannot be read: {error}"))?;
    let at = profile.newest_at().max(Some(record.appended_at));
    let at = at.unwrap_or(record.appended_at);
    let reference = terms.references.at(at);
    let view = ProfileView::of(&profile, at, &terms.rules, &reference);
    Ok(Value::Profile(Box::new(view)))
}

/// What `foretide.links` holds under a key.
fn contribution(
    record: &Record,
    stored: &[u8],
    rules: &FoldRules,
) -> Result<Value<'static>, String> {
    let (known, source) =
        links::parse_key(&record.key).ok_or("the key does not name two shoppers")?;
    let contribution = links::decode(&source, stored, rules)
        .map_err(|error| format!("the contribution cannot be read: {error}"))?;
    Ok(Value::Contribution(ContributionView {
        known,
        source,
        position: contribution.position(),
        withdrawn: contribution.is_empty(),
    }))
}

/// Content that is JSON, on one line.
fn json(stored: &[u8]) -> Result<Value<'_>, String> {
    let not_json = |error: serde_json::Error| format!("the content is not JSON: {error}");
    if stored.contains(&b'\n') || stored.contains(&b'\r') {
        return serde_json::from_slice(stored)
            .map(Value::Rewritten)
            .map_err(not_json);
    }
    serde_json::from_slice(stored)
        .map(Value::Stored)
        .map_err(not_json)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use foretide_events::{SourceId, Text};
    use foretide_features::{Contribution, Profile, Reference};
    use foretide_ports::{DEAD_LETTERS, ReferenceVersion, Versioned as _, shopper_key};
    use foretide_processor::Fates;
    use serde_json::json;

    use super::*;

    fn terms() -> Terms {
        Terms {
            rules: FoldRules::default(),
            references: References::default(),
        }
    }

    fn shown(topic: &'static str, key: &[u8], value: Option<Vec<u8>>) -> serde_json::Value {
        let from = TopicPartition {
            topic,
            partition: 3,
        };
        let record = Record {
            offset: 9,
            appended_at: EpochMs(0),
            key: Bytes::copy_from_slice(key),
            value: value.map(Bytes::from),
        };
        let text = serde_json::to_string(&line(from, &record, &terms())).unwrap();
        assert!(!text.contains('\n'), "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn json_is_shown_as_it_is_stored() {
        let expected = json!({
            "topic": ARTEFACTS, "partition": 3, "offset": 9, "appended_at": "1970-01-01T00:00:00.000Z",
            "key": "k", "value": { "b": 1, "a": [2] },
        });
        assert_eq!(
            shown(ARTEFACTS, b"k", Some(br#"{"b":1,"a":[2]}"#.to_vec())),
            expected
        );
        let on_lines = b"{\n  \"b\": 1,\r\n  \"a\": [2]\n}".to_vec();
        assert_eq!(shown(ARTEFACTS, b"k", Some(on_lines)), expected);
    }

    #[test]
    fn a_tombstone_is_told_from_an_empty_value() {
        let tombstone = shown(PROFILES, &[7; 4], None);
        assert_eq!(tombstone["tombstone"], true);
        assert_eq!(tombstone["value"], serde_json::Value::Null);
        let empty = shown(DEAD_LETTERS, b"k", Some(Vec::new()));
        assert_eq!(
            (&empty["tombstone"], &empty["value_base64"]),
            (&json!(null), &json!(""))
        );
        assert!(empty["problem"].as_str().unwrap().contains("not JSON"));
    }

    #[test]
    fn what_cannot_be_read_is_shown_in_base64_with_the_cause() {
        let line = shown(
            PROFILES,
            &shopper_key(&ShopperId([1; 16])),
            Some(vec![0xff, 0]),
        );
        assert_eq!(line["value_base64"], "/wA=");
        assert!(
            line["problem"].as_str().unwrap().contains("profile"),
            "{line}"
        );
        let foreign = shown(PROFILES, b"\xff", Some(b"x".to_vec()));
        assert_eq!(foreign["key_base64"], "/w==");
        assert!(foreign["problem"].as_str().unwrap().contains("key"));
    }

    #[test]
    fn a_reference_is_shown_as_it_is_stored_and_one_that_cannot_be_used_with_the_cause() {
        let version = Text::new("reference-1").unwrap();
        let reference = Reference::prior().named(version.clone());
        let version = ReferenceVersion {
            reference: reference.into(),
            version,
            since: EpochMs(0),
            shoppers: 100,
        };
        let record = version.record().unwrap();
        let stored: Vec<u8> = record.value.unwrap().into();
        let line = shown(ARTEFACTS, &record.key, Some(stored.clone()));
        assert_eq!(line["key"], "reference/reference-1");
        assert_eq!(line["value"]["since"], "1970-01-01T00:00:00.000Z");
        assert_eq!(line["value"]["reference"]["review_cart_share"], 0.1);
        assert_eq!(line.get("problem"), None);
        let foreign = shown(ARTEFACTS, b"reference/another", Some(stored));
        assert!(
            foreign["problem"].as_str().unwrap().contains("name"),
            "{foreign}"
        );
    }

    #[test]
    fn an_action_that_is_json_but_no_event_is_shown_with_what_is_wrong() {
        let line = shown(ACTIONS, b"k", Some(br#"{"v":1}"#.to_vec()));
        assert_eq!(line["value"], json!({ "v": 1 }));
        assert!(line["problem"].is_string(), "{line}");
    }

    #[test]
    fn links_are_shown_as_what_they_are() {
        let (known, source) = (ShopperId([1; 16]), ShopperId([2; 16]));
        let record = LinkRecord {
            id: foretide_events::EventId::new("e-1").unwrap(),
            at: EpochMs(0),
            anonymous: source,
            known,
        };
        let line = shown(ACTIONS, &shopper_key(&source), Some(record.encode()));
        assert_eq!(line["value"]["type"], "link");
        assert_eq!(line["problem"], json!(null));

        let mut stored = Vec::new();
        Contribution::withdrawn(source, 7).encode(&FoldRules::default(), &mut stored);
        let line = shown(LINKS, format!("{known}/{source}").as_bytes(), Some(stored));
        let expected = json!({
            "known": known, "source": source, "position": 7, "withdrawn": true,
        });
        assert_eq!(line["value"], expected, "{line}");
    }

    #[test]
    fn profiles_and_counts_are_put_into_words() {
        let (shopper, rules) = (ShopperId([1; 16]), FoldRules::default());
        let mut stored = Vec::new();
        Profile::new(shopper).encode(&rules, &mut stored);
        let line = shown(PROFILES, &shopper_key(&shopper), Some(stored));
        assert_eq!(line["value"]["shopper_id"], "01".repeat(16));
        assert!(line["value"]["features"].is_object(), "{line}");

        let mut counts = PartitionCounts::default();
        let fates = Fates {
            folded: 5,
            duplicate: 1,
            late: 0,
        };
        counts.add(&SourceId::new("import:a").unwrap(), fates, 5);
        let record = published::counts_record(3, &counts);
        let line = shown(PROFILES, &record.key, record.value.map(Into::into));
        assert_eq!(line["value"]["partition"], 3);
        let source = &line["value"]["sources"]["import:a"];
        assert_eq!(
            (&source["folded"], &source["accepted"]),
            (&json!(5), &json!(6))
        );
        let _: BTreeMap<String, serde_json::Value> = serde_json::from_value(line).unwrap();
    }
}
