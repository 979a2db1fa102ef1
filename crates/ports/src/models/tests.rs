use std::collections::BTreeMap;

use foretide_features::schema_id;
use foretide_models::{
    Calibration, DataCard, Logistic, ModelParts, Scorer, ScorerKind, Shape, Term, Window,
};

use super::*;

const NOW: EpochMs = EpochMs(1_795_341_600_000);

fn text(text: &str) -> Text<64> {
    Text::new(text).unwrap()
}

/// A model that says `log_odds` of everyone.
fn model(target: Target, log_odds: f64) -> ModelVersion {
    let term = Term {
        shape: Shape::Linear,
        low: 0.0,
        high: 1.0,
        mean: 0.0,
        scale: 1.0,
        weight: 0.0,
        missing: 0.0,
    };
    let window = Window {
        from: EpochMs(0),
        until: NOW,
    };
    let model = Model::new(ModelParts {
        target,
        schema_id: text(&schema_id()),
        reference: text("prior-1"),
        cohorts: None,
        inputs: vec!["cart_items".to_owned()],
        scorer: Scorer::Logistic(Logistic::build(log_odds, vec![term]).unwrap()),
        calibration: Calibration::None,
        corrections: BTreeMap::new(),
        weight: 1.0,
        prior: text("prior-1"),
        window,
        seed: 1,
        created_at: NOW,
    });
    let model = model.unwrap();
    let data = DataCard {
        window,
        examples: 100,
        positives: 10,
        shoppers: 50,
        treated: 0,
    };
    let card = ModelCard {
        version: model.version().clone(),
        target,
        kind: ScorerKind::Logistic,
        created_at: NOW,
        schema_id: text(&schema_id()),
        reference: text("prior-1"),
        cohorts: None,
        seed: 1,
        weight: 1.0,
        training: data.clone(),
        test: data,
        metrics: None,
        prior_metrics: None,
        calibration_curve: Vec::new(),
        importance: Vec::new(),
        corrections: BTreeMap::new(),
        inputs: Vec::new(),
    };
    ModelVersion {
        target,
        version: model.version().clone(),
        created_at: NOW,
        card,
        model: Arc::new(model),
    }
}

fn change(
    target: Target,
    sequence: u32,
    model: Option<&ModelVersion>,
    cause: ServingCause,
) -> ServingChange {
    ServingChange {
        target,
        sequence,
        version: model.map(|model| model.version.clone()),
        since: EpochMs(i64::from(sequence) * 100),
        cause,
        by: Text::new("test").unwrap(),
        by_hand: false,
    }
}

fn publish(known: &ModelVersions, artefact: &impl Versioned) -> bool {
    let new = artefact.record().unwrap();
    take(known, new.key, new.value)
}

/// Says whether it was taken for good.
fn take(known: &ModelVersions, key: bytes::Bytes, value: Option<bytes::Bytes>) -> bool {
    let record = Record {
        offset: 0,
        appended_at: NOW,
        key,
        value,
    };
    !known.take(&record).unwrap().is_refused()
}

fn serving(known: &ModelVersions, at: i64) -> Option<Text<64>> {
    let serving = known.at(Target::Drift, EpochMs(at));
    serving.map(|model| model.version.clone())
}

#[test]
fn each_instant_has_the_model_that_served_then_and_the_prior_before() {
    let known = ModelVersions::default();
    let [one, two] = [1.0, 2.0].map(|log_odds| model(Target::Drift, log_odds));
    // In whatever order they come.
    assert!(publish(
        &known,
        &change(Target::Drift, 2, Some(&two), ServingCause::Promoted)
    ));
    assert!(publish(
        &known,
        &change(Target::Drift, 1, Some(&one), ServingCause::Promoted)
    ));
    assert_eq!(serving(&known, 1_000), None);
    assert!(publish(&known, &one));
    assert_eq!(serving(&known, 1_000), Some(one.version.clone()));
    assert!(publish(&known, &two));
    assert!(publish(
        &known,
        &change(Target::Drift, 3, None, ServingCause::Admin)
    ));
    for (at, expected) in [
        (99, None),
        (100, Some(&one)),
        (299, Some(&two)),
        (300, None),
    ] {
        let expected = expected.map(|model| model.version.clone());
        assert_eq!(serving(&known, at), expected, "{at}");
        let [drift, abandonment] = known.serving(EpochMs(at));
        assert_eq!(drift.map(|model| model.version.clone()), expected);
        assert!(abandonment.is_none());
    }
    assert_eq!(known.models(Target::Drift).len(), 2);
    assert_eq!(known.models(Target::Abandonment).len(), 0);
    assert_eq!(known.next_sequence(Target::Drift), 4);
    assert_eq!(known.next_sequence(Target::Abandonment), 1);
    assert!(known.model(Target::Drift, &one.version).is_some());
    assert!(known.model(Target::Abandonment, &one.version).is_none());
}

