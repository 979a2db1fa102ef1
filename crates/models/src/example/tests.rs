use foretide_events::{Action, Event, EventId, Identity, ProductView, SourceId};
use foretide_features::{Feature, FoldRules, Profile, Reference};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOON: EpochMs = EpochMs(1_795_341_600_000);
const MINUTE_MS: i64 = 60_000;
const SHOPPER: ShopperId = ShopperId([7; 16]);

/// A profile of someone who looked at products so many minutes after noon.
fn profile(minutes: &[i64]) -> Profile {
    let mut profile = Profile::new(SHOPPER);
    for (offset, minute) in (0..).zip(minutes) {
        let at = NOON.plus(minute * MINUTE_MS);
        let event = Event {
            id: EventId::new(&format!("event-{offset}")).unwrap(),
            at,
            received_at: at,
            shopper: SHOPPER,
            identity: Identity {
                user: Some(SHOPPER),
                anonymous: None,
            },
            session: None,
            source: SourceId::new("key:0123abcd").unwrap(),
            action: Action::ProductView(ProductView::default()),
        };
        let _ = profile
            .apply(&event, offset, &FoldRules::default())
            .unwrap();
    }
    profile
}

fn snapshot(minutes: &[i64], at: EpochMs) -> Result<Snapshot, FromTheFuture> {
    let (rules, reference) = (FoldRules::default(), Reference::prior());
    let profile = profile(minutes);
    Snapshot::take(profile.state(), at, &rules, &reference)
}

fn example() -> Example {
    let at = NOON.plus(5 * MINUTE_MS);
    Example {
        id: Text::new(&format!("{SHOPPER}/abandonment/{}/cart", NOON.0)).unwrap(),
        kind: Target::Abandonment,
        revision: 3,
        shopper_id: SHOPPER,
        point: Some(Point {
            at,
            session_started_at: Some(NOON),
            session_ended_at: Some(at),
            weight: 0.5,
            label: Some(true),
            certain_at: at.plus(160 * MINUTE_MS),
            devices: Vec::new(),
            known: snapshot(&[0, 3, 5], at).unwrap(),
        }),
    }
}

/// The example with a member replaced or added; `name` may lead into `features`.
fn with(name: &str, value: Value) -> Vec<u8> {
    let mut json: Value = serde_json::from_slice(&example().encode()).unwrap();
    json.pointer_mut(name.rsplit_once('/').unwrap().0).unwrap()[name.rsplit_once('/').unwrap().1] =
        value;
    serde_json::to_vec(&json).unwrap()
}

#[test]
fn an_example_is_read_as_it_was_written() {
    assert_eq!(Example::decode(&example().encode()).unwrap(), example());
    let drift = Example {
        kind: Target::Drift,
        point: example().point.map(|point| Point {
            session_started_at: None,
            session_ended_at: None,
            weight: 1.0,
            label: None,
            ..point
        }),
        ..example()
    };
    assert_eq!(Example::decode(&drift.encode()).unwrap(), drift);
    let withdrawn = Example {
        point: None,
        ..example()
    };
    assert_eq!(Example::decode(&withdrawn.encode()).unwrap(), withdrawn);
    let devices = vec![ShopperId([8; 16]), ShopperId([9; 16])];
    let of_several = Example {
        point: example().point.map(|point| Point { devices, ..point }),
        ..example()
    };
    assert_eq!(Example::decode(&of_several.encode()).unwrap(), of_several);
}

#[test]
fn what_takes_an_id_back_keeps_no_room_for_features() {
    let withdrawn = Example {
        point: None,
        ..example()
    };
    let bytes = withdrawn.encode();
    assert!(bytes.len() < 300, "{}", bytes.len());
    assert!(bytes.capacity() <= 2 * bytes.len(), "{}", bytes.capacity());
}

