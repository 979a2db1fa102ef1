use std::sync::Arc;

use foretide_cohorts::{Counts, Reformer, Sample};
use foretide_events::ShopperId;
use foretide_models::ScorerKind;

use super::*;
use crate::{
    promotion::{
        Challenger, Decision, Field, Look, PromotionSettings, Scores, Stretch, Verdict, Watched,
        Worse, judged_from, look,
    },
    seeded::Seeded,
};

const HOUR_MS: i64 = 3_600_000;
const SCHEMA_SEED: u64 = 17;

fn uniform(seeded: &mut Seeded) -> f64 {
    (seeded.next() >> 11) as f64 / (1_u64 << 53) as f64
}

/// So many points, one an hour, of which those with more views abandon less; with a few features, and one that is always the same.
fn rows(count: i64, seed: u64) -> Rows {
    let mut seeded = Seeded::new(seed, SCHEMA_SEED);
    let row = |number: i64| {
        let mut features = vec![f32::NAN; Feature::COUNT];
        let (views, adds) = (10.0 * uniform(&mut seeded), 3.0 * uniform(&mut seeded));
        #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
        for (feature, value) in [
            (Feature::SessionProductViews, views),
            (Feature::CartAdds7d, adds),
            (Feature::CartItems, 2.0),
        ] {
            features[feature as usize] = value as f32;
        }
        let p = 1.0 / (1.0 + libm::exp(0.6 * views - 3.0 - 0.5 * adds));
        let label = uniform(&mut seeded) < p;
        let at = EpochMs(number * HOUR_MS);
        let shopper = ShopperId(u128::from(seeded.next()).rotate_left(64).to_be_bytes());
        let id = Text::new(&number.to_string()).unwrap();
        Row::new(
            id,
            shopper,
            (at, at.plus(HOUR_MS)),
            label,
            Arc::from(features),
        )
    };
    Rows {
        rows: (0..count).map(row).collect(),
        treated_at: vec![EpochMs(5 * HOUR_MS)],
        ..Rows::default()
    }
}

fn settings() -> TrainSettings {
    TrainSettings {
        kinds: vec![Kind::Logistic],
        bootstrap_samples: 20,
        ..TrainSettings::default()
    }
}

fn training<'a>() -> Training<'a> {
    Training {
        target: Target::Abandonment,
        gap_ms: 3 * HOUR_MS,
        reference: "reference-1",
        cohorts: None,
        seed: 5,
        now: EpochMs(9_000 * HOUR_MS),
    }
}

#[test]
fn a_model_is_judged_on_later_rows_after_a_gap_and_is_better_than_the_prior() {
    let Trained { model, card } = train(&rows(1_500, 1), &settings(), &training()).unwrap();
    assert_eq!(card.test.window.from, EpochMs(1_200 * HOUR_MS));
    assert_eq!(card.training.window.until, EpochMs(1_196 * HOUR_MS + 1));
    assert_eq!((card.training.examples, card.test.examples), (1_197, 300));
    assert_eq!((card.training.treated, card.test.treated), (1, 0));
    assert_eq!(card.kind, ScorerKind::Logistic);
    let (own, prior) = (card.metrics.unwrap(), card.prior_metrics.unwrap());
    assert!(
        own.auc.value > 0.75 && own.log_loss.value < prior.log_loss.value,
        "{own:?}"
    );
    assert!(own.calibration_error.value < 0.12, "{own:?}");
    assert_eq!(&card.version, model.version());
    assert_eq!(card.inputs.len(), model.features().len());
    // What never changes says nothing.
    assert_eq!(
        model.features(),
        [Feature::CartAdds7d, Feature::SessionProductViews]
    );
}

#[test]
fn the_same_rows_and_seed_give_the_same_model_and_bytes() {
    let once = train(&rows(600, 2), &settings(), &training()).unwrap();
    let again = train(&rows(600, 2), &settings(), &training()).unwrap();
    assert_eq!(once.model.encode(), again.model.encode());
    assert_eq!(once.card, again.card);
    assert_eq!(Model::decode(&once.model.encode()).unwrap(), once.model);
}

#[test]
fn too_few_examples_or_a_single_class_train_nothing() {
    let few = train(&rows(30, 3), &settings(), &training());
    assert!(matches!(few, Err(NotTrained::TooLittle { .. })), "{few:?}");
    let mut one_class = rows(600, 3);
    for row in &mut one_class.rows {
        row.label = true;
    }
    let one_class = train(&one_class, &settings(), &training());
    assert!(matches!(
        one_class,
        Err(NotTrained::TooLittle { negatives: 0, .. })
    ));
    let nothing = train(&Rows::default(), &settings(), &training());
    assert!(matches!(
        nothing,
        Err(NotTrained::TooLittle {
            positives: 0,
            negatives: 0,
            ..
        })
    ));
}

