//! The products with the highest decayed counts, in bounded memory.

use std::collections::HashMap;

use foretide_events::ShopId;

/// A decayed count as its binary logarithm on a scale on which the Unix epoch is 0 and each half-life adds 1. So counts
/// compare without knowing the time, in any order of arrival, and cannot overflow.
pub(super) type LogWeight = f64;

/// The logarithm of the sum of two weights.
fn sum(a: LogWeight, b: LogWeight) -> LogWeight {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    high + libm::log2(1.0 + libm::exp2(low - high))
}

/// Counts of at most `capacity` products, by the Space-Saving algorithm (Metwally, Agrawal, El Abbadi 2005): when full, a
/// new product takes the place and the count of the least one. A product whose true weight is above the sum of all divided
/// by the capacity is always among them; a count is never too low, and too high by at most the least one.
#[derive(Clone, Debug)]
pub(super) struct Top {
    capacity: usize,
    weights: HashMap<ShopId, LogWeight>,
}

impl Top {
    /// Room for `capacity` products, at least one.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            weights: HashMap::new(),
        }
    }

    /// Adds `weight` to `product`.
    pub(super) fn add(&mut self, product: &ShopId, weight: LogWeight) {
        if let Some(known) = self.weights.get_mut(product) {
            *known = sum(*known, weight);
            return;
        }
        let inherited = if self.weights.len() >= self.capacity {
            self.remove_least()
        } else {
            None
        };
        let weight = inherited.map_or(weight, |least| sum(least, weight));
        self.weights.insert(product.clone(), weight);
    }

    fn remove_least(&mut self) -> Option<LogWeight> {
        let least = self
            .weights
            .iter()
            .min_by(|(id_a, a), (id_b, b)| a.total_cmp(b).then(id_b.cmp(id_a)));
        let (product, _) = least?;
        let product = product.clone();
        self.weights.remove(&product)
    }

    /// The products and their weights, highest first, equal ones by id.
    pub(super) fn ranked(&self) -> Vec<(&ShopId, LogWeight)> {
        let mut all: Vec<_> = self
            .weights
            .iter()
            .map(|(product, weight)| (product, *weight))
            .collect();
        all.sort_by(|(id_a, a), (id_b, b)| b.total_cmp(a).then(id_a.cmp(id_b)));
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u32) -> ShopId {
        ShopId::new(&format!("p{number}")).unwrap()
    }

    #[test]
    fn two_equal_weights_add_one_to_the_logarithm() {
        assert!((sum(5.0, 5.0) - 6.0).abs() < 1e-12);
        assert!((sum(2000.0, -2000.0) - 2000.0).abs() < 1e-12);
    }

    #[test]
    fn a_popular_product_survives_a_flood_of_rare_ones() {
        let mut top = Top::new(10);
        for rare in 0..1000 {
            top.add(&id(1_000_000), 0.0);
            top.add(&id(rare), 0.0);
        }
        let ranked = top.ranked();
        assert_eq!(ranked.len(), 10);
        assert_eq!(ranked[0].0, &id(1_000_000));
    }

    proptest! {
        #[test]
        fn below_capacity_the_order_of_arrival_does_not_matter(
            seen in prop::collection::vec((0_u32..20, 0.0..30.0), 0..60),
        ) {
            let count = |seen: &[(u32, f64)]| {
                let mut top = Top::new(20);
                for (product, weight) in seen {
                    top.add(&id(*product), *weight);
                }
                top
            };
            let forward = count(&seen);
            let backward = count(&seen.iter().rev().copied().collect::<Vec<_>>());
            for (product, weight) in &forward.weights {
                prop_assert!((weight - backward.weights[product]).abs() < 1e-9);
            }
        }

        #[test]
        fn it_never_grows_over_its_capacity(products in prop::collection::vec(any::<u32>(), 0..100)) {
            let mut top = Top::new(7);
            for product in products {
                top.add(&id(product), 0.0);
            }
            prop_assert!(top.weights.len() <= 7);
        }
    }
}