/// Whoever reads the topic relies on these names.
#[test]
fn the_json_is_the_one_that_was_agreed() {
    let mut json: Value = serde_json::from_slice(&example().encode()).unwrap();
    let features = json["features"].take();
    assert_eq!(
        features["product_views_7d"].as_f64().map(f64::round),
        Some(3.0)
    );
    assert_eq!(features["cart_items"], 0.0);
    assert!(
        features.get("days_since_purchase").is_none(),
        "missing is left out"
    );
    json["catalogue"].take();
    let shopper = SHOPPER.to_string();
    let expected = json!({
        "v": 1, "id": format!("{shopper}/abandonment/{}/cart", NOON.0), "kind": "abandonment", "revision": 3,
        "shopper_id": shopper, "at": "2026-11-22T10:05:00.000Z", "session_started_at": "2026-11-22T10:00:00.000Z",
        "session_ended_at": "2026-11-22T10:05:00.000Z", "weight": 0.5, "label": true,
        "certain_at": "2026-11-22T12:45:00.000Z", "as_of": "2026-11-22T10:05:00.000Z", "catalogue": null,
        "reference": Reference::prior().version(), "features": null,
    });
    assert_eq!(json, expected);
}

#[test]
fn a_snapshot_holds_what_would_be_served_and_nothing_that_holds_no_longer() {
    let later = |ms| snapshot(&[0], NOON.plus(ms)).unwrap();
    let day_ms = 24 * 60 * MINUTE_MS;
    let of_now = [Feature::EngagementDeviation, Feature::Deviation];
    for feature in of_now {
        assert!(later(day_ms).get(feature).is_some(), "{feature:?}");
        assert_eq!(later(day_ms + 1).get(feature), None, "{feature:?}");
    }
    assert!(later(9 * day_ms).get(Feature::VisitOverdue).is_some());
}

#[test]
fn a_state_that_knows_the_future_is_refused() {
    let at = NOON.plus(5 * MINUTE_MS);
    let as_of = NOON.plus(9 * MINUTE_MS);
    assert_eq!(snapshot(&[0, 9], at), Err(FromTheFuture { at, as_of }));
    assert!(
        snapshot(&[0, 9], as_of).is_ok(),
        "at that very millisecond it had happened"
    );
}

#[test]
fn a_record_with_a_planted_feature_of_the_future_is_refused() {
    let planted = with("/features/purchased_later", json!(1.0));
    let error = Example::decode(&planted).unwrap_err();
    assert_eq!(error.name(), "unknown_feature");
    assert!(error.to_string().contains("`purchased_later`"));
    // The same record without the plant is taken.
    assert!(Example::decode(&example().encode()).is_ok());
}

#[test]
fn a_record_that_rests_on_a_later_event_is_refused() {
    let later = with("/as_of", json!("2026-11-22T10:05:00.001Z"));
    assert_eq!(
        Example::decode(&later).unwrap_err().name(),
        "from_the_future"
    );
    let silent = with("/as_of", Value::Null);
    assert_eq!(Example::decode(&silent).unwrap_err().name(), "unreadable");
}

#[test]
fn records_of_other_catalogues_versions_and_ranges_are_refused() {
    for (name, value, refused) in [
        ("/catalogue", json!("0123456789abcdef"), "other_catalogue"),
        ("/v", json!(2), "other_version"),
        ("/features/cart_items", json!(-1.0), "out_of_range"),
        ("/features/session_scroll", json!(1.5), "out_of_range"),
        ("/weight", json!(0.0), "unreadable"),
        ("/label", Value::Null, "unreadable"),
        ("/shopper_id", json!("someone"), "unreadable"),
    ] {
        let error = Example::decode(&with(name, value)).unwrap_err();
        assert_eq!(error.name(), refused, "{name}: {error}");
    }
}

proptest! {
    #[test]
    fn whatever_bytes_there_are_reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Example::decode(&bytes).is_err());
    }

    #[test]
    fn a_snapshot_never_rests_on_anything_later(minutes in prop::collection::vec(0_i64..60, 1..8), at in 0_i64..60) {
        let newest = *minutes.iter().max().unwrap();
        let taken = snapshot(&minutes, NOON.plus(at * MINUTE_MS));
        prop_assert_eq!(taken.is_ok(), newest <= at);
        if let Ok(taken) = taken {
            prop_assert!(taken.as_of() <= taken.at());
            prop_assert_eq!(taken.get(Feature::ActionsTotal), Some(minutes.len() as f64));
        }
    }
}