#[test]
fn a_model_survives_its_record() {
    let known = ModelVersions::default();
    let one = model(Target::Abandonment, 0.5);
    assert!(publish(&known, &one));
    let read = known.get(Target::Abandonment, &one.version).unwrap();
    assert_eq!((&*read.model, &read.card), (&*one.model, &one.card));
}

#[test]
fn what_cannot_be_used_is_refused_and_the_last_good_one_serves() {
    let known = ModelVersions::default();
    let [good, other] = [1.0, 2.0].map(|log_odds| model(Target::Drift, log_odds));
    publish(&known, &good);
    publish(
        &known,
        &change(Target::Drift, 1, Some(&good), ServingCause::Promoted),
    );
    let record = other.record().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&record.value.unwrap()).unwrap();
    let swap = |member: &str, value: serde_json::Value| {
        let mut json = json.clone();
        json[member] = value;
        json
    };
    let elsewhere = model(Target::Abandonment, 2.0)
        .record()
        .unwrap()
        .value
        .unwrap();
    let elsewhere: serde_json::Value = serde_json::from_slice(&elsewhere).unwrap();
    let packed = json["model"].as_str().unwrap();
    let damaged = [
        swap("model", "".into()),
        swap("model", "no base64!".into()),
        swap("model", packed[..packed.len() / 2 / 4 * 4].into()),
        swap("model", elsewhere["model"].clone()),
        swap("version", "drift-0".into()),
        swap("target", "abandonment".into()),
        swap("card", good_card(&good)),
        serde_json::Value::Null,
    ];
    for damaged in damaged {
        let value = damaged.to_string();
        assert!(
            !take(&known, record.key.clone(), Some(value.into())),
            "{damaged}"
        );
    }
    for garbage in [&b""[..], b"{", b"\xff\x00"] {
        assert!(!take(&known, record.key.clone(), Some(garbage.into())));
        assert!(!take(
            &known,
            "serving/drift/00000002".into(),
            Some(garbage.into())
        ));
    }
    // Whoever lets it serve all the same changes nothing.
    publish(
        &known,
        &change(Target::Drift, 2, Some(&other), ServingCause::Promoted),
    );
    assert_eq!(serving(&known, 1_000), Some(good.version.clone()));
    publish(&known, &other);
    assert_eq!(serving(&known, 1_000), Some(other.version.clone()));
    take(&known, other.record().unwrap().key, None);
    assert_eq!(serving(&known, 1_000), Some(good.version));
}

fn good_card(good: &ModelVersion) -> serde_json::Value {
    serde_json::to_value(&good.card).unwrap()
}

#[test]
fn going_back_leads_to_what_served_before_and_never_to_what_was_left_behind() {
    let known = ModelVersions::default();
    let [one, two, three] = [1.0, 2.0, 3.0].map(|log_odds| model(Target::Drift, log_odds));
    for model in [&one, &two, &three] {
        publish(&known, model);
    }
    let former = |known: &ModelVersions| {
        let former = known.former(Target::Drift, NOW);
        former.map(|model| model.version.clone())
    };
    assert_eq!(former(&known), None);
    let steps = [
        (Some(&one), ServingCause::Promoted, None),
        (Some(&two), ServingCause::Promoted, Some(&one)),
        (Some(&two), ServingCause::Admin, Some(&one)),
        (Some(&three), ServingCause::Admin, Some(&two)),
        (Some(&two), ServingCause::RolledBack, Some(&one)),
        (Some(&one), ServingCause::RolledBack, None),
        (Some(&three), ServingCause::Promoted, Some(&one)),
        (None, ServingCause::RolledBack, None),
    ];
    for (sequence, (model, cause, expected)) in (1..).zip(steps) {
        publish(&known, &change(Target::Drift, sequence, model, cause));
        let expected = expected.map(|model| model.version.clone());
        assert_eq!(former(&known), expected, "after {sequence}");
    }
}

