//! What one pseudonym of a person contributes to the profile of another.

use foretide_events::{EpochMs, ShopperId};

use crate::{
    DecodeError, FoldRules, IdHash,
    codec::{Header, Reader, Writer},
    history::History,
};

/// The most sources that one profile takes contributions from.
pub const SOURCE_LIMIT: usize = 4;
/// The most sources that are remembered to have withdrawn.
const WITHDRAWN_LIMIT: usize = 16;

/// That an anonymous shopper turned out to be a known one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// When an event first named both.
    pub at: EpochMs,
    /// The hash of that event's id. Of two links the one with the smaller (time, id) counts.
    pub id: IdHash,
    /// The known shopper.
    pub known: ShopperId,
}

/// What came of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Linked {
    /// It is the first.
    First,
    /// It is earlier than the one so far and counts from now on. `former` is the shopper that was linked before, if it is
    /// another: it must be sent an empty contribution.
    Earlier {
        /// The shopper linked before, if another.
        former: Option<ShopperId>,
    },
    /// It is no earlier than the one that is known: nothing changed.
    Later,
}

/// What a linked anonymous profile contributes to that of its known shopper: all of its own observations. A known profile keeps
/// the latest of each source, by position, so contributing again changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    source: ShopperId,
    position: u64,
    /// Nothing: it is withdrawn.
    pub(crate) history: Option<History>,
}

/// What came of a contribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Contributed {
    /// It counts from now on.
    Applied,
    /// One of the same position or a higher one is there already: nothing changed.
    Older,
    /// Four other sources contribute already: it was not taken.
    Refused,
}

impl Contribution {
    pub(crate) fn of(source: ShopperId, position: u64, history: History) -> Self {
        Self {
            source,
            position,
            history: Some(history),
        }
    }

    /// An empty one: `source` has nothing to contribute any more, as of `position`.
    pub fn withdrawn(source: ShopperId, position: u64) -> Self {
        Self {
            source,
            position,
            history: None,
        }
    }

    /// The anonymous shopper it comes from.
    pub fn source(&self) -> ShopperId {
        self.source
    }

    /// How far the source had applied its log: of two contributions the one with the higher position counts.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether it withdraws what was contributed before.
    pub fn is_empty(&self) -> bool {
        self.history.is_none()
    }

    /// Appends its stored form to `out`. `rules` are those it was folded under.
    pub fn encode(&self, rules: &FoldRules, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        Header {
            rules: rules.version(),
            shopper: self.source,
            next_offset: self.position,
        }
        .write(&mut writer);
        self.write_history(&mut writer);
    }

    /// Reads the stored form of what `source` contributes.
    pub fn decode(source: ShopperId, bytes: &[u8], rules: &FoldRules) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let position = Header::read(&mut reader, source, rules)?.next_offset;
        let history = read_history(&mut reader)?;
        reader.end()?;
        Ok(Self {
            source,
            position,
            history,
        })
    }

    /// Writes it as part of a profile.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(self.source.as_bytes());
        writer.varint(self.position);
        self.write_history(writer);
    }

    fn write_history(&self, writer: &mut Writer<'_>) {
        match &self.history {
            None => writer.bytes(&[0]),
            Some(history) => {
                history.write_settled(1, writer);
                history.write_recents(writer);
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            source: ShopperId(reader.array()?),
            position: reader.varint()?,
            history: read_history(reader)?,
        })
    }
}

fn read_history(reader: &mut Reader<'_>) -> Result<Option<History>, DecodeError> {
    let (mut history, there) = History::read_settled(reader)?;
    match there {
        0 if history == History::default() => Ok(None),
        1 => {
            history.read_recents(reader)?;
            Ok(Some(history))
        }
        _ => Err(DecodeError::Corrupt("neither contributed nor withdrawn")),
    }
}

/// The contributions to one profile, in the order of their sources.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Contributions(Vec<Contribution>);

impl Contributions {
    /// Whether there never was one.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is contributed, in the order of the sources.
    pub(crate) fn histories(&self) -> impl Iterator<Item = &History> {
        self.0
            .iter()
            .filter_map(|contribution| contribution.history.as_ref())
    }

    /// The sources that contribute something, in their order.
    pub(crate) fn sources(&self) -> impl Iterator<Item = ShopperId> {
        let there = self
            .0
            .iter()
            .filter(|contribution| !contribution.is_empty());
        there.map(Contribution::source)
    }

    /// Whether just this is there.
    pub(crate) fn holds(&self, contribution: &Contribution) -> bool {
        self.0.iter().any(|held| held == contribution)
    }

    /// Forgets what there is of `source`; whether there was anything.
    pub(crate) fn forget(&mut self, source: ShopperId) -> bool {
        let before = self.0.len();
        self.0.retain(|held| held.source != source);
        self.0.len() < before
    }

    pub(crate) fn put(&mut self, contribution: Contribution) -> Contributed {
        let of = |other: &Contribution| other.source.cmp(&contribution.source);
        let place = self.0.binary_search_by(of);
        if let Ok(place) = place
            && contribution.position <= self.0[place].position
        {
            return Contributed::Older;
        }
        let source = contribution.source;
        let others = self.sources().filter(|other| *other != source).count();
        if !contribution.is_empty() && others >= SOURCE_LIMIT {
            return Contributed::Refused;
        }
        match place {
            Ok(place) => self.0[place] = contribution,
            Err(place) => self.0.insert(place, contribution),
        }
        self.forget_withdrawn();
        Contributed::Applied
    }

    /// Forgets those that withdrew at the lowest positions, where there are too many.
    fn forget_withdrawn(&mut self) {
        while self.0.len() - self.sources().count() > WITHDRAWN_LIMIT {
            let all = self.0.iter().enumerate();
            let withdrawn = all.filter(|(_, contribution)| contribution.is_empty());
            let Some((oldest, _)) = withdrawn.min_by_key(|(_, contribution)| contribution.position)
            else {
                return;
            };
            self.0.remove(oldest);
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.length(self.0.len());
        self.0
            .iter()
            .for_each(|contribution| contribution.write(writer));
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length = reader.length(SOURCE_LIMIT + WITHDRAWN_LIMIT)?;
        let mut contributions = Self::default();
        for _ in 0..length {
            let next = Contribution::read(reader)?;
            if contributions
                .0
                .last()
                .is_some_and(|last| last.source >= next.source)
            {
                return Err(DecodeError::Corrupt("contributions out of order"));
            }
            contributions.0.push(next);
        }
        Ok(contributions)
    }
}
