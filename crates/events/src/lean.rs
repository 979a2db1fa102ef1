//! What folding needs of an event, borrowed, and read from the stored form without a copy.
//!
//! Reading a whole [`Event`] takes its texts and lists into memory of their own, most of which the fold never looks at. This
//! reader goes along the stored form exactly as [`wire::encode`](crate::wire::encode) writes it: members in that order, no white
//! space, no escapes. Whatever looks different in the least, be it well-formed, goes to [`wire::decode`](crate::wire::decode):
//! so both accept and refuse the same bytes, and say the same of them.

mod kinds;
mod members;
mod scanner;

use crate::{
    Action, CouponOutcome, EpochMs, Event, Filter, Fraction, Identity, Interaction, Money, Product,
    ShopperId,
};

/// What folding needs of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Lean<'a> {
    /// What makes the event itself.
    pub id: &'a str,
    /// When it happened.
    pub at: EpochMs,
    /// The shopper whose profile it belongs to.
    pub shopper: ShopperId,
    /// Every pseudonym it named.
    pub identity: Identity,
    /// Whom it is counted for.
    pub source: &'a str,
    /// What was done.
    pub action: LeanAction<'a>,
}

/// Of each kind of action, the fields that are folded.
#[expect(
    missing_docs,
    reason = "each is the action of the same name, each field the one of the same name"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum LeanAction<'a> {
    PageView {
        category: Option<&'a str>,
        dwell_ms: Option<u32>,
        scroll_depth: Option<Fraction>,
    },
    /// With the kinds of the filters in force.
    Search {
        filters: Vec<&'a str>,
        dwell_ms: Option<u32>,
    },
    ProductListView {
        category: Option<&'a str>,
        dwell_ms: Option<u32>,
    },
    /// With the kinds of filters and sorts.
    ProductListFilter {
        filters: Vec<&'a str>,
    },
    ProductClick,
    ProductView {
        product: LeanProduct<'a>,
        dwell_ms: Option<u32>,
        scroll_depth: Option<Fraction>,
    },
    CartAdd {
        product: LeanProduct<'a>,
        quantity: Option<u32>,
    },
    CartRemove {
        product: LeanProduct<'a>,
        quantity: Option<u32>,
    },
    CartView {
        products: Vec<LeanProduct<'a>>,
    },
    WishlistAdd {
        price: Option<Money>,
    },
    WishlistRemove,
    CouponAttempt(CouponOutcome),
    ContentInteraction(Interaction),
    CheckoutStart,
    CheckoutStep {
        step: Option<u32>,
    },
    PaymentInfo {
        step: Option<u32>,
    },
    Purchase {
        order_id: Option<&'a str>,
        value: Option<Money>,
        products: Vec<LeanProduct<'a>>,
    },
    OrderUpdate,
    Refund,
    Cancel,
    Share,
    Review,
    Identify {
        time_zone: Option<&'a str>,
    },
    Group,
    Alias {
        previous_user: ShopperId,
        previous_anonymous: ShopperId,
    },
    Conversion,
    Enrichment,
    Custom,
}

/// What is folded of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LeanProduct<'a> {
    /// The shop's id of the product.
    pub product_id: Option<&'a str>,
    /// Stock keeping unit.
    pub sku: Option<&'a str>,
    /// Category.
    pub category: Option<&'a str>,
    /// Brand.
    pub brand: Option<&'a str>,
    /// Price of one piece.
    pub price: Option<Money>,
    /// Price of one piece before any reduction.
    pub list_price: Option<Money>,
    /// Number of pieces.
    pub quantity: Option<u32>,
}

impl<'a> Lean<'a> {
    /// Reads the stored form of an event where it is exactly as this code writes it. `None` says nothing: then
    /// [`wire::decode`](crate::wire::decode) has to judge.
    pub fn read(stored: &'a [u8]) -> Option<Self> {
        kinds::read(std::str::from_utf8(stored).ok()?)
    }

