//! Actions as calls of Segment's API, with the names of its e-commerce specification.

use foretide_events::EpochMs;

use super::{
    ATTRIBUTES,
    json::Json,
    names::Names,
    native::{content_kind, coupon_id},
};
use crate::{
    Act, Action, CouponResult, Interaction, Line, Narrowing, Order, Settings, Shop,
    act::total_cents, shop::CURRENCY, shopper::Shopper,
};

pub(super) struct Segment<'a> {
    pub(super) shop: &'a Shop,
    pub(super) names: &'a Names,
    pub(super) settings: &'a Settings,
}

impl Segment<'_> {
    pub(super) fn write(&self, action: &Action, at: EpochMs, json: &mut Json<'_>) {
        let Action {
            identity,
            visit,
            number,
            ..
        } = *action;
        json.object(|json| {
            match &action.act {
                Act::Page { name, .. } => {
                    json.text("type", "page");
                    json.text("name", name);
                }
                Act::SignIn => json.text("type", "identify"),
                act => {
                    json.text("type", "track");
                    json.text("event", event(act));
                }
            }
            json.text(
                "messageId",
                &self.names.event(identity.shopper, visit, number),
            );
            json.text("timestamp", &at.to_string());
            if identity.user {
                json.text("userId", &self.names.user(identity.shopper));
            }
            if let Some(device) = identity.device {
                json.text("anonymousId", &self.names.device(identity.shopper, device));
            }
            json.inner("context", |json| {
                json.text("sessionId", &self.names.session(identity.shopper, visit));
            });
            if action.act == Act::SignIn {
                json.inner("traits", |json| self.traits(action, json));
            } else {
                json.inner("properties", |json| self.properties(action, json));
            }
        });
    }

    fn traits(&self, action: &Action, json: &mut Json<'_>) {
        let shopper = Shopper::of(self.settings, action.identity.shopper);
        json.text("country", shopper.country());
        json.text("language", shopper.language());
        json.text("timezone", shopper.time_zone());
    }

    fn properties(&self, action: &Action, json: &mut Json<'_>) {
        let at = action.at;
        match &action.act {
            Act::Page {
                path, attention, ..
            } => {
                json.text("path", path);
                json.number("dwell_ms", attention.dwell_ms);
                json.hundredths("scroll_depth", attention.depth_percent);
            }
            Act::Search {
                category,
                results,
                dwell_ms,
            } => {
                json.text("query", self.shop.category(*category));
                json.number("result_count", *results);
                json.number("dwell_ms", *dwell_ms);
            }
            Act::List {
                category,
                products,
                dwell_ms,
            } => {
                json.text("category", self.shop.category(*category));
                json.number("dwell_ms", *dwell_ms);
                json.list("products", |json| {
                    for (position, product) in (1..).zip(products) {
                        json.object(|json| self.product(*product, at, Some(position), json));
                    }
                });
            }
            Act::Filter { category, by } => self.narrow(*category, *by, json),
            Act::Click { product, position } => {
                json.text(
                    "list_id",
                    self.shop.category(self.shop.product(*product).category),
                );
                self.product(*product, at, Some(*position), json);
            }
            Act::View {
                product,
                attention,
                examined,
            } => {
                self.product(*product, at, None, json);
                json.number("dwell_ms", attention.dwell_ms);
                json.hundredths("scroll_depth", attention.depth_percent);
                json.list("attributes", |json| {
                    for attribute in ATTRIBUTES.iter().take(*examined) {
                        json.item(attribute);
                    }
                });
            }
            Act::Wish(product) | Act::Unwish(product) => self.product(*product, at, None, json),
            Act::Add { line, .. } | Act::Remove(line) => self.line(*line, at, json),
            Act::LookAtCart(lines) => self.lines(lines, at, json),
            Act::Coupon { result, lines } => coupon(*result, lines, json),
            Act::StartCheckout(order) => self.order(order, at, json),
            Act::Buy(order) => {
                let id = self.names.order(action.identity.shopper, action.visit);
                json.text("order_id", &id);
                self.order(order, at, json);
            }
            Act::Refund { visit, lines } => {
                json.text(
                    "order_id",
                    &self.names.order(action.identity.shopper, *visit),
                );
                json.hundredths("revenue", total_cents(lines));
                json.text("currency", CURRENCY);
                self.lines(lines, at, json);
            }
            Act::Step(step) => json.number("step", i64::from(*step)),
            Act::EnterPayment => json.text("payment_method", "invoice"),
            Act::Content {
                kind, content_id, ..
            } => {
                json.text("promotion_id", content_id);
                json.text("creative", content_kind(*kind));
            }
            Act::Review { product, rating } => {
                json.text("product_id", &self.shop.product(*product).product_id);
                json.number("rating", *rating);
            }
            Act::SignIn => {}
        }
    }

    fn narrow(&self, category: usize, by: Narrowing, json: &mut Json<'_>) {
        json.text("category", self.shop.category(category));
        let (member, kind, value) = match by {
            Narrowing::Price => ("sorts", "price", "rising"),
            Narrowing::Reduced => ("filters", "price", "reduced"),
            Narrowing::Brand(brand) => ("filters", "brand", brand),
        };
        json.list(member, |json| {
            json.object(|json| {
                json.text("type", kind);
                json.text("value", value);
            });
        });
    }

    fn product(&self, product: u32, at: EpochMs, position: Option<u32>, json: &mut Json<'_>) {
        self.describe(product, json);
        let price = self.shop.price(product, at);
        json.hundredths("price", price.cents);
        if let Some(list_cents) = price.list_cents {
            json.hundredths("list_price", list_cents);
        }
        if let Some(position) = position {
            json.number("position", i64::from(position));
        }
    }

    fn describe(&self, product: u32, json: &mut Json<'_>) {
        let product = self.shop.product(product);
        json.text("product_id", &product.product_id);
        json.text("name", &product.name);
        json.text("brand", product.brand);
        json.text("category", self.shop.category(product.category));
        json.text("currency", CURRENCY);
    }

    fn line(&self, line: Line, at: EpochMs, json: &mut Json<'_>) {
        self.describe(line.product, json);
        json.hundredths("price", line.cents);
        let price = self.shop.price(line.product, at);
        if let Some(list_cents) = price.list_cents.filter(|_| price.cents == line.cents) {
            json.hundredths("list_price", list_cents);
        }
        json.number("quantity", i64::from(line.quantity));
    }

    fn lines(&self, lines: &[Line], at: EpochMs, json: &mut Json<'_>) {
        json.list("products", |json| {
            for line in lines {
                json.object(|json| self.line(*line, at, json));
            }
        });
    }

    fn order(&self, order: &Order, at: EpochMs, json: &mut Json<'_>) {
        json.hundredths("revenue", order.revenue_cents());
        if order.percent_off > 0 {
            json.hundredths("discount", order.discount_cents());
        }
        json.text("currency", CURRENCY);
        self.lines(&order.lines, at, json);
    }
}

fn coupon(result: CouponResult, lines: &[Line], json: &mut Json<'_>) {
    json.text("coupon_id", coupon_id(result));
    match result {
        CouponResult::Applied(percent) => {
            json.hundredths("discount", total_cents(lines) * i64::from(percent) / 100);
            json.text("currency", CURRENCY);
        }
        CouponResult::Denied => json.text("reason", "for new customers only"),
    }
}

/// What the specification calls it. It has no name for content that is closed: that is a custom event.
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
        Act::Step(_) => "Checkout Step Completed",
        Act::EnterPayment => "Payment Info Entered",
        Act::Buy(_) => "Order Completed",
        Act::Refund { .. } => "Order Refunded",
        Act::Content {
            interaction: Interaction::Impression,
            ..
        } => "Promotion Viewed",
        Act::Content {
            interaction: Interaction::Click,
            ..
        } => "Promotion Clicked",
        Act::Content { .. } => "Promotion Dismissed",
        Act::Review { .. } => "Product Reviewed",
        Act::Page { .. } | Act::SignIn => "",
    }
}
