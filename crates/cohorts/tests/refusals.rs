//! What may not take over: the last good cohorts go on serving.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test may fail it"
)]

mod planted;

use foretide_cohorts::{Algorithm, Counts, Reformer, Refusal, Sample, Settings, Verdict};
use foretide_events::{EpochMs, Text};
use foretide_features::Feature;

use planted::{FEATURES, Shop, accepted, reform, settings};

fn causes(verdict: Verdict) -> Vec<Refusal> {
    match verdict {
        Verdict::Accepted => Vec::new(),
        Verdict::Refused { causes } => causes,
    }
}

#[test]
fn a_cohort_of_fewer_than_50_shoppers_is_refused() {
    let mut shop = Shop::of(&[0, 1, 2], 300);
    shop.add(3, 30);
    let reforming = reform(&shop, &settings(Counts::Fixed(4)), None, 0);
    assert!(
        reforming
            .clone()
            .accepted()
            .is_none_or(|cohorts| { cohorts.members.iter().all(|cohort| cohort.size >= 50) })
    );
    let few = Shop::of(&[0], 70);
    let reforming = reform(&few, &settings(Counts::Fixed(2)), None, 0);
    assert!(matches!(
        causes(reforming.verdict)[..],
        [Refusal::TooFewShoppers {
            shoppers: 70,
            needed: 100
        }]
    ));
    let more = Shop::of(&[0, 1], 70);
    let reforming = reform(&more, &settings(Counts::Fixed(6)), None, 0);
    let causes = causes(reforming.verdict);
    let small = |cause: &Refusal| matches!(cause, Refusal::TooSmall { minimum: 50, .. });
    assert!(causes.iter().any(small), "{causes:?}");
    assert!(causes[0].to_string().contains("fewer than 50"));
}

#[test]
fn a_forming_in_which_one_cohort_holds_nearly_all_is_collapsed() {
    let mut shop = Shop::of(&[1], 1_400);
    shop.add(4, 600);
    let settings = Settings {
        maximum_share: 0.6,
        ..settings(Counts::Fixed(2))
    };
    let reforming = reform(&shop, &settings, None, 0);
    let causes = causes(reforming.verdict);
    assert!(
        matches!(causes[..], [Refusal::TooLarge { .. }]),
        "{causes:?}"
    );
}

#[test]
fn a_candidate_that_is_worse_on_held_out_shoppers_is_refused_and_says_by_what() {
    let shop = Shop::of(&[0, 1, 2, 4, 5, 7], 300);
    let settings = settings(Counts::Fixed(6));
    let serving = accepted(&shop, &settings, None, 0);
    // The sample is of two behaviours alone, and far from what shoppers are like.
    let odd = Shop::of(&[1, 2], 900);
    let reformer = Reformer::new(settings, 1).unwrap();
    let reference = Text::new("reference-1").unwrap();
    let reforming = reformer.reform(
        &odd.sample(1, 1500),
        &shop.sample(2, 1000),
        Some(&serving),
        EpochMs(1_795_341_900_000),
        &reference,
    );
    let comparison = reforming.comparison.unwrap();
    assert!(comparison.serving.unwrap().inertia < comparison.candidate.inertia);
    let causes = causes(reforming.verdict);
    assert!(
        causes
            .iter()
            .any(|cause| matches!(cause, Refusal::Worse { .. })),
        "{causes:?}"
    );
}

#[test]
fn shoppers_who_are_all_the_same_or_unknown_form_nothing() {
    for value in [None, Some(3.0)] {
        let mut sample = Sample::new(&FEATURES);
        for _ in 0..500 {
            sample.push(|_| value);
        }
        let reformer = Reformer::new(settings(Counts::Fixed(4)), 1).unwrap();
        let reference = Text::new("reference-1").unwrap();
        let reforming = reformer.reform(&sample, &sample, None, EpochMs(0), &reference);
        assert_eq!(causes(reforming.verdict), [Refusal::NothingVaries]);
        assert_eq!(reforming.candidate, None);
    }
}

#[test]
fn an_empty_sample_forms_nothing_whatever_it_stands_for() {
    let empty = Sample::new(&FEATURES).stands_for(1_000_000);
    let reformer = Reformer::new(settings(Counts::Fixed(4)), 1).unwrap();
    let reference = Text::new("reference-1").unwrap();
    for algorithm in [Algorithm::KMeans, Algorithm::Dbscan] {
        let settings = Settings {
            algorithm,
            ..reformer.settings().clone()
        };
        let reformer = Reformer::new(settings, 1).unwrap();
        let reforming = reformer.reform(&empty, &empty, None, EpochMs(0), &reference);
        assert!(matches!(
            causes(reforming.verdict)[..],
            [Refusal::TooFewShoppers { .. }]
        ));
    }
}

#[test]
fn behaviours_without_density_have_no_regions() {
    let mut draws = planted::Draws::new(4);
    let mut sample = Sample::new(&FEATURES);
    for _ in 0..300 {
        sample.push(|feature| {
            let far = if feature == Feature::BrandEntropy {
                2.0
            } else {
                1.0
            };
            Some(draws.unit() * far)
        });
    }
    let settings = Settings {
        algorithm: Algorithm::Dbscan,
        minimum_size: 200,
        ..settings(Counts::Fixed(4))
    };
    let reformer = Reformer::new(settings, 1).unwrap();
    let reference = Text::new("reference-1").unwrap();
    let reforming = reformer.reform(&sample, &sample, None, EpochMs(0), &reference);
    assert!(reforming.accepted().is_none());
}
