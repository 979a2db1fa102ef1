use foretide_events::ShopperId;
use foretide_features::schema_id;
use foretide_ports::shopper_key;
use serde_json::json;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::*;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const NOW: EpochMs = EpochMs(1_795_341_600_000);

fn shopper(number: u32) -> ShopperId {
    let hash = xxh3_64_with_seed(&number.to_le_bytes(), 5).to_be_bytes();
    let id: Vec<u8> = hash.into_iter().chain(hash).collect();
    ShopperId(id.try_into().unwrap())
}

/// A point of drift, so many days ago, of a shopper with so much engagement and ten actions.
fn point(number: u32, days: i64, engagement: f64) -> (Bytes, Example) {
    let (shopper, at) = (shopper(number), NOW.plus(-days * DAY_MS));
    let content = json!({
        "v": 1, "id": format!("{shopper}/drift/{days}"), "kind": "drift", "revision": 1, "shopper_id": shopper,
        "at": at, "certain_at": at.plus(25 * HOUR_MS), "as_of": at, "catalogue": schema_id(), "reference": "prior-1",
        "features": { "engagement_30d": engagement, "actions_30d": 10.0 },
    });
    let example = Example::decode(content.to_string().as_bytes()).unwrap();
    (Bytes::copy_from_slice(&shopper_key(&shopper)), example)
}

fn learning(most_points: usize, other: bool) -> Learning {
    let settings = WindowSettings {
        most_points,
        ..WindowSettings::default()
    };
    let rule = DriftRule {
        measure: Feature::Actions30d,
        minimum: 1.0,
        ..settings.drift
    };
    Learning::new(settings, other.then_some(rule))
}

/// Points of each of the last `days` days of all shoppers but those who are not kept.
fn fill(learning: &Learning, shoppers: u32, days: i64, engagement: f64) {
    let (reading, thinning) = learning.reading();
    for day in (0..days).rev() {
        let points = (0..shoppers).map(|number| point(number, day, engagement));
        let kept = points.filter(|(key, _)| thinning.keeps_any(key));
        learning.take(reading, 0, kept.collect());
    }
    learning.has_read(reading, Stream::Examples);
    learning.has_read(reading, Stream::Decisions);
}

#[test]
fn a_window_that_would_hold_a_few_days_holds_fewer_shoppers_for_longer() {
    let learning = learning(1_000, false);
    let mut readings = 0;
    let rows = loop {
        readings += 1;
        assert!(readings < 6);
        fill(&learning, 200, 60, 20.0);
        assert!(learning.is_complete());
        if let Some(rows) = learning.rows(Target::Drift, NOW) {
            break rows;
        }
        assert!(
            !learning.is_complete(),
            "everything is to be read once more"
        );
    };
    // Five days of all, and 40 of about one in eight.
    let exponent = learning.reading().1.exponent(Target::Drift);
    assert!((3..=4).contains(&exponent), "{exponent}");
    assert_eq!(learning.reading().1.exponent(Target::Abandonment), 0);
    assert!(rows.rows.len() > 500, "{}", rows.rows.len());
}

#[test]
fn a_window_that_is_not_full_holds_everyone() {
    let learning = learning(1_000, false);
    fill(&learning, 100, 5, 20.0);
    let rows = learning.rows(Target::Drift, NOW).unwrap();
    assert_eq!((rows.rows.len(), rows.left_out.uncertain), (0, 500));
    assert_eq!(learning.held(Target::Drift), 500);
}

/// A decision that could have shown an offer to the shopper so many days ago.
fn decided(number: u32, days: i64) -> Decided {
    Decided {
        decision_id: foretide_events::Text::new(&format!("{number}-{days}")).unwrap(),
        shopper: shopper(number),
        at: NOW.plus(-days * DAY_MS),
        served: false,
        no_offer: 0.0,
        share: 0.05,
    }
}

#[test]
fn where_decisions_had_to_leave_fewer_shoppers_are_held_and_the_other_target_keeps_its_own() {
    let settings = WindowSettings {
        most_decisions: 2_000,
        ..WindowSettings::default()
    };
    let learning = Learning::new(settings, None);
    let (mut readings, days) = (0, 40);
    let rows = loop {
        readings += 1;
        assert!(readings < 8);
        let (reading, thinning) = learning.reading();
        for day in (0..days).rev() {
            let all: Vec<Decided> = (0..200).map(|number| decided(number, day)).collect();
            learning.decided(reading, &all);
            let points = (0..200).map(|number| point(number, day, 20.0));
            let kept = points.filter(|(key, _)| thinning.keeps_any(key));
            learning.take(reading, 0, kept.collect());
        }
        if let Some(rows) = learning.rows(Target::Drift, NOW) {
            break rows;
        }
    };
    let thinning = learning.reading().1;
    assert!(thinning.exponent(Target::Drift) >= 2, "{thinning:?}");
    assert_eq!(thinning.exponent(Target::Abandonment), 0);
    assert!(rows.left_out.unknown_treatment * 4 <= learning.held(Target::Drift) as u64);
    assert!(rows.rows.len() > 500, "{}", rows.rows.len());
}

#[test]
fn where_nobody_has_engagement_drift_is_measured_by_actions() {
    let learning = learning(10_000, true);
    fill(&learning, 50, 30, 0.0);
    assert_eq!(learning.measure(), Feature::Engagement30d);
    assert_eq!(learning.rows(Target::Drift, NOW), None);
    assert_eq!(learning.measure(), Feature::Actions30d);
    fill(&learning, 50, 30, 0.0);
    let rows = learning.rows(Target::Drift, NOW).unwrap();
    assert!(!rows.rows.is_empty());
}

#[test]
fn where_the_measure_is_given_it_stays() {
    let learning = learning(10_000, false);
    fill(&learning, 50, 30, 0.0);
    let rows = learning.rows(Target::Drift, NOW).unwrap();
    assert!(rows.rows.is_empty());
    assert!(rows.left_out.inactive > 0);
}

#[test]
fn what_belongs_to_an_earlier_reading_is_passed_over() {
    let learning = learning(1_000, false);
    let (reading, _) = learning.reading();
    learning.thin(Thinning::of(|_| 1));
    assert_eq!(learning.take(reading, 0, vec![point(1, 1, 1.0)]), 0);
    learning.has_read(reading, Stream::Examples);
    learning.has_read(reading, Stream::Decisions);
    assert!(!learning.is_complete());
    learning.thin(Thinning::of(|_| 1));
    assert_eq!(
        learning.reading().0,
        reading + 1,
        "nothing else is asked for"
    );
}

#[test]
fn a_device_that_is_kept_has_not_drifted_though_its_shopper_is_not_kept() {
    let learning = learning(1_000, false);
    learning.thin(Thinning::of(|_| 1));
    let (reading, thinning) = learning.reading();
    let keeps = |number: &u32| thinning.keeps_any(&shopper_key(&shopper(*number)));
    let device = (0..100).find(keeps).unwrap();
    let owner = (0..100).find(|number| !keeps(number)).unwrap();
    let (key, mut signed_in) = point(owner, 20, 20.0);
    signed_in.point.as_mut().unwrap().devices = vec![shopper(device)];
    learning.take(reading, 0, vec![point(device, 30, 20.0), (key, signed_in)]);
    learning.has_read(reading, Stream::Examples);
    learning.has_read(reading, Stream::Decisions);
    let rows = learning.rows(Target::Drift, NOW).unwrap();
    assert_eq!((rows.rows.len(), rows.left_out.signed_in), (0, 1));
    assert_eq!(learning.held(Target::Drift), 1);
}
