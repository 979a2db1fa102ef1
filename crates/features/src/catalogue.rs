//! Every feature, declared once: its name, meaning, unit, range and formula.

use std::fmt::Write as _;

use foretide_events::EpochMs;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    FeatureVector, FoldRules, HalfLife, Session, State, affinity, half_life::read,
    purchases::major_units, tally::Tally,
};

/// What a feature is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things; fractional where it decays.
    Count,
    /// Seconds.
    Seconds,
    /// Days of 24 hours.
    Days,
    /// Engagement (M2), in minutes on relevant pages or their worth.
    Engagement,
    /// An amount of the shopper's latest currency, in its main unit.
    Money,
    /// A share of a whole.
    Share,
    /// A ratio of two rates.
    Ratio,
    /// One for yes, zero for no.
    Flag,
}

impl Unit {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Seconds => "seconds",
            Self::Days => "days",
            Self::Engagement => "engagement",
            Self::Money => "money",
            Self::Share => "share",
            Self::Ratio => "ratio",
            Self::Flag => "flag",
        }
    }
}

/// One feature of the catalogue.
#[derive(Debug)]
pub struct FeatureSpec {
    /// Which it is.
    pub feature: Feature,
    /// Its stable name.
    pub name: &'static str,
    /// What it says, and when it is missing.
    pub meaning: &'static str,
    /// What it is measured in.
    pub unit: Unit,
    /// The largest value it can have, infinite where nothing bounds it. The smallest is zero.
    pub max: f64,
}

/// A state, read at an instant.
struct Reading<'a> {
    state: &'a State,
    now: EpochMs,
    session: Option<&'a Session>,
    /// What 1 in the sums of each half-life is worth now.
    worths: [f64; 4],
}

impl Reading<'_> {
    fn tally(&self, tally: Tally) -> f64 {
        read(self.state.tallies.get(tally), self.worth(tally.half_life()))
    }

    fn worth(&self, half_life: HalfLife) -> f64 {
        self.worths[half_life as usize]
    }

    /// Seconds from `then` to now, zero if that lies ahead.
    fn seconds_since(&self, then: EpochMs) -> f64 {
        self.now.since(then).max(0) as f64 / 1000.0
    }

    fn days_since(&self, then: EpochMs) -> f64 {
        self.seconds_since(then) / 86_400.0
    }

    fn in_session(&self, value: impl FnOnce(&Session) -> u32) -> Option<f64> {
        self.session.map(|session| f64::from(value(session)))
    }

    /// The rate per day behind the sum `recent`, over that behind `usual`: a decayed sum of a steady rate is
    /// rate · half-life / ln 2, so the ratio of rates is that of sums times the inverse ratio of half-lives.
    fn trend(&self, recent: Tally, usual: Tally) -> Option<f64> {
        let usual_sum = self.tally(usual);
        let scale = usual.half_life().ms() as f64 / recent.half_life().ms() as f64;
        (usual_sum > 1e-6).then(|| (self.tally(recent) / usual_sum).min(1.0) * scale)
    }
}

impl State {
    /// Every feature at `now`. Events after `now` are not left out: for a time in the past ask
    /// [`Profile::state_at`](crate::Profile::state_at) first.
    pub fn features(&self, now: EpochMs, rules: &FoldRules) -> FeatureVector {
        let reading = Reading {
            state: self,
            now,
            session: self.session(now, rules),
            worths: HalfLife::ALL.map(|half_life| half_life.worth(self.as_of, now)),
        };
        compute(&reading)
    }
}

/// Names the catalogue: 16 hexadecimal digits that change with any name, meaning, unit or range in it. A model
/// serves only under the catalogue it was trained on.
pub fn schema_id() -> String {
    let mut text = String::new();
    for FeatureSpec {
        name,
        meaning,
        unit,
        max,
        ..
    } in &CATALOGUE
    {
        let _ = writeln!(text, "{name}\t{}\t{max}\t{meaning}", unit.as_str());
    }
    format!("{:016x}", xxh3_64(text.as_bytes()))
}

