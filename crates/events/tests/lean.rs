//! What folding needs of a stored event is read as the full reader would: the same is accepted, the same refused.

mod common;

use common::{any, golden};
use foretide_events::{ActionType, Event, Lean, wire};
use proptest::{prelude::*, sample::Index};

fn encoded(event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    wire::encode(event, &mut bytes);
    bytes
}

/// What the lean reader says of `bytes`, the full one says as well.
fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Some(lean) = Lean::read(bytes) else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(bytes);
    match wire::decode(bytes) {
        Ok(event) => prop_assert_eq!(lean, Lean::of(&event), "{}", text),
        Err(problem) => prop_assert!(false, "{} is refused: {}", text, problem),
    }
    Ok(())
}

#[test]
fn every_kind_is_read_without_the_full_reader() {
    for kind in ActionType::ALL {
        let stored = golden(&format!("stored/{}.json", kind.as_str()));
        let event = wire::decode(stored.as_bytes()).expect("golden files are events");
        let bytes = encoded(&event);
        assert_eq!(Lean::read(&bytes), Some(Lean::of(&event)), "{stored}");
    }
}

#[test]
fn what_is_written_otherwise_is_left_to_the_full_reader() {
    let stored = golden("stored/product_view.json");
    let stored = stored.trim_end();
    assert!(Lean::read(stored.as_bytes()).is_some());
    for (from, to) in [
        ("{\"v\":1,", "{ \"v\":1,"),
        ("{\"v\":1,", "{\"v\":2,"),
        (
            "\"type\":\"product_view\"",
            "\"type\":\"product_\\u0076iew\"",
        ),
        ("\"dwell_ms\":31000", "\"dwell_ms\":31000,\"later\":1"),
        (
            "\"dwell_ms\":31000",
            "\"dwell_ms\":31000,\"dwell_ms\":31000",
        ),
        ("\"dwell_ms\":31000", "\"dwell_ms\":null"),
        ("\"dwell_ms\":31000", "\"dwell_ms\":31000.0"),
        ("\"scroll_depth\":1.0", "\"scroll_depth\":1.1"),
        ("Trail runner", "Trail\\nrunner"),
        ("\"shopper\":{", "\"shopper\":{\"user\":null,"),
    ] {
        let changed = stored.replacen(from, to, 1);
        assert_ne!(changed, stored);
        assert_eq!(Lean::read(changed.as_bytes()), None, "{changed}");
    }
    assert_eq!(Lean::read(format!("{stored} ").as_bytes()), None);
    assert_eq!(Lean::read(format!("{stored}}}").as_bytes()), None);
}

/// A change of a few bytes, such as damage does or another writer.
#[derive(Clone, Debug)]
enum Change {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index, usize),
    Repeat(Index, Index),
    /// Two members, or what stands between commas, change places.
    Swap(Index, Index),
}

fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        prop::sample::select(br#"{}[]",:\0123456789-+.eE nulltruefalse"#.to_vec()),
        any::<u8>(),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        (any::<Index>(), 1_usize..4).prop_map(|(at, count)| Change::Remove(at, count)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Repeat(from, to)),
        (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Change::Swap(one, other)),
    ]
}

fn changed(mut bytes: Vec<u8>, change: &Change) -> Vec<u8> {
    if bytes.is_empty() {
        return bytes;
    }
    match change {
        Change::Replace(at, byte) => *at.get_mut(&mut bytes) = *byte,
        Change::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
        Change::Remove(at, count) => {
            let at = at.index(bytes.len());
            bytes.drain(at..(at + count).min(bytes.len()));
        }
        Change::Repeat(from, to) => {
            let mut parts = parts_of(&bytes);
            let part = parts[from.index(parts.len())].clone();
            parts.insert(to.index(parts.len()), part);
            bytes = parts.join(&b',');
        }
        Change::Swap(one, other) => {
            let mut parts = parts_of(&bytes);
            let (one, other) = (one.index(parts.len()), other.index(parts.len()));
            parts.swap(one, other);
            bytes = parts.join(&b',');
        }
    }
    bytes
}

fn parts_of(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes
        .split(|byte| *byte == b',')
        .map(<[u8]>::to_vec)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_written_without_escapes_is_read_without_the_full_reader(event in any::event()) {
        let bytes = encoded(&event);
        match Lean::read(&bytes) {
            Some(lean) => prop_assert_eq!(lean, Lean::of(&event)),
            None => prop_assert!(bytes.contains(&b'\\'), "{}", String::from_utf8_lossy(&bytes)),
        }
    }

    #[test]
    fn both_readers_agree_on_changed_events(
        event in any::event(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let bytes = changes.iter().fold(encoded(&event), changed);
        agree(&bytes)?;
    }

    #[test]
    fn both_readers_agree_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        agree(&bytes)?;
    }
}
