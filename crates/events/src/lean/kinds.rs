//! Reading an event of each kind, member by member, in the order in which it is stored.

use super::{
    Lean, LeanAction,
    members::{CATEGORY, LABEL, PHRASE, SHOP_ID},
    scanner::{Object, Scanner},
};
use crate::{ActionType, CouponOutcome, EventId, Interaction, SessionId, SourceId};

/// Reads all of `stored`.
pub(super) fn read(stored: &str) -> Option<Lean<'_>> {
    let mut scanner = Scanner::new(stored);
    let s = &mut scanner;
    s.literal(b"{\"v\":1,\"type\":")?;
    let kind = ActionType::from_name(s.text(LABEL)?)?;
    s.literal(b",\"id\":")?;
    let id = s.id(EventId::MAX_CHARS)?;
    s.literal(b",\"at\":")?;
    let at = s.instant()?;
    s.literal(b",\"received_at\":")?;
    s.instant()?;
    s.literal(b",\"shopper\":")?;
    let identity = s.identity()?;
    let mut object = Object::BEGUN;
    s.optional(&mut object, b"\"session\":", |s| s.id(SessionId::MAX_CHARS))?;
    let source = s.needed(&mut object, b"\"source\":", |s| s.id(SourceId::MAX_CHARS))?;
    let action = action(kind, s, &mut object)?;
    s.end(&object)?;
    s.is_at_end().then_some(Lean {
        id,
        at,
        shopper: identity.shopper()?,
        identity,
        source,
        action,
    })
}

fn action<'a>(
    kind: ActionType,
    s: &mut Scanner<'a>,
    object: &mut Object,
) -> Option<LeanAction<'a>> {
    Some(match kind {
        ActionType::PageView => page_view(s, object)?,
        ActionType::Search => search(s, object)?,
        ActionType::ProductListView => product_list_view(s, object)?,
        ActionType::ProductListFilter => product_list_filter(s, object)?,
        ActionType::ProductClick => {
            s.needed(object, b"\"product\":", Scanner::product)?;
            s.pass_text(object, b"\"list_id\":", SHOP_ID)?;
            LeanAction::ProductClick
        }
        ActionType::ProductView => product_view(s, object)?,
        ActionType::CartAdd | ActionType::CartRemove => cart_change(kind, s, object)?,
        ActionType::CartView => {
            s.pass_text(object, b"\"cart_id\":", SHOP_ID)?;
            let products = s.products(object)?;
            LeanAction::CartView { products }
        }
        ActionType::WishlistAdd | ActionType::WishlistRemove => {
            let product = s.needed(object, b"\"product\":", Scanner::product)?;
            s.pass_text(object, b"\"wishlist_id\":", SHOP_ID)?;
            match kind {
                ActionType::WishlistAdd => LeanAction::WishlistAdd {
                    price: product.price,
                },
                _ => LeanAction::WishlistRemove,
            }
        }
        ActionType::CouponAttempt => coupon_attempt(s, object)?,
        ActionType::ContentInteraction => content_interaction(s, object)?,
        ActionType::CheckoutStep => LeanAction::CheckoutStep {
            step: checkout_step(s, object)?,
        },
        ActionType::PaymentInfo => LeanAction::PaymentInfo {
            step: checkout_step(s, object)?,
        },
        ActionType::CheckoutStart
        | ActionType::Purchase
        | ActionType::OrderUpdate
        | ActionType::Refund
        | ActionType::Cancel => order(kind, s, object)?,
        _ => beside_the_shop(kind, s, object)?,
    })
}

fn page_view<'a>(s: &mut Scanner<'a>, of: &mut Object) -> Option<LeanAction<'a>> {
    s.pass_text(of, b"\"name\":", LABEL)?;
    s.pass_address(of, b"\"path\":")?;
    s.pass_text(of, b"\"title\":", LABEL)?;
    let category = s.optional(of, b"\"category\":", |s| s.id(CATEGORY))?;
    s.pass_address(of, b"\"referrer\":")?;
    Some(LeanAction::PageView {
        category,
        dwell_ms: s.optional(of, b"\"dwell_ms\":", Scanner::u32)?,
        scroll_depth: s.optional(of, b"\"scroll_depth\":", Scanner::fraction)?,
    })
}

fn search<'a>(s: &mut Scanner<'a>, of: &mut Object) -> Option<LeanAction<'a>> {
    let mut filters = Vec::new();
    s.pass_text(of, b"\"query\":", PHRASE)?;
    s.filters(of, b"\"filters\":", &mut filters)?;
    s.optional(of, b"\"result_count\":", Scanner::u32)?;
    Some(LeanAction::Search {
        filters,
        dwell_ms: s.optional(of, b"\"dwell_ms\":", Scanner::u32)?,
    })
}

