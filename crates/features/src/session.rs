//! The visit: actions with no gap of half an hour between them.

use foretide_events::EpochMs;

use crate::{
    DecodeError, Deed, FoldRules,
    codec::{Reader, Writer},
};

/// The latest visit. A gap ends it, nothing else: the shop's own session ids change with devices, log-ins and
/// clocks, and a shop that sends none must get the same answers. It closes when it is read, not by a timer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    start: EpochMs,
    last: EpochMs,
    actions: u32,
    pages: u32,
    product_views: u32,
    searches: u32,
    cart_adds: u32,
    cart_removes: u32,
    coupon_denials: u32,
    purchases: u32,
    checkout_step: u8,
    payment_entered: bool,
    dwell_ms: u64,
}

impl Session {
    /// When its first action happened.
    pub fn start(&self) -> EpochMs {
        self.start
    }

    /// When its latest action happened.
    pub fn last(&self) -> EpochMs {
        self.last
    }

    /// Number of actions.
    pub fn actions(&self) -> u32 {
        self.actions
    }

    /// Depth: number of pages looked at (pages, lists, search results, products).
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// Number of product views.
    pub fn product_views(&self) -> u32 {
        self.product_views
    }

    /// Number of searches.
    pub fn searches(&self) -> u32 {
        self.searches
    }

    /// Times something was put into the cart.
    pub fn cart_adds(&self) -> u32 {
        self.cart_adds
    }

    /// Times something was taken out of the cart.
    pub fn cart_removes(&self) -> u32 {
        self.cart_removes
    }

    /// Number of coupons denied.
    pub fn coupon_denials(&self) -> u32 {
        self.coupon_denials
    }

    /// Number of orders completed.
    pub fn purchases(&self) -> u32 {
        self.purchases
    }

    /// Time spent on those pages, each up to the cap, in milliseconds.
    pub fn dwell_ms(&self) -> u64 {
        self.dwell_ms
    }

    /// Step of the checkout reached since the latest purchase: 0 before it began, 1 once it began, then the shop's
    /// numbers.
    pub fn checkout_step(&self) -> u8 {
        self.checkout_step
    }

    /// Whether payment details were entered since the latest purchase.
    pub fn payment_entered(&self) -> bool {
        self.payment_entered
    }

    /// Whether it is still going on at `now`.
    pub fn is_open(&self, now: EpochMs, rules: &FoldRules) -> bool {
        self.actions > 0 && now.since(self.last) <= rules.session_gap_ms
    }

    /// Folds an action at `at`; true if it began a new session.
    pub(crate) fn fold(&mut self, at: EpochMs, deed: &Deed, rules: &FoldRules) -> bool {
        let new = !self.is_open(at, rules);
        if new {
            *self = Self {
                start: at,
                ..Self::default()
            };
        }
        self.last = at;
        bump(&mut self.actions);
        match deed {
            Deed::PageView { dwell_ms } | Deed::ProductListView { dwell_ms } => {
                self.page(*dwell_ms, rules);
            }
            Deed::Search { dwell_ms } => {
                self.page(*dwell_ms, rules);
                bump(&mut self.searches);
            }
            Deed::ProductView { dwell_ms } => {
                self.page(*dwell_ms, rules);
                bump(&mut self.product_views);
            }
            Deed::CartAdd(_) => bump(&mut self.cart_adds),
            Deed::CartRemove(_) => bump(&mut self.cart_removes),
            Deed::CouponDenied => bump(&mut self.coupon_denials),
            Deed::CheckoutStart => self.checkout(1),
            Deed::CheckoutStep { step } => self.checkout(*step),
            Deed::PaymentInfo { step } => {
                self.checkout(*step);
                self.payment_entered = true;
            }
            Deed::Purchase(_) => {
                self.checkout_step = 0;
                self.payment_entered = false;
            }
            _ => {}
        }
        new
    }

    /// Counts a completed order, once.
    pub(crate) fn count_purchase(&mut self) {
        bump(&mut self.purchases);
    }

    fn page(&mut self, dwell_ms: u32, rules: &FoldRules) {
        bump(&mut self.pages);
        self.dwell_ms = self
            .dwell_ms
            .saturating_add(u64::from(dwell_ms.min(rules.dwell_cap_ms)));
    }

    fn checkout(&mut self, step: u8) {
        self.checkout_step = self.checkout_step.max(step).max(1);
    }

