//! The artefact: its written form stays readable, and nothing that does not hold is taken for one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test may fail it"
)]

use foretide_cohorts::{Cohorts, MAX_DIMENSIONS, Refused, Rows};
use foretide_events::{EpochMs, Text};
use foretide_features::{CATALOGUE, Feature, schema_id};
use proptest::prelude::*;
use serde_json::{Value, json};

const K_MEANS: &str = include_str!("golden/cohorts-v1.json");
const DBSCAN: &str = include_str!("golden/cohorts-dbscan-v1.json");

/// A golden file under the catalogue of today, which is part of the artefact but not of its written form.
fn golden(text: &str) -> String {
    text.trim_end().replace("SCHEMA", &schema_id())
}

fn read(text: &str) -> Cohorts {
    Cohorts::from_json(text.as_bytes()).unwrap()
}

#[test]
fn the_written_forms_are_read_and_written_as_they_were() {
    for text in [K_MEANS, DBSCAN] {
        let text = golden(text);
        assert_eq!(String::from_utf8(read(&text).to_json()).unwrap(), text);
    }
}

#[test]
fn a_shopper_is_where_the_centroids_say() {
    let cohorts = read(&golden(K_MEANS));
    let near = cohorts.assign(|feature| match feature {
        Feature::Engagement30d => Some(60.0),
        Feature::DaysSincePurchase => Some(9.0),
        _ => None,
    });
    assert_eq!(&*cohorts.get(near.index).unwrap().id, "c-1");
    let unknown = cohorts.assign(|_| None);
    assert_eq!(
        &*cohorts.get(unknown.index).unwrap().id,
        "c-4",
        "who never bought is not near who lately did"
    );
    assert_eq!(cohorts.by_id("c-4").unwrap().0, 1);
    assert_eq!(
        (cohorts.get(2), cohorts.by_id("c-2"), cohorts.noise()),
        (None, None, None)
    );
}

#[test]
fn who_is_beyond_reach_of_every_core_point_is_like_nobody() {
    let cohorts = read(&golden(DBSCAN));
    let id = |engagement| {
        let index = cohorts.assign(|_| Some(engagement)).index;
        cohorts.get(index).unwrap().id.to_string()
    };
    assert_eq!(
        [id(0.5), id(2.0), id(2.5), id(9.5)],
        ["c-1", "c-1", "noise", "c-2"]
    );
    let rows = Rows::new(1, vec![0.5, 2.0, 2.5, 9.5]);
    assert_eq!(cohorts.assign_rows(&rows, 2), [0, 0, 2, 1]);
}

#[test]
fn many_are_assigned_as_each_alone() {
    let cohorts = read(&golden(K_MEANS));
    let values: Vec<f32> = (0..300_u16)
        .map(|number| f32::from(number % 17) / 4.0 - 2.0)
        .collect();
    let rows = Rows::new(cohorts.space.len(), values);
    let alone: Vec<u16> = rows
        .iter()
        .map(|row| cohorts.assign_row(row).index)
        .collect();
    assert_eq!(cohorts.assign_rows(&rows, 2), alone);
}

#[test]
fn a_name_and_an_instant_are_not_what_it_holds_and_counted_sizes_are() {
    let cohorts = read(&golden(K_MEANS));
    let renamed = cohorts
        .clone()
        .named(Text::new("other").unwrap(), EpochMs(0));
    assert_eq!(renamed.content_hash(), cohorts.content_hash());
    let counted = cohorts.clone().counted(&[30, 10]).unwrap();
    assert_eq!((counted.shoppers, counted.members[0].share), (40, 0.75));
    assert_ne!(counted.content_hash(), cohorts.content_hash());
    assert_eq!(counted.smaller_than(20).count(), 1);
    assert!(cohorts.counted(&[1]).is_none());
    let dense = read(&golden(DBSCAN));
    assert_eq!(
        dense.smaller_than(50).count(),
        0,
        "nobody need be like nobody"
    );
}

/// The golden file with one part replaced.
fn with(text: &str, pointer: &str, value: Value) -> Result<Cohorts, Refused> {
    let mut all: Value = serde_json::from_str(&golden(text)).unwrap();
    *all.pointer_mut(pointer)
        .unwrap_or_else(|| panic!("{pointer}")) = value;
    Cohorts::from_json(all.to_string().as_bytes())
}