fn product_list_view<'a>(s: &mut Scanner<'a>, of: &mut Object) -> Option<LeanAction<'a>> {
    s.pass_text(of, b"\"list_id\":", SHOP_ID)?;
    let category = s.optional(of, b"\"category\":", |s| s.id(CATEGORY))?;
    s.pass_products(of)?;
    Some(LeanAction::ProductListView {
        category,
        dwell_ms: s.optional(of, b"\"dwell_ms\":", Scanner::u32)?,
    })
}

fn product_list_filter<'a>(s: &mut Scanner<'a>, of: &mut Object) -> Option<LeanAction<'a>> {
    let mut filters = Vec::new();
    s.pass_text(of, b"\"list_id\":", SHOP_ID)?;
    s.optional(of, b"\"category\":", |s| s.id(CATEGORY))?;
    s.filters(of, b"\"filters\":", &mut filters)?;
    s.filters(of, b"\"sorts\":", &mut filters)?;
    s.pass_products(of)?;
    Some(LeanAction::ProductListFilter { filters })
}

fn product_view<'a>(s: &mut Scanner<'a>, of: &mut Object) -> Option<LeanAction<'a>> {
    let product = s.needed(of, b"\"product\":", Scanner::product)?;
    s.pass_labels(of, b"\"attributes\":")?;
    Some(LeanAction::ProductView {
        product,
        dwell_ms: s.optional(of, b"\"dwell_ms\":", Scanner::u32)?,
        scroll_depth: s.optional(of, b"\"scroll_depth\":", Scanner::fraction)?,
    })
}

fn cart_change<'a>(
    kind: ActionType,
    s: &mut Scanner<'a>,
    of: &mut Object,
) -> Option<LeanAction<'a>> {
    let product = s.needed(of, b"\"product\":", Scanner::product)?;
    let quantity = s.optional(of, b"\"quantity\":", Scanner::u32)?;
    s.pass_text(of, b"\"cart_id\":", SHOP_ID)?;
    if kind == ActionType::CartRemove {
        return Some(LeanAction::CartRemove { product, quantity });
    }
    s.optional(of, b"\"from_wishlist\":", |s| s.literal(b"true"))?;
    Some(LeanAction::CartAdd { product, quantity })
}

fn coupon_attempt<'a>(s: &mut Scanner<'a>, of: &mut Object) -> Option<LeanAction<'a>> {
    let outcome = match s.needed(of, b"\"outcome\":", |s| s.text(LABEL))? {
        "entered" => CouponOutcome::Entered,
        "applied" => CouponOutcome::Applied,
        "denied" => CouponOutcome::Denied,
        "removed" => CouponOutcome::Removed,
        _ => return None,
    };
    s.pass_text(of, b"\"coupon_id\":", SHOP_ID)?;
    s.pass_text(of, b"\"coupon_name\":", LABEL)?;
    s.pass_text(of, b"\"order_id\":", SHOP_ID)?;
    s.pass_text(of, b"\"cart_id\":", SHOP_ID)?;
    s.optional(of, b"\"discount\":", Scanner::money)?;
    s.pass_text(of, b"\"reason\":", LABEL)?;
    Some(LeanAction::CouponAttempt(outcome))
}

fn content_interaction<'a>(s: &mut Scanner<'a>, of: &mut Object) -> Option<LeanAction<'a>> {
    s.needed(of, b"\"content_id\":", |s| s.text(SHOP_ID))?;
    let kind = s.needed(of, b"\"kind\":", |s| s.text(LABEL))?;
    if !matches!(
        kind,
        "recommendation" | "banner" | "offer" | "message" | "assistance" | "other"
    ) {
        return None;
    }
    let interaction = match s.needed(of, b"\"interaction\":", |s| s.text(LABEL))? {
        "impression" => Interaction::Impression,
        "click" => Interaction::Click,
        "dismiss" => Interaction::Dismiss,
        _ => return None,
    };
    s.pass_text(of, b"\"creative\":", LABEL)?;
    s.pass_text(of, b"\"name\":", LABEL)?;
    s.pass_text(of, b"\"position\":", LABEL)?;
    s.pass_text(of, b"\"product_id\":", SHOP_ID)?;
    Some(LeanAction::ContentInteraction(interaction))
}

