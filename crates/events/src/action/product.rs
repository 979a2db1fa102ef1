//! Products, as actions mention them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Label, ShopId};
use crate::{Category, Money, object::from_objects_alone};

/// A product as an action mentions it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, remote = "Self")]
pub struct Product {
    /// The shop's id of the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_id: Option<ShopId>,
    /// Stock keeping unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<ShopId>,
    /// Category, as the shop names it; a path is kept whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// Display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Label>,
    /// Brand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<Label>,
    /// Variant, such as a colour or size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<Label>,
    /// Price of one piece as the shopper saw it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// Price of one piece before any reduction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_price: Option<Money>,
    /// Number of pieces; one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u32>,
    /// Coupon that applies to the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupon: Option<ShopId>,
    /// Position in the list it stood in, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
}

from_objects_alone!(Product, "a product, which is an object");
