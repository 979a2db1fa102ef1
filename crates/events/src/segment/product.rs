//! Events about one product, whose properties are the product's own beside a few of the event's.

use serde::Deserialize;

use super::{
    loose::{self, Quantity},
    read,
};
use crate::{
    CartAdd, CartRemove, Category, Currency, Decimal, Finite, Fraction, Label, List, Product,
    ProductClick, ProductView, Review, Share, ShopId, WishlistChange, fault::Fault,
};

/// The properties of a product, and those of an event about it that stand beside them: one type reads both in one pass.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ProductProps {
    #[serde(deserialize_with = "loose::id")]
    product_id: Option<ShopId>,
    /// What version 1 called the product's id.
    #[serde(deserialize_with = "loose::id")]
    id: Option<ShopId>,
    #[serde(deserialize_with = "loose::id")]
    sku: Option<ShopId>,
    #[serde(deserialize_with = "loose::category")]
    category: Option<Category>,
    #[serde(deserialize_with = "loose::words")]
    name: Option<Label>,
    #[serde(deserialize_with = "loose::words")]
    brand: Option<Label>,
    #[serde(deserialize_with = "loose::words")]
    variant: Option<Label>,
    #[serde(deserialize_with = "loose::amount")]
    price: Option<Decimal>,
    #[serde(deserialize_with = "loose::amount")]
    list_price: Option<Decimal>,
    #[serde(deserialize_with = "loose::currency")]
    pub(super) currency: Option<Currency>,
    #[serde(deserialize_with = "loose::quantity")]
    quantity: Option<Quantity>,
    #[serde(deserialize_with = "loose::id")]
    coupon: Option<ShopId>,
    #[serde(deserialize_with = "loose::count_if_any")]
    position: Option<u32>,
    #[serde(deserialize_with = "loose::id")]
    list_id: Option<ShopId>,
    #[serde(deserialize_with = "loose::id")]
    cart_id: Option<ShopId>,
    #[serde(deserialize_with = "loose::id")]
    wishlist_id: Option<ShopId>,
    #[serde(deserialize_with = "loose::words")]
    share_via: Option<Label>,
    /// Not of the specification: named as in the native API, as is what follows.
    #[serde(deserialize_with = "loose::list")]
    attributes: List<Label, 50>,
    #[serde(deserialize_with = "loose::count")]
    dwell_ms: Option<u32>,
    #[serde(deserialize_with = "loose::fraction")]
    scroll_depth: Option<Fraction>,
}

/// What stands beside a product.
#[derive(Default)]
struct Beside {
    list_id: Option<ShopId>,
    cart_id: Option<ShopId>,
    wishlist_id: Option<ShopId>,
    share_via: Option<Label>,
    attributes: List<Label, 50>,
    dwell_ms: Option<u32>,
    scroll_depth: Option<Fraction>,
}

impl ProductProps {
    /// The product; `default` is the currency of its amounts where it names none. A shop that has no id for it but an SKU
    /// goes by that. What is sold by weight or length is one piece, at the price of all of it: so price × quantity stays what
    /// is paid.
    pub(super) fn product(self, default: Currency) -> Product {
        self.split(default).0
    }

    fn split(self, default: Currency) -> (Product, Beside) {
        let currency = self.currency.unwrap_or(default);
        let (quantity, measure) = match self.quantity {
            Some(Quantity::Measure(measure)) => (Some(1), Some(measure)),
            Some(Quantity::Pieces(pieces)) => (Some(pieces), None),
            None => (None, None),
        };
        let of_a_piece = |price: Option<Decimal>| {
            let price = match measure {
                Some(measure) => price?.times(measure)?,
                None => price?,
            };
            Some(price.of(currency))
        };
        let product = Product {
            product_id: self.product_id.or(self.id).or_else(|| self.sku.clone()),
            sku: self.sku,
            category: self.category,
            name: self.name,
            brand: self.brand,
            variant: self.variant,
            price: of_a_piece(self.price),
            list_price: of_a_piece(self.list_price),
            quantity,
            coupon: self.coupon,
            position: self.position,
        };
        let beside = Beside {
            list_id: self.list_id,
            cart_id: self.cart_id,
            wishlist_id: self.wishlist_id,
            share_via: self.share_via,
            attributes: self.attributes,
            dwell_ms: self.dwell_ms,
            scroll_depth: self.scroll_depth,
        };
        (product, beside)
    }
}

/// The product an event is about, which must have an id or an SKU, and what stands beside it.
fn about(properties: &str, default: Currency) -> Result<(Product, Beside), Fault> {
    let (product, beside) = read::<ProductProps>(properties)?.split(default);
    if product.product_id.is_none() {
        return Err(Fault::missing("properties.product_id"));
    }
    Ok((product, beside))
}

pub(super) fn click(properties: &str, default: Currency) -> Result<ProductClick, Fault> {
    let (product, beside) = about(properties, default)?;
    Ok(ProductClick {
        product,
        list_id: beside.list_id,
    })
}

pub(super) fn view(properties: &str, default: Currency) -> Result<ProductView, Fault> {
    let (
        product,
        Beside {
            attributes,
            dwell_ms,
            scroll_depth,
            ..
        },
    ) = about(properties, default)?;
    Ok(ProductView {
        product,
        attributes,
        dwell_ms,
        scroll_depth,
    })
}

pub(super) fn cart_add(
    properties: &str,
    default: Currency,
    from_wishlist: bool,
) -> Result<CartAdd, Fault> {
    let (product, beside) = about(properties, default)?;
    Ok(CartAdd {
        product,
        quantity: None,
        cart_id: beside.cart_id,
        from_wishlist,
    })
}

pub(super) fn cart_remove(properties: &str, default: Currency) -> Result<CartRemove, Fault> {
    let (product, beside) = about(properties, default)?;
    Ok(CartRemove {
        product,
        quantity: None,
        cart_id: beside.cart_id,
    })
}

pub(super) fn wishlist(properties: &str, default: Currency) -> Result<WishlistChange, Fault> {
    let (product, beside) = about(properties, default)?;
    Ok(WishlistChange {
        product,
        wishlist_id: beside.wishlist_id,
    })
}

/// Who it was shared with, and the message, are personal: they are not read.
pub(super) fn share(properties: &str, default: Currency) -> Result<Share, Fault> {
    let (product, beside) = read::<ProductProps>(properties)?.split(default);
    let product = Some(product).filter(|product| *product != Product::default());
    Ok(Share {
        product,
        cart_id: beside.cart_id,
        via: beside.share_via,
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ReviewProps<'a> {
    #[serde(deserialize_with = "loose::id")]
    product_id: Option<ShopId>,
    #[serde(deserialize_with = "loose::id")]
    review_id: Option<ShopId>,
    #[serde(borrow)]
    rating: loose::Scalar<'a>,
}

/// The text is personal: it is not read. A rating in words is left out.
pub(super) fn review(properties: &str) -> Result<Review, Fault> {
    let review: ReviewProps<'_> = read(properties)?;
    Ok(Review {
        product_id: review.product_id,
        review_id: review.review_id,
        rating: review.rating.number().and_then(Finite::new),
    })
}
