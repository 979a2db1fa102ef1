use std::{collections::BTreeMap, fmt::Write as _};

use foretide_events::{EpochMs, Text};
use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::{
    Calibration, Contribution, Knot, Leaf, Logistic, Node, Scorer, Shape, Split, Target, Term,
    Test, Tree, Trees, prior,
    scorer::trees::samples::{tree, value},
};

const INPUTS: [&str; 4] = [
    "seconds_since_seen",
    "cart_items",
    "engagement_trend_7d",
    "purchases_total",
];

fn text(name: &str) -> Text<64> {
    Text::new(name).unwrap()
}

fn parts(scorer: Scorer) -> ModelParts {
    let correction = Correction {
        offset: 0.25,
        slope: 0.5,
        trust: 0.75,
        examples: 300,
    };
    ModelParts {
        target: Target::Drift,
        schema_id: text(&schema_id()),
        reference: text("reference-1"),
        cohorts: Some(text("cohorts-1")),
        inputs: INPUTS.map(String::from).to_vec(),
        scorer,
        calibration: Calibration::Platt {
            slope: 1.5,
            offset: -0.5,
        },
        corrections: BTreeMap::from([("c-7".to_owned(), correction)]),
        weight: 1.0,
        prior: text(prior::NAME),
        window: Window {
            from: EpochMs(1_795_000_000_000),
            until: EpochMs(1_795_100_000_000),
        },
        seed: 7,
        created_at: EpochMs(1_795_200_000_000),
    }
}

fn logistic() -> Scorer {
    let term = |shape, weight| Term {
        shape,
        low: 0.0,
        high: 1e6,
        mean: 0.5,
        scale: 2.0,
        weight,
        missing: 0.125,
    };
    let terms = [
        term(Shape::Log1p, 0.75),
        term(Shape::Linear, -0.5),
        term(Shape::Linear, -2.0),
        term(Shape::Log1p, 0.0),
    ];
    Scorer::Logistic(Logistic::build(0.25, terms.to_vec()).unwrap())
}

fn boosted() -> Scorer {
    let leaf = |value, cover| Node::Leaf(Leaf { value, cover });
    let split = |input, test, missing_left, left, right| {
        Node::Split(Split {
            input,
            test,
            missing_left,
            left,
            right,
        })
    };
    let nodes = vec![
        split(0, Test::Below(86_400.0), false, 1, 2),
        split(3, Test::OneOf(vec![1, 2, 300]), true, 3, 4),
        leaf(0.75, 40.0),
        leaf(-0.5, 20.0),
        leaf(0.125, 7.5),
    ];
    let stump = vec![
        split(2, Test::Below(0.5), true, 1, 2),
        leaf(1.0, 10.0),
        leaf(-1.0, 30.0),
    ];
    let trees = vec![Tree { nodes }, Tree { nodes: stump }];
    Scorer::Boosted(Trees::build(4, -0.25, trees).unwrap())
}

fn isotonic() -> Calibration {
    let knots = [(-2.0, -1.5), (0.0, 0.0), (1.0, 0.25), (3.0, 2.0)];
    let knots = knots.map(|(margin, log_odds)| Knot { margin, log_odds });
    Calibration::Isotonic {
        knots: knots.to_vec(),
    }
}

/// The log-odds of the prior in these tests.
const PRIOR: f64 = -0.75;

fn prior_prediction() -> Prediction {
    Prediction::of(vec![
        Contribution::base(-1.0),
        Contribution::of("engagement_trend_7d", 0.5, 0.25),
    ])
}

