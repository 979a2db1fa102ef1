//! Which products are popular, in each category and in the whole shop: what recommendations are made of until they are
//! learnt.

mod top;

use std::collections::{HashMap, HashSet};

use foretide_events::{Action, Category, EpochMs, Event, Product, ShopId};

use crate::Recommended;
use top::{LogWeight, Top};

/// How popularity is counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PopularityRules {
    /// After how long an action counts half, in milliseconds.
    pub half_life_ms: i64,
    /// Weight of a view or a click.
    pub view: f64,
    /// Weight of putting it on a wishlist.
    pub wishlist: f64,
    /// Weight of putting it into a cart.
    pub cart: f64,
    /// Weight of buying it.
    pub purchase: f64,
    /// Most categories counted; beyond, the one least in use makes room.
    pub max_categories: usize,
    /// Most products counted in a category.
    pub max_products: usize,
    /// Most products counted in the whole shop.
    pub max_overall: usize,
}

impl Default for PopularityRules {
    /// A week's half-life; view 1, wishlist 2, cart 4, purchase 10; 500 categories of 100 products, 200 overall.
    fn default() -> Self {
        Self {
            half_life_ms: 7 * 24 * 60 * 60 * 1000,
            view: 1.0,
            wishlist: 2.0,
            cart: 4.0,
            purchase: 10.0,
            max_categories: 500,
            max_products: 100,
            max_overall: 200,
        }
    }
}

/// Exponentially decayed counts of what shoppers did with products. Bounded, whatever it sees.
#[derive(Clone, Debug)]
pub struct Popularity {
    rules: PopularityRules,
    overall: Top,
    categories: HashMap<Category, Counted>,
}

#[derive(Clone, Debug)]
struct Counted {
    top: Top,
    newest: EpochMs,
}

impl Popularity {
    /// Nothing seen yet.
    pub fn new(rules: PopularityRules) -> Self {
        Self {
            rules,
            overall: Top::new(rules.max_overall),
            categories: HashMap::new(),
        }
    }

    /// Counts what `event` says of products. Events may come in any order.
    pub fn observe(&mut self, event: &Event) {
        let PopularityRules {
            view,
            wishlist,
            cart,
            purchase,
            ..
        } = self.rules;
        match &event.action {
            Action::ProductView(seen) => self.count(&seen.product, view, event.at),
            Action::ProductClick(clicked) => self.count(&clicked.product, view, event.at),
            Action::WishlistAdd(wished) => self.count(&wished.product, wishlist, event.at),
            Action::CartAdd(added) => self.count(&added.product, cart, event.at),
            Action::Purchase(order) => {
                for product in order.products.iter() {
                    self.count(product, purchase, event.at);
                }
            }
            _ => {}
        }
    }

    fn count(&mut self, product: &Product, weight: f64, at: EpochMs) {
        let Some(id) = &product.product_id else {
            return;
        };
        let weight: LogWeight = libm::log2(weight) + at.0 as f64 / self.rules.half_life_ms as f64;
        self.overall.add(id, weight);
        if let Some(category) = &product.category {
            let counted = self.category(category, at);
            counted.newest = counted.newest.max(at);
            counted.top.add(id, weight);
        }
    }

    fn category(&mut self, category: &Category, at: EpochMs) -> &mut Counted {
        if !self.categories.contains_key(category)
            && self.categories.len() >= self.rules.max_categories
        {
            let stalest = self
                .categories
                .iter()
                .min_by_key(|(name, counted)| (counted.newest, *name))
                .map(|(name, _)| name.clone());
            stalest.map(|name| self.categories.remove(&name));
        }
        let room = self.rules.max_products;
        self.categories
            .entry(category.clone())
            .or_insert_with(|| Counted {
                top: Top::new(room),
                newest: at,
            })
    }

    /// At most `count` products, the best first: the most popular ones of the shopper's own categories, each weighed by the
    /// category's share of the shopper's attention and by how its popularity compares to the category's most popular one;
    /// then, where these are too few, the most popular ones of the shop. Never one of `exclude`.
    pub fn recommend(
        &self,
        tastes: &[(Category, f64)],
        exclude: &HashSet<ShopId>,
        count: usize,
    ) -> Vec<Recommended> {
        let mut scored: Vec<(f64, Recommended)> = tastes
            .iter()
            .flat_map(|(category, share)| self.scored(category, *share))
            .collect();
        scored.sort_by(|(a, product_a), (b, product_b)| {
            b.total_cmp(a)
                .then_with(|| product_a.product_id.cmp(&product_b.product_id))
        });
        let popular = std::iter::once_with(|| self.overall.ranked())
            .flatten()
            .map(|(id, _)| Recommended {
                product_id: id.clone(),
                category: None,
            });
        let mut taken = HashSet::new();
        scored
            .into_iter()
            .map(|(_, product)| product)
            .chain(popular)
            .filter(|product| !exclude.contains(&product.product_id))
            .filter(|product| taken.insert(product.product_id.clone()))
            .take(count)
            .collect()
    }

    /// The products of `category` with their scores, 0 to `share`.
    fn scored(&self, category: &Category, share: f64) -> Vec<(f64, Recommended)> {
        let ranked = self
            .categories
            .get(category)
            .map(|counted| counted.top.ranked())
            .unwrap_or_default();
        let best = ranked.first().map_or(0.0, |(_, weight)| *weight);
        ranked
            .into_iter()
            .map(|(id, weight)| {
                let product = Recommended {
                    product_id: id.clone(),
                    category: Some(category.clone()),
                };
                (share * libm::exp2(weight - best), product)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
