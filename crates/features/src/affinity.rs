//! What the shopper is interested in: attention by category (M3).

use foretide_events::{Category, EpochMs};

use crate::{
    DecodeError, HalfLife, Topic,
    codec::{Reader, Writer},
    half_life::{halved, kept},
};

/// The most categories kept.
const LIMIT: usize = 16;

/// The half-life of attention. Shares do not depend on when they are read, for all attention decays alike.
pub(crate) const HALF_LIFE: HalfLife = HalfLife::Week;

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    topic: Topic,
    /// Decayed attention, in seconds, as a sum is kept; at most `error` more than the truth.
    attention: f64,
    error: f64,
}

/// A category with its share of the shopper's attention.
#[derive(Clone, Debug, PartialEq)]
pub struct CategoryShare {
    /// The category.
    pub category: Category,
    /// Its share of all attention to categories, 0 to 1.
    pub share: f64,
    /// How much of `share` may belong to categories no longer kept, 0 to `share`.
    pub error: f64,
}

/// The categories that got the most attention, found by Space-Saving (Metwally, Agrawal and El Abbadi 2005) with
/// weights: a seventeenth category takes the place of the least, inherits its attention and remembers it as its
/// error. The sum over the kept ones is always all attention there was, so shares need no further total.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Affinity {
    entries: Vec<Entry>,
}

impl Affinity {
    /// The `n` categories with the largest shares, largest first.
    pub fn top(&self, n: usize) -> Vec<CategoryShare> {
        let total = self.total();
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by(|a, b| {
            b.attention
                .total_cmp(&a.attention)
                .then_with(|| a.topic.category.cmp(&b.topic.category))
        });
        let share = |entry: &&Entry| CategoryShare {
            category: entry.topic.category.clone(),
            share: entry.attention / total,
            error: entry.error / total,
        };
        entries.iter().take(n).map(share).collect()
    }

    /// Number of categories kept, at most 16.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no category got any attention.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The largest share; `None` without any attention.
    pub(crate) fn largest_share(&self) -> Option<f64> {
        let largest = self
            .entries
            .iter()
            .map(|entry| entry.attention)
            .max_by(f64::total_cmp)?;
        Some(largest / self.total())
    }

    /// The sum of squared shares (Herfindahl index): 1 when one category has it all; `None` without any attention.
    pub(crate) fn focus(&self) -> Option<f64> {
        let total = self.total();
        let squares = self
            .entries
            .iter()
            .map(|entry| (entry.attention / total) * (entry.attention / total));
        (!self.is_empty()).then(|| squares.sum::<f64>().min(1.0))
    }

    /// The sum of all attention, as a sum is kept.
    pub(crate) fn total(&self) -> f64 {
        self.entries.iter().map(|entry| entry.attention).sum()
    }

    /// Moves the instant that attention is as of.
    pub(crate) fn move_to(&mut self, from: EpochMs, to: EpochMs) {
        let halvings = HALF_LIFE.halvings(from, to);
        if self.is_empty() || halvings <= 0 {
            return;
        }
        for entry in &mut self.entries {
            entry.attention = halved(entry.attention, halvings);
            entry.error = halved(entry.error, halvings);
        }
        if self.entries.iter().any(|entry| entry.attention <= 0.0) {
            self.entries.retain(|entry| entry.attention > 0.0);
        }
    }

    /// Adds `attention`, weighed.
    pub(crate) fn add(&mut self, topic: &Topic, attention: f64) {
        let attention = kept(attention);
        if attention <= 0.0 {
            return;
        }
        if let Some(entry) = self
            .entries
            .iter_mut()
            .find(|entry| entry.topic.hash == topic.hash)
        {
            entry.attention = kept(entry.attention + attention);
            return;
        }
        if self.entries.len() < LIMIT {
            self.entries.push(Entry {
                topic: topic.clone(),
                attention: kept(attention),
                error: 0.0,
            });
            return;
        }
        if let Some(least) = self
            .entries
            .iter_mut()
            .min_by(|a, b| a.attention.total_cmp(&b.attention))
        {
            let error = least.attention;
            *least = Entry {
                topic: topic.clone(),
                attention: kept(error + attention),
                error,
            };
        }
    }

    /// The topic of the same category that is kept already, whose text need not be kept twice.
    pub(crate) fn kept(&self, topic: &Topic) -> Option<&Topic> {
        self.entries
            .iter()
            .map(|entry| &entry.topic)
            .find(|kept| kept.hash == topic.hash)
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.length(self.entries.len());
        for entry in &self.entries {
            writer.topic(Some(&entry.topic));
        }
        let mut sums = writer.sums();
        for entry in &self.entries {
            sums.sum(entry.attention);
            sums.sum_or_zero(entry.error);
        }
        sums.end();
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length = reader.length(LIMIT)?;
        let mut entries = Vec::with_capacity(length);
        for _ in 0..length {
            let topic = reader.topic()?;
            entries.push(Entry {
                topic: topic.ok_or(DecodeError::Corrupt("a share of no category"))?,
                attention: 0.0,
                error: 0.0,
            });
        }
        let mut sums = reader.sums();
        for entry in &mut entries {
            entry.attention = sums.sum()?;
            entry.error = sums.sum_or_zero()?;
        }
        sums.end()?;
        Ok(Self { entries })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> Topic {
        Topic::new(&Category::new(name).unwrap())
    }

    #[test]
    fn shares_follow_attention() {
        let mut affinity = Affinity::default();
        affinity.add(&topic("shoes"), 30.0);
        affinity.add(&topic("hats"), 10.0);
        affinity.move_to(EpochMs(0), EpochMs(HALF_LIFE.ms()));
        affinity.add(&topic("hats"), 20.0);
        let top = affinity.top(2);
        assert_eq!(top[0].category.as_str(), "hats");
        assert!((top[0].share - 0.625).abs() < 1e-12);
        assert!((top[0].share + top[1].share - 1.0).abs() < 1e-12);
        assert_eq!(affinity.top(1).len(), 1);
    }

    #[test]
    fn a_favourite_is_kept_whatever_else_comes() {
        let mut affinity = Affinity::default();
        for n in 0..1000 {
            affinity.add(&topic("shoes"), 1.0);
            affinity.add(&topic(&format!("other {n}")), 1.0);
        }
        let top = affinity.top(16);
        assert_eq!(affinity.len(), LIMIT);
        assert_eq!((top[0].category.as_str(), top[0].error), ("shoes", 0.0));
        assert!((top[0].share - 0.5).abs() < 1e-9);
        assert!(
            top[1..]
                .iter()
                .all(|other| other.share - other.error <= 0.001),
            "{top:?}"
        );
    }

    #[test]
    fn what_is_forgotten_leaves_the_list() {
        let mut affinity = Affinity::default();
        affinity.add(&topic("shoes"), 30.0);
        affinity.move_to(EpochMs(0), EpochMs(100 * HALF_LIFE.ms()));
        assert!(affinity.is_empty() && affinity.top(3).is_empty() && affinity.focus().is_none());
    }
}
