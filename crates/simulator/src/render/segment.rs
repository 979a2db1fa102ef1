//! Actions as calls of Segment's API, with the names of its e-commerce specification.

use foretide_events::EpochMs;

use super::{Writer, json::Json};
use crate::{Act, Action, CouponResult, Interaction};

impl Writer<'_> {
    pub(super) fn segment(self, action: &Action, at: EpochMs, json: &mut Json<'_>) {
        let Action {
            identity,
            visit,
            number,
            ..
        } = *action;
        let shopper = identity.shopper;
        json.object(|json| {
            match &action.act {
                Act::Page { page, .. } => {
                    json.text("type", "page");
                    json.text("name", page.path_and_name().1);
                }
                Act::SignIn => json.text("type", "identify"),
                act => {
                    json.text("type", "track");
                    json.text("event", event(act));
                }
            }
            json.made("messageId", |to| {
                self.names.write_tagged(&[shopper, visit, number], to);
            });
            json.text("timestamp", &at.to_string());
            if identity.user {
                json.made("userId", |to| self.names.write_user(shopper, to));
            }
            if let Some(device) = identity.device {
                json.made("anonymousId", |to| {
                    self.names.write_device(shopper, device, to);
                });
            }
            if action.act.is_on_site() {
                json.inner("context", |json| {
                    json.made("sessionId", |to| {
                        self.names.write_tagged(&[shopper, visit], to);
                    });
                });
            }
            let said = match action.act {
                Act::SignIn => "traits",
                _ => "properties",
            };
            json.inner(said, |json| self.fields(action, json));
        });
    }
}

/// What the specification calls it. It has no name for content that is closed, nor for what is bought in a store: those are
/// custom events.
fn event(act: &Act) -> &'static str {
    match act {
        Act::Search { .. } => "Products Searched",
        Act::List { .. } => "Product List Viewed",
        Act::Filter { .. } => "Product List Filtered",
        Act::Click { .. } => "Product Clicked",
        Act::View { .. } => "Product Viewed",
        Act::Wish(_) => "Product Added to Wishlist",
        Act::Unwish(_) => "Product Removed from Wishlist",
        Act::Add {
            from_wishlist: true,
            ..
        } => "Wishlist Product Added to Cart",
        Act::Add { .. } => "Product Added",
        Act::Remove(_) => "Product Removed",
        Act::LookAtCart(_) => "Cart Viewed",
        Act::Coupon {
            result: CouponResult::Applied(_),
            ..
        } => "Coupon Applied",
        Act::Coupon { .. } => "Coupon Denied",
        Act::StartCheckout(_) => "Checkout Started",
        Act::Step {
            completed: true, ..
        } => "Checkout Step Completed",
        Act::Step { .. } => "Checkout Step Viewed",
        Act::EnterPayment => "Payment Info Entered",
        Act::Buy(_) => "Order Completed",
        Act::Refund { .. } => "Order Refunded",
        Act::Cancel { .. } => "Order Cancelled",
        Act::BuyInStore { .. } => "Store Purchase",
        Act::Content {
            interaction: Interaction::Impression,
            ..
        } => "Promotion Viewed",
        Act::Content {
            interaction: Interaction::Click,
            ..
        } => "Promotion Clicked",
        Act::Content { .. } => "Promotion Dismissed",
        Act::Share(_) => "Product Shared",
        Act::Review { .. } => "Product Reviewed",
        Act::Page { .. } | Act::SignIn => "",
    }
}