    /// What it counts besides actions, what most visits have first.
    fn counters(&mut self) -> [&mut u32; 7] {
        [
            &mut self.pages,
            &mut self.product_views,
            &mut self.searches,
            &mut self.cart_adds,
            &mut self.cart_removes,
            &mut self.coupon_denials,
            &mut self.purchases,
        ]
    }

    /// Writes it, its times relative to `as_of`: start, last, actions, dwell, then a bit for whatever else is not zero,
    /// and that.
    pub(crate) fn write(&self, writer: &mut Writer<'_>, as_of: EpochMs) {
        writer.time(as_of, self.last);
        writer.time(self.last, self.start);
        writer.varint(u64::from(self.actions));
        writer.varint(self.dwell_ms);
        let mut session = self.clone();
        let counters = session.counters();
        let mut present = u64::from(self.payment_entered) << PAYMENT_BIT;
        present |= u64::from(self.checkout_step > 0) << CHECKOUT_BIT;
        for (place, counter) in counters.iter().enumerate() {
            present |= u64::from(**counter > 0) << place;
        }
        writer.varint(present);
        let counters = counters.iter().filter(|counter| ***counter > 0);
        counters.for_each(|counter| writer.varint(u64::from(**counter)));
        if self.checkout_step > 0 {
            writer.varint(u64::from(self.checkout_step));
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>, as_of: EpochMs) -> Result<Self, DecodeError> {
        let last = reader.time(as_of)?;
        let mut session = Self {
            last,
            start: reader.time(last)?,
            actions: reader.number()?,
            dwell_ms: reader.varint()?,
            ..Self::default()
        };
        let present = reader.varint()?;
        if present >> (PAYMENT_BIT + 1) != 0 {
            return Err(DecodeError::Corrupt("an unknown part of a session"));
        }
        for (place, counter) in session.counters().into_iter().enumerate() {
            if present >> place & 1 == 1 {
                *counter = reader.number()?;
            }
        }
        if present >> CHECKOUT_BIT & 1 == 1 {
            session.checkout_step = reader.number()?;
        }
        session.payment_entered = present >> PAYMENT_BIT & 1 == 1;
        Ok(session)
    }
}

/// The bits after those of the seven counters.
const CHECKOUT_BIT: u32 = 7;
const PAYMENT_BIT: u32 = 8;

fn bump(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;

    fn at(minute: i64) -> EpochMs {
        EpochMs(1_700_000_000_000 + minute * MINUTE_MS)
    }

    #[test]
    fn a_gap_of_more_than_half_an_hour_begins_a_new_session() {
        let rules = FoldRules::default();
        let mut session = Session::default();
        assert!(session.fold(at(0), &Deed::Custom, &rules));
        assert!(!session.fold(at(30), &Deed::Custom, &rules));
        assert_eq!((session.start(), session.actions()), (at(0), 2));
        assert!(session.is_open(at(60), &rules));
        assert!(!session.is_open(at(61), &rules));
        assert!(session.fold(at(61), &Deed::Custom, &rules));
        assert_eq!((session.start(), session.actions()), (at(61), 1));
    }

    #[test]
    fn depth_and_dwell_count_pages_each_up_to_the_cap() {
        let rules = FoldRules::default();
        let mut session = Session::default();
        session.fold(at(0), &Deed::ProductView { dwell_ms: 20_000 }, &rules);
        session.fold(at(1), &Deed::PageView { dwell_ms: u32::MAX }, &rules);
        session.fold(at(2), &Deed::Share, &rules);
        assert_eq!(
            (session.pages(), session.dwell_ms()),
            (2, 20_000 + u64::from(rules.dwell_cap_ms))
        );
    }

    #[test]
    fn a_purchase_ends_the_checkout() {
        let rules = FoldRules::default();
        let mut session = Session::default();
        session.fold(at(0), &Deed::CheckoutStart, &rules);
        assert_eq!(session.checkout_step(), 1);
        session.fold(at(1), &Deed::CheckoutStep { step: 3 }, &rules);
        session.fold(at(2), &Deed::PaymentInfo { step: 0 }, &rules);
        assert_eq!(
            (session.checkout_step(), session.payment_entered()),
            (3, true)
        );
        let bought = crate::observation::Bought {
            order: 1,
            value: None,
        };
        session.fold(at(3), &Deed::Purchase(Box::new(bought)), &rules);
        assert_eq!(
            (session.checkout_step(), session.payment_entered()),
            (0, false)
        );
    }
}
