//! Telling profiles of two foldings apart.

use std::collections::BTreeSet;

use foretide_events::{EpochMs, ShopperId};
use foretide_features::{FeatureVector, FoldRules, Profile, ProfileDigest, Reference};
use foretide_ports::ProfileTable;
use serde::Serialize;

/// What differs between the profiles of two tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Shoppers that were compared.
    pub compared: u64,
    /// Shoppers with another profile in each, or with one in only one of them.
    pub differ: u64,
    /// The first of these, by id.
    pub first: Vec<ShopperId>,
}

/// Compares the current states of all shoppers of `partitions` in two tables, and names up to `name_at_most` that differ.
/// Both must have been folded to the same positions.
///
/// Left out is who is known by a link alone, and to whom a shopper of another partition contributes: what that one has done
/// is not there.
pub fn compare(
    one: &ProfileTable,
    other: &ProfileTable,
    partitions: impl IntoIterator<Item = u32>,
    name_at_most: usize,
) -> Differences {
    let (mut compared, mut differing) = (0, Vec::new());
    let partitions: BTreeSet<u32> = partitions.into_iter().collect();
    let is_whole = |profile: &Profile| {
        let mut sources = profile.sources();
        profile.newest_at().is_some()
            && sources.all(|source| partitions.contains(&one.partition_of(&source)))
    };
    for partition in partitions.iter().copied() {
        one.for_each(partition, |profile| {
            if !is_whole(profile) {
                return;
            }
            compared += 1;
            let shopper = profile.shopper();
            let same = other.read(&shopper, |other| state(other) == state(profile));
            if same != Some(true) {
                differing.push(shopper);
            }
        });
        other.for_each(partition, |profile| {
            let shopper = profile.shopper();
            if is_whole(profile) && one.read(&shopper, |_| ()).is_none() {
                compared += 1;
                differing.push(shopper);
            }
        });
    }
    differing.sort_unstable();
    let differ = differing.len() as u64;
    differing.truncate(name_at_most);
    Differences {
        compared,
        differ,
        first: differing,
    }
}

/// What of a profile counts, as in the digest of all: neither positions nor how much of it is settled.
fn state(profile: &Profile) -> String {
    let mut digest = ProfileDigest::new();
    digest.add(profile);
    digest.finish()
}

/// A feature that has another value in each of two profiles of a shopper.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureDifference {
    /// Its name.
    pub feature: &'static str,
    /// Its value in the one; `None` where it is missing.
    pub one: Option<f64>,
    /// Its value in the other.
    pub other: Option<f64>,
}

/// A table of profiles as seen at an instant: what they were folded by, and what is usual among shoppers.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    /// The profiles.
    pub table: &'a ProfileTable,
    /// What they were folded by.
    pub rules: &'a FoldRules,
    /// What is usual among shoppers.
    pub reference: &'a Reference,
    /// The instant.
    pub at: EpochMs,
}

impl Sight<'_> {
    fn features(&self, shopper: &ShopperId) -> Option<FeatureVector> {
        let read = |profile: &Profile| {
            let state = profile.state();
            state.features(self.at, self.rules, self.reference)
        };
        self.table.read(shopper, read)
    }
}

/// The features of `shopper` that differ between two tables, in the order of the catalogue. Of a shopper whom one of them does
/// not know every feature is missing there.
pub fn feature_differences(
    one: &Sight<'_>,
    other: &Sight<'_>,
    shopper: &ShopperId,
) -> Vec<FeatureDifference> {
    let (one, other) = (one.features(shopper), other.features(shopper));
    let value = |vector: &Option<FeatureVector>, spec: &foretide_features::FeatureSpec| {
        vector.as_ref().and_then(|vector| vector.get(spec.feature))
    };
    foretide_features::CATALOGUE
        .iter()
        .map(|spec| FeatureDifference {
            feature: spec.name,
            one: value(&one, spec),
            other: value(&other, spec),
        })
        .filter(|found| found.one.map(f64::to_bits) != found.other.map(f64::to_bits))
        .collect()
}
