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

/// A page of the shop that is neither a list nor a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The first page.
    Home,
    /// Advice on the products of a category: the one of these pages that is about goods.
    Guide(usize),
    /// What delivery costs.
    Shipping,
    /// How to send something back.
    Returns,
    /// The shopper's own account.
    Account,
    /// Where the shop has stores, and when they are open.
    Stores,
}

impl Page {
    /// Its path, up to the category where it is about one, and its name.
    pub(crate) fn path_and_name(self) -> (&'static str, &'static str) {
        match self {
            Self::Home => ("/", "Home"),
            Self::Guide(_) => ("/guides", "Guide"),
            Self::Shipping => ("/shipping-costs", "Shipping costs"),
            Self::Returns => ("/returns", "Returns"),
            Self::Account => ("/account", "Account"),
            Self::Stores => ("/stores", "Stores"),
        }
    }
}

/// What is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// The things of this category.
    pub category: usize,
    /// Of this brand alone.
    pub brand: Option<&'static str>,
    /// Only what is reduced.
    pub reduced: bool,
}

/// How a list is narrowed or ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Narrowing {
    /// By price, the cheapest first.
    Price,
    /// To what costs at most so many whole euros.
    UpTo(i64),
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
    /// Looked at a page of the shop, having come from elsewhere where `referrer` says so.
    Page {
        page: Page,
        referrer: Option<&'static str>,
        attention: Attention,
    },
    Search {
        query: Query,
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
    /// Saw a step of the checkout, or completed it.
    Step {
        step: u32,
        completed: bool,
    },
    EnterPayment,
    Buy(Order),
    /// Was given the money back for some of an order of visit number `visit`.
    Refund {
        visit: u32,
        lines: Vec<Line>,
    },
    /// Called off the order of visit number `visit`.
    Cancel {
        visit: u32,
        order: Order,
    },
    /// Bought something for so much in a store, having shown the account's card.
    BuyInStore {
        cents: i64,
    },
    /// Signed in.
    SignIn,
    /// Saw, clicked or closed content, about `product` where it is about one. For an offer `content_id` is the decision's
    /// id; the shop's own content has ids of its own.
    Content {
        kind: ContentKind,
        interaction: Interaction,
        content_id: Arc<str>,
        product: Option<u32>,
    },
    /// Sent someone a link to a product.
    Share(u32),
    Review {
        product: u32,
        rating: i64,
    },
}

impl Act {
    /// Whether it is a step of a visit to the site, and not of one to a store.
    pub(crate) fn is_on_site(&self) -> bool {
        !matches!(self, Self::BuyInStore { .. })
    }
}
