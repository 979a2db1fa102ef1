//! Products and amounts: an object of a product and whole minor units in one format, members beside the others and
//! decimals in the other.

use foretide_events::EpochMs;

use super::{Format, Writer, json::Json};
use crate::{CouponResult, Line, Order, act::total_cents, shop::CURRENCY};

impl Writer<'_> {
    /// An amount. Segment's currency stands once beside all amounts: see [`currency`](Self::currency).
    pub(super) fn money(self, name: &str, cents: i64, json: &mut Json<'_>) {
        match self.format {
            Format::Native => json.inner(name, |json| {
                json.number("minor_units", cents);
                json.text("currency", CURRENCY);
            }),
            Format::Segment => json.hundredths(name, cents),
        }
    }

    /// The currency of the amounts beside it, where they do not say it themselves.
    fn currency(self, json: &mut Json<'_>) {
        if self.format == Format::Segment {
            json.text("currency", CURRENCY);
        }
    }

    /// The product that the action is about.
    pub(super) fn about(
        self,
        product: u32,
        at: EpochMs,
        position: Option<u32>,
        json: &mut Json<'_>,
    ) {
        self.named("product", json, |json| {
            self.product(product, at, position, json);
        });
    }

    /// The line that the action is about.
    pub(super) fn about_line(self, line: Line, at: EpochMs, json: &mut Json<'_>) {
        self.named("product", json, |json| self.line(line, at, json));
    }

    fn named(self, name: &str, json: &mut Json<'_>, fill: impl FnOnce(&mut Json<'_>)) {
        match self.format {
            Format::Native => json.inner(name, fill),
            Format::Segment => fill(json),
        }
    }

    /// The products of a list, in the order they stand in it.
    pub(super) fn listed(self, products: &[u32], at: EpochMs, json: &mut Json<'_>) {
        json.list("products", |json| {
            for (position, &product) in (1..).zip(products) {
                json.object(|json| self.product(product, at, Some(position), json));
            }
        });
    }

    pub(super) fn lines(self, lines: &[Line], at: EpochMs, json: &mut Json<'_>) {
        json.list("products", |json| {
            for &line in lines {
                json.object(|json| self.line(line, at, json));
            }
        });
    }

    pub(super) fn order(
        self,
        order: &Order,
        order_id: Option<&str>,
        at: EpochMs,
        json: &mut Json<'_>,
    ) {
        if let Some(id) = order_id {
            json.text("order_id", id);
        }
        self.money("revenue", order.revenue_cents(), json);
        if order.percent_off > 0 {
            self.money("discount", order.discount_cents(), json);
        }
        self.currency(json);
        self.lines(&order.lines, at, json);
    }

    pub(super) fn coupon(self, result: CouponResult, lines: &[Line], json: &mut Json<'_>) {
        let (id, outcome) = match result {
            CouponResult::Applied(percent) if percent >= 10 => ("SEASON10", "applied"),
            CouponResult::Applied(_) => ("SEASON5", "applied"),
            CouponResult::Denied => ("WELCOME10", "denied"),
        };
        json.text("coupon_id", id);
        if self.format == Format::Native {
            json.text("outcome", outcome);
        }
        match result {
            CouponResult::Applied(percent) => {
                let off = total_cents(lines) * i64::from(percent) / 100;
                self.money("discount", off, json);
                self.currency(json);
            }
            CouponResult::Denied => json.text("reason", "for new customers only"),
        }
    }

    fn product(self, product: u32, at: EpochMs, position: Option<u32>, json: &mut Json<'_>) {
        self.describe(product, json);
        let price = self.shop.price(product, at);
        self.money("price", price.cents, json);
        if let Some(list_cents) = price.list_cents {
            self.money("list_price", list_cents, json);
        }
        if let Some(position) = position {
            json.number("position", i64::from(position));
        }
    }

    fn line(self, line: Line, at: EpochMs, json: &mut Json<'_>) {
        self.describe(line.product, json);
        self.money("price", line.cents, json);
        let price = self.shop.price(line.product, at);
        if let Some(list_cents) = price.list_cents.filter(|_| price.cents == line.cents) {
            self.money("list_price", list_cents, json);
        }
        json.number("quantity", i64::from(line.quantity));
    }

    fn describe(self, product: u32, json: &mut Json<'_>) {
        let product = self.shop.product(product);
        json.text("product_id", &product.product_id);
        json.text("name", &product.name);
        json.text("brand", product.brand);
        json.text("category", self.shop.category(product.category));
        self.currency(json);
    }
}
