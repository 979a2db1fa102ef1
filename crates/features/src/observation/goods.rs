//! What observations say of products.

use std::sync::Arc;

use foretide_events::{Category, Fraction, LeanProduct, Money, Product};
use xxhash_rust::xxh3::xxh3_64;

use super::{hash_48, texts::Source};
use crate::{
    Brand,
    seen::{ProductHash, product_hash},
};

/// A category and the hash it is told apart by, so that looking it up reads no text.
#[derive(Clone, Debug)]
pub struct Topic {
    pub(crate) hash: u64,
    pub(crate) category: Category,
}

impl Topic {
    /// The topic of `category`.
    pub fn new(category: &Category) -> Self {
        Self {
            hash: xxh3_64(category.as_str().as_bytes()),
            category: category.clone(),
        }
    }
}

impl PartialEq for Topic {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

/// One product in a cart action.
#[derive(Clone, Debug)]
pub struct Line {
    /// Hash of `product_id`, which products are told apart by.
    pub(crate) product: u64,
    /// The shop's id of the product; its stock keeping unit where it has no id.
    pub(crate) product_id: Arc<str>,
    /// Pieces; `None` where the shop does not say.
    pub(crate) quantity: Option<u32>,
    /// Price of one piece.
    pub(crate) price: Option<Money>,
}

/// What the shop tells a product by: its id, else its stock keeping unit.
fn id_of<'a>(product: &LeanProduct<'a>) -> Option<&'a str> {
    product.product_id.or(product.sku)
}

/// The hash that products seen are told apart by.
fn hash_of(product: &LeanProduct<'_>) -> Option<ProductHash> {
    id_of(product).map(|id| product_hash(xxh3_64(id.as_bytes())))
}

impl Line {
    /// The line of `product`; `None` if the shop names neither its id nor its stock keeping unit.
    pub fn of(product: &Product) -> Option<Self> {
        Self::of_named(&LeanProduct::of(product))
    }

    /// The same of what is folded of a product.
    pub(super) fn of_named(product: &LeanProduct<'_>) -> Option<Self> {
        id_of(product).map(|id| Self::named(id, product))
    }

    /// The line of `product`, under no name where it has none; `None` if there is nothing to say of it.
    pub(super) fn of_any(product: &LeanProduct<'_>) -> Option<Self> {
        let unnamed = || product.price.map(|_| Self::named("", product));
        Self::of_named(product).or_else(unnamed)
    }

    fn named(id: &str, product: &LeanProduct<'_>) -> Self {
        Self {
            product: xxh3_64(id.as_bytes()),
            product_id: id.into(),
            quantity: product.quantity,
            price: product.price,
        }
    }

    /// Whether the shop says which product it is.
    pub(crate) fn is_named(&self) -> bool {
        !self.product_id.is_empty()
    }

    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.product_id.len()
    }
}

impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        (self.product, self.quantity, self.price) == (other.product, other.quantity, other.price)
    }
}

/// The products of a cart that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines(pub(crate) Vec<Line>);

/// A completed order.
#[derive(Clone, Debug, PartialEq)]
pub struct Bought {
    /// 48 bits of a hash of the order's id, zero where it has none.
    pub(crate) order: u64,
    /// What it was worth.
    pub(crate) value: Option<Money>,
    /// What was in it.
    pub(crate) lines: Vec<BoughtLine>,
}

/// One product of a completed order.
#[derive(Clone, Debug, PartialEq)]
pub struct BoughtLine {
    /// Which it is, where the shop says.
    pub(crate) product: Option<ProductHash>,
    /// Its category and the price of one piece, where the shop tells both.
    pub(crate) priced: Option<(Topic, Money)>,
}

/// How far down a page was read, in units of 10⁻¹²; zero where the shop does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scroll(pub(crate) u64);

impl Scroll {
    /// All of the page.
    pub(crate) const WHOLE: u64 = 1_000_000_000_000;

    pub(super) fn of(depth: Option<Fraction>) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a fraction lies between 0 and 1"
        )]
        let units = |depth: Fraction| libm::round(depth.get() * Self::WHOLE as f64) as u64;
        Self(depth.map_or(0, |depth| units(depth) + 1))
    }

    /// The depth in those units, where the shop says.
    pub(crate) fn units(self) -> Option<u64> {
        self.0.checked_sub(1)
    }
}

/// A product's own page that was looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Time spent on it; zero where the shop does not say.
    pub(crate) dwell_ms: u32,
    /// How far down it was read.
    pub(crate) scroll: Scroll,
    /// Which product it is, where the shop says.
    pub(crate) product: Option<ProductHash>,
    /// What one piece costs.
    pub(crate) price: Option<Money>,
    /// Whether it cost more before.
    pub(crate) discounted: bool,
    /// Its brand.
    pub(crate) brand: Option<Brand>,
}

impl View {
    pub(super) fn of(product: &LeanProduct<'_>, dwell_ms: u32, depth: Option<Fraction>) -> Self {
        let costs_less = |before: Money| {
            product.price.is_some_and(|price| {
                price.currency == before.currency && price.minor_units < before.minor_units
            })
        };
        Self {
            dwell_ms,
            scroll: Scroll::of(depth),
            product: hash_of(product),
            price: product.price,
            discounted: product.list_price.is_some_and(costs_less),
            brand: product.brand.map(Brand::new),
        }
    }
}

impl Bought {
    pub(super) fn of(
        order_id: Option<&str>,
        value: Option<Money>,
        products: &[LeanProduct<'_>],
        texts: &mut impl Source,
    ) -> Self {
        let hash = |id: &str| hash_48(id).max(1);
        let line = |product| BoughtLine::of(product, texts);
        Self {
            order: order_id.map_or(0, hash),
            value,
            lines: products.iter().filter_map(line).collect(),
        }
    }
}

impl BoughtLine {
    fn of(product: &LeanProduct<'_>, texts: &mut impl Source) -> Option<Self> {
        let topic = product.category.and_then(|category| texts.topic(category));
        let line = Self {
            product: hash_of(product),
            priced: topic.zip(product.price),
        };
        (line.product.is_some() || line.priced.is_some()).then_some(line)
    }
}

/// Whether any of `filters`, of which these are the kinds, is about the price.
pub(super) fn by_price(filters: &[&str]) -> bool {
    const PRICE: &[u8] = b"price";
    let is_price = |part: &[u8]| part.eq_ignore_ascii_case(PRICE);
    let about_price = |kind: &&str| kind.as_bytes().windows(PRICE.len()).any(is_price);
    filters.iter().any(about_price)
}
