//! What gets the most attention, in bounded memory.

use foretide_events::EpochMs;

use crate::{
    DecodeError, HalfLife,
    codec::{Precision, Reader, SumReader, SumWriter, Writer},
    half_life::{halved, kept},
};

/// The half-life of attention. Shares do not depend on when they are read, for all attention decays alike.
pub(crate) const HALF_LIFE: HalfLife = HalfLife::Week;

/// One with less than this share of all attention is forgotten when a week is over.
pub(crate) const LEAST_SHARE: f64 = 0.02;

/// What attention goes to.
pub(crate) trait Name: Clone {
    /// The most that are kept.
    const LIMIT: usize;
    /// The most bytes that their texts may take together.
    const TEXT_LIMIT: usize;

    /// Whether both are the same.
    fn is(&self, other: &Self) -> bool;
    /// How many bytes its text takes, where it has one.
    fn text_len(&self) -> usize;
    fn write(&self, writer: &mut Writer<'_>);
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// What is known beside attention. It begins anew where one takes the place of another.
pub(crate) trait Beside: Default {
    fn move_to(&mut self, from: EpochMs, to: EpochMs);
    fn round(&mut self);
    fn merge(&mut self, other: &Self);
    fn write(&self, sums: &mut SumWriter<'_, '_>);
    fn read(sums: &mut SumReader<'_, '_>) -> Result<Self, DecodeError>;
}

impl Beside for () {
    fn move_to(&mut self, _: EpochMs, _: EpochMs) {}
    fn round(&mut self) {}
    fn merge(&mut self, (): &Self) {}
    fn write(&self, _: &mut SumWriter<'_, '_>) {}
    fn read(_: &mut SumReader<'_, '_>) -> Result<Self, DecodeError> {
        Ok(())
    }
}

/// One that is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry<N, B> {
    pub(crate) name: N,
    /// Decayed attention, in seconds, as a sum is kept; at most `error` more than the truth.
    pub(crate) attention: f64,
    pub(crate) error: f64,
    pub(crate) beside: B,
}

/// Those that got the most attention, found by Space-Saving (Metwally, Agrawal and El Abbadi 2005) with weights: one too
/// many takes the place of the least, inherits its attention and remembers it as its error. The sum over the kept ones is
/// all attention there was, but for what was forgotten, so shares need no further total. Very long texts leave room for fewer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ranking<N, B> {
    entries: Vec<Entry<N, B>>,
}

impl<N, B> Default for Ranking<N, B> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
        }
    }
}

impl<N: Name, B: Beside> Ranking<N, B> {
    pub(crate) fn entries(&self) -> &[Entry<N, B>] {
        &self.entries
    }

    pub(crate) fn entries_mut(&mut self) -> &mut [Entry<N, B>] {
        &mut self.entries
    }

    /// The sum of all attention, as a sum is kept.
    pub(crate) fn total(&self) -> f64 {
        self.entries.iter().map(|entry| entry.attention).sum()
    }

    /// The largest share; `None` without any attention.
    pub(crate) fn largest_share(&self) -> Option<f64> {
        let attention = self.entries.iter().map(|entry| entry.attention);
        Some(attention.max_by(f64::total_cmp)? / self.total())
    }

    /// The sum of squared shares (Herfindahl index): 1 when one has it all; `None` without any attention.
    pub(crate) fn focus(&self) -> Option<f64> {
        let total = self.total();
        let share = |entry: &Entry<N, B>| entry.attention / total;
        let squares = self.entries.iter().map(|entry| share(entry) * share(entry));
        (!self.entries.is_empty()).then(|| squares.sum::<f64>().min(1.0))
    }

    /// Shannon entropy of the shares, in bits; `None` without any attention.
    pub(crate) fn entropy(&self) -> Option<f64> {
        let total = self.total();
        let bits = self.entries.iter().map(|entry| {
            let share = entry.attention / total;
            -share * libm::log2(share)
        });
        let most = libm::log2(N::LIMIT as f64);
        (!self.entries.is_empty()).then(|| bits.sum::<f64>().clamp(0.0, most))
    }

    /// How much of all attention may belong to others than those it is counted for; `None` without any attention.
    pub(crate) fn error_share(&self) -> Option<f64> {
        let error: f64 = self.entries.iter().map(|entry| entry.error).sum();
        (!self.entries.is_empty()).then(|| (error / self.total()).min(1.0))
    }

    /// The names that are kept.
    pub(crate) fn names(&self) -> impl Iterator<Item = &N> {
        self.entries.iter().map(|entry| &entry.name)
    }

    /// What is known beside the attention to `name`.
    pub(crate) fn beside_mut(&mut self, name: &N) -> Option<&mut B> {
        let entry = self.entries.iter_mut().find(|entry| entry.name.is(name));
        entry.map(|entry| &mut entry.beside)
    }

