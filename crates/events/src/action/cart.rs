//! Carts and wishlists.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Product, Products, ShopId};
use crate::List;

/// A product put into the cart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CartAdd {
    /// The product.
    pub product: Product,
    /// How many pieces were added; where absent, the product's own `quantity`, or one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u32>,
    /// The cart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cart_id: Option<ShopId>,
    /// Whether it came from a wishlist.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub from_wishlist: bool,
}

/// A product taken out of the cart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CartRemove {
    /// The product.
    pub product: Product,
    /// How many pieces were removed; where absent, the product's own `quantity`, or everything of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u32>,
    /// The cart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cart_id: Option<ShopId>,
}

/// The cart, looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CartView {
    /// The cart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cart_id: Option<ShopId>,
    /// What is in it; where given, it replaces what is known of the cart.
    #[serde(skip_serializing_if = "List::is_empty")]
    pub products: Products,
}

/// A product put on or taken off a wishlist.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WishlistChange {
    /// The product.
    pub product: Product,
    /// The wishlist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wishlist_id: Option<ShopId>,
}
