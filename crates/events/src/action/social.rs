//! Sharing and reviewing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Label, Product, ShopId};
use crate::Finite;

/// A product or a cart that was shared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Share {
    /// The product, where one was shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<Product>,
    /// The cart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cart_id: Option<ShopId>,
    /// The means, such as `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<Label>,
}

/// A product that was reviewed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Review {
    /// The product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_id: Option<ShopId>,
    /// The review.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_id: Option<ShopId>,
    /// The rating, as the shop counts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<Finite>,
}