    /// Moves the instant that everything is as of.
    pub(crate) fn move_to(&mut self, from: EpochMs, to: EpochMs) {
        let halvings = HALF_LIFE.halvings(from, to);
        for entry in &mut self.entries {
            entry.beside.move_to(from, to);
            if halvings > 0 {
                entry.attention = halved(entry.attention, halvings);
                entry.error = halved(entry.error, halvings);
            }
        }
        if halvings > 0 {
            self.entries.retain(|entry| entry.attention > 0.0);
            self.forget_least();
        }
    }

    /// Forgets those that get hardly any of the attention.
    fn forget_least(&mut self) {
        let least = LEAST_SHARE * self.total();
        self.entries.retain(|entry| entry.attention >= least);
    }

    /// Rounds all sums to what is kept of them.
    pub(crate) fn round(&mut self) {
        for entry in &mut self.entries {
            entry.attention = kept(entry.attention);
            entry.error = kept(entry.error);
            entry.beside.round();
        }
    }

    /// Adds `attention`, weighed; what is known beside it, if there is any attention at all.
    pub(crate) fn add(&mut self, name: &N, attention: f64) -> Option<&mut B> {
        if attention <= 0.0 {
            return None;
        }
        let known = self.names().position(|other| other.is(name));
        let place = match known {
            Some(place) => {
                self.entries[place].attention += attention;
                place
            }
            None => self.enter(name, attention),
        };
        self.entries.get_mut(place).map(|entry| &mut entry.beside)
    }

    /// Makes room for `name`, and puts it in the place of the first that had to go.
    fn enter(&mut self, name: &N, attention: f64) -> usize {
        let (mut error, mut place) = (0.0, None);
        while self.is_full_for(name)
            && let Some(least) = self.least()
        {
            let gone = self.entries.remove(least);
            error += gone.attention;
            place = Some(place.map_or(least, |place| place - usize::from(least < place)));
        }
        let place = place.unwrap_or(self.entries.len());
        let entry = Entry {
            name: name.clone(),
            attention: error + attention,
            error,
            beside: B::default(),
        };
        self.entries.insert(place, entry);
        place
    }

    fn text_len(&self) -> usize {
        self.names().map(Name::text_len).sum()
    }

    fn is_full_for(&self, name: &N) -> bool {
        self.entries.len() == N::LIMIT || self.text_len() + name.text_len() > N::TEXT_LIMIT
    }

    /// The place of the one with the least attention.
    fn least(&self) -> Option<usize> {
        let entries = self.entries.iter().enumerate();
        let least = entries.min_by(|(_, a), (_, b)| a.attention.total_cmp(&b.attention));
        least.map(|(place, _)| place)
    }

    /// Adds the attention of `other`, as of the same instant, and keeps the largest (Agarwal et al., Mergeable summaries,
    /// 2012).
    pub(crate) fn merge(&mut self, other: &Self) {
        for theirs in &other.entries {
            let mut ours = self.entries.iter_mut();
            if let Some(ours) = ours.find(|ours| ours.name.is(&theirs.name)) {
                ours.attention += theirs.attention;
                ours.error += theirs.error;
                ours.beside.merge(&theirs.beside);
            } else {
                let mut beside = B::default();
                beside.merge(&theirs.beside);
                self.entries.push(Entry {
                    name: theirs.name.clone(),
                    attention: theirs.attention,
                    error: theirs.error,
                    beside,
                });
            }
        }
        while (self.entries.len() > N::LIMIT || self.text_len() > N::TEXT_LIMIT)
            && let Some(least) = self.least()
        {
            self.entries.remove(least);
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>, precision: Precision) {
        writer.length(self.entries.len());
        for entry in &self.entries {
            entry.name.write(writer);
        }
        let mut sums = writer.sums(precision);
        for entry in &self.entries {
            sums.sum(entry.attention);
            sums.sum_or_zero(entry.error);
        }
        for entry in &self.entries {
            entry.beside.write(&mut sums);
        }
        sums.end();
    }

    pub(crate) fn read(reader: &mut Reader<'_>, precision: Precision) -> Result<Self, DecodeError> {
        let length = reader.length(N::LIMIT)?;
        let mut entries = Vec::with_capacity(length);
        for _ in 0..length {
            entries.push(Entry {
                name: N::read(reader)?,
                attention: 0.0,
                error: 0.0,
                beside: B::default(),
            });
        }
        let mut sums = reader.sums(precision);
        for entry in &mut entries {
            entry.attention = sums.sum()?;
            entry.error = sums.sum_or_zero()?;
        }
        for entry in &mut entries {
            entry.beside = B::read(&mut sums)?;
        }
        sums.end()?;
        Ok(Self { entries })
    }
}
