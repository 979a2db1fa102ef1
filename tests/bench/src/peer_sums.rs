//! What both sides must agree on: engagement and attention of each shopper, valid at the time of the latest event.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, ensure};
use foretide_features::{FoldRules, Profile, Reference};
use serde::Deserialize;

/// Two sums are equal if they differ by no more than this, relatively.
const TOLERANCE: f64 = 1e-9;
/// Or ours by no more than this less: what is worth less than that when a half-life is over is forgotten, by a profile of ours
/// alone. One action is worth 1.
const FORGOTTEN: f64 = 1e-3;
/// A profile of ours forgets, each time a week is over, categories that have less than a fiftieth of all attention; peers do not.
/// So as much may be missing of one, with what was forgotten of it in the weeks before.
const LEAST_SHARES: f64 = 0.04;
/// Bytes of a shopper's key.
const KEY_BYTES: usize = 32;

/// Engagement and attention of one shopper.
#[derive(Clone, Debug, PartialEq)]
pub struct Sums {
    /// The time of the latest event, in milliseconds since the epoch.
    as_of: i64,
    /// Engagement with half-lives of 30 minutes, 1, 7 and 30 days.
    engagement: [f64; 4],
    /// By category its attention, and how much of that may be others'.
    attention: BTreeMap<String, (f64, f64)>,
}

/// All shoppers' by their key.
pub type AllSums = HashMap<Vec<u8>, Sums>;

/// Reads the newest keys and values of a topic by `decode`. Keys that are no shopper's are passed over.
pub fn read(
    values: HashMap<Vec<u8>, Vec<u8>>,
    decode: impl Fn(&[u8], &[u8]) -> anyhow::Result<Sums>,
) -> anyhow::Result<AllSums> {
    values
        .into_iter()
        .filter(|(key, _)| key.len() == KEY_BYTES && key.iter().all(u8::is_ascii_hexdigit))
        .map(|(key, value)| {
            let sums = decode(&key, &value)?;
            Ok((key, sums))
        })
        .collect()
}

/// Ours: a stored profile.
pub fn of_profile(key: &[u8], value: &[u8]) -> anyhow::Result<Sums> {
    let rules = FoldRules::default();
    let profile = Profile::decode(std::str::from_utf8(key)?.parse()?, value, &rules)?;
    let state = profile.state();
    let features = state.features(state.as_of(), &rules, &Reference::prior());
    let feature = |name: &str| {
        features
            .by_name(name)
            .with_context(|| format!("no feature {name}"))
    };
    let total = feature("attention_seconds_7d")?;
    let shares = state.top_categories(usize::MAX);
    let attention = shares.into_iter().map(|share| {
        let seconds = (share.share * total, share.error * total);
        (share.category.as_str().to_owned(), seconds)
    });
    Ok(Sums {
        as_of: state.as_of().0,
        engagement: [
            feature("engagement_30m")?,
            feature("engagement_1d")?,
            feature("engagement_7d")?,
            feature("engagement_30d")?,
        ],
        attention: attention.collect(),
    })
}

/// That of Kafka Streams tuned by hand: `Shopper.toBytes` of `peers/kafka_streams`.
pub fn of_bytes(value: &[u8]) -> anyhow::Result<Sums> {
    let mut rest = value;
    let mut take = |bytes: usize| {
        let (head, tail) = rest.split_at_checked(bytes).context("cut short")?;
        rest = tail;
        anyhow::Ok(head)
    };
    ensure!(take(1)? == [1], "a shopper of an unknown version");
    let as_of = i64::from_be_bytes(take(8)?.try_into()?);
    let mut engagement = [0.0; 4];
    for sum in &mut engagement {
        *sum = f64::from_be_bytes(take(8)?.try_into()?);
    }
    let mut attention = BTreeMap::new();
    for _ in 0..take(1)?[0] {
        let length = u16::from_be_bytes(take(2)?.try_into()?);
        let category = String::from_utf8(take(length.into())?.to_vec())?;
        let seconds = f64::from_be_bytes(take(8)?.try_into()?);
        let error = f64::from_be_bytes(take(8)?.try_into()?);
        attention.insert(category, (seconds, error));
    }
    ensure!(rest.is_empty(), "more bytes than a shopper has");
    Ok(Sums {
        as_of,
        engagement,
        attention,
    })
}

/// The same in the changelog of the store, where it may stand behind eight bytes of the record's time.
pub fn of_changelog(value: &[u8]) -> anyhow::Result<Sums> {
    of_bytes(value).or_else(|_| of_bytes(value.get(8..).context("cut short")?))
}

#[derive(Deserialize)]
struct Shopper {
    as_of: i64,
    engagement: [f64; 4],
    attention: Vec<(String, f64, f64)>,
}

/// JSON, as Kafka Streams with Jackson and Quix Streams write it.
pub fn of_json(value: &[u8]) -> anyhow::Result<Sums> {
    let Shopper {
        as_of,
        engagement,
        attention,
    } = serde_json::from_slice(value)?;
    let attention = attention
        .into_iter()
        .map(|(category, seconds, error)| (category, (seconds, error)));
    Ok(Sums {
        as_of,
        engagement,
        attention: attention.collect(),
    })
}

/// Fails unless both sides have the same shoppers with the same sums. Returns the largest relative difference.
pub fn compare(ours: &AllSums, theirs: &AllSums) -> anyhow::Result<f64> {
    ensure!(
        ours.len() == theirs.len(),
        "{} shoppers against {}",
        ours.len(),
        theirs.len()
    );
    let mut largest: f64 = 0.0;
    for (key, our) in ours {
        let name = String::from_utf8_lossy(key);
        let their = theirs
            .get(key)
            .with_context(|| format!("{name} is unknown to the peer"))?;
        let difference = difference(our, their);
        ensure!(
            difference.is_some_and(|difference| difference <= TOLERANCE),
            "{name} differs by {difference:?}:\n{our:?}\n{their:?}"
        );
        largest = largest.max(difference.unwrap_or_default());
    }
    Ok(largest)
}

/// The largest relative difference; `None` if more than numbers differ. What ours forgot is no difference.
fn difference(our: &Sums, their: &Sums) -> Option<f64> {
    const NOTHING: (f64, f64) = (0.0, 0.0);
    let known = |category| their.attention.contains_key(category);
    if our.as_of != their.as_of || !our.attention.keys().all(known) {
        return None;
    }
    let relative = |ours: f64, theirs: f64| {
        let missing = theirs - ours;
        if (0.0..=FORGOTTEN).contains(&missing) {
            0.0
        } else {
            missing.abs() / ours.abs().max(theirs.abs())
        }
    };
    let total: f64 = their.attention.values().map(|(seconds, _)| seconds).sum();
    let attentions = their.attention.iter().map(|(category, theirs)| {
        let ours = our.attention.get(category).unwrap_or(&NOTHING);
        let missing = theirs.0 - ours.0;
        if missing > 0.0 && missing <= LEAST_SHARES * total {
            return 0.0;
        }
        relative(ours.0, theirs.0).max(relative(ours.1, theirs.1))
    });
    let engagements = our.engagement.iter().zip(&their.engagement);
    let engagements = engagements.map(|(ours, theirs)| relative(*ours, *theirs));
    Some(engagements.chain(attentions).fold(0.0, f64::max))
}
