//! Segment's e-commerce events (specification version 2, with the names of version 1) and the actions they mean.

use super::{content, custom, list, order, product};
use crate::{Action, CouponOutcome, Currency, Interaction, StepProgress, fault::Fault};

/// No name of the specification is longer.
const LONGEST_NAME: usize = 40;

/// The action that a tracked event of this name and these properties means. `default` is the currency of amounts that
/// name none.
pub(super) fn track(name: &str, properties: &str, default: Currency) -> Result<Action, Fault> {
    let mut buffer = [0; LONGEST_NAME];
    match lower_case(name, &mut buffer).unwrap_or_default() {
        "products searched" => list::search(properties).map(Action::Search),
        "product list viewed" | "viewed product category" => {
            list::view(properties, default).map(Action::ProductListView)
        }
        "product list filtered" => list::filter(properties, default).map(Action::ProductListFilter),
        "product clicked" | "clicked product" => {
            product::click(properties, default).map(Action::ProductClick)
        }
        "product viewed" | "viewed product" => {
            product::view(properties, default).map(Action::ProductView)
        }
        "product added" | "added product" => {
            product::cart_add(properties, default, false).map(Action::CartAdd)
        }
        "wishlist product added to cart" => {
            product::cart_add(properties, default, true).map(Action::CartAdd)
        }
        "product removed" | "removed product" => {
            product::cart_remove(properties, default).map(Action::CartRemove)
        }
        "cart viewed" => list::cart(properties, default).map(Action::CartView),
        "product added to wishlist" => {
            product::wishlist(properties, default).map(Action::WishlistAdd)
        }
        "product removed from wishlist" => {
            product::wishlist(properties, default).map(Action::WishlistRemove)
        }
        "checkout started" | "started order" => {
            order::order(properties, default).map(Action::CheckoutStart)
        }
        "checkout step viewed" | "viewed checkout step" => {
            order::step(properties, Some(StepProgress::Viewed)).map(Action::CheckoutStep)
        }
        "checkout step completed" | "completed checkout step" => {
            order::step(properties, Some(StepProgress::Completed)).map(Action::CheckoutStep)
        }
        "payment info entered" => order::step(properties, None).map(Action::PaymentInfo),
        "order completed" | "completed order" => {
            order::order(properties, default).map(Action::Purchase)
        }
        "order updated" | "updated order" => {
            order::order(properties, default).map(Action::OrderUpdate)
        }
        "order refunded" => order::order(properties, default).map(Action::Refund),
        "order cancelled" => order::order(properties, default).map(Action::Cancel),
        "coupon entered" => content::coupon(properties, default, CouponOutcome::Entered),
        "coupon applied" => content::coupon(properties, default, CouponOutcome::Applied),
        "coupon denied" => content::coupon(properties, default, CouponOutcome::Denied),
        "coupon removed" => content::coupon(properties, default, CouponOutcome::Removed),
        "promotion viewed" | "viewed promotion" => {
            content::promotion(properties, Interaction::Impression)
        }
        "promotion clicked" | "clicked promotion" => {
            content::promotion(properties, Interaction::Click)
        }
        "product shared" => product::share(properties, default).map(Action::Share),
        "cart shared" => list::share_cart(properties).map(Action::Share),
        "product reviewed" => product::review(properties).map(Action::Review),
        _ => custom::custom(name, properties).map(Action::Custom),
    }
}

fn lower_case<'b>(name: &str, buffer: &'b mut [u8; LONGEST_NAME]) -> Option<&'b str> {
    let buffer = buffer.get_mut(..name.len())?;
    buffer.copy_from_slice(name.as_bytes());
    buffer.make_ascii_lowercase();
    std::str::from_utf8(buffer).ok()
}
