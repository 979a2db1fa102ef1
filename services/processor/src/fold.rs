//! Folding the records of one partition into its profiles and counts, and gathering what has to be published.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    mem,
    sync::Arc,
};

use foldhash::fast::FixedState;
use foretide_events::{
    EpochMs, Event, Fate, Lean, LeanAction, LinkRecord, ShopperId, SourceId, wire,
};
use foretide_features::{Contribution, FoldRules, Observation, Texts};
use foretide_ports::{Chunk, NewRecord, ProfileTable, Record};
use foretide_runtime::SharedClock;
use parking_lot::Mutex;

use crate::{
    Fates, SourceCounts,
    announced::Announced,
    contributions::LinkBook,
    dead_letter::{Cause, dead_letter},
    emission::{Course, Emission, Emitted, Formerly, Out},
    links,
    outdated::Outdated,
    pieces::{Encoding, Pieces},
    sessions::Sessions,
};

/// What all folding shares.
#[derive(Clone)]
pub(crate) struct Folder {
    pub(crate) table: Arc<ProfileTable>,
    pub(crate) counts: Arc<SourceCounts>,
    pub(crate) rules: FoldRules,
    pub(crate) clock: SharedClock,
    pub(crate) outdated: Outdated,
    /// What is to be announced of sessions; nothing, unless someone says so.
    pub(crate) sessions: Sessions,
    /// Examples and moves that are to be told; none, unless someone says so.
    pub(crate) emission: Emission,
    /// Where the shoppers of late events are noted, if someone asks.
    pub(crate) lates: Option<Lates>,
    /// Where the links that events tell are noted instead of announced, where all of a log is folded into one table.
    pub(crate) link_book: Option<LinkBook>,
}

/// Shoppers of whom an event was late.
pub(crate) type Lates = Arc<Mutex<BTreeSet<ShopperId>>>;

/// What one partition has to publish since its last commit.
#[derive(Default)]
pub(crate) struct Pending {
    /// Shoppers whose profile has applied something.
    changed: HashSet<ShopperId, FixedState>,
    /// In which cohort a shopper was before.
    places: HashMap<ShopperId, Formerly, FixedState>,
    /// Dead letters, announced links, and examples that events told.
    outputs: Vec<NewRecord>,
    output_bytes: usize,
    emitted: Emitted,
    /// From whom an anonymous shopper withdraws what it contributed, as of which position.
    withdrawn: BTreeMap<(ShopperId, ShopperId), u64>,
    /// The links announced since this partition was restored, as far as is remembered.
    announced: Announced,
    /// Whether the position moved, be it over a gap.
    consumed: bool,
}

/// What one partition publishes in one commit.
pub(crate) struct Publication {
    pub(crate) partition: u32,
    /// The next offset to consume.
    pub(crate) next_offset: u64,
    /// Dead letters, links, contributions, sessions that are over, examples and moves.
    pub(crate) outputs: Vec<NewRecord>,
    /// How many examples and moves.
    pub(crate) emitted: Emitted,
    pub(crate) profiles: Vec<NewRecord>,
    pub(crate) counts: NewRecord,
    pub(crate) profile_bytes: usize,
}

/// What became of the records of a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub(crate) struct Outcome {
    pub(crate) fates: Fates,
    /// Causes of the dead letters, one for each.
    pub(crate) dead_letters: Vec<&'static str>,
    pub(crate) settled_early: u64,
    /// Events whose profile had applied them already, though the counts had not: nothing was done.
    pub(crate) applied_before: u64,
    /// Links announced to the partitions of anonymous shoppers.
    pub(crate) links_announced: u64,
    /// Contributions that changed a profile.
    pub(crate) links_applied: u64,
    /// Contributions not taken in because as many others are there already as a profile takes.
    pub(crate) links_refused: u64,
    /// Offsets passed over because the log holds no record there.
    pub(crate) skipped: u64,
}

impl Pending {
    /// Whether there is anything to commit.
    pub(crate) fn is_empty(&self) -> bool {
        !self.consumed
    }

    /// About how large its publication will be, in bytes, if a profile takes `profile_bytes`.
    pub(crate) fn estimated_bytes(&self, profile_bytes: usize) -> usize {
        self.changed.len() * profile_bytes + self.output_bytes
    }

    /// The profile of `shopper` has applied something.
    pub(crate) fn changed(&mut self, shopper: ShopperId) {
        self.changed.insert(shopper);
    }

