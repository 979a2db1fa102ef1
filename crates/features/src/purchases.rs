//! What the shopper bought so far.

use foretide_events::{Currency, EpochMs, Money};

use crate::{
    DecodeError,
    codec::{Reader, Writer},
    observation::Bought,
};

/// Completed orders over the shopper's life. Money is kept in one currency, that of the latest order with a value: an
/// order in another one starts the sums anew, because there is no rate to convert by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Purchases {
    count: u32,
    last_at: EpochMs,
    /// Hash of the latest order's id, zero where it had none.
    last_order: u64,
    value: Option<Money>,
}

/// What one more order changed.
pub(crate) enum Bookkeeping {
    /// The latest order came again under another event id: it changes nothing.
    Known,
    /// A new order, worth this many minor units, and whether its currency is a new one.
    New {
        minor_units: Option<i64>,
        currency_changed: bool,
    },
}

impl Purchases {
    /// Number of orders.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// When the latest order was completed.
    pub fn last_at(&self) -> Option<EpochMs> {
        (self.count > 0).then_some(self.last_at)
    }

    /// What the orders in the present currency were worth together.
    pub fn value(&self) -> Option<Money> {
        self.value
    }

    pub(crate) fn fold(&mut self, at: EpochMs, bought: &Bought) -> Bookkeeping {
        if bought.order != 0 && bought.order == self.last_order {
            return Bookkeeping::Known;
        }
        self.count = self.count.saturating_add(1);
        self.last_at = at;
        self.last_order = bought.order;
        let Some(worth) = bought.value else {
            return Bookkeeping::New {
                minor_units: None,
                currency_changed: false,
            };
        };
        let minor_units = worth.minor_units.max(0);
        let same = self.value.filter(|value| value.currency == worth.currency);
        let before = same.map_or(0, |value| value.minor_units);
        self.value = Some(Money {
            minor_units: before.saturating_add(minor_units),
            ..worth
        });
        Bookkeeping::New {
            minor_units: Some(minor_units),
            currency_changed: same.is_none(),
        }
    }

    /// Adds those of `other`: money only where it is of the same currency, else that of the later order stays.
    pub(crate) fn merge(&mut self, other: &Self) {
        let later = if other.last_at() > self.last_at() {
            other.clone()
        } else {
            self.clone()
        };
        let value = match (self.value, other.value) {
            (Some(ours), Some(theirs)) if ours.currency == theirs.currency => Some(Money {
                minor_units: ours.minor_units.saturating_add(theirs.minor_units),
                ..ours
            }),
            (Some(_), Some(_)) => later.value,
            (ours, theirs) => ours.or(theirs),
        };
        *self = Self {
            count: self.count.saturating_add(other.count),
            value,
            ..later
        };
    }

    /// Writes them, when the latest was relative to `then`.
    pub(crate) fn write(&self, writer: &mut Writer<'_>, then: EpochMs) {
        writer.varint(u64::from(self.count));
        if self.count > 0 {
            writer.time(then, self.last_at);
            writer.hash(self.last_order);
            writer.money(self.value);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>, then: EpochMs) -> Result<Self, DecodeError> {
        let count = reader.number()?;
        if count == 0 {
            return Ok(Self::default());
        }
        let (last_at, last_order, value) = (reader.time(then)?, reader.hash()?, reader.money()?);
        Ok(Self {
            count,
            last_at,
            last_order,
            value,
        })
    }
}

/// `minor_units` of `currency` as a number of its main unit.
pub(crate) fn major_units(minor_units: f64, currency: Currency) -> f64 {
    minor_units / [1.0, 10.0, 100.0, 1000.0, 10_000.0][currency.minor_digits().min(4) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bought(order: u64, cents: i64, currency: &str) -> Bought {
        let value = Money {
            minor_units: cents,
            currency: currency.parse().unwrap(),
        };
        Bought {
            order,
            value: Some(value),
            lines: Vec::new(),
        }
    }

    #[test]
    fn an_order_sent_twice_under_two_ids_counts_once() {
        let mut purchases = Purchases::default();
        purchases.fold(EpochMs(1), &bought(7, 500, "EUR"));
        purchases.fold(EpochMs(2), &bought(7, 500, "EUR"));
        assert_eq!(
            (purchases.count(), purchases.last_at()),
            (1, Some(EpochMs(1)))
        );
        assert_eq!(purchases.value().unwrap().minor_units, 500);
    }

    #[test]
    fn another_currency_starts_the_sum_anew() {
        let mut purchases = Purchases::default();
        purchases.fold(EpochMs(1), &bought(1, 500, "EUR"));
        purchases.fold(EpochMs(2), &bought(2, 700, "USD"));
        purchases.fold(EpochMs(3), &bought(3, 100, "USD"));
        assert_eq!(
            (purchases.count(), purchases.value().unwrap().to_string()),
            (3, "8.00".to_owned())
        );
    }
}
