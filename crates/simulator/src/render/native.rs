//! Actions as `POST /v1/actions` takes them.

use foretide_events::EpochMs;

use super::{ATTRIBUTES, json::Json, names::Names};
use crate::{
    Act, Action, ContentKind, CouponResult, Interaction, Line, Narrowing, Order, Settings, Shop,
    act::total_cents, shop::CURRENCY, shopper::Shopper,
};

pub(super) struct Native<'a> {
    pub(super) shop: &'a Shop,
    pub(super) names: &'a Names,
    pub(super) settings: &'a Settings,
}

impl Native<'_> {
    pub(super) fn write(&self, action: &Action, at: EpochMs, json: &mut Json<'_>) {
        let Action {
            identity,
            visit,
            number,
            ..
        } = *action;
        json.object(|json| {
            self.act(action, json);
            json.text("id", &self.names.event(identity.shopper, visit, number));
            json.text("at", &at.to_string());
            json.inner("shopper", |json| {
                if identity.user {
                    json.text("user_id", &self.names.user(identity.shopper));
                }
                if let Some(device) = identity.device {
                    json.text("anonymous_id", &self.names.device(identity.shopper, device));
                }
            });
            json.text("session", &self.names.session(identity.shopper, visit));
        });
    }

    #[expect(clippy::too_many_lines, reason = "a table: one arm for each act")]
    fn act(&self, action: &Action, json: &mut Json<'_>) {
        let at = action.at;
        json.text("type", kind(&action.act));
        match &action.act {
            Act::Page {
                path,
                name,
                attention,
            } => {
                json.text("path", path);
                json.text("name", name);
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
                        self.product(*product, at, Some(position), json);
                    }
                });
            }
            Act::Filter { category, by } => self.narrow(*category, *by, json),
            Act::Click { product, position } => {
                json.text(
                    "list_id",
                    self.shop.category(self.shop.product(*product).category),
                );
                self.named_product(*product, at, Some(*position), json);
            }
            Act::View {
                product,
                attention,
                examined,
            } => {
                self.named_product(*product, at, None, json);
                json.number("dwell_ms", attention.dwell_ms);
                json.hundredths("scroll_depth", attention.depth_percent);
                json.list("attributes", |json| {
                    for attribute in ATTRIBUTES.iter().take(*examined) {
                        json.item(attribute);
                    }
                });
            }
            Act::Wish(product) | Act::Unwish(product) => {
                self.named_product(*product, at, None, json);
            }
            Act::Add {
                line,
                from_wishlist,
            } => {
                json.value("product", |json| self.line(*line, at, json));
                if *from_wishlist {
                    json.truth("from_wishlist", true);
                }
            }
            Act::Remove(line) => json.value("product", |json| self.line(*line, at, json)),
            Act::LookAtCart(lines) => self.lines(lines, at, json),
            Act::Coupon { result, lines } => coupon(*result, lines, json),
            Act::StartCheckout(order) => self.order(order, None, at, json),
            Act::Buy(order) => {
                let id = self.names.order(action.identity.shopper, action.visit);
                self.order(order, Some(&id), at, json);
            }
            Act::Refund { visit, lines } => {
                json.text(
                    "order_id",
                    &self.names.order(action.identity.shopper, *visit),
                );
                money("revenue", total_cents(lines), json);
                self.lines(lines, at, json);
            }
            Act::Step(step) => {
                json.number("step", i64::from(*step));
                json.text("progress", "completed");
            }
            Act::EnterPayment => json.text("payment_method", "invoice"),
            Act::SignIn => {
                let shopper = Shopper::of(self.settings, action.identity.shopper);
                json.text("country", shopper.country());
                json.text("language", shopper.language());
                json.text("time_zone", shopper.time_zone());
            }
            Act::Content {
                kind,
                interaction,
                content_id,
            } => {
                json.text("content_id", content_id);
                json.text("kind", content_kind(*kind));
                json.text("interaction", interaction_name(*interaction));
            }
            Act::Review { product, rating } => {
                json.text("product_id", &self.shop.product(*product).product_id);
                json.number("rating", *rating);
            }
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
                json.text("kind", kind);
                json.text("value", value);
            });
        });
    }

    fn named_product(&self, product: u32, at: EpochMs, position: Option<u32>, json: &mut Json<'_>) {
        json.value("product", |json| self.product(product, at, position, json));
    }

    fn product(&self, product: u32, at: EpochMs, position: Option<u32>, json: &mut Json<'_>) {
        json.object(|json| {
            self.describe(product, json);
            let price = self.shop.price(product, at);
            money("price", price.cents, json);
            if let Some(list_cents) = price.list_cents {
                money("list_price", list_cents, json);
            }
            if let Some(position) = position {
                json.number("position", i64::from(position));
            }
        });
    }

    fn describe(&self, product: u32, json: &mut Json<'_>) {
        let product = self.shop.product(product);
        json.text("product_id", &product.product_id);
        json.text("name", &product.name);
        json.text("brand", product.brand);
        json.text("category", self.shop.category(product.category));
    }

    fn line(&self, line: Line, at: EpochMs, json: &mut Json<'_>) {
        json.object(|json| {
            self.describe(line.product, json);
            money("price", line.cents, json);
            let price = self.shop.price(line.product, at);
            if let Some(list_cents) = price.list_cents.filter(|_| price.cents == line.cents) {
                money("list_price", list_cents, json);
            }
            json.number("quantity", i64::from(line.quantity));
        });
    }

    fn lines(&self, lines: &[Line], at: EpochMs, json: &mut Json<'_>) {
        json.list("products", |json| {
            for line in lines {
                self.line(*line, at, json);
            }
        });
    }

    fn order(&self, order: &Order, id: Option<&str>, at: EpochMs, json: &mut Json<'_>) {
        if let Some(id) = id {
            json.text("order_id", id);
        }
        money("revenue", order.revenue_cents(), json);
        if order.percent_off > 0 {
            money("discount", order.discount_cents(), json);
        }
        self.lines(&order.lines, at, json);
    }
}

