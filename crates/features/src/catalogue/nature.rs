//! How features behave.

use std::borrow::Cow;

use crate::{FoldRules, HalfLife};

/// What a feature is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things; fractional where it decays.
    Count,
    /// Seconds.
    Seconds,
    /// Hours.
    Hours,
    /// Days of 24 hours.
    Days,
    /// Engagement (M2), in minutes on relevant pages or their worth.
    Engagement,
    /// An amount of the shopper's currency, in its main unit.
    Money,
    /// A share of a whole.
    Share,
    /// A ratio of two rates.
    Ratio,
    /// Information, in bits.
    Bits,
    /// A natural logarithm of a ratio of prices: 0.1 is about a tenth more.
    LogPrice,
    /// A natural logarithm.
    Log,
    /// How much a probability changes with the natural logarithm of a price.
    Elasticity,
    /// Standard deviations from what is usual, below or above.
    Deviation,
    /// An hour of the day, from 0.
    Hour,
    /// A day of the week, Monday is 1.
    Weekday,
    /// One for yes, zero for no.
    Flag,
}

impl Unit {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Seconds => "seconds",
            Self::Hours => "hours",
            Self::Days => "days",
            Self::Engagement => "engagement",
            Self::Money => "money",
            Self::Share => "share",
            Self::Ratio => "ratio",
            Self::Bits => "bits",
            Self::LogPrice => "log_price",
            Self::Log => "log",
            Self::Elasticity => "elasticity",
            Self::Deviation => "deviation",
            Self::Hour => "hour",
            Self::Weekday => "weekday",
            Self::Flag => "flag",
        }
    }
}

/// How long a value holds after the shopper's newest event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeToLive {
    /// For ever: it says itself how old it is, or decays.
    Unlimited,
    /// As long as the session may go on.
    SessionGap,
    /// So many milliseconds.
    Ms(i64),
}

impl TimeToLive {
    /// In milliseconds, if it is limited.
    pub fn ms(self, rules: &FoldRules) -> Option<i64> {
        match self {
            Self::Unlimited => None,
            Self::SessionGap => Some(rules.session_gap_ms),
            Self::Ms(ms) => Some(ms),
        }
    }

    /// As people say it.
    pub fn in_words(self) -> Cow<'static, str> {
        const DAY_MS: i64 = 24 * HOUR_MS;
        const HOUR_MS: i64 = 60 * 60 * 1000;
        let counted = |n: i64, unit: &str| match n {
            1 => format!("1 {unit}").into(),
            _ => format!("{n} {unit}s").into(),
        };
        match self {
            Self::Unlimited => "ever".into(),
            Self::SessionGap => "the session gap".into(),
            Self::Ms(ms) if ms % DAY_MS == 0 => counted(ms / DAY_MS, "day"),
            Self::Ms(ms) if ms % HOUR_MS == 0 => counted(ms / HOUR_MS, "hour"),
            Self::Ms(ms) => counted(ms, "millisecond"),
        }
    }
}

/// Whether the order of events matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// It follows from the set of events alone.
    Free,
    /// It needs them in canonical order: by time, then by the XXH3-64 of their ids.
    Canonical,
}

impl Order {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "order-free",
            Self::Canonical => "canonical",
        }
    }
}

/// How what several pseudonyms of one person did is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// Numbers and decayed sums add; ratios are those of the added sums.
    Sum,
    /// The earliest counts.
    Earliest,
    /// The latest counts.
    Latest,
    /// The session that began later counts; of two that began together the longer.
    LaterSession,
    /// The cart that was changed last counts.
    LastChanged,
    /// Attention adds by name, and the largest are kept.
    Largest,
    /// The time zone of whoever was seen later counts.
    LaterSeen,
    /// Locations and scales are averaged by how many values they come from.
    WeightedMean,
    /// Worked out of parts that combine each by its own rule.
    Parts,
}

impl Combine {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Earliest => "earliest",
            Self::Latest => "latest",
            Self::LaterSession => "later session",
            Self::LastChanged => "last changed",
            Self::Largest => "largest by name",
            Self::LaterSeen => "later seen",
            Self::WeightedMean => "weighted mean",
            Self::Parts => "by parts",
        }
    }
}

/// How a feature forgets, how long it holds, and how it combines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nature {
    /// The half-life of the sums it is made of; `None` if it does not forget.
    pub half_life: Option<HalfLife>,
    /// How long it holds.
    pub time_to_live: TimeToLive,
    /// Whether the order of events matters.
    pub order: Order,
    /// How it is put together of several pseudonyms.
    pub combine: Combine,
    /// Whether it depends on the reference: on what is usual among shoppers.
    pub uses_reference: bool,
}

impl Nature {
    /// A number or a time that does not forget.
    pub(super) const fn plain(order: Order, combine: Combine) -> Self {
        Self {
            half_life: None,
            time_to_live: TimeToLive::Unlimited,
            order,
            combine,
            uses_reference: false,
        }
    }

    /// Made of decayed sums.
    pub(super) const fn decayed(half_life: HalfLife, order: Order, combine: Combine) -> Self {
        Self {
            half_life: Some(half_life),
            ..Self::plain(order, combine)
        }
    }

    /// Holds for a limited time.
    pub(super) const fn holding(self, time_to_live: TimeToLive) -> Self {
        Self {
            time_to_live,
            ..self
        }
    }

    /// Depends on the reference.
    pub(super) const fn relative(self) -> Self {
        Self {
            uses_reference: true,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_is_told_as_long_as_it_is() {
        for (time_to_live, words) in [
            (TimeToLive::Unlimited, "ever"),
            (TimeToLive::SessionGap, "the session gap"),
            (TimeToLive::Ms(86_400_000), "1 day"),
            (TimeToLive::Ms(3 * 86_400_000), "3 days"),
            (TimeToLive::Ms(7_200_000), "2 hours"),
            (TimeToLive::Ms(1500), "1500 milliseconds"),
        ] {
            assert_eq!(time_to_live.in_words(), words);
        }
    }
}
