//! The visit: actions with no gap of half an hour between them.

use foretide_events::EpochMs;

use crate::{
    DecodeError, Deed, FoldRules,
    codec::{Reader, Writer},
    observation::Scroll,
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
    coupons_applied: u32,
    repeat_views: u32,
    followed_searches: u32,
    /// Pages that told how far down they were read.
    scrolled: u32,
    /// Sum and greatest of those depths, in units of 10⁻¹².
    scroll_sum: u64,
    scroll_max: u64,
    /// Whether a search waits for the first look at a product.
    search_open: bool,
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

    /// Coupons that were applied or denied.
    pub fn coupon_attempts(&self) -> u32 {
        self.coupons_applied.saturating_add(self.coupon_denials)
    }

    /// Product views of products looked at before in this session.
    pub fn repeat_views(&self) -> u32 {
        self.repeat_views
    }

    /// Searches that a look at a product followed, before the next search.
    pub fn followed_searches(&self) -> u32 {
        self.followed_searches
    }

    /// How far down pages were read on average, 0 to 1, of those that tell.
    pub fn scroll(&self) -> Option<f64> {
        let pages = f64::from(self.scrolled);
        (self.scrolled > 0).then(|| fraction(self.scroll_sum as f64 / pages))
    }

    /// How far down the page was read that was read furthest, 0 to 1.
    pub fn scroll_max(&self) -> Option<f64> {
        (self.scrolled > 0).then(|| fraction(self.scroll_max as f64))
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

    /// How long it lasted, from its first action to its latest, in milliseconds.
    pub(crate) fn lasted_ms(&self) -> i64 {
        self.last.since(self.start)
    }

    /// Begins a new one at `at`.
    pub(crate) fn begin(&mut self, at: EpochMs) {
        *self = Self {
            start: at,
            last: at,
            ..Self::default()
        };
    }

    /// Folds an action at `at`; true if it is the first look at a product after a search.
    pub(crate) fn fold(&mut self, at: EpochMs, deed: &Deed, rules: &FoldRules) -> bool {
        self.last = at;
        bump(&mut self.actions);
        match deed {
            Deed::PageView { dwell_ms, scroll } => {
                self.page(*dwell_ms, rules);
                self.scroll_to(*scroll);
            }
            Deed::ProductListView { dwell_ms } => self.page(*dwell_ms, rules),
            Deed::Search { dwell_ms, .. } => {
                self.page(*dwell_ms, rules);
                bump(&mut self.searches);
                self.search_open = true;
            }
            Deed::ProductView(view) => {
                self.page(view.dwell_ms, rules);
                self.scroll_to(view.scroll);
                bump(&mut self.product_views);
                return self.follow();
            }
            Deed::ProductClick => return self.follow(),
            Deed::CartAdd(_) => bump(&mut self.cart_adds),
            Deed::CartRemove(_) => bump(&mut self.cart_removes),
            Deed::CouponApplied => bump(&mut self.coupons_applied),
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
        false
    }

    fn follow(&mut self) -> bool {
        let followed = std::mem::take(&mut self.search_open);
        if followed {
            bump(&mut self.followed_searches);
        }
        followed
    }

    fn scroll_to(&mut self, scroll: Scroll) {
        if let Some(units) = scroll.units() {
            bump(&mut self.scrolled);
            self.scroll_sum = self.scroll_sum.saturating_add(units);
            self.scroll_max = self.scroll_max.max(units);
        }
    }

    /// Counts a view of a product that was looked at before in this session.
    pub(crate) fn count_repeat(&mut self) {
        bump(&mut self.repeat_views);
    }

    /// Of two sessions the one that began later; of two that began together the longer.
    pub(crate) fn is_before(&self, other: &Self) -> bool {
        (self.start, self.last) < (other.start, other.last)
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
    fn counters(&mut self) -> [&mut u32; COUNTERS] {
        [
            &mut self.pages,
            &mut self.product_views,
            &mut self.searches,
            &mut self.cart_adds,
            &mut self.cart_removes,
            &mut self.coupon_denials,
            &mut self.purchases,
            &mut self.coupons_applied,
            &mut self.repeat_views,
            &mut self.followed_searches,
            &mut self.scrolled,
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
        present |= u64::from(self.search_open) << SEARCH_BIT;
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
        if self.scrolled > 0 {
            writer.units(self.scroll_sum);
            writer.units(self.scroll_max);
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
        if present >> (SEARCH_BIT + 1) != 0 {
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
        if session.scrolled > 0 {
            session.scroll_sum = reader.units()?;
            session.scroll_max = reader.units()?;
        }
        session.payment_entered = present >> PAYMENT_BIT & 1 == 1;
        session.search_open = present >> SEARCH_BIT & 1 == 1;
        Ok(session)
    }
}

/// Counters besides that of actions, and the bits after theirs.
const COUNTERS: usize = 11;
const CHECKOUT_BIT: u32 = 11;
const PAYMENT_BIT: u32 = 12;
const SEARCH_BIT: u32 = 13;

/// Units of 10⁻¹² as a fraction of a page.
fn fraction(units: f64) -> f64 {
    (units / Scroll::WHOLE as f64).min(1.0)
}

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

    fn page(dwell_ms: u32) -> Deed {
        let scroll = Scroll::default();
        Deed::PageView { dwell_ms, scroll }
    }

    #[test]
    fn it_is_open_for_half_an_hour_after_its_latest_action() {
        let rules = FoldRules::default();
        let mut session = Session::default();
        assert!(!session.is_open(at(0), &rules));
        session.begin(at(0));
        session.fold(at(0), &Deed::Custom, &rules);
        session.fold(at(30), &Deed::Custom, &rules);
        assert_eq!((session.start(), session.actions()), (at(0), 2));
        assert!(session.is_open(at(60), &rules));
        assert!(!session.is_open(at(61), &rules));
        session.begin(at(61));
        assert_eq!((session.start(), session.actions()), (at(61), 0));
    }

    #[test]
    fn depth_and_dwell_count_pages_each_up_to_the_cap() {
        let rules = FoldRules::default();
        let mut session = Session::default();
        session.fold(at(0), &page(20_000), &rules);
        session.fold(at(1), &page(u32::MAX), &rules);
        session.fold(at(2), &Deed::Share, &rules);
        assert_eq!(
            (session.pages(), session.dwell_ms()),
            (2, 20_000 + u64::from(rules.dwell_cap_ms))
        );
    }

    #[test]
    fn a_search_is_followed_once_by_the_first_look_at_a_product() {
        let rules = FoldRules::default();
        let search = Deed::Search {
            dwell_ms: 0,
            by_price: false,
        };
        let deeds = [
            Deed::ProductClick,
            search.clone(),
            search,
            page(0),
            Deed::ProductClick,
            Deed::ProductClick,
        ];
        let mut session = Session::default();
        let followed = deeds.map(|deed| session.fold(at(0), &deed, &rules));
        assert_eq!(followed, [false, false, false, false, true, false]);
        assert_eq!((session.searches(), session.followed_searches()), (2, 1));
    }

    #[test]
    fn scroll_is_that_of_pages_that_tell() {
        let rules = FoldRules::default();
        let mut session = Session::default();
        assert_eq!(session.scroll(), None);
        for units in [0, 1, Scroll::WHOLE / 4 + 1, Scroll::WHOLE + 1] {
            let (dwell_ms, scroll) = (0, Scroll(units));
            session.fold(at(0), &Deed::PageView { dwell_ms, scroll }, &rules);
        }
        assert!((session.scroll().unwrap() - 1.25 / 3.0).abs() < 1e-12);
        assert_eq!(session.scroll_max(), Some(1.0));
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
            lines: Vec::new(),
        };
        session.fold(at(3), &Deed::Purchase(Box::new(bought)), &rules);
        assert_eq!(
            (session.checkout_step(), session.payment_entered()),
            (0, false)
        );
    }
}
