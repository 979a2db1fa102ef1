//! The shop: categories, brands, products, and what each costs when.

use foretide_events::EpochMs;

use crate::{
    draws::{Draws, Purpose},
    prices::{self, Price},
};

/// The currency of every price.
pub const CURRENCY: &str = "EUR";
/// Number of categories.
pub(crate) const CATEGORIES: usize = SHELVES.len();

/// Something on sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its id, such as `tents-07`.
    pub product_id: String,
    /// Its name.
    pub name: String,
    /// Its brand.
    pub brand: &'static str,
    /// Number of its category.
    pub category: usize,
    /// Its usual price in cents, around which it changes over the years.
    pub usual_cents: i64,
}

/// A category: name, singular, cheapest and dearest price in whole euros.
const SHELVES: [(&str, &str, i64, i64); 12] = [
    ("tents", "Tent", 89, 649),
    ("sleeping-bags", "Sleeping bag", 39, 329),
    ("backpacks", "Backpack", 29, 289),
    ("boots", "Boots", 59, 259),
    ("jackets", "Jacket", 49, 399),
    ("trousers", "Trousers", 39, 189),
    ("shirts", "Shirt", 19, 99),
    ("climbing", "Harness", 35, 219),
    ("stoves", "Stove", 19, 149),
    ("lamps", "Lamp", 9, 89),
    ("bottles", "Bottle", 7, 49),
    ("maps", "Map", 6, 24),
];
const BRANDS: [&str; 8] = [
    "Fellside",
    "Nordlicht",
    "Tramontane",
    "Kaire",
    "Lowtide",
    "Halden",
    "Passo",
    "Quill",
];
const MODELS: [&str; 12] = [
    "Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gorse", "Hazel", "Ivy", "Juniper",
    "Larch", "Maple",
];

/// Everything on sale. Products are numbered from 0, shelf after shelf, the cheapest of each first.
#[derive(Clone, Debug)]
pub struct Shop {
    seed: u64,
    per_shelf: usize,
    products: Vec<Product>,
}

impl Shop {
    /// The shop of this seed, with so many products of each category (at least 6).
    pub fn new(seed: u64, products_per_category: u16) -> Self {
        let per_shelf = usize::from(products_per_category.max(6));
        let products = (0..SHELVES.len())
            .flat_map(|shelf| {
                (0..per_shelf).map(move |place| product(seed, shelf, place, per_shelf))
            })
            .collect();
        Self {
            seed,
            per_shelf,
            products,
        }
    }

    /// All products.
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// Product number `index`, counted round.
    pub fn product(&self, index: u32) -> &Product {
        &self.products[index as usize % self.products.len()]
    }

    /// Number of categories.
    pub fn category_count(&self) -> usize {
        SHELVES.len()
    }

    /// Name of category number `index`, counted round.
    pub fn category(&self, index: usize) -> &'static str {
        SHELVES[index % SHELVES.len()].0
    }

    /// Number of the product of a category at a place of its shelf, both counted round.
    pub(crate) fn at(&self, category: usize, place: usize) -> u32 {
        let index = (category % SHELVES.len()) * self.per_shelf + place % self.per_shelf;
        u32::try_from(index).unwrap_or(0)
    }

    /// Products on each shelf.
    pub fn per_shelf(&self) -> usize {
        self.per_shelf
    }

    /// Number of the product of this id.
    pub fn find(&self, product_id: &str) -> Option<u32> {
        let found = self
            .products
            .iter()
            .position(|product| product.product_id == product_id)?;
        u32::try_from(found).ok()
    }

    /// What product number `index` costs at `at`.
    pub fn price(&self, index: u32, at: EpochMs) -> Price {
        prices::at(self.seed, index, self.product(index).usual_cents, at)
    }

    /// The changes of price after `after`, up to and with `until`, by time. They cost a look at every product.
    pub fn price_changes(&self, after: EpochMs, until: EpochMs) -> Vec<PriceChange> {
        let mut changes: Vec<_> = (0..self.products.len())
            .filter_map(|index| u32::try_from(index).ok())
            .flat_map(|index| {
                prices::turns(self.seed, index, after, until)
                    .into_iter()
                    .map(move |at| (index, at))
            })
            .filter_map(|(index, at)| {
                let before = self.price(index, at.plus(-1));
                let after = self.price(index, at);
                (before != after).then_some(PriceChange {
                    product: index,
                    at,
                    before,
                    after,
                })
            })
            .collect();
        changes.sort_by_key(|change| (change.at, change.product));
        changes
    }
}

/// A product got another price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceChange {
    /// Number of the product.
    pub product: u32,
    /// When.
    pub at: EpochMs,
    /// What it cost until then.
    pub before: Price,
    /// What it costs from then on.
    pub after: Price,
}

fn product(seed: u64, shelf: usize, place: usize, per_shelf: usize) -> Product {
    let (category, noun, cheapest, dearest) = SHELVES[shelf];
    let mut draws = Draws::of(seed, Purpose::Product, [shelf as u64, place as u64]);
    let share = (place as f64 + draws.unit()) / per_shelf as f64;
    let euros = cheapest as f64 + (dearest - cheapest) as f64 * share * share;
    let usual_cents = crate::draws::whole(euros) * 100 - 5;
    let edition = place / MODELS.len() + 1;
    let model = MODELS[place % MODELS.len()];
    Product {
        product_id: format!("{category}-{:02}", place + 1),
        name: if edition == 1 {
            format!("{noun} {model}")
        } else {
            format!("{noun} {model} {edition}")
        },
        brand: BRANDS[draws.below(BRANDS.len())],
        category: shelf,
        usual_cents,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_has_its_own_id_and_a_price() {
        let shop = Shop::new(7, 30);
        let ids: std::collections::BTreeSet<_> =
            shop.products().iter().map(|p| &p.product_id).collect();
        assert_eq!(ids.len(), 12 * 30);
        assert!(shop.products().iter().all(|p| p.usual_cents > 0));
        for index in 0..shop.category_count() {
            let first = shop.at(index, 0);
            assert_eq!(shop.product(first).category, index);
            assert_eq!(shop.find(&shop.product(first).product_id), Some(first));
        }
    }

    #[test]
    fn the_changes_of_price_are_those_that_are_seen() {
        let shop = Shop::new(7, 6);
        let (from, until) = (
            EpochMs(1_800_000_000_000),
            EpochMs(1_800_000_000_000 + 14 * 86_400_000),
        );
        let changes = shop.price_changes(from, until);
        assert!(changes.len() > 10, "{}", changes.len());
        let mut cents: Vec<_> = (0..72).map(|index| shop.price(index, from)).collect();
        for change in &changes {
            assert_eq!(cents[change.product as usize], change.before);
            cents[change.product as usize] = change.after;
        }
        let seen: Vec<_> = (0..72).map(|index| shop.price(index, until)).collect();
        assert_eq!(cents, seen);
    }
}
