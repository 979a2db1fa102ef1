//! What is told of each kind of action.

use super::{Format, Writer, json::Json};
use crate::{
    Act, Action, Attention, ContentKind, Interaction, Narrowing, Page, Query, act::total_cents,
    shopper::Shopper,
};

/// The attributes a product's page offers to be examined.
const ATTRIBUTES: [&str; 4] = ["reviews", "size-chart", "materials", "delivery"];

impl Writer<'_> {
    /// The members that say what was done.
    #[expect(clippy::too_many_lines, reason = "a table: one arm for each act")]
    pub(super) fn fields(self, action: &Action, json: &mut Json<'_>) {
        let at = action.at;
        let native = self.format == Format::Native;
        match &action.act {
            Act::Page {
                page,
                referrer,
                attention,
            } => {
                self.page(*page, json);
                if let Some(referrer) = referrer {
                    json.text("referrer", referrer);
                }
                attend(*attention, json);
            }
            Act::Search {
                query,
                results,
                dwell_ms,
            } => {
                self.query(*query, json);
                json.number("result_count", *results);
                json.number("dwell_ms", *dwell_ms);
            }
            Act::List {
                category,
                products,
                dwell_ms,
            } => {
                self.list(*category, json);
                json.number("dwell_ms", *dwell_ms);
                self.listed(products, at, json);
            }
            Act::Filter { category, by } => {
                self.list(*category, json);
                self.narrow(*by, json);
            }
            Act::Click { product, position } => {
                let category = self.shop.product(*product).category;
                json.text("list_id", self.shop.category(category));
                self.about(*product, at, Some(*position), json);
            }
            Act::View {
                product,
                attention,
                examined,
            } => {
                self.about(*product, at, None, json);
                attend(*attention, json);
                json.list("attributes", |json| {
                    for attribute in ATTRIBUTES.iter().take(*examined) {
                        json.item(attribute);
                    }
                });
            }
            Act::Wish(product) | Act::Unwish(product) => self.about(*product, at, None, json),
            Act::Share(product) => {
                self.about(*product, at, None, json);
                json.text(if native { "via" } else { "share_via" }, "link");
            }
            Act::Add {
                line,
                from_wishlist,
            } => {
                self.about_line(*line, at, json);
                if native && *from_wishlist {
                    json.truth("from_wishlist", true);
                }
            }
            Act::Remove(line) => self.about_line(*line, at, json),
            Act::LookAtCart(lines) => self.lines(lines, at, json),
            Act::Coupon { result, lines } => self.coupon(*result, lines, json),
            Act::StartCheckout(order) => self.order(order, None, at, json),
            Act::Buy(order) | Act::Cancel { order, .. } => {
                self.order(order, Some(&self.order_id(action)), at, json);
            }
            Act::Refund { lines, .. } => {
                json.text("order_id", &self.order_id(action));
                self.money("revenue", total_cents(lines), json);
                self.lines(lines, at, json);
            }
            Act::BuyInStore { cents } => {
                if native {
                    json.text("kind", "store_purchase");
                }
                self.money("value", *cents, json);
            }
            Act::Step { step, completed } => {
                json.number("step", i64::from(*step));
                if native {
                    json.text("progress", if *completed { "completed" } else { "viewed" });
                }
                if *step == 2 && *completed {
                    json.text("shipping_method", "parcel");
                }
            }
            Act::EnterPayment => {
                json.number("step", 3);
                json.text("payment_method", "invoice");
            }
            Act::SignIn => {
                let shopper = Shopper::of(self.settings, action.identity.shopper);
                json.text("country", shopper.country());
                json.text("language", shopper.language());
                let name = if native { "time_zone" } else { "timezone" };
                json.text(name, shopper.time_zone());
            }
            Act::Content {
                kind,
                interaction,
                content_id,
                product,
            } => {
                let name = if native { "content_id" } else { "promotion_id" };
                json.foreign(name, content_id);
                if native {
                    json.text("kind", content_kind(*kind));
                    json.text("interaction", interaction_name(*interaction));
                } else {
                    json.text("creative", content_kind(*kind));
                }
                if let Some(product) = product {
                    json.text("product_id", &self.shop.product(*product).product_id);
                }
            }
            Act::Review { product, rating } => {
                json.text("product_id", &self.shop.product(*product).product_id);
                json.number("rating", *rating);
            }
        }
    }

    /// The id of the order that `action` is about: that of its visit.
    fn order_id(self, action: &Action) -> String {
        self.names.order(action.identity.shopper, action.visit)
    }

    fn page(self, page: Page, json: &mut Json<'_>) {
        let (path, name) = page.path_and_name();
        if let Page::Guide(category) = page {
            let category = self.shop.category(category);
            json.made("path", |to| {
                to.extend_from_slice(path.as_bytes());
                to.push(b'/');
                to.extend_from_slice(category.as_bytes());
            });
            json.text("category", category);
        } else {
            json.text("path", path);
        }
        // A call of Segment says the name of its page beside its properties.
        if self.format == Format::Native {
            json.text("name", name);
        }
    }

    fn query(self, query: Query, json: &mut Json<'_>) {
        let category = self.shop.category(query.category);
        json.made("query", |to| {
            if let Some(brand) = query.brand {
                to.extend_from_slice(brand.as_bytes());
                to.push(b' ');
            }
            to.extend_from_slice(category.as_bytes());
        });
        if query.reduced {
            self.narrow(Narrowing::Reduced, json);
        }
    }

    fn list(self, category: usize, json: &mut Json<'_>) {
        let category = self.shop.category(category);
        json.text("list_id", category);
        json.text("category", category);
    }

    fn narrow(self, by: Narrowing, json: &mut Json<'_>) {
        let up_to;
        let (member, what, value) = match by {
            Narrowing::Price => ("sorts", "price", "rising"),
            Narrowing::UpTo(euros) => {
                up_to = format!("0-{euros}");
                ("filters", "price", up_to.as_str())
            }
            Narrowing::Reduced => ("filters", "price", "reduced"),
            Narrowing::Brand(brand) => ("filters", "brand", brand),
        };
        let kind = match self.format {
            Format::Native => "kind",
            Format::Segment => "type",
        };
        json.list(member, |json| {
            json.object(|json| {
                json.text(kind, what);
                json.text("value", value);
            });
        });
    }
}

fn attend(attention: Attention, json: &mut Json<'_>) {
    json.number("dwell_ms", attention.dwell_ms);
    json.hundredths("scroll_depth", attention.depth_percent);
}

fn content_kind(kind: ContentKind) -> &'static str {
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
