use foretide_events::Currency;
use foretide_models::{Contribution, Prediction};

use super::*;
use crate::{RulePolicy, Situation, Thresholds};

/// Every field filled.
fn record() -> DecisionRecord {
    let predictions = Predictions {
        drift: Prediction::of(vec![Contribution::base(-0.5)]),
        abandonment: Prediction::of(vec![
            Contribution::base(0.75),
            Contribution::of("seconds_since_seen", 750.0, 0.5),
        ]),
        source: "prior-1".into(),
    };
    let value = Money {
        minor_units: 12_990,
        currency: Currency::EUR,
    };
    let policy = RulePolicy::new(Thresholds {
        abandonment: "0.7".parse().unwrap(),
        drift: "0.8".parse().unwrap(),
        discount_percent: "10".parse().unwrap(),
    });
    let choice = policy.decide(&Situation {
        predictions: &predictions,
        cart_value: Some(value),
        recommend: &Vec::new,
        withheld: None,
    });
    let stale = Reason::new(ReasonCode::StaleFeatures, "what is known is 61000 ms old");
    DecisionRecord {
        decision_id: Text::new("0192f0c1-2345-7abc-8def-0123456789ab").unwrap(),
        at: EpochMs(1_795_334_400_123),
        shopper: ShopperId([0xab; 16]),
        session: SessionId::new("s1").ok(),
        request_id: Text::new("r1"),
        placement: Text::new("cart-page"),
        page: Text::new("/cart"),
        cart: Some(RecordedCart {
            source: CartSource::Request,
            value: Some(value),
            products: vec![ShopId::new("p1").unwrap()],
        }),
        features: RecordedFeatures {
            catalogue: "0123456789abcdef".into(),
            fold_rules: 7,
            age_ms: Some(61_000),
            next_offset: Some(42),
            values: [("cart_items".into(), 1.0)].into(),
        },
        cohort: Cohort::EVERYONE,
        predictions,
        policy: policy.recorded(),
        arms: choice.arms.to_vec(),
        chosen: choice.offer.clone(),
        served: choice.offer,
        reasons: [choice.reasons, vec![stale]].concat(),
        degraded: true,
        degraded_by: vec![ReasonCode::StaleFeatures],
    }
}

#[test]
fn a_record_of_version_1_is_written_and_read_as_ever() {
    let golden = include_str!("../../golden/decision-v1.json");
    let bytes = record().encode().unwrap();
    let written: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let kept: serde_json::Value = serde_json::from_str(golden).unwrap();
    assert_eq!(
        written,
        kept,
        "{}",
        serde_json::to_string_pretty(&written).unwrap()
    );
    assert_eq!(DecisionRecord::decode(golden.as_bytes()).unwrap(), record());
}

#[test]
fn another_version_or_anything_else_is_refused() {
    let newer = DecisionRecord::decode(br#"{"v":2}"#);
    assert!(matches!(newer, Err(RecordError::Version(2))));
    for bad in [&b"{\"v\":1}"[..], b"{}", b"\xff"] {
        assert!(matches!(
            DecisionRecord::decode(bad),
            Err(RecordError::Shape(_))
        ));
    }
}
