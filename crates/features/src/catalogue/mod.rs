//! Every feature, declared once: what it says, how it is worked out and how it behaves, in [`table`]. The vector, the schema id,
//! the page `CATALOGUE.md` and whatever lists features elsewhere come from there.

mod nature;
mod page;
mod reading;
#[cfg(test)]
mod stated;
mod table;

use std::fmt::Write as _;

use xxhash_rust::xxh3::xxh3_64;

pub use self::{
    nature::{Combine, Nature, Order, TimeToLive, Unit},
    page::catalogue_page,
    reading::Reading,
    table::{CATALOGUE, Feature},
};

/// One feature of the catalogue.
#[derive(Debug)]
pub struct FeatureSpec {
    /// Which it is.
    pub feature: Feature,
    /// Its stable name.
    pub name: &'static str,
    /// What it says, and when it is missing.
    pub meaning: &'static str,
    /// What it is measured in.
    pub unit: Unit,
    /// The smallest value it can have, minus infinity where nothing bounds it.
    pub min: f64,
    /// The largest value it can have, infinite where nothing bounds it.
    pub max: f64,
    /// How it is worked out of the fields of events, in the notation of `CATALOGUE.md`.
    pub formula: &'static str,
    /// How it forgets, how long it holds, and how it combines.
    pub nature: Nature,
}

/// Names the catalogue: 16 hexadecimal digits that change with any name, meaning, unit, range, formula or nature in it. A model
/// serves only under the catalogue it was trained on.
pub fn schema_id() -> String {
    let mut text = String::new();
    for spec in &CATALOGUE {
        let FeatureSpec {
            name,
            meaning,
            unit,
            min,
            max,
            formula,
            nature,
            ..
        } = spec;
        let _ = writeln!(
            text,
            "{name}\t{}\t{min}\t{max}\t{meaning}\t{formula}\t{nature:?}",
            unit.as_str()
        );
    }
    format!("{:016x}", xxh3_64(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FoldRules, Reference, State};
    use foretide_events::EpochMs;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_distinct_and_every_feature_stands_at_its_place() {
        let names: BTreeSet<_> = CATALOGUE.iter().map(|spec| spec.name).collect();
        assert_eq!(names.len(), Feature::COUNT);
        for (place, spec) in CATALOGUE.iter().enumerate() {
            assert_eq!(spec.feature as usize, place);
            assert_eq!(spec.feature.spec().name, spec.name);
            assert!(
                spec.min < spec.max && spec.meaning.ends_with('.') && !spec.formula.is_empty(),
                "{}",
                spec.name
            );
        }
    }

    #[test]
    fn a_half_life_that_a_name_states_is_the_one_it_has() {
        for spec in &CATALOGUE {
            if let Some(half_life) = spec.nature.half_life {
                let stated = crate::HalfLife::ALL
                    .iter()
                    .find(|half_life| spec.name.ends_with(&format!("_{}", half_life.as_str())));
                assert!(
                    stated.is_none_or(|stated| *stated == half_life),
                    "{}",
                    spec.name
                );
            }
        }
    }

    #[test]
    fn a_shopper_of_whom_nothing_is_known_has_zeros_and_gaps() {
        let (rules, reference) = (FoldRules::default(), Reference::prior());
        let features = State::default().features(EpochMs(0), &rules, &reference);
        assert_eq!(features.get(Feature::ActionsTotal), Some(0.0));
        assert_eq!(features.by_name("cart_items"), Some(0.0));
        for missing in [
            "seconds_since_seen",
            "cart_age_seconds",
            "session_actions",
            "top_category_share",
            "viewed_price_level",
            "visit_overdue",
            "local_hour",
            "basket_deviation",
            "nonsense",
        ] {
            assert_eq!(features.by_name(missing), None, "{missing}");
        }
    }
}
