//! Coupons and dynamic content.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Label, ShopId};
use crate::Money;

/// A coupon, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CouponAttempt {
    /// What came of it.
    pub outcome: CouponOutcome,
    /// The coupon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupon_id: Option<ShopId>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupon_name: Option<Label>,
    /// The order it was meant for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<ShopId>,
    /// The cart it was meant for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_id: Option<ShopId>,
    /// What it took off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Money>,
    /// Why it was denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Label>,
}

/// What came of a coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CouponOutcome {
    /// Entered.
    Entered,
    /// Applied.
    Applied,
    /// Denied.
    Denied,
    /// Removed.
    Removed,
}

/// Dynamic content, and what the shopper did with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContentInteraction {
    /// The shop's or Foretide's id of the content; an offer's decision id.
    pub content_id: ShopId,
    /// What the content is.
    pub kind: ContentKind,
    /// What the shopper did.
    pub interaction: Interaction,
    /// Which creative was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creative: Option<Label>,
    /// Name of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Label>,
    /// Where it stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Label>,
    /// The product it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<ShopId>,
}

/// What dynamic content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContentKind {
    /// Recommendation.
    Recommendation,
    /// Banner.
    Banner,
    /// Offer.
    Offer,
    /// Message.
    Message,
    /// Assistance.
    Assistance,
    /// Other.
    Other,
}

/// What a shopper did with content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interaction {
    /// Impression.
    Impression,
    /// Click.
    Click,
    /// Dismiss.
    Dismiss,
}