/// Declares [`Feature`] and [`CATALOGUE`] from one table: variant, name, unit, largest value and formula, the meaning
/// above.
macro_rules! catalogue {
    ($($(#[doc = $meaning:literal])+ $feature:ident $name:literal $unit:ident <= $max:expr, $compute:expr;)+) => {
        /// Which feature: its place in the catalogue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Feature {
            $($(#[doc = $meaning])+ $feature,)+
        }

        impl Feature {
            /// Number of features.
            pub const COUNT: usize = [$(Self::$feature),+].len();

            /// Its entry in the catalogue.
            pub fn spec(self) -> &'static FeatureSpec {
                &CATALOGUE[self as usize]
            }
        }

        /// Every feature, in the order of every vector.
        pub static CATALOGUE: [FeatureSpec; Feature::COUNT] = [
            $(FeatureSpec {
                feature: Feature::$feature,
                name: $name,
                meaning: concat!($($meaning),+).trim_ascii(),
                unit: Unit::$unit,
                max: $max,
            },)+
        ];

        /// Every feature of `reading`. One after the other and not by a table of functions: most are a product.
        fn compute(reading: &Reading<'_>) -> FeatureVector {
            let mut vector = FeatureVector::default();
            $({
                let compute: fn(&Reading<'_>) -> Option<f64> = $compute;
                vector.set(Feature::$feature, compute(reading));
            })+
            vector
        }
    };
}

const ANY: f64 = f64::INFINITY;
/// The most that a 32-bit counter holds.
const U32: f64 = u32::MAX as f64;

catalogue! {
    /// Time since the shopper was last there. Missing if never.
    SecondsSinceSeen "seconds_since_seen" Seconds <= ANY, |r| Some(r.seconds_since(r.state.last_seen()?));
    /// Time since the shopper was first there. Missing if never.
    DaysSinceFirstSeen "days_since_first_seen" Days <= ANY, |r| Some(r.days_since(r.state.first_seen()?));
    /// Actions so far.
    ActionsTotal "actions_total" Count <= ANY, |r| Some(r.state.actions() as f64);
    /// Sessions so far.
    SessionsTotal "sessions_total" Count <= U32, |r| Some(f64::from(r.state.sessions()));

    /// Actions, half-life 30 minutes.
    Actions30m "actions_30m" Count <= ANY, |r| Some(r.tally(Tally::Actions30m));
    /// Actions, half-life 1 day.
    Actions1d "actions_1d" Count <= ANY, |r| Some(r.tally(Tally::Actions1d));
    /// Actions, half-life 7 days.
    Actions7d "actions_7d" Count <= ANY, |r| Some(r.tally(Tally::Actions7d));
    /// Actions, half-life 30 days.
    Actions30d "actions_30d" Count <= ANY, |r| Some(r.tally(Tally::Actions30d));
    /// Sessions, half-life 30 days.
    Sessions30d "sessions_30d" Count <= ANY, |r| Some(r.tally(Tally::Sessions30d));

    /// Page views, half-life 7 days.
    PageViews7d "page_views_7d" Count <= ANY, |r| Some(r.tally(Tally::PageViews7d));
    /// Searches, half-life 1 day.
    Searches1d "searches_1d" Count <= ANY, |r| Some(r.tally(Tally::Searches1d));
    /// Searches, half-life 7 days.
    Searches7d "searches_7d" Count <= ANY, |r| Some(r.tally(Tally::Searches7d));
    /// Searches, half-life 30 days.
    Searches30d "searches_30d" Count <= ANY, |r| Some(r.tally(Tally::Searches30d));
    /// Views of product lists, half-life 7 days.
    ProductListViews7d "product_list_views_7d" Count <= ANY, |r| Some(r.tally(Tally::ProductListViews7d));
    /// Filterings and sortings of product lists, half-life 7 days.
    ProductListFilters7d "product_list_filters_7d" Count <= ANY, |r| Some(r.tally(Tally::ProductListFilters7d));
    /// Clicks on products in lists, half-life 7 days.
    ProductClicks7d "product_clicks_7d" Count <= ANY, |r| Some(r.tally(Tally::ProductClicks7d));
    /// Product views, half-life 1 day.
    ProductViews1d "product_views_1d" Count <= ANY, |r| Some(r.tally(Tally::ProductViews1d));
    /// Product views, half-life 7 days.
    ProductViews7d "product_views_7d" Count <= ANY, |r| Some(r.tally(Tally::ProductViews7d));
    /// Product views, half-life 30 days.
    ProductViews30d "product_views_30d" Count <= ANY, |r| Some(r.tally(Tally::ProductViews30d));
    /// Times something was put into the cart, half-life 1 day.
    CartAdds1d "cart_adds_1d" Count <= ANY, |r| Some(r.tally(Tally::CartAdds1d));
    /// Times something was put into the cart, half-life 7 days.
    CartAdds7d "cart_adds_7d" Count <= ANY, |r| Some(r.tally(Tally::CartAdds7d));
    /// Times something was put into the cart, half-life 30 days.
    CartAdds30d "cart_adds_30d" Count <= ANY, |r| Some(r.tally(Tally::CartAdds30d));
    /// Times something was taken out of the cart, half-life 7 days.
    CartRemoves7d "cart_removes_7d" Count <= ANY, |r| Some(r.tally(Tally::CartRemoves7d));
    /// Times the cart was looked at, half-life 7 days.
    CartViews7d "cart_views_7d" Count <= ANY, |r| Some(r.tally(Tally::CartViews7d));
    /// Times something was put on a wishlist, half-life 7 days.
    WishlistAdds7d "wishlist_adds_7d" Count <= ANY, |r| Some(r.tally(Tally::WishlistAdds7d));
    /// Coupons that were applied, half-life 7 days.
    CouponsApplied7d "coupons_applied_7d" Count <= ANY, |r| Some(r.tally(Tally::CouponsApplied7d));
    /// Coupons that were denied, half-life 7 days.
    CouponsDenied7d "coupons_denied_7d" Count <= ANY, |r| Some(r.tally(Tally::CouponsDenied7d));
    /// Dynamic content shown, half-life 7 days.
    ContentImpressions7d "content_impressions_7d" Count <= ANY, |r| Some(r.tally(Tally::ContentImpressions7d));
    /// Dynamic content clicked, half-life 7 days.
    ContentClicks7d "content_clicks_7d" Count <= ANY, |r| Some(r.tally(Tally::ContentClicks7d));
    /// Dynamic content dismissed, half-life 7 days.
    ContentDismissals7d "content_dismissals_7d" Count <= ANY, |r| Some(r.tally(Tally::ContentDismissals7d));
    /// Checkouts begun, half-life 7 days.
    CheckoutStarts7d "checkout_starts_7d" Count <= ANY, |r| Some(r.tally(Tally::CheckoutStarts7d));
    /// Products and carts shared, half-life 7 days.
    Shares7d "shares_7d" Count <= ANY, |r| Some(r.tally(Tally::Shares7d));
    /// Products reviewed, half-life 7 days.
    Reviews7d "reviews_7d" Count <= ANY, |r| Some(r.tally(Tally::Reviews7d));

    /// Time spent on pages, each up to the cap, half-life 30 minutes.
    DwellSeconds30m "dwell_seconds_30m" Seconds <= ANY, |r| Some(r.tally(Tally::Dwell30m));
    /// Time spent on pages, each up to the cap, half-life 1 day.
    DwellSeconds1d "dwell_seconds_1d" Seconds <= ANY, |r| Some(r.tally(Tally::Dwell1d));
    /// Time spent on pages, each up to the cap, half-life 7 days.
    DwellSeconds7d "dwell_seconds_7d" Seconds <= ANY, |r| Some(r.tally(Tally::Dwell7d));
    /// Time spent on pages, each up to the cap, half-life 30 days.
    DwellSeconds30d "dwell_seconds_30d" Seconds <= ANY, |r| Some(r.tally(Tally::Dwell30d));

    /// Engagement (M2): weighted sum of minutes on relevant pages, product views and searches, half-life 30 minutes.
    Engagement30m "engagement_30m" Engagement <= ANY, |r| Some(r.tally(Tally::Engagement30m));
    /// Engagement (M2), half-life 1 day.
    Engagement1d "engagement_1d" Engagement <= ANY, |r| Some(r.tally(Tally::Engagement1d));
    /// Engagement (M2), half-life 7 days.
    Engagement7d "engagement_7d" Engagement <= ANY, |r| Some(r.tally(Tally::Engagement7d));
    /// Engagement (M2), half-life 30 days.
    Engagement30d "engagement_30d" Engagement <= ANY, |r| Some(r.tally(Tally::Engagement30d));
    /// Daily engagement of the last day over that of the last 30: one is as usual. Missing without any engagement.
    EngagementTrend1d "engagement_trend_1d" Ratio <= 30.0, |r| {
        r.trend(Tally::Engagement1d, Tally::Engagement30d)
    };
    /// Daily engagement of the last 7 days over that of the last 30: one is as usual. Missing without any engagement.
    EngagementTrend7d "engagement_trend_7d" Ratio <= 30.0 / 7.0, |r| {
        r.trend(Tally::Engagement7d, Tally::Engagement30d)
    };

    /// Time since the open session began. Missing if none is open, like all that follow of the session.
    SessionSeconds "session_seconds" Seconds <= ANY, |r| Some(r.seconds_since(r.session?.start()));
    /// Actions in the open session.
    SessionActions "session_actions" Count <= U32, |r| r.in_session(Session::actions);
    /// Depth of the open session: pages, lists, search results and products looked at.
    SessionPages "session_pages" Count <= U32, |r| r.in_session(Session::pages);
    /// Time spent on those pages, each up to the cap.
    SessionDwellSeconds "session_dwell_seconds" Seconds <= ANY, |r| Some(r.session?.dwell_ms() as f64 / 1000.0);
    /// Product views in the open session.
    SessionProductViews "session_product_views" Count <= U32, |r| r.in_session(Session::product_views);
    /// Searches in the open session.
    SessionSearches "session_searches" Count <= U32, |r| r.in_session(Session::searches);
    /// Times something was put into the cart in the open session.
    SessionCartAdds "session_cart_adds" Count <= U32, |r| r.in_session(Session::cart_adds);
    /// Times something was taken out of the cart in the open session.
    SessionCartRemoves "session_cart_removes" Count <= U32, |r| r.in_session(Session::cart_removes);
    /// Coupons denied in the open session.
    SessionCouponDenials "session_coupon_denials" Count <= U32, |r| r.in_session(Session::coupon_denials);
    /// Step of the checkout reached since the latest purchase: 0 not begun, 1 begun, then the shop's numbers.
    SessionCheckoutStep "session_checkout_step" Count <= 255.0, |r| r.in_session(|s| u32::from(s.checkout_step()));
    /// Whether payment details were entered since the latest purchase.
    SessionPaymentEntered "session_payment_entered" Flag <= 1.0, |r| r.in_session(|s| u32::from(s.payment_entered()));
    /// Orders completed in the open session.
    SessionPurchases "session_purchases" Count <= U32, |r| r.in_session(Session::purchases);

    /// Different products in the cart.
    CartItems "cart_items" Count <= 200.0, |r| Some(r.state.cart().items().len() as f64);
    /// Pieces in the cart.
    CartPieces "cart_pieces" Count <= ANY, |r| Some(r.state.cart().pieces() as f64);
    /// Worth of the cart. Missing if no price in it is known.
    CartValue "cart_value" Money <= ANY, |r| {
        r.state.cart().value().map(|worth| major_units(worth.minor_units.max(0) as f64, worth.currency))
    };
    /// Time since the cart was empty. Missing if it is.
    CartAgeSeconds "cart_age_seconds" Seconds <= ANY, |r| Some(r.seconds_since(r.state.cart().since()?));

    /// Orders so far.
    PurchasesTotal "purchases_total" Count <= U32, |r| Some(f64::from(r.state.purchases().count()));
    /// Orders, half-life 30 days.
    Purchases30d "purchases_30d" Count <= ANY, |r| Some(r.tally(Tally::Purchases30d));
    /// Refunded and cancelled orders, half-life 30 days.
    Refunds30d "refunds_30d" Count <= ANY, |r| Some(r.tally(Tally::Refunds30d));
    /// Worth of the orders in the latest currency, half-life 30 days. Missing if no order had a worth.
    Spend30d "spend_30d" Money <= ANY, |r| {
        let currency = r.state.purchases().value()?.currency;
        Some(major_units(r.tally(Tally::Spend30d), currency))
    };
    /// Time since the latest order. Missing if there was none.
    DaysSincePurchase "days_since_purchase" Days <= ANY, |r| Some(r.days_since(r.state.purchases().last_at()?));

    /// Categories that attention goes to (M3), of the 16 kept.
    Categories "categories" Count <= 16.0, |r| Some(r.state.affinity().len() as f64);
    /// Share of attention that the favourite category has. Missing if no category had any.
    TopCategoryShare "top_category_share" Share <= 1.0, |r| r.state.affinity().largest_share();
    /// Sum of the squared shares of attention: 1 if one category has it all. Missing if no category had any.
    CategoryFocus "category_focus" Share <= 1.0, |r| r.state.affinity().focus();
    /// Attention that categories got, half-life 7 days: a view counts 10 seconds beside its dwell.
    AttentionSeconds7d "attention_seconds_7d" Seconds <= ANY, |r| {
        Some(read(r.state.affinity().total(), r.worth(affinity::HALF_LIFE)))
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_distinct_and_every_feature_stands_at_its_place() {
        let names: BTreeSet<_> = CATALOGUE.iter().map(|spec| spec.name).collect();
        assert_eq!(names.len(), Feature::COUNT);
        for (place, spec) in CATALOGUE.iter().enumerate() {
            assert_eq!(spec.feature as usize, place);
            assert_eq!(spec.feature.spec().name, spec.name);
            assert!(
                spec.max > 0.0 && spec.meaning.ends_with('.'),
                "{}",
                spec.name
            );
        }
    }

    #[test]
    fn a_shopper_of_whom_nothing_is_known_has_zeros_and_gaps() {
        let features = State::default().features(EpochMs(0), &FoldRules::default());
        assert_eq!(features.get(Feature::ActionsTotal), Some(0.0));
        assert_eq!(features.by_name("cart_items"), Some(0.0));
        for missing in [
            "seconds_since_seen",
            "cart_age_seconds",
            "session_actions",
            "top_category_share",
            "nonsense",
        ] {
            assert_eq!(features.by_name(missing), None, "{missing}");
        }
    }
}
