//! Taking links and contributions in: record by record where a processor works, and all at once where the whole log is
//! folded in one table.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use foldhash::fast::FixedState;
use foretide_events::{EpochMs, LinkRecord, ShopperId};
use foretide_features::{Contributed, Contribution, DecodeError, FoldRules, Link, Linked};
use foretide_ports::{Chunk, ProfileTable, Record};
use parking_lot::Mutex;

use crate::{
    ProcessorError,
    emission::Course,
    fold::{Folder, Outcome, Pending},
    links,
    published::PublishedError,
    sessions::{self, HISTORY_AFTER_MS},
};

impl Folder {
    /// Applies the link at `offset` to the profile of the anonymous shopper. It has no source, and no fate is counted.
    pub(crate) fn fold_link(
        &self,
        record: &LinkRecord,
        offset: u64,
        pending: &mut Pending,
        outcome: &mut Outcome,
    ) {
        let source = record.anonymous;
        if let Some(book) = &self.link_book {
            book.note(record);
        }
        let linked = self.table.update(&source, |profile| {
            let linked = profile.apply_link(links::link(record), offset);
            if let Some(Linked::First | Linked::Earlier { .. }) = linked {
                let (partition, now) = (self.table.partition_of(&source), self.clock.now_ms());
                let sessions = &self.sessions;
                sessions.linked(partition, profile, record.at, EpochMs(now), &self.rules);
            }
            linked
        });
        match linked {
            None => {
                // What was to be published with it may have been torn off.
                pending.changed(source);
                outcome.applied_before += 1;
            }
            Some(Linked::Later) => {}
            Some(Linked::First) => pending.changed(source),
            Some(Linked::Earlier { former }) => {
                pending.changed(source);
                if let Some(former) = former {
                    pending.withdraw(former, source, offset + 1);
                }
            }
        }
    }

    /// Takes in a chunk of `foretide.links`, whose partition has been restored. Records before the position that is kept
    /// beside the counts are passed over.
    ///
    /// # Errors
    /// A contribution cannot be read: going on without it would lose what was folded.
    pub(crate) fn contribute(
        &self,
        pending: &mut Pending,
        chunk: &Chunk,
    ) -> Result<Outcome, ProcessorError> {
        let partition = chunk.from.partition;
        let begin = self.counts.next_link(partition);
        let mut outcome = Outcome::default();
        let mut course = self.emission.begin(partition, self);
        for record in chunk.records.iter().filter(|record| record.offset >= begin) {
            self.contribute_record(pending, &mut course, partition, record, &mut outcome)
                .map_err(|cause| ProcessorError::Unreadable {
                    topic: chunk.from.topic,
                    partition,
                    offset: record.offset,
                    cause,
                })?;
        }
        if let Some(course) = course {
            pending.told(course.end(EpochMs(self.clock.now_ms())));
        }
        if chunk.next_offset > begin {
            pending.consumed();
            self.counts.update(partition, |counts| {
                counts.next_link = counts.next_link.max(chunk.next_offset);
            });
        }
        Ok(outcome)
    }

    fn contribute_record(
        &self,
        pending: &mut Pending,
        course: &mut Option<Course<'_>>,
        partition: u32,
        record: &Record,
        outcome: &mut Outcome,
    ) -> Result<(), PublishedError> {
        let offset = record.offset;
        let named = links::parse_key(&record.key)
            .filter(|(known, _)| self.table.partition_of(known) == partition);
        let (Some((known, source)), Some(value)) = (named, &record.value) else {
            tracing::warn!(partition, offset, "a foreign record on foretide.links");
            return Ok(());
        };
        let contribution = match links::decode(&source, value, &self.rules) {
            Ok(contribution) => contribution,
            // Of a version whose profiles were all folded anew: what this version contributes follows, or is there already.
            Err(cause @ (DecodeError::UnknownVersion(_) | DecodeError::OtherRules { .. })) => {
                tracing::debug!(partition, offset, %cause, "a contribution of another version");
                return Ok(());
            }
            Err(cause) => return Err(cause.into()),
        };
        let contributed = self.table.update(&known, |profile| {
            let Some(course) = course else {
                return profile.contribute(contribution, &self.rules);
            };
            course.contribution(offset);
            let (former, former_session) = (profile.newest_at(), sessions::latest_start(profile));
            let place = course.place_now(profile, || pending.has_place(&known));
            let contributed = profile.contribute(contribution, &self.rules);
            if contributed == Contributed::Applied {
                course.contributed(profile, former);
                let (sessions, rules) = (&self.sessions, &self.rules);
                sessions.contributed(partition, profile, former_session, rules);
                let newest = profile.newest_at();
                let live = |at: EpochMs| record.appended_at.since(at) <= HISTORY_AFTER_MS;
                if let Some(place) = place.filter(|_| newest.is_some_and(live)) {
                    pending.placed(known, place);
                }
            }
            contributed
        });
        match contributed {
            Contributed::Applied => {
                outcome.links_applied += 1;
                pending.changed(known);
            }
            Contributed::Older => {}
            Contributed::Refused => outcome.links_refused += 1,
        }
        Ok(())
    }
}

/// The links that events folded into one table have told, the smallest of each anonymous shopper. Where one is kept, nothing
/// is announced.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinkBook(Arc<Mutex<HashMap<ShopperId, Link, FixedState>>>);

impl LinkBook {
    /// Takes note of a link.
    pub(crate) fn note(&self, record: &LinkRecord) {
        let link = links::link(record);
        self.0
            .lock()
            .entry(record.anonymous)
            .and_modify(|known| *known = link.min(*known))
            .or_insert(link);
    }

    /// Brings `table`, as far as it holds the partitions that `is_held` says, to where processors bring theirs once every
    /// link is applied: each linked profile contributes to that of its known shopper, and to no other.
    pub(crate) fn hand_over(
        &self,
        table: &ProfileTable,
        rules: &FoldRules,
        is_held: impl Fn(u32) -> bool,
    ) {
        let holds = |shopper: &ShopperId| is_held(table.partition_of(shopper));
        for (anonymous, link) in self.0.lock().iter() {
            if holds(anonymous) {
                table.update(anonymous, |profile| {
                    let _ = profile.learn_link(*link);
                });
            }
        }
        let mut contributions = BTreeMap::new();
        let mut stale = Vec::new();
        for partition in (0..table.partitions()).filter(|partition| is_held(*partition)) {
            table.for_each(partition, |profile| {
                let known = profile.link().map(|link| link.known).filter(holds);
                if let (Some(known), Some(contribution)) = (known, profile.contribution()) {
                    contributions.insert((known, profile.shopper()), contribution);
                }
                stale.extend(profile.sources().map(|source| (profile.shopper(), source)));
            });
        }
        let is_stale = |(known, source): &(ShopperId, ShopperId)| {
            let linked = table.read(source, |profile| profile.link().map(|link| link.known));
            linked.flatten().is_some_and(|linked| linked != *known)
        };
        // First, because a known shopper takes no more than a few.
        for (known, source) in stale.into_iter().filter(is_stale) {
            table.update(&known, |profile| profile.forget_contribution(source, rules));
        }
        for ((known, _), contribution) in contributions {
            contribute(table, known, contribution, rules);
        }
    }
}

fn contribute(
    table: &ProfileTable,
    known: ShopperId,
    contribution: Contribution,
    rules: &FoldRules,
) {
    let source = contribution.source();
    let contributed = table.update(&known, |profile| {
        profile.contribute_anew(contribution, rules)
    });
    if contributed == Contributed::Refused {
        tracing::debug!(%known, %source, "a fifth source is not taken in");
    }
}
