//! Late events at their place: what a profile would be if nothing had come late.
//!
//! An event that came more than 24 hours behind its shopper's newest is not part of the profile, and what was settled cannot be
//! opened again. So the shoppers concerned are folded once more from the beginning of the range, their events in the order in
//! which they happened. That is for a shadow alone: nothing of it reaches a profile that is served.

use std::collections::{BTreeMap, BTreeSet};

use foretide_events::{Event, Fate, LinkRecord, ShopperId, wire};
use foretide_features::{FoldRules, Link, Observation, Profile};
use foretide_ports::{ACTIONS, Record, partition_for, shopper_key};
use foretide_runtime::CancellationToken;
use serde::Serialize;

use super::AloneReplay;
use crate::{
    FoldedLog, ProcessorError, links,
    reading::{Reading, Until, at},
};

/// What came of folding late events at their place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// Shoppers of whom an event had come late, whose profiles were made anew.
    pub shoppers: u64,
    /// Events of theirs that count now.
    pub folded: u64,
    /// Events that are late even so: of shoppers with hundreds of actions within a day, whose oldest settle early.
    pub still_late: u64,
}

/// What the log holds of a shopper.
#[derive(Default)]
struct Told {
    /// With the offset of each.
    events: Vec<(u64, Event)>,
    links: Vec<(u64, Link)>,
}

type Wanted = BTreeMap<ShopperId, Told>;

/// Puts the profiles of all `shoppers` in `folded` in the place of those that they would have if all their events from `begins`
/// to `ends` had come in the order in which they happened.
pub(super) async fn place(
    replay: &AloneReplay,
    begins: &[u64],
    ends: &[u64],
    shoppers: &BTreeSet<ShopperId>,
    folded: &FoldedLog,
    mut progress: impl FnMut() + Send,
) -> Result<Placed, ProcessorError> {
    let AloneReplay { log, rules, .. } = replay;
    let count = folded.table.partitions();
    let mut wanted = BTreeMap::<u32, Wanted>::new();
    for shopper in shoppers {
        let partition = partition_for(&shopper_key(shopper), count);
        let of_partition = wanted.entry(partition).or_default();
        of_partition.insert(*shopper, Told::default());
    }
    let mut placed = Placed::default();
    let from: Vec<_> = wanted.keys().map(|p| (*p, at(begins, *p))).collect();
    if from.is_empty() {
        return Ok(placed);
    }
    // What is kept is whole: with late events of some shoppers placed and of others not, it would be neither.
    let never = CancellationToken::new();
    let reader = log.reader(ACTIONS, &from).await?;
    let mut reading = Reading::of(reader, &from, ends, Until::Noted, &never);
    while let Some(chunk) = reading.next().await? {
        let partition = chunk.from.partition;
        let range = at(begins, partition)..at(ends, partition);
        if let Some(wanted) = wanted.get_mut(&partition) {
            let within = chunk.records.iter().filter(|r| range.contains(&r.offset));
            within.for_each(|record| gather(record, wanted));
        }
        progress();
    }
    for (shopper, told) in wanted.into_values().flatten() {
        let mut profile = in_order(shopper, told, rules, &mut placed);
        let known = folded.table.read(&shopper, |former| former.link().copied());
        if let Some(link) = known.flatten() {
            let _ = profile.learn_link(link);
        }
        placed.shoppers += 1;
        folded.table.insert(profile);
    }
    Ok(placed)
}

/// Takes what `record` tells of one of the shoppers wanted. Keys are looked at first, for most are not.
fn gather(record: &Record, wanted: &mut Wanted) {
    let named = std::str::from_utf8(&record.key).ok();
    let named: Option<ShopperId> = named.and_then(|key| key.parse().ok());
    if named.is_some_and(|shopper| !wanted.contains_key(&shopper)) {
        return;
    }
    let value = record.value.as_deref().unwrap_or_default();
    if let Ok(event) = wire::decode(value) {
        if let Some(told) = wanted.get_mut(&event.shopper) {
            told.events.push((record.offset, event));
        }
    } else if let Ok(link) = LinkRecord::decode(value)
        && let Some(told) = wanted.get_mut(&link.anonymous)
    {
        told.links.push((record.offset, links::link(&link)));
    }
}

/// The profile that comes of events in the order in which they happened. It has applied the same offsets as one that took them as
/// they came: the oldest stands where the first stood.
fn in_order(shopper: ShopperId, told: Told, rules: &FoldRules, placed: &mut Placed) -> Profile {
    let Told { mut events, links } = told;
    let of_links = links.iter().map(|(offset, _)| *offset);
    let mut offsets: Vec<u64> = events.iter().map(|(offset, _)| *offset).collect();
    offsets.extend(of_links);
    offsets.sort_unstable();
    events.sort_by_cached_key(|(offset, event)| (Observation::of(event).key(), *offset));
    let mut offsets = offsets.into_iter();
    let mut profile = Profile::new(shopper);
    for ((_, event), offset) in events.iter().zip(offsets.by_ref()) {
        match profile.apply(event, offset, rules).map(|done| done.fate) {
            Some(Fate::Folded) => placed.folded += 1,
            Some(Fate::Late) => placed.still_late += 1,
            Some(Fate::Duplicate) | None => {}
        }
    }
    for ((_, link), offset) in links.into_iter().zip(offsets) {
        // The earliest counts, in whatever order they come.
        let _ = profile.apply_link(link, offset);
    }
    profile
}
