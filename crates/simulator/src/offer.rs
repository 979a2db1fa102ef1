//! Offers, the moments at which a shop asks for one, and what they truly do.

use std::sync::Arc;

use foretide_events::EpochMs;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Identity, Line, Shop, shop::CURRENCY};

/// What a shopper is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// So many percent off the cart.
    Discount(u8),
    /// Products, by their ids.
    Recommendations(Vec<String>),
    /// A banner or message.
    Content,
    /// Help: a chat, a guide.
    Assistance,
}

impl Offer {
    /// The offer of an answer of `POST /v1/decisions`; `None` where it offers nothing or something unknown.
    pub fn of_answer(answer: &Value) -> Option<Self> {
        let offer = &answer["offer"];
        match offer["kind"].as_str()? {
            "discount" => {
                let percent = offer["percent"].as_u64()?;
                Some(Self::Discount(u8::try_from(percent).ok()?.min(100)))
            }
            "recommendations" => {
                let products = offer["products"].as_array()?;
                let ids = products.iter().filter_map(|p| p["product_id"].as_str());
                Some(Self::Recommendations(ids.map(str::to_owned).collect()))
            }
            "content" => Some(Self::Content),
            "assistance" => Some(Self::Assistance),
            _ => None,
        }
    }

    /// The name of its kind, as in answers.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Discount(_) => "discount",
            Self::Recommendations(_) => "recommendations",
            Self::Content => "content",
            Self::Assistance => "assistance",
        }
    }
}

/// An offer that a shopper was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) decision: Arc<str>,
    pub(crate) offer: Offer,
}

/// When in a visit a shop asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// On the first page.
    Landing,
    /// Over a cart, before the shopper goes on to buy it or leaves it behind.
    Cart,
}

/// A question that the shop puts to Foretide.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// Who is in the shop.
    pub identity: Identity,
    /// Number of the visit among the shopper's.
    pub visit: u32,
    /// When in the visit.
    pub moment: Moment,
    /// When.
    pub at: EpochMs,
    /// What is in the cart.
    pub cart: Vec<Line>,
    /// What is in the cart costs this much, in cents.
    pub cart_cents: i64,
    pub(crate) names: Value,
}

impl Ask {
    /// The body of `POST /v1/decisions`. It always says what is in the cart: this shop keeps none from one visit to the next,
    /// and who only looks at what was put in and never taken out would believe in carts that are long gone.
    pub fn body(&self, shop: &Shop) -> Value {
        let mut body = self.names.clone();
        body["placement"] = json!(match self.moment {
            Moment::Landing => "home",
            Moment::Cart => "cart",
        });
        let price = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
        let items: Vec<Value> = self
            .cart
            .iter()
            .map(|line| {
                json!({
                    "product_id": shop.product(line.product).product_id,
                    "quantity": line.quantity,
                    "price": price(line.cents),
                })
            })
            .collect();
        body["cart"] =
            json!({ "total": price(self.cart_cents), "currency": CURRENCY, "items": items });
        body
    }

    /// The shopper as requests name them: `{"user_id":…}` or `{"anonymous_id":…}`.
    pub fn shopper(&self) -> &Value {
        &self.names["shopper"]
    }
}

/// How a visit ends, under a stated offer: one of its potential outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// The true probability, at the moment of the question, that the visit ends in a purchase.
    pub probability: f64,
    /// Whether it does, with this visit's luck.
    pub purchased: bool,
    /// What the shop takes in by it, in cents.
    pub revenue_cents: i64,
    /// Products looked at.
    pub views: u32,
    /// Whether the shopper, whose engagement fell, is won back.
    pub won_back: bool,
}

/// What an offer does to one visit: how it ends without and with it, with the same luck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Effect {
    /// Without the offer.
    pub without: Outcome,
    /// With it.
    pub with: Outcome,
}

/// What the offers of one kind truly did together: a sum of [`Effect`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct EffectSum {
    /// Offers that a shopper was shown.
    pub shown: u64,
    /// Visits that end in a purchase.
    pub bought: u64,
    /// Visits of the same shoppers, with the same luck, that end in a purchase without the offer.
    pub would_have_bought: u64,
    /// The sum of the true probabilities of a purchase, with the offer.
    pub expected: f64,
    /// The same without it.
    pub expected_without: f64,
    /// What the shop takes in, in cents.
    pub revenue_cents: i64,
    /// What it would have taken in without the offer, in cents.
    pub revenue_without_cents: i64,
    /// Drifting shoppers whom these offers won back.
    pub won_back: u64,
}

impl EffectSum {
    /// Adds one more.
    pub fn add(&mut self, Effect { without, with }: &Effect) {
        self.shown += 1;
        self.bought += u64::from(with.purchased);
        self.would_have_bought += u64::from(without.purchased);
        self.expected += with.probability;
        self.expected_without += without.probability;
        self.revenue_cents += with.revenue_cents;
        self.revenue_without_cents += without.revenue_cents;
        self.won_back += u64::from(with.won_back && !without.won_back);
    }
}
