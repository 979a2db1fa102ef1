//! The shop: a few categories of a dozen products each, always the same.

/// The currency of every price.
pub const CURRENCY: &str = "EUR";

/// Something on sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Article {
    /// Its id, such as `tents-07`.
    pub product_id: String,
    /// Its name.
    pub name: String,
    /// Its brand.
    pub brand: &'static str,
    /// Its category.
    pub category: &'static str,
    /// Its price in cents.
    pub price_cents: i64,
    /// Its price before a reduction, in cents, where it is reduced.
    pub list_price_cents: Option<i64>,
}

/// A category: name, singular, cheapest and dearest price in whole euros.
const SHELVES: [(&str, &str, i64, i64); 8] = [
    ("tents", "Tent", 89, 649),
    ("sleeping-bags", "Sleeping bag", 39, 329),
    ("backpacks", "Backpack", 29, 289),
    ("boots", "Boots", 59, 259),
    ("jackets", "Jacket", 49, 399),
    ("stoves", "Stove", 19, 149),
    ("lamps", "Lamp", 9, 89),
    ("maps", "Map", 6, 24),
];
const BRANDS: [&str; 5] = ["Fellside", "Nordlicht", "Tramontane", "Kaire", "Lowtide"];
const MODELS: [&str; 12] = [
    "Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gorse", "Hazel", "Ivy", "Juniper",
    "Larch", "Maple",
];

/// Everything on sale.
#[derive(Clone, Debug)]
pub struct Shop {
    articles: Vec<Article>,
}

impl Shop {
    /// The small outdoor shop.
    pub fn small() -> Self {
        let articles = SHELVES
            .iter()
            .enumerate()
            .flat_map(|(shelf, category)| {
                (0..MODELS.len()).map(move |model| article(shelf, category, model))
            })
            .collect();
        Self { articles }
    }

    /// Number of categories.
    pub fn category_count(&self) -> usize {
        SHELVES.len()
    }

    /// Name of category number `index`, counted round from 0.
    pub fn category(&self, index: usize) -> &'static str {
        SHELVES[index % SHELVES.len()].0
    }

    /// The products of category number `index`, counted round from 0.
    pub fn shelf(&self, index: usize) -> &[Article] {
        let first = (index % SHELVES.len()) * MODELS.len();
        &self.articles[first..first + MODELS.len()]
    }

    /// All products.
    pub fn articles(&self) -> &[Article] {
        &self.articles
    }
}

fn article(
    shelf: usize,
    &(category, noun, cheapest, dearest): &(&'static str, &str, i64, i64),
    model: usize,
) -> Article {
    let steps = i64::try_from(model).unwrap_or(0);
    let price_cents = (cheapest + (dearest - cheapest) * steps / 11) * 100 - 5;
    let reduced = (shelf + model).is_multiple_of(5);
    Article {
        product_id: format!("{category}-{:02}", model + 1),
        name: format!("{noun} {}", MODELS[model]),
        brand: BRANDS[(shelf * 3 + model) % BRANDS.len()],
        category,
        price_cents,
        list_price_cents: reduced.then_some(price_cents * 5 / 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_has_its_own_id_and_a_price() {
        let shop = Shop::small();
        let ids: std::collections::BTreeSet<_> =
            shop.articles().iter().map(|a| &a.product_id).collect();
        assert_eq!(ids.len(), shop.articles().len());
        assert!(shop.articles().iter().all(|a| a.price_cents > 0));
    }

    #[test]
    fn a_shelf_holds_products_of_its_category_alone() {
        let shop = Shop::small();
        for index in 0..shop.category_count() {
            assert!(
                shop.shelf(index)
                    .iter()
                    .all(|a| a.category == shop.category(index))
            );
        }
    }
}