/// What `model` predicts of a shopper with these inputs.
fn predict(model: &Model, row: &[f64], cohort: Option<&str>) -> Prediction {
    let mut values = row.iter();
    let get = |_| values.next().copied().filter(|value| !value.is_nan());
    model.predict(get, cohort, &prior_prediction())
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[test]
fn a_model_is_scored_calibrated_and_corrected_in_that_order() {
    let model = Model::new(parts(boosted())).unwrap();
    let row = [100.0, 1.0, 0.25, 7.0];
    let margin = -0.25 + 0.125 + 1.0;
    let global = 1.5 * margin - 0.5;
    assert_eq!(model.score(&row, None), Margin(global));
    assert_eq!(model.score(&row, Some("c-1")), Margin(global));
    assert_eq!(model.score(&row, Some("c-7")), Margin(0.25 + 0.5 * global));
}

#[test]
fn corrections_count_for_their_own_version_of_the_cohorts_alone() {
    let model = Model::new(parts(logistic())).unwrap();
    assert_eq!(model.corrects("cohorts-1", "c-7"), Some("c-7"));
    assert_eq!(model.corrects("cohorts-1", "c-8"), None);
    assert_eq!(model.corrects("cohorts-2", "c-7"), None);
}

#[test]
fn what_the_evidence_does_not_carry_is_the_priors() {
    let row = [100.0, 1.0, 0.25, f64::NAN];
    let of = |weight| {
        let parts = ModelParts {
            weight,
            ..parts(logistic())
        };
        let model = Model::new(parts).unwrap();
        (
            predict(&model, &row, None).log_odds(),
            model.score(&row, None).0,
        )
    };
    assert!(close(of(0.0).0, PRIOR));
    let (whole, model) = of(1.0);
    assert!(close(whole, model));
    assert!(close(of(0.25).0, 0.25 * model + 0.75 * PRIOR));
    assert_eq!(evidence_weight(0.0), 0.0);
    assert_eq!(evidence_weight(200.0), 0.5);
}

#[test]
fn a_prediction_names_features_with_their_values_and_says_when_they_are_missing() {
    let parts = ModelParts {
        weight: 0.5,
        ..parts(boosted())
    };
    let model = Model::new(parts).unwrap();
    let prediction = predict(&model, &[f64::NAN, 1.0, 0.25, 7.0], Some("c-7"));
    let terms = &prediction.contributions;
    let named = |name: &str| terms.iter().find(|term| term.feature == name);
    assert_eq!(named("seconds_since_seen").unwrap().value, None);
    let trend = named("engagement_trend_7d").unwrap();
    assert_eq!(trend.value, Some(0.25));
    // The model's: 1.5 of the expectation −0.5 on, then half for the cohort, half of that for the evidence; and half the prior's.
    assert!(close(trend.log_odds, 1.5 * 1.5 * 0.5 * 0.5 + 0.5 * 0.25));
    assert_eq!(terms[0].feature, "base");
    assert!(close(named("cohort").unwrap().log_odds, 0.125));
    assert_eq!(named("cart_items"), None, "no tree asks for it");
    assert_eq!(prediction.strongest_push(), Some(trend));
}

#[test]
fn features_beyond_the_strongest_are_one_term() {
    let names: Vec<String> = CATALOGUE
        .iter()
        .take(12)
        .map(|spec| spec.name.to_owned())
        .collect();
    let term = |weight| Term {
        shape: Shape::Linear,
        low: -10.0,
        high: 10.0,
        mean: 0.0,
        scale: 1.0,
        weight,
        missing: 0.0,
    };
    let terms = (1..=12).map(|weight| term(f64::from(weight))).collect();
    let parts = ModelParts {
        inputs: names.clone(),
        calibration: Calibration::None,
        ..parts(Scorer::Logistic(Logistic::build(0.5, terms).unwrap()))
    };
    let model = Model::new(parts).unwrap();
    let terms = predict(&model, &[1.0; 12], None).contributions;
    assert_eq!(terms.len(), 1 + TERMS_SHOWN + 1);
    assert_eq!(terms[1].feature, names[11]);
    let last = terms.last().unwrap();
    assert_eq!((&*last.feature, last.log_odds), ("other_features", 10.0));
}

#[test]
fn the_name_of_a_model_is_that_of_its_content() {
    let model = Model::new(parts(logistic())).unwrap();
    assert!(model.version().starts_with("drift-") && model.version().len() == 22);
    let again = Model::decode(&model.encode()).unwrap();
    assert_eq!(again.version(), model.version());
    let other = ModelParts {
        seed: 8,
        ..parts(logistic())
    };
    assert_ne!(Model::new(other).unwrap().version(), model.version());
}

/// Makes nonsense of a model.
type Change = fn(&mut ModelParts);

const NONSENSE: [(&str, Change); 13] = [
    ("another catalogue", |parts| {
        parts.schema_id = text("0123456789abcdef");
    }),
    ("an unknown input", |parts| {
        parts.inputs = ["a", "b", "c", "d"].map(String::from).to_vec();
    }),
    ("an input twice", |parts| {
        parts.inputs = vec![INPUTS[0].to_owned(); 4];
    }),
    ("too few inputs", |parts| parts.inputs.truncate(3)),
    ("a calibration that falls", |parts| {
        let (slope, offset) = (-1.0, 0.0);
        parts.calibration = Calibration::Platt { slope, offset };
    }),
    ("a correction that is not a number", |parts| {
        correction(parts).offset = f64::NAN;
    }),
    ("a correction that falls", |parts| {
        correction(parts).slope = 0.0;
    }),
    ("trust beyond 1", |parts| correction(parts).trust = 1.5),
    ("corrections of no cohorts", |parts| parts.cohorts = None),
    ("a weight that is not a number", |parts| {
        parts.weight = f64::NAN;
    }),
    ("a weight beyond 1", |parts| parts.weight = 1.01),
    ("a window that ends before it begins", |parts| {
        parts.window.until = EpochMs(0);
    }),
    ("no prior", |parts| parts.prior = text("")),
];

fn correction(parts: &mut ModelParts) -> &mut Correction {
    parts.corrections.get_mut("c-7").unwrap()
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (why, change) in NONSENSE {
        let mut parts = parts(logistic());
        assert_eq!(parts.check(), Ok(()));
        change(&mut parts);
        // It is refused as bytes, too: they may be made by hand.
        let bytes = codec::write(&parts);
        assert_eq!(Model::decode(&bytes), Model::new(parts.clone()), "{why}");
        assert!(Model::new(parts).is_err(), "{why}");
    }
}

#[test]
fn bytes_of_another_format_are_told_from_damaged_ones() {
    let good = Model::new(parts(logistic())).unwrap().encode();
    let mut newer = good.clone();
    newer[4] = 2;
    assert_eq!(Model::decode(&newer), Err(Refused::Format(2)));
    for bad in [&b""[..], b"FTMD", b"FTMD\x01\x00", b"not a model at all"] {
        assert!(matches!(Model::decode(bad), Err(Refused::Damaged(_))));
    }
    let too_long = summed([&good[..good.len() - 8], b"x"].concat());
    assert!(matches!(Model::decode(&too_long), Err(Refused::Damaged(_))));
}

/// `bytes` with the sum that they have.
fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = xxh3_64(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// The bytes in the golden file, and what they hold. The catalogue that they name is none, so that it can change.
fn golden() -> [(&'static str, ModelParts); 2] {
    let schema_id = text("0123456789abcdef");
    let boosted = ModelParts {
        schema_id: schema_id.clone(),
        target: Target::Abandonment,
        calibration: isotonic(),
        weight: 0.625,
        ..parts(boosted())
    };
    let logistic = ModelParts {
        schema_id,
        cohorts: None,
        corrections: BTreeMap::new(),
        ..parts(logistic())
    };
    [
        (include_str!("golden/boosted-v1.hex"), boosted),
        (include_str!("golden/logistic-v1.hex"), logistic),
    ]
}

#[test]
fn models_of_this_format_are_read_and_written_for_ever() {
    for (hex, parts) in golden() {
        let bytes = codec::write(&parts);
        let mut written = String::new();
        for byte in &bytes {
            write!(written, "{byte:02x}").unwrap();
        }
        let lines: String = hex.lines().collect();
        assert_eq!(lines, written);
        assert_eq!(codec::read(&bytes), Ok(parts));
        assert!(matches!(Model::decode(&bytes), Err(Refused::Schema { .. })));
    }
}

/// Any model.
fn any_parts() -> impl Strategy<Value = ModelParts> {
    let trees = prop::collection::vec(tree(4), 0..12)
        .prop_map(|trees| Scorer::Boosted(Trees::build(4, 0.5, trees).unwrap()));
    let scorer = prop_oneof![3 => trees, 1 => Just(logistic())];
    let platt =
        (0.1..3.0, -2.0..2.0).prop_map(|(slope, offset)| Calibration::Platt { slope, offset });
    let calibration = prop_oneof![Just(Calibration::None), Just(isotonic()), platt];
    (scorer, calibration, 0.0..=1.0, any::<u64>()).prop_map(
        |(scorer, calibration, weight, seed)| ModelParts {
            calibration,
            weight,
            seed,
            ..parts(scorer)
        },
    )
}

proptest! {
    #[test]
    fn a_model_survives_its_bytes(parts in any_parts()) {
        let model = Model::new(parts).unwrap();
        prop_assert_eq!(Model::decode(&model.encode()), Ok(model));
    }

    #[test]
    fn damaged_bytes_are_refused(parts in any_parts(), place in any::<prop::sample::Index>(), bits in 1_u8..) {
        let mut bytes = Model::new(parts).unwrap().encode();
        let place = place.index(bytes.len());
        prop_assert!(Model::decode(&bytes[..place]).is_err());
        bytes[place] ^= bits;
        prop_assert!(Model::decode(&bytes).is_err());
    }

    #[test]
    fn nonsense_under_the_right_sum_is_refused_or_scores_in_finite_terms(
        parts in any_parts(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        row in prop::collection::vec(value(), 4),
    ) {
        let mut bytes = Model::new(parts).unwrap().encode();
        bytes.truncate(bytes.len() - 8);
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(model) = Model::decode(&summed(bytes)) {
            let prediction = predict(&model, &row, Some("c-7"));
            prop_assert!(prediction.contributions.iter().all(|term| term.log_odds.is_finite()));
        }
    }

    #[test]
    fn contributions_add_up_to_the_log_odds(
        parts in any_parts(), row in prop::collection::vec(value(), 4), known in any::<bool>(),
    ) {
        let weight = parts.weight;
        let model = Model::new(parts).unwrap();
        let cohort = known.then_some("c-7");
        let log_odds = model.score(&row, cohort).0;
        prop_assert!(close(model.explain(&row, cohort).log_odds(), log_odds));
        let prediction = predict(&model, &row, cohort);
        prop_assert!(close(prediction.log_odds(), weight * log_odds + (1.0 - weight) * PRIOR));
        let named: f64 = prediction.contributions.iter().map(|term| term.log_odds).sum();
        prop_assert_eq!(prediction.probability, Probability::from_log_odds(named));
    }
}
