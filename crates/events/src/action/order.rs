//! Checkout and orders.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Label, Products, ShopId};
use crate::{List, Money};

/// A step of the checkout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CheckoutStep {
    /// The checkout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_id: Option<ShopId>,
    /// The order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<ShopId>,
    /// Number of the step, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// Whether the step was viewed or completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<StepProgress>,
    /// Chosen way of shipping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping_method: Option<Label>,
    /// Chosen way of paying (never a number of a card or account).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<Label>,
}

/// Whether a step was seen or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepProgress {
    /// Viewed.
    Viewed,
    /// Completed.
    Completed,
}

/// An order in any state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Order {
    /// The order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<ShopId>,
    /// The checkout it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_id: Option<ShopId>,
    /// The shop or affiliate it was made through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affiliation: Option<Label>,
    /// The amount that counts: revenue, else subtotal, else the sum of the products.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Money>,
    /// Which of them `value` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_basis: Option<ValueBasis>,
    /// Revenue without shipping and tax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revenue: Option<Money>,
    /// After discounts, before shipping and tax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subtotal: Option<Money>,
    /// What the shopper pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// Shipping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping: Option<Money>,
    /// Tax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax: Option<Money>,
    /// What was taken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount: Option<Money>,
    /// Coupon used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupon: Option<ShopId>,
    /// The products.
    #[serde(skip_serializing_if = "List::is_empty")]
    pub products: Products,
}

impl Order {
    /// Derives `value` where it is not stated: from revenue, else subtotal, else the products, else the total. `total`
    /// comes last because shops differ in what it takes off and adds; the products count only if each has a price.
    pub(crate) fn settle_value(&mut self) {
        if self.value.is_some() {
            self.value_basis.get_or_insert(ValueBasis::Value);
            return;
        }
        let settled = [
            (self.revenue, ValueBasis::Revenue),
            (self.subtotal, ValueBasis::Subtotal),
            (self.products_value(), ValueBasis::Products),
            (self.total, ValueBasis::Total),
        ]
        .into_iter()
        .find_map(|(value, basis)| Some((value?, basis)));
        (self.value, self.value_basis) = settled.unzip();
    }

    /// The sum of price × quantity, where there are products, each has a price, and all are of one currency.
    fn products_value(&self) -> Option<Money> {
        let values = self
            .products
            .iter()
            .map(|product| product.price?.times(product.quantity.unwrap_or(1)));
        values.reduce(|sum, value| sum?.plus(value?)).flatten()
    }
}

/// What an order's value was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueBasis {
    /// Revenue.
    Revenue,
    /// Subtotal.
    Subtotal,
    /// Total.
    Total,
    /// Value.
    Value,
    /// Products.
    Products,
}