/// The number of the step.
#[expect(clippy::option_option, reason = "nothing at all, or no such member")]
fn checkout_step(s: &mut Scanner<'_>, of: &mut Object) -> Option<Option<u32>> {
    s.pass_text(of, b"\"checkout_id\":", SHOP_ID)?;
    s.pass_text(of, b"\"order_id\":", SHOP_ID)?;
    let step = s.optional(of, b"\"step\":", Scanner::u32)?;
    let progress = s.optional(of, b"\"progress\":", |s| s.text(LABEL))?;
    if !matches!(progress, None | Some("viewed" | "completed")) {
        return None;
    }
    s.pass_text(of, b"\"shipping_method\":", LABEL)?;
    s.pass_text(of, b"\"payment_method\":", LABEL)?;
    Some(step)
}

fn order<'a>(kind: ActionType, s: &mut Scanner<'a>, of: &mut Object) -> Option<LeanAction<'a>> {
    let order_id = s.optional(of, b"\"order_id\":", |s| s.text(SHOP_ID))?;
    s.pass_text(of, b"\"checkout_id\":", SHOP_ID)?;
    s.pass_text(of, b"\"affiliation\":", LABEL)?;
    let value = s.optional(of, b"\"value\":", Scanner::money)?;
    let basis = s.optional(of, b"\"value_basis\":", |s| s.text(LABEL))?;
    if !matches!(
        basis,
        None | Some("revenue" | "subtotal" | "total" | "value" | "products")
    ) {
        return None;
    }
    s.optional(of, b"\"revenue\":", Scanner::money)?;
    s.optional(of, b"\"subtotal\":", Scanner::money)?;
    s.optional(of, b"\"total\":", Scanner::money)?;
    s.optional(of, b"\"shipping\":", Scanner::money)?;
    s.optional(of, b"\"tax\":", Scanner::money)?;
    s.optional(of, b"\"discount\":", Scanner::money)?;
    s.pass_text(of, b"\"coupon\":", SHOP_ID)?;
    if kind == ActionType::Purchase {
        return Some(LeanAction::Purchase {
            order_id,
            value,
            products: s.products(of)?,
        });
    }
    s.pass_products(of)?;
    Some(match kind {
        ActionType::CheckoutStart => LeanAction::CheckoutStart,
        ActionType::OrderUpdate => LeanAction::OrderUpdate,
        ActionType::Refund => LeanAction::Refund,
        ActionType::Cancel => LeanAction::Cancel,
        _ => return None,
    })
}

/// What is no step through the shop.
fn beside_the_shop<'a>(
    kind: ActionType,
    s: &mut Scanner<'a>,
    of: &mut Object,
) -> Option<LeanAction<'a>> {
    Some(match kind {
        ActionType::Share => {
            s.optional(of, b"\"product\":", Scanner::product)?;
            s.pass_text(of, b"\"cart_id\":", SHOP_ID)?;
            s.pass_text(of, b"\"via\":", LABEL)?;
            LeanAction::Share
        }
        ActionType::Review => {
            s.pass_text(of, b"\"product_id\":", SHOP_ID)?;
            s.pass_text(of, b"\"review_id\":", SHOP_ID)?;
            s.optional(of, b"\"rating\":", Scanner::number)?;
            LeanAction::Review
        }
        ActionType::Identify => {
            s.pass_text(of, b"\"country\":", 2)?;
            s.pass_text(of, b"\"language\":", 35)?;
            let time_zone = s.optional(of, b"\"time_zone\":", |s| s.text(64))?;
            s.pass_text(of, b"\"plan\":", LABEL)?;
            LeanAction::Identify { time_zone }
        }
        ActionType::Group => {
            s.needed(of, b"\"group\":", Scanner::shopper)?;
            LeanAction::Group
        }
        ActionType::Alias => LeanAction::Alias {
            previous_user: s.needed(of, b"\"previous_user\":", Scanner::shopper)?,
            previous_anonymous: s.needed(of, b"\"previous_anonymous\":", Scanner::shopper)?,
        },
        ActionType::Conversion => {
            s.needed(of, b"\"kind\":", |s| s.text(LABEL))?;
            s.optional(of, b"\"value\":", Scanner::money)?;
            s.pass_text(of, b"\"reference\":", SHOP_ID)?;
            LeanAction::Conversion
        }
        ActionType::Enrichment => {
            s.needed(of, b"\"kind\":", |s| s.text(LABEL))?;
            s.needed(of, b"\"purpose\":", |s| s.text(LABEL))?;
            s.pass_readings(of)?;
            LeanAction::Enrichment
        }
        ActionType::Custom => {
            s.needed(of, b"\"name\":", |s| s.text(LABEL))?;
            s.pass_readings(of)?;
            LeanAction::Custom
        }
        _ => return None,
    })
}