    /// What folding needs of `event`.
    pub fn of(event: &'a Event) -> Self {
        Self {
            id: event.id.as_str(),
            at: event.at,
            shopper: event.shopper,
            identity: event.identity,
            source: event.source.as_str(),
            action: LeanAction::of(&event.action),
        }
    }
}

impl<'a> LeanAction<'a> {
    /// What folding needs of `action`.
    pub fn of(action: &'a Action) -> Self {
        match action {
            Action::PageView(page) => Self::PageView {
                category: page.category.as_ref().map(crate::Category::as_str),
                dwell_ms: page.dwell_ms,
                scroll_depth: page.scroll_depth,
            },
            Action::Search(search) => Self::Search {
                filters: kinds_of(&search.filters).collect(),
                dwell_ms: search.dwell_ms,
            },
            Action::ProductListView(list) => Self::ProductListView {
                category: list.category.as_ref().map(crate::Category::as_str),
                dwell_ms: list.dwell_ms,
            },
            Action::ProductListFilter(list) => Self::ProductListFilter {
                filters: kinds_of(&list.filters)
                    .chain(kinds_of(&list.sorts))
                    .collect(),
            },
            Action::ProductClick(_) => Self::ProductClick,
            Action::ProductView(view) => Self::ProductView {
                product: LeanProduct::of(&view.product),
                dwell_ms: view.dwell_ms,
                scroll_depth: view.scroll_depth,
            },
            Action::CartAdd(add) => Self::CartAdd {
                product: LeanProduct::of(&add.product),
                quantity: add.quantity,
            },
            Action::CartRemove(remove) => Self::CartRemove {
                product: LeanProduct::of(&remove.product),
                quantity: remove.quantity,
            },
            Action::CartView(view) => Self::CartView {
                products: view.products.iter().map(LeanProduct::of).collect(),
            },
            Action::WishlistAdd(add) => Self::WishlistAdd {
                price: add.product.price,
            },
            Action::WishlistRemove(_) => Self::WishlistRemove,
            Action::CouponAttempt(attempt) => Self::CouponAttempt(attempt.outcome),
            Action::ContentInteraction(content) => Self::ContentInteraction(content.interaction),
            Action::CheckoutStart(_) => Self::CheckoutStart,
            Action::CheckoutStep(checkout) => Self::CheckoutStep {
                step: checkout.step,
            },
            Action::PaymentInfo(checkout) => Self::PaymentInfo {
                step: checkout.step,
            },
            Action::Purchase(order) => Self::Purchase {
                order_id: order.order_id.as_deref(),
                value: order.value,
                products: order.products.iter().map(LeanProduct::of).collect(),
            },
            Action::OrderUpdate(_) => Self::OrderUpdate,
            Action::Refund(_) => Self::Refund,
            Action::Cancel(_) => Self::Cancel,
            Action::Share(_) => Self::Share,
            Action::Review(_) => Self::Review,
            Action::Identify(identify) => Self::Identify {
                time_zone: identify.time_zone.as_deref(),
            },
            Action::Group(_) => Self::Group,
            Action::Alias(alias) => Self::Alias {
                previous_user: alias.previous_user,
                previous_anonymous: alias.previous_anonymous,
            },
            Action::Conversion(_) => Self::Conversion,
            Action::Enrichment(_) => Self::Enrichment,
            Action::Custom(_) => Self::Custom,
        }
    }
}

fn kinds_of(filters: &[Filter]) -> impl Iterator<Item = &str> {
    filters.iter().map(|filter| &*filter.kind)
}

impl<'a> LeanProduct<'a> {
    /// What folding needs of `product`.
    pub fn of(product: &'a Product) -> Self {
        Self {
            product_id: product.product_id.as_deref(),
            sku: product.sku.as_deref(),
            category: product.category.as_ref().map(crate::Category::as_str),
            brand: product.brand.as_deref(),
            price: product.price,
            list_price: product.list_price,
            quantity: product.quantity,
        }
    }
}