#[test]
fn where_the_past_is_too_short_all_is_learnt_from_and_nothing_is_judged() {
    // Nothing lies so long before what could be judged; the folds within need no such gap.
    let whole = TrainSettings {
        test_share: 0.0,
        ..settings()
    };
    let Trained { card, .. } = train(&rows(400, 4), &whole, &training()).unwrap();
    let impatient = TrainSettings {
        test_share: 0.45,
        least_of_label: 120,
        ..settings()
    };
    let Trained { card: other, .. } = train(&rows(400, 4), &impatient, &training()).unwrap();
    assert_eq!(card, other);
    assert_eq!((card.training.examples, card.test.examples), (400, 0));
    assert_eq!((card.metrics, card.calibration_curve.len()), (None, 0));
}

#[test]
fn of_too_many_rows_some_shoppers_are_drawn_whole() {
    let rows = rows(2_000, 5);
    let all: Vec<&Row> = rows.rows.iter().collect();
    let drawn = thinned(all.clone(), 500, 1);
    assert!((400..600).contains(&drawn.len()), "{}", drawn.len());
    assert_eq!(drawn, thinned(all.clone(), 500, 1));
    assert_ne!(drawn, thinned(all.clone(), 500, 2));
    assert_eq!(thinned(all.clone(), 2_000, 1), all);
}

#[test]
fn a_model_that_is_too_large_is_fitted_smaller() {
    let settings = TrainSettings {
        kinds: vec![Kind::Boosted],
        most_bytes: 6_000,
        max_trees: 64,
        ..settings()
    };
    let small = train(&rows(1_500, 6), &settings, &training()).unwrap();
    assert!(small.model.encode().len() <= 6_000);
    let tiny = TrainSettings {
        most_bytes: 10,
        ..settings
    };
    let refused = train(&rows(1_500, 6), &tiny, &training());
    assert!(
        matches!(refused, Err(NotTrained::TooLarge(_))),
        "{refused:?}"
    );
}

#[test]
fn weights_that_differ_are_worth_fewer_examples() {
    assert!((as_many_equal([1.0; 50].into_iter()) - 50.0).abs() < 1e-9);
    assert!(as_many_equal([20.0, 1.0, 1.0].into_iter()) < 1.3);
    assert!(as_many_equal(std::iter::empty()).abs() < 1e-9);
}

/// Who serves and who wants to, with nothing watched.
fn field<'a>(serving: Option<&'a Model>, challengers: &'a [Challenger<'a>]) -> Field<'a> {
    Field {
        serving,
        watched: None,
        challengers,
        cohorts: None,
        apart_ms: 0,
    }
}

#[test]
fn a_model_is_promoted_over_the_prior_on_rows_that_it_has_not_seen() {
    let rows = rows(3_000, 7);
    let model = train(&rows, &settings(), &training()).unwrap().model;
    let challengers = [Challenger {
        model: &model,
        stretch: Stretch {
            earlier: 4,
            from: judged_from(&model, None, training().gap_ms),
        },
    }];
    let scores = Scores::new(Target::Abandonment, []);
    let seen = look(
        &field(None, &challengers),
        &rows,
        &scores,
        &PromotionSettings::default(),
    );
    let version = model.version().clone();
    let verdict = Verdict::Superior;
    assert_eq!(
        seen.decision,
        Decision::Promote { version, verdict },
        "{seen:?}"
    );
    // What it learnt from, and the gap after that, are no part of it.
    assert_eq!(seen.challengers[0].units, 600);
    let written = serde_json::to_string(&seen).unwrap();
    assert_eq!(serde_json::from_str::<Look>(&written).unwrap(), seen);

    let again = look(
        &field(Some(&model), &challengers),
        &rows,
        &scores,
        &PromotionSettings::default(),
    );
    assert_eq!(
        again.decision,
        Decision::Keep,
        "it is no better than itself"
    );
}

#[test]
fn a_model_that_does_not_suit_what_follows_is_rolled_back_to_the_prior() {
    let model = train(&rows(1_500, 8), &settings(), &training())
        .unwrap()
        .model;
    // From now on all is the other way round.
    let mut turned = rows(1_500, 9);
    for row in &mut turned.rows {
        row.label = !row.label;
    }
    let watched_from = |hour: i64| Field {
        watched: Some(Watched {
            former: None,
            stretch: Stretch {
                earlier: 0,
                from: EpochMs(hour * HOUR_MS),
            },
        }),
        ..field(Some(&model), &[])
    };
    let watched = watched_from(0);
    let scores = Scores::new(Target::Abandonment, []);
    let seen = look(&watched, &turned, &scores, &PromotionSettings::default());
    assert_eq!(
        seen.decision,
        Decision::RollBack { worse: Worse::Loss },
        "{seen:?}"
    );
    let later = watched_from(1_490);
    let seen = look(&later, &turned, &scores, &PromotionSettings::default());
    assert_eq!(
        seen.decision,
        Decision::Keep,
        "only what has happened since it serves counts"
    );
}

