//! Checkout and orders.

use serde::Deserialize;

use super::{loose, product::ProductProps, read};
use crate::{
    CheckoutStep, Currency, Decimal, Label, List, Order, ShopId, StepProgress, ValueBasis,
    fault::Fault, object::Object,
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct OrderProps {
    #[serde(deserialize_with = "loose::id")]
    order_id: Option<ShopId>,
    /// What version 1 called the order's id.
    #[serde(deserialize_with = "loose::id")]
    id: Option<ShopId>,
    #[serde(deserialize_with = "loose::id")]
    checkout_id: Option<ShopId>,
    #[serde(deserialize_with = "loose::words")]
    affiliation: Option<Label>,
    #[serde(deserialize_with = "loose::currency")]
    currency: Option<Currency>,
    #[serde(deserialize_with = "loose::amount")]
    value: Option<Decimal>,
    #[serde(deserialize_with = "loose::amount")]
    revenue: Option<Decimal>,
    #[serde(deserialize_with = "loose::amount")]
    subtotal: Option<Decimal>,
    #[serde(deserialize_with = "loose::amount")]
    total: Option<Decimal>,
    #[serde(deserialize_with = "loose::amount")]
    shipping: Option<Decimal>,
    #[serde(deserialize_with = "loose::amount")]
    tax: Option<Decimal>,
    #[serde(deserialize_with = "loose::amount")]
    discount: Option<Decimal>,
    #[serde(deserialize_with = "loose::id")]
    coupon: Option<ShopId>,
    #[serde(deserialize_with = "loose::list")]
    products: List<Object<ProductProps>, 500>,
}

/// The order's currency is the one it names, else that of its first product that names one, else the default.
pub(super) fn order(properties: &str, default: Currency) -> Result<Order, Fault> {
    let props: OrderProps = read(properties)?;
    let of_products = || {
        props
            .products
            .iter()
            .find_map(|Object(product)| product.currency)
    };
    let currency = props.currency.or_else(of_products).unwrap_or(default);
    let money = |amount: Option<Decimal>| amount.map(|amount| amount.of(currency));
    let mut order = Order {
        order_id: props.order_id.or(props.id),
        checkout_id: props.checkout_id,
        affiliation: props.affiliation,
        value: None,
        value_basis: None,
        revenue: money(props.revenue),
        subtotal: money(props.subtotal),
        total: money(props.total),
        shipping: money(props.shipping),
        tax: money(props.tax),
        discount: money(props.discount),
        coupon: props.coupon,
        products: props
            .products
            .map(|Object(product)| product.product(currency)),
    };
    order.settle_value();
    if order.value.is_none() && props.value.is_some() {
        order.value = money(props.value);
        order.value_basis = Some(ValueBasis::Value);
    }
    Ok(order)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StepProps {
    #[serde(deserialize_with = "loose::id")]
    checkout_id: Option<ShopId>,
    #[serde(deserialize_with = "loose::id")]
    order_id: Option<ShopId>,
    #[serde(deserialize_with = "loose::count_if_any")]
    step: Option<u32>,
    #[serde(deserialize_with = "loose::words")]
    shipping_method: Option<Label>,
    #[serde(deserialize_with = "loose::words")]
    payment_method: Option<Label>,
}

pub(super) fn step(
    properties: &str,
    progress: Option<StepProgress>,
) -> Result<CheckoutStep, Fault> {
    let props: StepProps = read(properties)?;
    Ok(CheckoutStep {
        checkout_id: props.checkout_id,
        order_id: props.order_id,
        step: props.step,
        progress,
        shipping_method: props.shipping_method,
        payment_method: props.payment_method,
    })
}