#[test]
fn what_is_of_another_program_or_catalogue_is_refused_by_name() {
    assert_eq!(with(K_MEANS, "/format", json!(2)), Err(Refused::Format(2)));
    let other = with(K_MEANS, "/schema_id", json!("0123456789abcdef")).unwrap_err();
    assert!(
        other
            .to_string()
            .contains("feature catalogue `0123456789abcdef`"),
        "{other}"
    );
    let feature = with(K_MEANS, "/space/0/feature", json!("nonsense")).unwrap_err();
    assert!(
        feature
            .to_string()
            .contains("there is no feature `nonsense`"),
        "{feature}"
    );
    let garbage: [&[u8]; 4] = [b"", b"{}", b"[1,2", b"\xff\xfe"];
    for garbage in garbage {
        assert!(matches!(
            Cohorts::from_json(garbage),
            Err(Refused::Unreadable(_))
        ));
    }
}

#[test]
fn numbers_that_are_none_and_parts_that_do_not_fit_are_refused() {
    let unsound = [
        (K_MEANS, "/version", json!("")),
        (K_MEANS, "/space", json!([])),
        (K_MEANS, "/space/0/scale", json!(0.0)),
        (K_MEANS, "/space/0/scale", json!(-1.0)),
        (K_MEANS, "/space/0/scale", json!(1e-30)),
        (K_MEANS, "/space/0/winsor_low", json!(900.0)),
        (K_MEANS, "/space/0/winsor_low", json!(-0.5)),
        (K_MEANS, "/space/0/missing", json!(1e30)),
        (K_MEANS, "/space/0/location", Value::Null),
        (K_MEANS, "/space/1/kind", json!("presence")),
        (K_MEANS, "/members", json!([])),
        (K_MEANS, "/members/0/id", json!("c-4")),
        (K_MEANS, "/members/0/id", json!("")),
        (K_MEANS, "/members/0/centroid", json!([1.0, 2.0])),
        (K_MEANS, "/members/0/centroid/0", json!(1e39)),
        (K_MEANS, "/members/0/centroid/0", json!("NaN")),
        (K_MEANS, "/members/0/share", json!(1.5)),
        (K_MEANS, "/members/0/radius", json!(-1.0)),
        (K_MEANS, "/members/0/typical/0/known", json!(2.0)),
        (K_MEANS, "/quality/silhouette", Value::Null),
        (DBSCAN, "/method/reach", json!(0.25)),
        (DBSCAN, "/method/epsilon", json!(0.0)),
        (DBSCAN, "/method/core", json!([])),
        (DBSCAN, "/method/core/0/cohort", json!(2)),
        (DBSCAN, "/method/core/0/at", json!([])),
        (DBSCAN, "/method", json!({"algorithm": "k_means"})),
        (DBSCAN, "/members/2/noise", json!(false)),
        (DBSCAN, "/lineage/0/change", json!("vanished")),
    ];
    for (text, pointer, value) in unsound {
        let refused = with(text, pointer, value.clone());
        assert!(refused.is_err(), "{pointer} = {value}");
    }
    let first_is_noise = golden(DBSCAN).replacen(r#""centroid""#, r#""noise":true,"centroid""#, 1);
    let refused = Cohorts::from_json(first_is_noise.as_bytes()).unwrap_err();
    assert!(
        refused.to_string().contains("must be the last one"),
        "{refused}"
    );
}

#[test]
fn more_dimensions_than_fit_are_refused() {
    let mut all: Value = serde_json::from_str(&golden(K_MEANS)).unwrap();
    let one = all["space"][0].clone();
    let dimensions: Vec<Value> = CATALOGUE
        .iter()
        .take(MAX_DIMENSIONS + 1)
        .map(|spec| {
            let mut own = one.clone();
            own["feature"] = json!(spec.name);
            own
        })
        .collect();
    all["space"] = json!(dimensions);
    let refused = Cohorts::from_json(all.to_string().as_bytes()).unwrap_err();
    assert!(
        refused.to_string().contains("1 to 64 dimensions"),
        "{refused}"
    );
}

proptest! {
    /// Whatever bytes lie in place of some of it: it is refused or it assigns everyone to a cohort that is there.
    #[test]
    fn damaged_artefacts_never_serve_nonsense(
        dense in any::<bool>(),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        engagement in prop::num::f64::ANY,
    ) {
        let mut bytes = golden(if dense { DBSCAN } else { K_MEANS }).into_bytes();
        for (place, byte) in places {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(cohorts) = Cohorts::from_json(&bytes) {
            let membership = cohorts.assign(|_| Some(engagement));
            prop_assert!(cohorts.get(membership.index).is_some());
            prop_assert!(membership.distance.is_finite());
        }
    }
}