    /// `source` contributes to `former` no more, as of `position`.
    pub(crate) fn withdraw(&mut self, former: ShopperId, source: ShopperId, position: u64) {
        self.withdrawn.insert((former, source), position);
    }

    /// A position moved.
    pub(crate) fn consumed(&mut self) {
        self.consumed = true;
    }

    /// In which cohort `shopper` was before this commit, unless it is known already.
    pub(crate) fn placed(&mut self, shopper: ShopperId, place: Formerly) {
        self.places.entry(shopper).or_insert(place);
    }

    /// Whether it is known in which cohort `shopper` was before this commit.
    pub(crate) fn has_place(&self, shopper: &ShopperId) -> bool {
        self.places.contains_key(shopper)
    }

    /// What was told on the way.
    pub(crate) fn told(&mut self, out: Out) {
        self.emitted.add(out.emitted);
        out.records
            .into_iter()
            .for_each(|record| self.output(record));
    }

    fn output(&mut self, record: NewRecord) {
        self.output_bytes += record.bytes();
        self.outputs.push(record);
    }
}

impl Folder {
    /// Folds by `rules` into `table` and `counts`.
    pub(crate) fn new(
        table: &Arc<ProfileTable>,
        counts: &Arc<SourceCounts>,
        rules: FoldRules,
        clock: &SharedClock,
    ) -> Self {
        Self {
            table: Arc::clone(table),
            counts: Arc::clone(counts),
            rules,
            clock: Arc::clone(clock),
            outdated: Outdated::default(),
            sessions: Sessions::default(),
            emission: Emission::default(),
            lates: None,
            link_book: None,
        }
    }

    /// Folds `chunk`, whose profiles have been restored. Records before the partition's position are passed over. `texts` are
    /// those seen before.
    pub(crate) fn fold(&self, pending: &mut Pending, texts: &mut Texts, chunk: &Chunk) -> Outcome {
        let partition = chunk.from.partition;
        let begin = self.counts.applied(partition);
        let mut outcome = Outcome::default();
        let mut folding = Folding {
            partition,
            pending,
            texts,
            runs: Runs::default(),
            outcome: &mut outcome,
            course: self.emission.begin(partition, self),
        };
        let (mut as_of, mut records) = (None, 0);
        for record in chunk.records.iter().filter(|record| record.offset >= begin) {
            as_of = as_of.max(Some(record.appended_at));
            records += 1;
            match self.content_of(record, partition) {
                Ok(Content::Event(event)) => self.fold_event(&event, record, &mut folding),
                Ok(Content::Whole(event)) => {
                    self.fold_event(&Lean::of(&event), record, &mut folding);
                }
                Ok(Content::Link(link)) => {
                    let Folding {
                        pending, outcome, ..
                    } = &mut folding;
                    self.fold_link(&link, record.offset, pending, outcome);
                }
                Err(cause) => {
                    folding
                        .pending
                        .output(dead_letter(chunk.from, record, &cause));
                    folding.outcome.dead_letters.push(cause.code());
                }
            }
        }
        let Folding { runs, course, .. } = folding;
        let now = EpochMs(self.clock.now_ms());
        if let Some(told) = course.map(|course| course.end(now)) {
            pending.told(told);
        }
        // A gap at the end is consumed as well, or it would be passed again after every start.
        pending.consumed |= chunk.next_offset > begin;
        outcome.skipped = chunk
            .next_offset
            .saturating_sub(begin)
            .saturating_sub(records);
        self.advance(chunk, as_of, runs, outcome.dead_letters.len() as u64);
        outcome
    }