fn money(name: &str, cents: i64, json: &mut Json<'_>) {
    json.inner(name, |json| {
        json.number("minor_units", cents);
        json.text("currency", CURRENCY);
    });
}

/// The name of a coupon by what it takes off.
pub(super) fn coupon_id(result: CouponResult) -> &'static str {
    match result {
        CouponResult::Applied(percent) if percent >= 10 => "SEASON10",
        CouponResult::Applied(_) => "SEASON5",
        CouponResult::Denied => "WELCOME10",
    }
}

fn coupon(result: CouponResult, lines: &[Line], json: &mut Json<'_>) {
    json.text("coupon_id", coupon_id(result));
    match result {
        CouponResult::Applied(percent) => {
            json.text("outcome", "applied");
            money(
                "discount",
                total_cents(lines) * i64::from(percent) / 100,
                json,
            );
        }
        CouponResult::Denied => {
            json.text("outcome", "denied");
            json.text("reason", "for new customers only");
        }
    }
}

pub(super) fn content_kind(kind: ContentKind) -> &'static str {
    match kind {
        ContentKind::Recommendation => "recommendation",
        ContentKind::Banner => "banner",
        ContentKind::Offer => "offer",
        ContentKind::Assistance => "assistance",
    }
}

fn interaction_name(interaction: Interaction) -> &'static str {
    match interaction {
        Interaction::Impression => "impression",
        Interaction::Click => "click",
        Interaction::Dismiss => "dismiss",
    }
}

fn kind(act: &Act) -> &'static str {
    match act {
        Act::Page { .. } => "page_view",
        Act::Search { .. } => "search",
        Act::List { .. } => "product_list_view",
        Act::Filter { .. } => "product_list_filter",
        Act::Click { .. } => "product_click",
        Act::View { .. } => "product_view",
        Act::Wish(_) => "wishlist_add",
        Act::Unwish(_) => "wishlist_remove",
        Act::Add { .. } => "cart_add",
        Act::Remove(_) => "cart_remove",
        Act::LookAtCart(_) => "cart_view",
        Act::Coupon { .. } => "coupon_attempt",
        Act::StartCheckout(_) => "checkout_start",
        Act::Step(_) => "checkout_step",
        Act::EnterPayment => "payment_info",
        Act::Buy(_) => "purchase",
        Act::Refund { .. } => "refund",
        Act::SignIn => "identify",
        Act::Content { .. } => "content_interaction",
        Act::Review { .. } => "review",
    }
}
