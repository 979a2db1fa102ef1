//! Baskets and coupons as actions.

use std::fmt::Write as _;

use foretide_events::EpochMs;

use super::{
    super::{ids::RowIds, row::Row},
    journal::{Basket, Goods, Journal, Line},
    redemptions::{Happening, Named, Redemption, Redemptions},
};

/// Writes what happened as events.
pub(super) struct Written<'a> {
    goods: &'a Goods,
    journal: &'a Journal,
    redemptions: &'a Redemptions,
    named: &'a Named,
    ids: RowIds,
}

/// A coupon that was applied.
struct Applied<'a> {
    at: EpochMs,
    household: i64,
    order: Option<i64>,
    redemption: Option<&'a Redemption>,
    /// What it took off, in cents; 0 where that is not known.
    discount: i32,
}

impl<'a> Written<'a> {
    pub(super) fn new(
        goods: &'a Goods,
        journal: &'a Journal,
        redemptions: &'a Redemptions,
        named: &'a Named,
    ) -> Self {
        Self {
            goods,
            journal,
            redemptions,
            named,
            ids: RowIds::new("completejourney"),
        }
    }

    /// The events of `happening`: of a basket first its coupons, then the purchase.
    pub(super) fn rows(&mut self, happening: Happening) -> Vec<Row> {
        match happening {
            Happening::Paid(place) => self.basket(place),
            Happening::Redeemed(number) => {
                let redemption = &self.redemptions.all[number as usize];
                let applied = Applied {
                    at: redemption.noon(),
                    household: redemption.household,
                    order: None,
                    redemption: Some(redemption),
                    discount: 0,
                };
                vec![self.redeemed(redemption, &applied)]
            }
        }
    }

    fn basket(&mut self, place: usize) -> Vec<Row> {
        let basket = &self.journal.baskets[place];
        let applied = |redemption, discount| Applied {
            at: basket.at,
            household: basket.household,
            order: Some(basket.id),
            redemption,
            discount,
        };
        let mut rows = Vec::new();
        for (at, line) in basket.lines.clone().zip(self.journal.lines(basket)) {
            if line.coupon == 0 {
                continue;
            }
            let number = self.named.lines.get(&at);
            let redemption = number.map(|&number| &self.redemptions.all[number as usize]);
            let (household, product) = (basket.household, self.goods.get(line.good).product_id);
            let key = format!("coupon,{household},{},{product}", basket.id);
            let id = self.ids.next(key.as_bytes());
            rows.push(coupon(&id, basket.row, &applied(redemption, line.coupon)));
        }
        for &number in self.named.baskets.get(&place).into_iter().flatten() {
            let redemption = &self.redemptions.all[number as usize];
            rows.push(self.redeemed(redemption, &applied(Some(redemption), 0)));
        }
        let key = format!("purchase,{},{}", basket.household, basket.id);
        let id = self.ids.next(key.as_bytes());
        rows.push(self.purchase(&id, basket));
        rows
    }

    /// A redemption that is an event of its own.
    fn redeemed(&mut self, redemption: &Redemption, applied: &Applied<'_>) -> Row {
        let Redemption {
            household,
            coupon: upc,
            campaign,
            day,
            row,
        } = redemption;
        let key = format!("redemption,{household},{upc},{campaign},{day}");
        coupon(&self.ids.next(key.as_bytes()), *row, applied)
    }

    fn purchase(&self, id: &str, basket: &Basket) -> Row {
        let lines = self.journal.lines(basket);
        let sum = |of: fn(&Line) -> i64| lines.iter().map(of).sum::<i64>();
        let revenue = sum(|line| i64::from(line.sales));
        let discount =
            sum(|line| i64::from(line.retail) + i64::from(line.coupon) + i64::from(line.matched));
        let mut item = head("purchase", id, basket.at, basket.household);
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            item,
            ",\"order_id\":\"{}\",\"affiliation\":\"store {}\",\"revenue\":{}",
            basket.id,
            basket.store,
            dollars(revenue)
        );
        if discount > 0 {
            let _ = write!(item, ",\"discount\":{}", dollars(discount));
        }
        item.push_str(",\"products\":[");
        for (number, line) in lines.iter().enumerate() {
            if number > 0 {
                item.push(',');
            }
            self.product(line, &mut item);
        }
        item.push_str("]}");
        Row::written(&basket.household.to_string(), item, basket.row)
    }

    fn product(&self, line: &Line, item: &mut String) {
        let good = self.goods.get(line.good);
        item.push('{');
        item.push_str(&good.members);
        let pieces = if good.is_measured { 1 } else { line.quantity };
        if pieces > 0 {
            let each = |cents: i64| (2 * cents + i64::from(pieces)) / (2 * i64::from(pieces));
            let asked = i64::from(line.sales) + i64::from(line.matched);
            let (price, before) = (each(asked), each(asked + i64::from(line.retail)));
            let _ = write!(item, ",\"price\":{}", dollars(price));
            if before > price {
                let _ = write!(item, ",\"list_price\":{}", dollars(before));
            }
        }
        if pieces != 1 {
            let _ = write!(item, ",\"quantity\":{pieces}");
        }
        item.push('}');
    }
}

fn coupon(id: &str, row: u64, applied: &Applied<'_>) -> Row {
    let mut item = head("coupon_attempt", id, applied.at, applied.household);
    item.push_str(",\"outcome\":\"applied\"");
    if let Some(redemption) = applied.redemption {
        let _ = write!(
            item,
            ",\"coupon_id\":\"{}\",\"coupon_name\":\"campaign {}\"",
            redemption.coupon, redemption.campaign
        );
    }
    if let Some(order) = applied.order {
        let _ = write!(item, ",\"order_id\":\"{order}\"");
    }
    if applied.discount > 0 {
        let _ = write!(item, ",\"discount\":{}", dollars(applied.discount.into()));
    }
    item.push('}');
    Row::written(&applied.household.to_string(), item, row)
}

/// What every event begins with.
fn head(kind: &str, id: &str, at: EpochMs, household: i64) -> String {
    format!(
        "{{\"type\":\"{kind}\",\"id\":\"{id}\",\"at\":\"{at}\",\"shopper\":{{\"user_id\":\"{household}\"}}"
    )
}

fn dollars(cents: i64) -> String {
    format!("{{\"minor_units\":{cents},\"currency\":\"USD\"}}")
}