    fn fold_event(&self, event: &Lean<'_>, record: &Record, folding: &mut Folding<'_>) {
        self.tell_links(event, folding.pending, folding.outcome);
        let Folding {
            partition,
            pending,
            texts,
            runs,
            outcome,
            course,
        } = folding;
        let (at, rules, appended_at) = (event.at, &self.rules, record.appended_at);
        let observation = Observation::of_lean(event, texts);
        let (mut place, shopper) = (None, event.shopper);
        let (applied, touched) = self.table.update_in(*partition, &shopper, |profile| {
            let before = self.sessions.before(profile, at, appended_at, rules);
            let passing = course.as_mut().and_then(|course| {
                if record.offset < profile.next_offset() {
                    // It was applied before.
                    return None;
                }
                place = course.place(profile, at, appended_at, || pending.has_place(&shopper));
                let is_changed = || pending.changed.contains(&shopper);
                course.before(profile, at, appended_at, before, is_changed)
            });
            let applied = profile.apply_observation(observation, record.offset, rules);
            if let (Some(course), Some(passing)) = (course.as_mut(), passing)
                && applied.is_some_and(|applied| applied.fate != Fate::Late)
            {
                course.after(profile, passing);
            }
            let touched = before.and_then(|before| before.touched(profile, at, rules));
            (applied, touched)
        });
        // Also what was applied before: what was to be published with it may have been torn off.
        let had_changed = !pending.changed.insert(shopper);
        if let Some(place) = place {
            pending.placed(shopper, place);
        }
        let Some(applied) = applied else {
            outcome.applied_before += 1;
            return;
        };
        outcome.settled_early += u64::from(applied.settled_early);
        outcome.fates.count(applied.fate);
        if let Some(touched) = touched.filter(|_| applied.fate != Fate::Late) {
            self.sessions
                .touch(*partition, shopper, touched, had_changed);
        }
        if let (Fate::Late, Some(lates)) = (applied.fate, &self.lates) {
            lates.lock().insert(event.shopper);
        }
        runs.count(event.source, applied.fate, record.offset);
    }

    /// Announces the links that `event` tells, whatever its fate: the earliest of all counts, and which one that is must not
    /// depend on what else was there when it came.
    fn tell_links(&self, event: &Lean<'_>, pending: &mut Pending, outcome: &mut Outcome) {
        if let (Some(known), Some(anonymous)) = (event.identity.user, event.identity.anonymous)
            && pending.announced.has_earlier(known, anonymous, event.at)
            && !matches!(event.action, LeanAction::Alias { .. })
        {
            return;
        }
        for told in links::told_by(event) {
            if !pending.announced.is_news(&told) {
                continue;
            }
            if let Some(book) = &self.link_book {
                book.note(&told);
            } else {
                pending.output(links::announcement(&told, self.table.partitions()));
                outcome.links_announced += 1;
            }
        }
    }

    /// What `record` of `partition` holds, if it is something to fold and in its place. A shopper folded in two partitions
    /// would have two owners.
    fn content_of<'a>(&self, record: &'a Record, partition: u32) -> Result<Content<'a>, Cause> {
        let content = Content::of(record.value.as_ref().ok_or(Cause::Empty)?)?;
        if self.table.partition_of(&content.shopper()) == partition {
            Ok(content)
        } else {
            Err(Cause::WrongPartition)
        }
    }

    /// Counts what a chunk held and moves the position past it. Profiles come first: who sees the position finds them.
    fn advance(&self, chunk: &Chunk, as_of: Option<EpochMs>, runs: Runs, dead_letters: u64) {
        let partition = chunk.from.partition;
        self.counts.update(partition, |counts| {
            for Run {
                source,
                fates,
                last_offset,
            } in runs.0
            {
                counts.add(&source, fates, last_offset);
            }
            counts.dead_letters += dead_letters;
            counts.next_offset = counts.next_offset.max(chunk.next_offset);
            counts.as_of = counts.as_of.max(as_of.unwrap_or(counts.as_of));
        });
        if let Some(as_of) = as_of {
            self.set_fresh(partition, as_of);
        }
    }

    /// Says that the profiles of `partition` hold everything that was on the log at `as_of`, by the log's clock: where that
    /// is ahead of the one here, profiles would be fresher than now.
    pub(crate) fn set_fresh(&self, partition: u32, as_of: EpochMs) {
        let now = EpochMs(self.clock.now_ms());
        self.table.set_fresh(partition, as_of.min(now));
    }

    /// Takes what `partition` has to publish, if anything, or `even` if it is nothing new. Its profiles are encoded one after the
    /// other into `pieces` of memory.
    pub(crate) fn publish(
        &self,
        partition: u32,
        pending: &mut Pending,
        pieces: &mut Pieces,
        even: bool,
    ) -> Option<Publication> {
        let consumed = pending.consumed;
        let (now, as_of) = (EpochMs(self.clock.now_ms()), self.counts.as_of(partition));
        let as_of = as_of.unwrap_or(now);
        let announced = mem::take(&mut pending.announced);
        let Pending {
            changed,
            places,
            mut outputs,
            emitted,
            withdrawn,
            ..
        } = mem::take(pending);
        let mut told = Out {
            records: Vec::new(),
            emitted,
        };
        let moving = self
            .emission
            .placing(partition)
            .filter(|_| !places.is_empty());
        let next_link = self.counts.next_link(partition);
        pending.announced = announced;
        // About as many will have changed by the next time.
        pending.changed.reserve(changed.len());
        let partitions = self.table.partitions();
        for ((former, source), position) in withdrawn {
            let withdrawn = Contribution::withdrawn(source, position);
            outputs.push(links::record(&former, &withdrawn, &self.rules, partitions));
        }
        let mut encoding = Encoding::new(pieces, partition, changed.len());
        for shopper in &changed {
            let contribution = encoding.add(shopper, |out| {
                self.table.read_in(partition, shopper, |profile| {
                    profile.encode(&self.rules, out);
                    self.sessions
                        .note(partition, profile, as_of, now, &self.rules);
                    self.emission.note(partition, profile, as_of, now);
                    if let (Some(placing), Some(Formerly::At(before))) =
                        (&moving, places.get(shopper))
                    {
                        let rules = &self.rules;
                        placing.moved(profile, *before, next_link, rules, partition, &mut told);
                    }
                    links::contribution_of(profile, &self.rules, partitions)
                })
            });
            outputs.extend(contribution.flatten());
        }
        self.sessions.take(partition, self, now, &mut told);
        self.emission.take(partition, self, now, &mut told);
        if !consumed && !even && told.records.is_empty() {
            return None;
        }
        let (profiles, profile_bytes) = encoding.finish();
        let (counts, next_offset) = self.counts.record(partition)?;
        Some(Publication {
            partition,
            next_offset,
            outputs: outputs.into_iter().chain(told.records).collect(),
            emitted: told.emitted,
            profiles,
            counts,
            profile_bytes,
        })
    }

    /// Drops everything about `partition`.
    pub(crate) fn forget(&self, partition: u32) {
        self.table.clear_partition(partition);
        self.counts.clear(partition);
        self.outdated.forget(partition);
        self.sessions.forget(partition);
        self.emission.forget(partition);
    }
}

