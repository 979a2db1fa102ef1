//! What shoppers do.

use std::sync::Arc;

use foretide_events::EpochMs;

use crate::Identity;

/// Something a shopper did. Products are numbers into [`Shop::products`](crate::Shop::products).
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Who, as the event tells it.
    pub identity: Identity,
    /// Number of the visit among the shopper's, from 0.
    pub visit: u32,
    /// Number of the action within the visit, from 0.
    pub number: u32,
    /// When.
    pub at: EpochMs,
    /// What.
    pub act: Act,
}

/// Time on a page and how far down it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attention {
    /// Time spent, in milliseconds.
    pub dwell_ms: i64,
    /// Deepest point reached, in hundredths of the page.
    pub depth_percent: i64,
}

/// A line of a cart or an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The product.
    pub product: u32,
    /// Pieces.
    pub quantity: u32,
    /// What one piece cost when it was put in, in cents.
    pub cents: i64,
}

impl Line {
    /// What the line costs, in cents.
    pub fn total_cents(self) -> i64 {
        self.cents * i64::from(self.quantity)
    }
}

/// What `lines` cost together, in cents.
pub fn total_cents(lines: &[Line]) -> i64 {
    lines.iter().map(|line| line.total_cents()).sum()
}

/// How a list is narrowed or ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Narrowing {
    /// By price, the cheapest first.
    Price,
    /// To what is reduced.
    Reduced,
    /// To a brand.
    Brand(&'static str),
}

/// What came of a coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CouponResult {
    /// It was valid and took this many percent off.
    Applied(u8),
    /// It was not.
    Denied,
}

/// An order, at the prices of its moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What is in it.
    pub lines: Vec<Line>,
    /// Percent off, by a coupon or an offer.
    pub percent_off: u8,
}

impl Order {
    /// What is taken off, in cents, rounded half up.
    pub fn discount_cents(&self) -> i64 {
        (total_cents(&self.lines) * i64::from(self.percent_off) + 50) / 100
    }

    /// What the shop takes in, in cents.
    pub fn revenue_cents(&self) -> i64 {
        total_cents(&self.lines) - self.discount_cents()
    }
}

/// What is shown beside the shop's own pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// Recommended products.
    Recommendation,
    /// A banner.
    Banner,
    /// A discount.
    Offer,
    /// Help.
    Assistance,
}

/// What a shopper did with content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interaction {
    /// Saw it.
    Impression,
    /// Clicked it.
    Click,
    /// Closed it.
    Dismiss,
}

/// What was done.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are named after what they hold")]
pub enum Act {
    /// Looked at a page of the shop.
    Page {
        path: &'static str,
        name: &'static str,
        attention: Attention,
    },
    /// Searched for the things of a category.
    Search {
        category: usize,
        results: i64,
        dwell_ms: i64,
    },
    /// Looked at a list of products.
    List {
        category: usize,
        products: Vec<u32>,
        dwell_ms: i64,
    },
    /// Narrowed or ordered a list.
    Filter {
        category: usize,
        by: Narrowing,
    },
    /// Clicked a product in a list.
    Click {
        product: u32,
        position: u32,
    },
    /// Looked at a product; so many of its attributes were examined.
    View {
        product: u32,
        attention: Attention,
        examined: usize,
    },
    Wish(u32),
    Unwish(u32),
    /// Put something into the cart.
    Add {
        line: Line,
        from_wishlist: bool,
    },
    /// Took something out of the cart.
    Remove(Line),
    LookAtCart(Vec<Line>),
    Coupon {
        result: CouponResult,
        lines: Vec<Line>,
    },
    StartCheckout(Order),
    /// Completed a step of the checkout.
    Step(u32),
    EnterPayment,
    Buy(Order),
    /// Was given the money back for some of an order of visit number `visit`.
    Refund {
        visit: u32,
        lines: Vec<Line>,
    },
    /// Signed in.
    SignIn,
    /// Saw, clicked or closed content; for an offer `content_id` is the decision's id.
    Content {
        kind: ContentKind,
        interaction: Interaction,
        content_id: Arc<str>,
    },
    Review {
        product: u32,
        rating: i64,
    },
}
