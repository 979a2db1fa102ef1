//! What a product costs when: a level that changes for good now and then, and promotions that come and go.
//!
//! Both are functions of the seed, the product and the time: nothing is remembered, and any instant can be asked for.

use foretide_events::EpochMs;

use crate::draws::{Draws, Purpose, whole};

const DAY_MS: i64 = 86_400_000;
/// About once in so many days the price changes for good.
const LEVEL_DAYS: i64 = 45;
/// Once in so many days a promotion may begin.
const PROMOTION_DAYS: i64 = 7;
/// The probability that it does.
const PROMOTED: f64 = 0.2;
/// The largest permanent change from the usual price, either way.
const LARGEST_CHANGE: f64 = 0.12;

/// A price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// What one piece costs, in cents.
    pub cents: i64,
    /// What it costs when it is not reduced, in cents; only where it is reduced.
    pub list_cents: Option<i64>,
}

impl Price {
    /// Whether it is reduced.
    pub fn is_reduced(self) -> bool {
        self.list_cents.is_some()
    }
}

/// One promotion: from when, until when, and what is left of the price.
struct Promotion {
    from_ms: i64,
    until_ms: i64,
    share: f64,
}

/// The period of `days` in which `at_ms` lies, for a product whose periods begin at an hour of its own.
fn period(seed: u64, product: u32, days: i64, at_ms: i64) -> (i64, i64) {
    let length_ms = days * DAY_MS;
    let names = [product.into(), days.unsigned_abs()];
    let offset_ms = Draws::of(seed, Purpose::Period, names).between(0, length_ms - 1);
    let number = (at_ms - offset_ms).div_euclid(length_ms);
    (number, number * length_ms + offset_ms)
}

fn level(seed: u64, product: u32, number: i64) -> f64 {
    let mut draws = Draws::of(
        seed,
        Purpose::PriceLevel,
        [product.into(), number.cast_unsigned()],
    );
    1.0 + LARGEST_CHANGE * (2.0 * draws.unit() - 1.0)
}

fn promotion(seed: u64, product: u32, (number, from_ms): (i64, i64)) -> Option<Promotion> {
    let mut draws = Draws::of(
        seed,
        Purpose::Promotion,
        [product.into(), number.cast_unsigned()],
    );
    draws.chance(PROMOTED).then(|| {
        let days = draws.between(2, PROMOTION_DAYS - 1);
        Promotion {
            from_ms,
            until_ms: from_ms + days * DAY_MS,
            share: 1.0 - 0.05 * draws.between(2, 8) as f64,
        }
    })
}

/// A price ends on 95 cents, and is at least that.
fn ending(cents: f64) -> i64 {
    (whole(cents / 100.0) * 100 - 5).max(95)
}

/// What `product` of the usual price `usual_cents` costs at `at`.
pub(crate) fn at(seed: u64, product: u32, usual_cents: i64, at: EpochMs) -> Price {
    let (number, _) = period(seed, product, LEVEL_DAYS, at.0);
    let cents = ending(usual_cents as f64 * level(seed, product, number));
    let week = period(seed, product, PROMOTION_DAYS, at.0);
    let running = promotion(seed, product, week)
        .filter(|promotion| (promotion.from_ms..promotion.until_ms).contains(&at.0))
        .map(|promotion| ending(cents as f64 * promotion.share))
        .filter(|reduced| *reduced < cents);
    Price {
        cents: running.unwrap_or(cents),
        list_cents: running.map(|_| cents),
    }
}

/// The instants after `after`, up to and with `until`, at which the price may change, by time.
pub(crate) fn turns(seed: u64, product: u32, after: EpochMs, until: EpochMs) -> Vec<EpochMs> {
    let mut turns = Vec::new();
    for days in [LEVEL_DAYS, PROMOTION_DAYS] {
        let (mut number, mut from_ms) = period(seed, product, days, after.0);
        while from_ms <= until.0 {
            turns.push(from_ms);
            if days == PROMOTION_DAYS {
                turns.extend(promotion(seed, product, (number, from_ms)).map(|p| p.until_ms));
            }
            number += 1;
            from_ms += days * DAY_MS;
        }
    }
    turns.retain(|&at_ms| after.0 < at_ms && at_ms <= until.0);
    turns.sort_unstable();
    turns.dedup();
    turns.into_iter().map(EpochMs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: i64 = 1_800_000_000_000;

    fn daily(product: u32, days: i64) -> Vec<Price> {
        (0..days)
            .map(|day| at(7, product, 9_995, EpochMs(START_MS + day * DAY_MS)))
            .collect()
    }

    #[test]
    fn promotions_reduce_some_products_some_of_the_time() {
        let prices: Vec<Price> = (0..100).flat_map(|product| daily(product, 70)).collect();
        let reduced = prices.iter().filter(|price| price.is_reduced()).count();
        let share = reduced as f64 / prices.len() as f64;
        assert!((0.08..0.16).contains(&share), "{share}");
        for price in prices {
            assert!(price.cents % 100 == 95);
            if let Some(list) = price.list_cents {
                assert!(price.cents < list && list < 2 * price.cents);
            }
        }
    }

    #[test]
    fn prices_change_for_good_now_and_then() {
        let levels: std::collections::BTreeSet<_> = daily(3, 400)
            .into_iter()
            .map(|price| price.list_cents.unwrap_or(price.cents))
            .collect();
        assert!((4..=11).contains(&levels.len()), "{levels:?}");
        assert!(levels.iter().all(|cents| (8_700..=11_300).contains(cents)));
    }
}
