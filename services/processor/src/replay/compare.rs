//! Telling profiles of two foldings apart.

use foretide_events::ShopperId;
use foretide_features::{Profile, ProfileDigest};
use foretide_ports::ProfileTable;

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
pub fn compare(
    one: &ProfileTable,
    other: &ProfileTable,
    partitions: impl IntoIterator<Item = u32>,
    name_at_most: usize,
) -> Differences {
    let (mut compared, mut differing) = (0, Vec::new());
    for partition in partitions {
        one.for_each(partition, |profile| {
            compared += 1;
            let shopper = profile.shopper();
            let same = other.read(&shopper, |other| state(other) == state(profile));
            if same != Some(true) {
                differing.push(shopper);
            }
        });
        other.for_each(partition, |profile| {
            let shopper = profile.shopper();
            if one.read(&shopper, |_| ()).is_none() {
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