/// What the folding of one chunk works on.
struct Folding<'a> {
    partition: u32,
    pending: &'a mut Pending,
    texts: &'a mut Texts,
    runs: Runs,
    outcome: &'a mut Outcome,
    course: Option<Course<'a>>,
}

/// What a record of actions holds.
pub(crate) enum Content<'a> {
    /// An event as it is written here.
    Event(Lean<'a>),
    /// One that is written otherwise.
    Whole(Box<Event>),
    /// That a shopper turned out to be another.
    Link(LinkRecord),
}

impl<'a> Content<'a> {
    /// Reads a record's value.
    pub(crate) fn of(value: &'a [u8]) -> Result<Self, Cause> {
        if let Some(event) = Lean::read(value) {
            return Ok(Self::Event(event));
        }
        let not_one = |problem: wire::DecodeError| Cause::NotAnEvent(problem.to_string());
        if LinkRecord::is_one(value) {
            return LinkRecord::decode(value).map(Self::Link).map_err(not_one);
        }
        match wire::decode(value) {
            Ok(event) => Ok(Self::Whole(Box::new(event))),
            // One that was written anew by someone else, with its members in another order.
            Err(wire::DecodeError::UnknownType(_)) if LinkRecord::decode(value).is_ok() => {
                LinkRecord::decode(value).map(Self::Link).map_err(not_one)
            }
            Err(problem) => Err(not_one(problem)),
        }
    }

    /// Whose it is.
    pub(crate) fn shopper(&self) -> ShopperId {
        match self {
            Self::Event(event) => event.shopper,
            Self::Whole(event) => event.shopper,
            Self::Link(link) => link.anonymous,
        }
    }
}

/// Events of one source, counted together.
#[derive(Default)]
struct Runs(Vec<Run>);

struct Run {
    source: SourceId,
    fates: Fates,
    last_offset: u64,
}

impl Runs {
    /// So many sources are told apart. Beyond, a source is counted in several runs, which comes to the same.
    const LATEST: usize = 16;

    fn count(&mut self, source: &str, fate: Fate, offset: u64) {
        let mut latest = self.0.iter_mut().rev().take(Self::LATEST);
        if let Some(run) = latest.find(|run| run.source.as_str() == source) {
            run.fates.count(fate);
            run.last_offset = offset;
            return;
        }
        // It was checked when the event was read.
        let Ok(source) = SourceId::new(source) else {
            return;
        };
        let mut fates = Fates::default();
        fates.count(fate);
        self.0.push(Run {
            source,
            fates,
            last_offset: offset,
        });
    }
}
