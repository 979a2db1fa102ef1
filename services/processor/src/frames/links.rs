//! Who turned out to be whom, found by reading the log.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use foretide_events::{EpochMs, Lean, LinkRecord, ShopperId};
use foretide_features::{Link, SOURCE_LIMIT};
use foretide_ports::{Chunk, Record, partition_for, shopper_key};

use super::{FramesError, lanes::Work};
use crate::{
    fold::Content,
    links::{link, told_by},
};

/// Looks for links: the earliest of each anonymous shopper.
pub(super) struct Finding {
    partitions: u32,
    /// Later ones are of no interest.
    latest: EpochMs,
    found: HashMap<ShopperId, Link, RandomState>,
    /// Shoppers with events of their own: a device that was never used without its owner's name has none.
    active: HashSet<ShopperId, RandomState>,
}

impl Finding {
    pub(super) fn new(partitions: u32, latest: EpochMs) -> Self {
        Self {
            partitions,
            latest,
            found: HashMap::default(),
            active: HashSet::default(),
        }
    }

    fn record(&mut self, record: &Record, partition: u32) {
        let Some(value) = &record.value else { return };
        let Ok(content) = Content::of(value) else {
            return;
        };
        let shopper = content.shopper();
        // What is in another's partition is no event.
        if partition_for(&shopper_key(&shopper), self.partitions) != partition {
            return;
        }
        match content {
            Content::Link(told) => return self.note(&told),
            Content::Event(event) => told_by(&event).for_each(|told| self.note(&told)),
            Content::Whole(event) => {
                told_by(&Lean::of(&event)).for_each(|told| self.note(&told));
            }
        }
        self.active.insert(shopper);
    }

    fn note(&mut self, told: &LinkRecord) {
        if told.at > self.latest {
            return;
        }
        let link = link(told);
        let found = self.found.entry(told.anonymous).or_insert(link);
        *found = link.min(*found);
    }
}

impl Work for Finding {
    fn chunk(&mut self, chunk: &Chunk, end: u64) -> Result<(), FramesError> {
        let records = chunk.records.iter();
        for record in records.filter(|record| record.offset < end) {
            self.record(record, chunk.from.partition);
        }
        Ok(())
    }
}

/// The links, from both sides.
#[derive(Debug, Default)]
pub(super) struct Links {
    by_source: HashMap<ShopperId, Link, RandomState>,
    by_known: HashMap<ShopperId, Vec<(Link, ShopperId)>, RandomState>,
}

impl Links {
    /// What all of `found` say together.
    pub(super) fn of(found: &[Finding]) -> Self {
        let mut links = Self::default();
        let is_active = |source: &ShopperId| found.iter().any(|one| one.active.contains(source));
        let told = found.iter().flat_map(|one| &one.found);
        for (&source, &link) in told.filter(|(source, _)| is_active(source)) {
            let earliest = links.by_source.entry(source).or_insert(link);
            *earliest = link.min(*earliest);
        }
        for (source, link) in &links.by_source {
            let sources = links.by_known.entry(link.known).or_default();
            sources.push((*link, *source));
        }
        links
            .by_known
            .values_mut()
            .for_each(|sources| sources.sort());
        links
    }

    /// The link of an anonymous shopper.
    pub(super) fn of_source(&self, source: &ShopperId) -> Option<&Link> {
        self.by_source.get(source)
    }

    /// Those linked to `known` at `at`, in the order in which they were, as many as may contribute.
    pub(super) fn sources(
        &self,
        known: &ShopperId,
        at: EpochMs,
    ) -> impl Iterator<Item = ShopperId> {
        let sources = self.by_known.get(known).into_iter().flatten();
        sources
            .take_while(move |(link, _)| link.at <= at)
            .map(|(_, source)| *source)
            .take(SOURCE_LIMIT)
    }
}