/// Two cohorts: in that of the engaged, views say much about abandonment, in the other little.
fn rows_of_two_cohorts(count: i64) -> Rows {
    let mut rows = rows(count, 12);
    let mut seeded = Seeded::new(3, SCHEMA_SEED);
    for (row, number) in rows.rows.iter_mut().zip(0_i64..) {
        let is_engaged = number % 2 == 0;
        let views = 10.0 * uniform(&mut seeded);
        let mut features = vec![f32::NAN; Feature::COUNT];
        #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
        for (feature, value) in [
            (Feature::SessionProductViews, views),
            (
                Feature::Engagement30d,
                if is_engaged { 40.0 } else { 5.0 } + uniform(&mut seeded),
            ),
            (
                Feature::CouponAttempts30d,
                if is_engaged { 9.0 } else { 0.0 } + uniform(&mut seeded) / 2.0,
            ),
        ] {
            features[feature as usize] = value as f32;
        }
        let slope = if is_engaged { 1.2 } else { 0.2 };
        let p = 1.0 / (1.0 + libm::exp(slope * (views - 5.0)));
        let label = uniform(&mut seeded) < p;
        let times = (row.at, row.certain_at);
        *row = Row::new(
            row.id.clone(),
            row.shopper,
            times,
            label,
            Arc::from(features),
        );
    }
    rows
}

fn two_cohorts(rows: &Rows) -> Cohorts {
    let features = vec![Feature::Engagement30d, Feature::CouponAttempts30d];
    let sample = |odd: usize| {
        let mut sample = Sample::new(&features);
        for row in rows.rows.chunks(2).skip(odd).step_by(2).flatten() {
            sample.push(|feature| row.get(feature));
        }
        sample
    };
    let settings = foretide_cohorts::Settings {
        cohorts: Counts::Between { least: 2, most: 4 },
        features: features.clone(),
        ..foretide_cohorts::Settings::default()
    };
    let reformer = Reformer::new(settings, 7).unwrap();
    let reference = Text::new("reference-1").unwrap();
    let reforming = reformer.reform(&sample(0), &sample(1), None, EpochMs(0), &reference);
    reforming.accepted().unwrap()
}

#[test]
fn cohorts_correct_the_global_model_and_only_under_the_version_it_was_trained_with() {
    let rows = rows_of_two_cohorts(4_000);
    let cohorts = two_cohorts(&rows);
    let with_cohorts = Training {
        cohorts: Some(&cohorts),
        ..training()
    };
    let Trained { model, card } = train(&rows, &settings(), &with_cohorts).unwrap();
    assert_eq!(model.cohorts(), Some(&cohorts.version));
    let slope = |row: &Row| {
        let cohort = cohorts
            .get(cohorts.assign(|feature| row.get(feature)).index)
            .unwrap();
        assert_eq!(
            model.corrects(&cohorts.version, &cohort.id),
            Some(&*cohort.id)
        );
        assert_eq!(model.corrects("another version", &cohort.id), None);
        card.corrections[&*cohort.id].slope
    };
    let [engaged, others] = [&rows.rows[0], &rows.rows[1]].map(slope);
    assert!(engaged > 1.1 && others < 0.9, "{engaged} and {others}");

    let of = |scores: &Scores<'_>, row| scores.of(Some(&model), row);
    let (bound, global) = (
        Scores::new(Target::Abandonment, [&cohorts]),
        Scores::new(Target::Abandonment, []),
    );
    let differs = rows
        .rows
        .iter()
        .take(50)
        .any(|row| (of(&bound, row) - of(&global, row)).abs() > 0.01);
    assert!(differs, "without its cohorts the global model speaks");
    // As it did when another version had taken over.
    let until = rows.rows[25].at;
    let served = Scores::served(Target::Abandonment, [(&cohorts, Some(until))]);
    for row in &rows.rows[..50] {
        let expected = if row.at < until { &bound } else { &global };
        assert_eq!(of(&served, row).to_bits(), of(expected, row).to_bits());
    }
    // It takes the place of the same model of earlier cohorts, though it rests on no later data.
    let earlier = train(&rows, &settings(), &training()).unwrap().model;
    let stretch = Stretch {
        earlier: 0,
        from: EpochMs(0),
    };
    let challengers = [Challenger {
        model: &model,
        stretch,
    }];
    let verdict = |cohorts| {
        let field = Field {
            cohorts,
            ..field(Some(&earlier), &challengers)
        };
        let settings = PromotionSettings {
            margin: 1.0,
            error: 0.999,
            ..PromotionSettings::default()
        };
        // Where neither is corrected they are as good as each other.
        look(&field, &rows, &global, &settings).challengers[0].verdict
    };
    assert_eq!(
        verdict(Some(&*cohorts.version)),
        Verdict::FresherNotInferior
    );
    assert_eq!(verdict(Some("others")), Verdict::Open);
    assert_eq!(verdict(None), Verdict::Open);
    // No cohort's id, or place, is an input.
    assert!(
        model
            .features()
            .iter()
            .all(|feature| !feature.spec().name.contains("cohort"))
    );
}
