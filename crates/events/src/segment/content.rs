//! Coupons and promotions.

use serde::Deserialize;

use super::{loose, read};
use crate::{
    Action, ContentInteraction, ContentKind, CouponAttempt, CouponOutcome, Currency, Decimal,
    Interaction, Label, ShopId, fault::Fault,
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct CouponProps {
    #[serde(deserialize_with = "loose::id")]
    coupon_id: Option<ShopId>,
    #[serde(deserialize_with = "loose::words")]
    coupon_name: Option<Label>,
    #[serde(deserialize_with = "loose::id")]
    order_id: Option<ShopId>,
    #[serde(deserialize_with = "loose::id")]
    cart_id: Option<ShopId>,
    #[serde(deserialize_with = "loose::amount")]
    discount: Option<Decimal>,
    #[serde(deserialize_with = "loose::currency")]
    currency: Option<Currency>,
    #[serde(deserialize_with = "loose::words")]
    reason: Option<Label>,
}

pub(super) fn coupon(
    properties: &str,
    default: Currency,
    outcome: CouponOutcome,
) -> Result<Action, Fault> {
    let props: CouponProps = read(properties)?;
    let currency = props.currency.unwrap_or(default);
    Ok(Action::CouponAttempt(CouponAttempt {
        outcome,
        coupon_id: props.coupon_id,
        coupon_name: props.coupon_name,
        order_id: props.order_id,
        cart_id: props.cart_id,
        discount: props.discount.map(|discount| discount.of(currency)),
        reason: props.reason,
    }))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PromotionProps {
    #[serde(deserialize_with = "loose::id")]
    promotion_id: Option<ShopId>,
    /// What version 1 called the promotion's id.
    #[serde(deserialize_with = "loose::id")]
    id: Option<ShopId>,
    #[serde(deserialize_with = "loose::words")]
    creative: Option<Label>,
    #[serde(deserialize_with = "loose::words")]
    name: Option<Label>,
    #[serde(deserialize_with = "loose::words")]
    position: Option<Label>,
    #[serde(deserialize_with = "loose::id")]
    product_id: Option<ShopId>,
}

/// A promotion is a banner to the specification; a shop that shows an offer of Foretide puts the decision's id in
/// `promotion_id`.
pub(super) fn promotion(properties: &str, interaction: Interaction) -> Result<Action, Fault> {
    let props: PromotionProps = read(properties)?;
    let content_id = props
        .promotion_id
        .or(props.id)
        .ok_or_else(|| Fault::missing("properties.promotion_id"))?;
    Ok(Action::ContentInteraction(ContentInteraction {
        content_id,
        kind: ContentKind::Banner,
        interaction,
        creative: props.creative,
        name: props.name,
        position: props.position,
        product_id: props.product_id,
    }))
}
