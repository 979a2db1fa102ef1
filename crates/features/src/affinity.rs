//! What the shopper is interested in: attention by category (M3), and what goods there cost.

use foretide_events::{Category, EpochMs};

use crate::{
    DecodeError, HalfLife, Topic,
    codec::{Reader, SumReader, SumWriter, Writer},
    half_life::{halved, kept},
    prices::CategoryPrices,
    ranking::{Beside, Entry, Name, Ranking},
};

/// The half-life of the attention that counts as now, when it is held against the usual.
pub(crate) const RECENT: HalfLife = HalfLife::Day;

impl Name for Topic {
    const LIMIT: usize = 16;
    const TEXT_LIMIT: usize = 768;

    fn is(&self, other: &Self) -> bool {
        self.hash == other.hash
    }

    fn text_len(&self) -> usize {
        self.category.as_str().len()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.topic(Some(self));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let topic = reader.topic()?;
        topic.ok_or(DecodeError::Corrupt("a share of no category"))
    }
}

/// What is known of a category beside the attention it gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Interest {
    /// Attention with a half-life of a day, as a sum is kept.
    pub(crate) recent: f64,
    pub(crate) prices: CategoryPrices,
}

impl Interest {
    /// Adds recent attention, weighed.
    pub(crate) fn see(&mut self, attention: f64) {
        self.recent += attention;
    }
}

impl Beside for Interest {
    fn move_to(&mut self, from: EpochMs, to: EpochMs) {
        let halvings = RECENT.halvings(from, to);
        if halvings > 0 {
            self.recent = halved(self.recent, halvings);
            self.prices.move_to(from, to);
        }
    }

    fn round(&mut self) {
        self.recent = kept(self.recent);
        self.prices.round();
    }

    fn merge(&mut self, other: &Self) {
        self.recent += other.recent;
        self.prices.merge(&other.prices);
    }

    fn write(&self, sums: &mut SumWriter<'_, '_>) {
        sums.sum_or_zero(self.recent);
        self.prices.write(sums);
    }

    fn read(sums: &mut SumReader<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self {
            recent: sums.sum_or_zero()?,
            prices: CategoryPrices::read(sums)?,
        })
    }
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

/// The categories that got the most attention: at most 16, fewer if their names take more than 768 bytes together, and none that has
/// less than a fiftieth of it when a week is over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Affinity(pub(crate) Ranking<Topic, Interest>);

impl Affinity {
    /// The `n` categories with the largest shares, largest first.
    pub fn top(&self, n: usize) -> Vec<CategoryShare> {
        let total = self.0.total();
        let mut entries: Vec<_> = self.0.entries().iter().collect();
        entries.sort_by(|a, b| {
            b.attention
                .total_cmp(&a.attention)
                .then_with(|| a.name.category.cmp(&b.name.category))
        });
        let share = |entry: &&Entry<Topic, Interest>| CategoryShare {
            category: entry.name.category.clone(),
            share: entry.attention / total,
            error: (entry.error / total).min(entry.attention / total),
        };
        entries.iter().take(n).map(share).collect()
    }

    /// Number of categories kept, at most 16.
    pub fn len(&self) -> usize {
        self.0.entries().len()
    }

    /// Whether no category got any attention.
    pub fn is_empty(&self) -> bool {
        self.0.entries().is_empty()
    }

    /// How far the mix of the last day is from the usual one: the Jensen–Shannon divergence of the shares of recent
    /// attention and of all, in bits from 0 to 1. `recent_worth` is what 1 of recent attention is worth now. `None` with less
    /// than a second of it.
    pub(crate) fn divergence(&self, recent_worth: f64) -> Option<f64> {
        let entries = self.0.entries();
        let recent: f64 = entries.iter().map(|entry| entry.beside.recent).sum();
        if recent * recent_worth < 1.0 {
            return None;
        }
        let total = self.0.total();
        let term = |share: f64, middle: f64| {
            if share > 0.0 {
                share * libm::log2(share / middle)
            } else {
                0.0
            }
        };
        let halves = entries.iter().map(|entry| {
            let (now, usual) = (entry.beside.recent / recent, entry.attention / total);
            let middle = f64::midpoint(now, usual);
            term(now, middle) + term(usual, middle)
        });
        Some((halves.sum::<f64>() / 2.0).clamp(0.0, 1.0))
    }

    /// Forgets all prices: those that follow are in another currency.
    pub(crate) fn clear_prices(&mut self) {
        for entry in self.0.entries_mut() {
            entry.beside.prices = CategoryPrices::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranking::HALF_LIFE;

    fn topic(name: &str) -> Topic {
        Topic::new(&Category::new(name).unwrap())
    }

    fn add(affinity: &mut Affinity, name: &str, attention: f64) {
        affinity.0.add(&topic(name), attention);
    }

    #[test]
    fn shares_follow_attention() {
        let mut affinity = Affinity::default();
        add(&mut affinity, "shoes", 30.0);
        add(&mut affinity, "hats", 10.0);
        affinity.0.move_to(EpochMs(0), EpochMs(HALF_LIFE.ms()));
        add(&mut affinity, "hats", 20.0);
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
            add(&mut affinity, "shoes", 1.0);
            add(&mut affinity, &format!("other {n}"), 1.0);
        }
        let top = affinity.top(16);
        assert_eq!(affinity.len(), Topic::LIMIT);
        assert_eq!((top[0].category.as_str(), top[0].error), ("shoes", 0.0));
        assert!((top[0].share - 0.5).abs() < 1e-9);
        assert!(
            top[1..]
                .iter()
                .all(|other| other.share - other.error <= 0.001),
            "{top:?}"
        );
        assert!(affinity.0.error_share().unwrap() < 0.5);
    }

    #[test]
    fn long_names_leave_room_for_fewer_and_no_attention_is_lost() {
        let mut affinity = Affinity::default();
        for n in 0..40 {
            add(&mut affinity, &format!("{n:0>128}"), 1.0);
            add(&mut affinity, &format!("short {n}"), 0.5);
        }
        let names: usize = affinity
            .top(16)
            .iter()
            .map(|top| top.category.as_str().len())
            .sum();
        assert!(names <= Topic::TEXT_LIMIT && affinity.len() > 4, "{names}");
        assert!((affinity.0.total() - 60.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_forgotten_leaves_the_list() {
        let mut affinity = Affinity::default();
        add(&mut affinity, "shoes", 30.0);
        affinity
            .0
            .move_to(EpochMs(0), EpochMs(100 * HALF_LIFE.ms()));
        assert!(affinity.is_empty() && affinity.top(3).is_empty() && affinity.0.focus().is_none());
    }

    #[test]
    fn a_day_like_any_other_diverges_by_nothing_and_another_interest_by_almost_a_bit() {
        let mut affinity = Affinity::default();
        for (name, attention, recent) in [("shoes", 1000.0, 10.0), ("hats", 1000.0, 10.0)] {
            affinity.0.add(&topic(name), attention).unwrap().recent = recent;
        }
        assert!(affinity.divergence(1.0).unwrap().abs() < 1e-12);
        assert_eq!(affinity.divergence(0.01), None, "hardly anything lately");
        for entry in affinity.0.entries_mut() {
            entry.beside.recent = 0.0;
        }
        affinity.0.add(&topic("tea"), 1e-3).unwrap().recent = 10.0;
        assert!(affinity.divergence(1.0).unwrap() > 0.99);
    }
}
