//! Acts as the JSON that `POST /v1/actions` takes.

use serde_json::{Value, json};

use crate::{
    Article, Shop,
    plan::{Act, Beat},
    shop::CURRENCY,
    visit::{Line, Visit},
};

/// The attributes a product page offers to be examined.
const ATTRIBUTES: [&str; 3] = ["reviews", "size-chart", "materials"];

/// The fields of `beat`'s action, as part of `visit` before the act has changed its cart. `number` makes orders
/// distinct. `None` for an act that has nothing to act upon.
pub(crate) fn render(shop: &Shop, visit: &Visit, beat: Beat, number: u64) -> Option<Value> {
    let dwell_ms = beat.pause_ms;
    let product = |article: usize| product(&shop.articles()[article], None);
    let some = match beat.act {
        Act::Land => {
            json!({ "type": "page_view", "path": "/", "name": "Home", "dwell_ms": dwell_ms, "scroll_depth": depth(dwell_ms) })
        }
        Act::ReadPage(path) => {
            json!({ "type": "page_view", "path": path, "dwell_ms": dwell_ms, "scroll_depth": depth(dwell_ms) })
        }
        Act::Search { category, results } => {
            json!({ "type": "search", "query": shop.category(category), "result_count": results, "dwell_ms": dwell_ms })
        }
        Act::LookAtList { category } => json!({
            "type": "product_list_view", "category": shop.category(category), "dwell_ms": dwell_ms,
            "products": shop.shelf(category).iter().take(6).map(|article| self::product(article, None)).collect::<Vec<_>>(),
        }),
        Act::FilterByPrice { category } => json!({
            "type": "product_list_filter", "category": shop.category(category),
            "filters": [{ "kind": "price", "value": "up to 100" }], "sorts": [{ "kind": "price", "value": "rising" }],
        }),
        Act::SeeBanner | Act::ClickBanner => json!({
            "type": "content_interaction", "content_id": "banner-autumn", "kind": "banner",
            "interaction": if beat.act == Act::SeeBanner { "impression" } else { "click" },
        }),
        Act::ClickProduct(article) => {
            json!({ "type": "product_click", "product": product(article) })
        }
        Act::LookAtProduct { article, examined } => json!({
            "type": "product_view", "product": product(article), "dwell_ms": dwell_ms, "scroll_depth": depth(dwell_ms),
            "attributes": ATTRIBUTES[..examined.min(ATTRIBUTES.len())],
        }),
        Act::Wish(article) => json!({ "type": "wishlist_add", "product": product(article) }),
        Act::AddToCart { article, quantity } => {
            json!({ "type": "cart_add", "product": self::product(&shop.articles()[article], Some(quantity)) })
        }
        Act::TakeOutLast => {
            let line = visit.cart.last()?;
            json!({ "type": "cart_remove", "product": self::product(&shop.articles()[line.article], Some(line.quantity)) })
        }
        Act::LookAtCart => json!({ "type": "cart_view", "products": lines(shop, &visit.cart) }),
        Act::CouponDenied => {
            json!({ "type": "coupon_attempt", "outcome": "denied", "coupon_id": "WELCOME10", "reason": "for new customers only" })
        }
        Act::CouponApplied => {
            json!({ "type": "coupon_attempt", "outcome": "applied", "coupon_id": "AUTUMN5" })
        }
        Act::StartCheckout => order(shop, "checkout_start", visit, number)?,
        Act::CheckoutStep(step) => {
            json!({ "type": "checkout_step", "step": step, "progress": "completed" })
        }
        Act::EnterPayment => json!({ "type": "payment_info", "payment_method": "invoice" }),
        Act::Buy => order(shop, "purchase", visit, number)?,
    };
    Some(some)
}

/// An amount as actions carry it.
fn money(cents: i64) -> Value {
    json!({ "minor_units": cents, "currency": CURRENCY })
}

fn product(article: &Article, quantity: Option<u32>) -> Value {
    let mut product = json!({
        "product_id": article.product_id, "name": article.name, "brand": article.brand, "category": article.category,
        "price": money(article.price_cents),
    });
    if let Some(cents) = article.list_price_cents {
        product["list_price"] = money(cents);
    }
    if let Some(quantity) = quantity {
        product["quantity"] = json!(quantity);
    }
    product
}

fn lines(shop: &Shop, cart: &[Line]) -> Vec<Value> {
    cart.iter()
        .map(|line| product(&shop.articles()[line.article], Some(line.quantity)))
        .collect()
}

/// What the cart costs, in cents.
pub(crate) fn total_cents(shop: &Shop, cart: &[Line]) -> i64 {
    cart.iter()
        .map(|line| shop.articles()[line.article].price_cents * i64::from(line.quantity))
        .sum()
}

fn order(shop: &Shop, kind: &str, visit: &Visit, number: u64) -> Option<Value> {
    if visit.cart.is_empty() {
        return None;
    }
    let mut order = json!({
        "type": kind, "revenue": money(total_cents(shop, &visit.cart)), "products": lines(shop, &visit.cart),
    });
    if kind == "purchase" {
        order["order_id"] = json!(format!("order-{number}"));
    }
    Some(order)
}

/// How far down a page one gets in a while: everything within eight seconds.
fn depth(dwell_ms: i64) -> f64 {
    let share = dwell_ms.clamp(0, 8_000) as f64 / 8_000.0;
    (share * 100.0).round() / 100.0
}