#[test]
fn what_a_person_decides_is_overruled_only_by_what_knew_of_it() {
    let [one, two, three] = [1.0, 2.0, 3.0].map(|log_odds| model(Target::Drift, log_odds));
    let by_hand = |sequence, model, since| ServingChange {
        since: EpochMs(since),
        by_hand: true,
        by: Text::new("key-7").unwrap(),
        ..change(Target::Drift, sequence, Some(model), ServingCause::Admin)
    };
    let by_itself = |sequence, model, since| ServingChange {
        since: EpochMs(since),
        ..change(Target::Drift, sequence, Some(model), ServingCause::Promoted)
    };
    // A trainer and a person at the same moment, neither of whom knew of the other, in whatever order they were stored.
    let person = by_hand(2, &two, 500);
    for trainer_since in [400, 500, 600] {
        let trainer = by_itself(2, &three, trainer_since);
        for is_first in [true, false] {
            let known = ModelVersions::default();
            for model in [&one, &two, &three] {
                publish(&known, model);
            }
            publish(&known, &by_itself(1, &one, 100));
            let both = [&trainer, &person];
            for place in if is_first { [0, 1] } else { [1, 0] } {
                publish(&known, both[place]);
            }
            assert_eq!(serving(&known, 1_000), Some(two.version.clone()));
            let before = if trainer_since < 500 { &three } else { &one };
            assert_eq!(serving(&known, 499), Some(before.version.clone()));
            let overruled = known.overruled(Target::Drift).len();
            assert_eq!(overruled, usize::from(trainer_since >= 500));
            assert_eq!(known.changes(Target::Drift).len() + overruled, 3);
            assert_eq!(known.next_sequence(Target::Drift), 3);
            publish(&known, &by_itself(3, &one, 700));
            assert_eq!(serving(&known, 1_000), Some(one.version.clone()));
        }
    }
}

#[test]
fn what_names_a_model_that_is_not_known_overrules_nothing() {
    let known = ModelVersions::default();
    let one = model(Target::Drift, 1.0);
    publish(&known, &one);
    let first = change(Target::Drift, 1, Some(&one), ServingCause::Promoted);
    publish(&known, &first);
    let gone = model(Target::Drift, 2.0);
    let garbage = ServingChange {
        by_hand: true,
        since: EpochMs(1),
        ..change(Target::Drift, 9, Some(&gone), ServingCause::Admin)
    };
    publish(&known, &garbage);
    assert_eq!(serving(&known, 1_000), Some(one.version.clone()));
    assert!(known.overruled(Target::Drift).is_empty());
    assert!(!publish(
        &known,
        &ServingChange {
            version: None,
            since: NOW.plus(60_001),
            ..first
        }
    ));
    assert_eq!(serving(&known, i64::MAX), Some(one.version));
}

#[test]
fn decisions_by_hand_of_before_they_were_marked_are_read() {
    let known = ModelVersions::default();
    let one = model(Target::Drift, 1.0);
    publish(&known, &one);
    let old = change(Target::Drift, 1, Some(&one), ServingCause::Admin);
    let new = old.record().unwrap();
    assert_eq!(&new.key[..], b"serving/drift/00000001");
    assert!(!String::from_utf8_lossy(new.value.as_ref().unwrap()).contains("by_hand"));
    assert!(publish(&known, &old));
    assert!(known.changes(Target::Drift)[0].is_by_hand());
}

#[test]
fn after_going_back_to_what_is_not_told_of_any_more_only_the_prior_is_left() {
    let known = ModelVersions::default();
    let [one, two] = [1.0, 2.0].map(|log_odds| model(Target::Drift, log_odds));
    for model in [&one, &two] {
        publish(&known, model);
    }
    let steps = [
        (2, &two, ServingCause::Promoted),
        (3, &one, ServingCause::RolledBack),
    ];
    for (sequence, model, cause) in steps {
        publish(&known, &change(Target::Drift, sequence, Some(model), cause));
    }
    assert!(known.former(Target::Drift, NOW).is_none(), "the prior");
}
