//! The features, one after the other.

use super::{
    FeatureSpec,
    nature::{Combine, Nature, Order, TimeToLive, Unit},
    reading::Reading,
};
use crate::{
    HalfLife, Session, purchases::major_units, ranking, recency::Latest, responses::Part,
    tally::Tally,
};

/// Declares [`Feature`] and [`CATALOGUE`] from one table: variant, name, unit, smallest and largest value, nature and formula,
/// the meaning above; last, the formula as code.
macro_rules! catalogue {
    ($($(#[doc = $meaning:literal])+ $feature:ident $name:literal $unit:ident [$min:expr, $max:expr] $nature:ident
        $formula:literal, $compute:expr;)+) => {
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
                min: $min,
                max: $max,
                formula: $formula,
                nature: $nature,
            },)+
        ];

        /// One feature of `reading`.
        pub(super) fn compute(reading: &Reading<'_>, feature: Feature) -> Option<f64> {
            match feature {
                $(Feature::$feature => {
                    let compute: fn(&Reading<'_>) -> Option<f64> = $compute;
                    compute(reading)
                })+
            }
        }
    };
}

const ANY: f64 = f64::INFINITY;
/// The most that a 32-bit counter holds.
const U32: f64 = u32::MAX as f64;
/// No logarithm of a price is further from the level of another than this, nor such a level from zero.
const LN_PRICE: f64 = 1000.0;
/// The logarithm of no time in hours is more.
const LN_ANY: f64 = 50.0;

const DAY: TimeToLive = TimeToLive::Ms(24 * 60 * 60 * 1000);

/// Decayed sums over events, which follow from the set of events alone.
const SUM_30M: Nature = Nature::decayed(HalfLife::HalfHour, Order::Free, Combine::Sum);
const SUM_1D: Nature = Nature::decayed(HalfLife::Day, Order::Free, Combine::Sum);
const SUM_7D: Nature = Nature::decayed(HalfLife::Week, Order::Free, Combine::Sum);
const SUM_30D: Nature = Nature::decayed(HalfLife::Month, Order::Free, Combine::Sum);
/// Ratios of sums of different half-lives.
const RATIO: Nature = Nature::plain(Order::Free, Combine::Sum);
/// Decayed sums over what only the order of events tells.
const ORDERED_30D: Nature = Nature::decayed(HalfLife::Month, Order::Canonical, Combine::Sum);
/// The same, of prices: they begin anew when the currency changes.
const PRICED_30D: Nature = ORDERED_30D;
const LEVELS: Nature = ORDERED_30D.relative();
const RESPONSES: Nature = ORDERED_30D.relative();
const GAPS: Nature = ORDERED_30D;
const OVERDUE: Nature = ORDERED_30D.relative();

const TOTAL: Nature = Nature::plain(Order::Free, Combine::Sum);
const TOTAL_IN_ORDER: Nature = Nature::plain(Order::Canonical, Combine::Sum);
const EARLIEST: Nature = Nature::plain(Order::Free, Combine::Earliest);
const LATEST: Nature = Nature::plain(Order::Free, Combine::Latest);
const LATEST_IN_ORDER: Nature = Nature::plain(Order::Canonical, Combine::Latest);
const ZONE: Nature = Nature::plain(Order::Free, Combine::LaterSeen);
const CART: Nature = Nature::plain(Order::Canonical, Combine::LastChanged);
const ATTENTION: Nature = Nature::decayed(HalfLife::Week, Order::Canonical, Combine::Largest);
const MIX: Nature = ATTENTION.relative().holding(DAY);

const SESSION: Nature =
    Nature::plain(Order::Canonical, Combine::LaterSession).holding(TimeToLive::SessionGap);
const HABIT: Nature = Nature::plain(Order::Canonical, Combine::WeightedMean)
    .relative()
    .holding(DAY);
const HABIT_OF_SESSION: Nature = HABIT.holding(TimeToLive::SessionGap);
const OVERALL: Nature = Nature::plain(Order::Canonical, Combine::Parts)
    .relative()
    .holding(DAY);

catalogue! {
    /// Time since the shopper was last there. Missing if never.
    SecondsSinceSeen "seconds_since_seen" Seconds [0.0, ANY] LATEST
        "now − max(at), over presence",
        |r| Some(r.seconds_since(r.state.last_seen()?));
    /// Time since the shopper was first there. Missing if never.
    DaysSinceFirstSeen "days_since_first_seen" Days [0.0, ANY] EARLIEST
        "now − min(at), over presence",
        |r| Some(r.days_since(r.state.first_seen()?));
    /// Actions so far.
    ActionsTotal "actions_total" Count [0.0, ANY] TOTAL
        "number of presence",
        |r| Some(r.state.actions() as f64);
    /// Sessions so far.
    SessionsTotal "sessions_total" Count [0.0, U32] TOTAL_IN_ORDER
        "number of sessions begun",
        |r| Some(f64::from(r.state.sessions()));

    /// Actions, half-life 30 minutes.
    Actions30m "actions_30m" Count [0.0, ANY] SUM_30M
        "sum(presence: 1)",
        |r| Some(r.tally(Tally::Actions30m));
    /// Actions, half-life 1 day.
    Actions1d "actions_1d" Count [0.0, ANY] SUM_1D
        "sum(presence: 1)",
        |r| Some(r.tally(Tally::Actions1d));
    /// Actions, half-life 7 days.
    Actions7d "actions_7d" Count [0.0, ANY] SUM_7D
        "sum(presence: 1)",
        |r| Some(r.tally(Tally::Actions7d));
    /// Actions, half-life 30 days.
    Actions30d "actions_30d" Count [0.0, ANY] SUM_30D
        "sum(presence: 1)",
        |r| Some(r.tally(Tally::Actions30d));
    /// Sessions, half-life 30 days.
    Sessions30d "sessions_30d" Count [0.0, ANY] ORDERED_30D
        "sum(first presence of each session: 1)",
        |r| Some(r.tally(Tally::Sessions30d));

    /// Page views, half-life 7 days.
    PageViews7d "page_views_7d" Count [0.0, ANY] SUM_7D
        "sum(page_view: 1)",
        |r| Some(r.tally(Tally::PageViews7d));
    /// Searches, half-life 1 day.
    Searches1d "searches_1d" Count [0.0, ANY] SUM_1D
        "sum(search: 1)",
        |r| Some(r.tally(Tally::Searches1d));
    /// Searches, half-life 7 days.
    Searches7d "searches_7d" Count [0.0, ANY] SUM_7D
        "sum(search: 1)",
        |r| Some(r.tally(Tally::Searches7d));
    /// Searches, half-life 30 days.
    Searches30d "searches_30d" Count [0.0, ANY] SUM_30D
        "sum(search: 1)",
        |r| Some(r.tally(Tally::Searches30d));
    /// Views of product lists, half-life 7 days.
    ProductListViews7d "product_list_views_7d" Count [0.0, ANY] SUM_7D
        "sum(product_list_view: 1)",
        |r| Some(r.tally(Tally::ProductListViews7d));
    /// Filterings and sortings of product lists, half-life 7 days.
    ProductListFilters7d "product_list_filters_7d" Count [0.0, ANY] SUM_7D
        "sum(product_list_filter: 1)",
        |r| Some(r.tally(Tally::ProductListFilters7d));
    /// Clicks on products in lists, half-life 7 days.
    ProductClicks7d "product_clicks_7d" Count [0.0, ANY] SUM_7D
        "sum(product_click: 1)",
        |r| Some(r.tally(Tally::ProductClicks7d));
    /// Product views, half-life 1 day.
    ProductViews1d "product_views_1d" Count [0.0, ANY] SUM_1D
        "sum(product_view: 1)",
        |r| Some(r.tally(Tally::ProductViews1d));
    /// Product views, half-life 7 days.
    ProductViews7d "product_views_7d" Count [0.0, ANY] SUM_7D
        "sum(product_view: 1)",
        |r| Some(r.tally(Tally::ProductViews7d));
    /// Product views, half-life 30 days.
    ProductViews30d "product_views_30d" Count [0.0, ANY] SUM_30D
        "sum(product_view: 1)",
        |r| Some(r.tally(Tally::ProductViews30d));
    /// Times something was put into the cart, half-life 1 day.
    CartAdds1d "cart_adds_1d" Count [0.0, ANY] SUM_1D
        "sum(cart_add: 1)",
        |r| Some(r.tally(Tally::CartAdds1d));
    /// Times something was put into the cart, half-life 7 days.
    CartAdds7d "cart_adds_7d" Count [0.0, ANY] SUM_7D
        "sum(cart_add: 1)",
        |r| Some(r.tally(Tally::CartAdds7d));
    /// Times something was put into the cart, half-life 30 days.
    CartAdds30d "cart_adds_30d" Count [0.0, ANY] SUM_30D
        "sum(cart_add: 1)",
        |r| Some(r.tally(Tally::CartAdds30d));
    /// Times something was taken out of the cart, half-life 7 days.
    CartRemoves7d "cart_removes_7d" Count [0.0, ANY] SUM_7D
        "sum(cart_remove: 1)",
        |r| Some(r.tally(Tally::CartRemoves7d));
    /// Times the cart was looked at, half-life 7 days.
    CartViews7d "cart_views_7d" Count [0.0, ANY] SUM_7D
        "sum(cart_view: 1)",
        |r| Some(r.tally(Tally::CartViews7d));
    /// Times something was put on a wishlist, half-life 7 days.
    WishlistAdds7d "wishlist_adds_7d" Count [0.0, ANY] SUM_7D
        "sum(wishlist_add: 1)",
        |r| Some(r.tally(Tally::WishlistAdds7d));
    /// Times something was put on a wishlist, half-life 30 days.
    WishlistAdds30d "wishlist_adds_30d" Count [0.0, ANY] SUM_30D
        "sum(wishlist_add: 1)",
        |r| Some(r.tally(Tally::WishlistAdds30d));
    /// Coupons that were applied, half-life 7 days.
    CouponsApplied7d "coupons_applied_7d" Count [0.0, ANY] SUM_7D
        "sum(coupon_attempt with outcome applied: 1)",
        |r| Some(r.tally(Tally::CouponsApplied7d));
    /// Coupons that were denied, half-life 7 days.
    CouponsDenied7d "coupons_denied_7d" Count [0.0, ANY] SUM_7D
        "sum(coupon_attempt with outcome denied: 1)",
        |r| Some(r.tally(Tally::CouponsDenied7d));
    /// Dynamic content shown, half-life 7 days.
    ContentImpressions7d "content_impressions_7d" Count [0.0, ANY] SUM_7D
        "sum(content_interaction of impression: 1)",
        |r| Some(r.tally(Tally::ContentImpressions7d));
    /// Dynamic content clicked, half-life 7 days.
    ContentClicks7d "content_clicks_7d" Count [0.0, ANY] SUM_7D
        "sum(content_interaction of click: 1)",
        |r| Some(r.tally(Tally::ContentClicks7d));
    /// Dynamic content clicked, half-life 30 days.
    ContentClicks30d "content_clicks_30d" Count [0.0, ANY] SUM_30D
        "sum(content_interaction of click: 1)",
        |r| Some(r.tally(Tally::ContentClicks30d));
    /// Dynamic content dismissed, half-life 7 days.
    ContentDismissals7d "content_dismissals_7d" Count [0.0, ANY] SUM_7D
        "sum(content_interaction of dismiss: 1)",
        |r| Some(r.tally(Tally::ContentDismissals7d));
    /// Checkouts begun, half-life 7 days.
    CheckoutStarts7d "checkout_starts_7d" Count [0.0, ANY] SUM_7D
        "sum(checkout_start: 1)",
        |r| Some(r.tally(Tally::CheckoutStarts7d));
    /// Products and carts shared, half-life 7 days.
    Shares7d "shares_7d" Count [0.0, ANY] SUM_7D
        "sum(share: 1)",
        |r| Some(r.tally(Tally::Shares7d));
    /// Products reviewed, half-life 7 days.
    Reviews7d "reviews_7d" Count [0.0, ANY] SUM_7D
        "sum(review: 1)",
        |r| Some(r.tally(Tally::Reviews7d));
    /// Share of searches that a look at a product followed, before the next search and in the same session. Missing
    /// without searches.
    SearchFollowShare30d "search_follow_share_30d" Share [0.0, 1.0] ORDERED_30D
        "min(1, sum(first product_view or product_click after a search, before the next search and the end of the \
         session: 1) / searches_30d)",
        |r| {
                Reading::share(r.tally(Tally::FollowedSearches30d), r.tally(Tally::Searches30d))
        };
    /// Share of dynamic content shown that was clicked. Missing if none was shown.
    ContentClickShare30d "content_click_share_30d" Share [0.0, 1.0] SUM_30D
        "min(1, content_clicks_30d / sum(content_interaction of impression: 1))",
        |r| {
                Reading::share(r.tally(Tally::ContentClicks30d), r.tally(Tally::ContentImpressions30d))
        };

    /// Time since a product was looked at. Missing if never.
    DaysSinceProductView "days_since_product_view" Days [0.0, ANY] LATEST
        "now − max(at), over product_view",
        |r| r.days_since_latest(Latest::ProductView);
    /// Time since the shopper searched. Missing if never.
    DaysSinceSearch "days_since_search" Days [0.0, ANY] LATEST
        "now − max(at), over search",
        |r| r.days_since_latest(Latest::Search);
    /// Time since something was put into the cart. Missing if never.
    DaysSinceCartAdd "days_since_cart_add" Days [0.0, ANY] LATEST
        "now − max(at), over cart_add",
        |r| r.days_since_latest(Latest::CartAdd);
    /// Time since something was put on a wishlist. Missing if never.
    DaysSinceWishlistAdd "days_since_wishlist_add" Days [0.0, ANY] LATEST
        "now − max(at), over wishlist_add",
        |r| r.days_since_latest(Latest::WishlistAdd);
    /// Time since dynamic content was clicked. Missing if never.
    DaysSinceContentClick "days_since_content_click" Days [0.0, ANY] LATEST
        "now − max(at), over content_interaction of click",
        |r| r.days_since_latest(Latest::ContentClick);

    /// Time spent on pages, each up to the cap, half-life 30 minutes.
    DwellSeconds30m "dwell_seconds_30m" Seconds [0.0, ANY] SUM_30M
        "sum(page_view, search, product_list_view, product_view: dwell)",
        |r| Some(r.tally(Tally::Dwell30m));
    /// Time spent on pages, each up to the cap, half-life 1 day.
    DwellSeconds1d "dwell_seconds_1d" Seconds [0.0, ANY] SUM_1D
        "sum(page_view, search, product_list_view, product_view: dwell)",
        |r| Some(r.tally(Tally::Dwell1d));
    /// Time spent on pages, each up to the cap, half-life 7 days.
    DwellSeconds7d "dwell_seconds_7d" Seconds [0.0, ANY] SUM_7D
        "sum(page_view, search, product_list_view, product_view: dwell)",
        |r| Some(r.tally(Tally::Dwell7d));
    /// Time spent on pages, each up to the cap, half-life 30 days.
    DwellSeconds30d "dwell_seconds_30d" Seconds [0.0, ANY] SUM_30D
        "sum(page_view, search, product_list_view, product_view: dwell)",
        |r| Some(r.tally(Tally::Dwell30d));

    /// Engagement (M2): weighted sum of minutes on relevant pages, product views and searches, half-life 30 minutes.
    Engagement30m "engagement_30m" Engagement [0.0, ANY] SUM_30M
        "sum(page_view, search, product_list_view, product_view: engagement)",
        |r| Some(r.tally(Tally::Engagement30m));
    /// Engagement (M2), half-life 1 day.
    Engagement1d "engagement_1d" Engagement [0.0, ANY] SUM_1D
        "sum(page_view, search, product_list_view, product_view: engagement)",
        |r| Some(r.tally(Tally::Engagement1d));
    /// Engagement (M2), half-life 7 days.
    Engagement7d "engagement_7d" Engagement [0.0, ANY] SUM_7D
        "sum(page_view, search, product_list_view, product_view: engagement)",
        |r| Some(r.tally(Tally::Engagement7d));
    /// Engagement (M2), half-life 30 days.
    Engagement30d "engagement_30d" Engagement [0.0, ANY] SUM_30D
        "sum(page_view, search, product_list_view, product_view: engagement)",
        |r| Some(r.tally(Tally::Engagement30d));
    /// Daily engagement of the last day over that of the last 30: one is as usual. Missing without any engagement.
    EngagementTrend1d "engagement_trend_1d" Ratio [0.0, 30.0] RATIO
        "min(1, engagement_1d / engagement_30d) · 30; missing unless engagement_30d > 1e-6",
        |r| {
                r.trend(Tally::Engagement1d, Tally::Engagement30d)
        };
    /// Daily engagement of the last 7 days over that of the last 30: one is as usual. Missing without any engagement.
    EngagementTrend7d "engagement_trend_7d" Ratio [0.0, 30.0 / 7.0] RATIO
        "min(1, engagement_7d / engagement_30d) · 30/7; missing unless engagement_30d > 1e-6",
        |r| {
                r.trend(Tally::Engagement7d, Tally::Engagement30d)
        };

    /// Time since the open session began. Missing if none is open, like all that follow of the session.
    SessionSeconds "session_seconds" Seconds [0.0, ANY] SESSION
        "now − at of the session's first presence",
        |r| Some(r.seconds_since(r.session?.start()));
    /// Actions in the open session.
    SessionActions "session_actions" Count [0.0, U32] SESSION
        "number of presence in the session",
        |r| r.in_session(Session::actions);
    /// Speed of the open session: actions for each minute since it began, of which at least one counts.
    SessionActionsPerMinute "session_actions_per_minute" Ratio [0.0, U32] SESSION
        "session_actions / max(1, session_seconds / 60)",
        |r| {
                let minutes = r.seconds_since(r.session?.start()) / 60.0;
                Some(f64::from(r.session?.actions()) / minutes.max(1.0))
        };
    /// Depth of the open session: pages, lists, search results and products looked at.
    SessionPages "session_pages" Count [0.0, U32] SESSION
        "number of page_view, search, product_list_view, product_view in the session",
        |r| r.in_session(Session::pages);
    /// Time spent on those pages, each up to the cap.
    SessionDwellSeconds "session_dwell_seconds" Seconds [0.0, ANY] SESSION
        "Σ dwell in the session",
        |r| Some(r.session?.dwell_ms() as f64 / 1000.0);
    /// How far down pages were read in the open session, on average of those that tell. Missing if none does.
    SessionScroll "session_scroll" Share [0.0, 1.0] SESSION
        "mean of scroll_depth, over page_view and product_view with one in the session",
        |r| r.session?.scroll();
    /// How far down the page was read that was read furthest in the open session. Missing if none tells.
    SessionScrollMax "session_scroll_max" Share [0.0, 1.0] SESSION
        "max of scroll_depth, over page_view and product_view with one in the session",
        |r| r.session?.scroll_max();
    /// Product views in the open session.
    SessionProductViews "session_product_views" Count [0.0, U32] SESSION
        "number of product_view in the session",
        |r| r.in_session(Session::product_views);
    /// Product views of products looked at before in the open session.
    SessionRepeatViews "session_repeat_views" Count [0.0, U32] SESSION
        "number of product_view in the session whose product is among the 6 different ones viewed last and was \
         viewed in the session before",
        |r| r.in_session(Session::repeat_views);
    /// Searches in the open session.
    SessionSearches "session_searches" Count [0.0, U32] SESSION
        "number of search in the session",
        |r| r.in_session(Session::searches);
    /// Searches in the open session that no look at a product followed, the latest included.
    SessionSearchesWithoutView "session_searches_without_view" Count [0.0, U32] SESSION
        "session_searches − number of first product_view or product_click after a search, before the next search, \
         in the session",
        |r| {
                r.in_session(|s| s.searches().saturating_sub(s.followed_searches()))
        };
    /// Times something was put into the cart in the open session.
    SessionCartAdds "session_cart_adds" Count [0.0, U32] SESSION
        "number of cart_add in the session",
        |r| r.in_session(Session::cart_adds);
    /// Times something was taken out of the cart in the open session.
    SessionCartRemoves "session_cart_removes" Count [0.0, U32] SESSION
        "number of cart_remove in the session",
        |r| r.in_session(Session::cart_removes);
    /// Coupons applied or denied in the open session.
    SessionCouponAttempts "session_coupon_attempts" Count [0.0, U32] SESSION
        "number of coupon_attempt with outcome applied or denied in the session",
        |r| r.in_session(Session::coupon_attempts);
    /// Coupons denied in the open session.
    SessionCouponDenials "session_coupon_denials" Count [0.0, U32] SESSION
        "number of coupon_attempt with outcome denied in the session",
        |r| r.in_session(Session::coupon_denials);
    /// Step of the checkout reached since the latest purchase: 0 not begun, 1 begun, then the shop's numbers.
    SessionCheckoutStep "session_checkout_step" Count [0.0, 255.0] SESSION
        "max of 1 and step, over checkout_start (step 1), checkout_step and payment_info in the session since its \
         latest purchase; at most 255; 0 without any",
        |r| r.in_session(|s| u32::from(s.checkout_step()));
    /// Whether payment details were entered since the latest purchase.
    SessionPaymentEntered "session_payment_entered" Flag [0.0, 1.0] SESSION
        "1 if there is a payment_info in the session since its latest purchase",
        |r| r.in_session(|s| u32::from(s.payment_entered()));
    /// Orders completed in the open session.
    SessionPurchases "session_purchases" Count [0.0, U32] SESSION
        "number of new orders in the session",
        |r| r.in_session(Session::purchases);

    /// Different products in the cart.
    CartItems "cart_items" Count [0.0, 200.0] CART
        "number of products in the cart",
        |r| Some(r.state.cart().items().len() as f64);
    /// Pieces in the cart.
    CartPieces "cart_pieces" Count [0.0, ANY] CART
        "Σ quantity in the cart",
        |r| Some(r.state.cart().pieces() as f64);
    /// Worth of the cart. Missing if nothing was put into it with a price since it was empty.
    CartValue "cart_value" Money [0.0, ANY] CART
        "Σ price · quantity in the cart, of prices in the currency of the last price put into it; another \
         price of a product put in again takes the place of its price",
        |r| {
                r.state.cart().value().map(|worth| major_units(worth.minor_units.max(0) as f64, worth.currency))
        };
    /// Time since the cart was empty. Missing if it is.
    CartAgeSeconds "cart_age_seconds" Seconds [0.0, ANY] CART
        "now − at of the first cart_add or cart_view since the cart was empty",
        |r| Some(r.seconds_since(r.state.cart().since()?));

    /// Orders so far.
    PurchasesTotal "purchases_total" Count [0.0, U32] TOTAL_IN_ORDER
        "number of new orders",
        |r| Some(f64::from(r.state.purchases().count()));
    /// Orders, half-life 30 days.
    Purchases30d "purchases_30d" Count [0.0, ANY] ORDERED_30D
        "sum(new order: 1)",
        |r| Some(r.tally(Tally::Purchases30d));
    /// Refunded and cancelled orders, half-life 30 days.
    Refunds30d "refunds_30d" Count [0.0, ANY] SUM_30D
        "sum(refund, cancel: 1)",
        |r| Some(r.tally(Tally::Refunds30d));
    /// Worth of the orders in the latest currency, half-life 30 days. Missing if no order had a worth.
    Spend30d "spend_30d" Money [0.0, ANY] ORDERED_30D
        "sum(new order since the currency of orders last changed: value)",
        |r| r.spend();
    /// Worth of an order, on average. Missing if no order had a worth, or orders are forgotten.
    MeanOrderValue30d "mean_order_value_30d" Money [0.0, ANY] ORDERED_30D
        "spend_30d / purchases_30d",
        |r| r.mean_money(r.spend(), Tally::Purchases30d);
    /// Time since the latest order. Missing if there was none.
    DaysSincePurchase "days_since_purchase" Days [0.0, ANY] LATEST_IN_ORDER
        "now − max(at), over new orders",
        |r| Some(r.days_since(r.state.purchases().last_at()?));

    /// Categories that attention goes to (M3), of the 16 kept.
    Categories "categories" Count [0.0, 16.0] ATTENTION
        "number of categories kept",
        |r| Some(r.state.affinity().len() as f64);
    /// Share of attention that the favourite category has. Missing if no category had any.
    TopCategoryShare "top_category_share" Share [0.0, 1.0] ATTENTION
        "max over categories kept of share",
        |r| r.state.affinity().0.largest_share();
    /// Sum of the squared shares of attention: 1 if one category has it all. Missing if no category had any.
    CategoryFocus "category_focus" Share [0.0, 1.0] ATTENTION
        "Σ share², over categories kept",
        |r| r.state.affinity().0.focus();
    /// Entropy of attention: 0 if one category has it all, a bit more for twice as many equal ones. Missing if no
    /// category had any.
    CategoryEntropy "category_entropy" Bits [0.0, 4.0] ATTENTION
        "−Σ share · log2(share), over categories kept",
        |r| r.state.affinity().0.entropy();
    /// Share of attention that may belong to categories no longer kept. Missing if no category had any.
    CategoryErrorShare "category_error_share" Share [0.0, 1.0] ATTENTION
        "Σ error / Σ attention, over categories kept",
        |r| r.state.affinity().0.error_share();
    /// Attention that categories got, half-life 7 days: a view counts 10 seconds beside its dwell.
    AttentionSeconds7d "attention_seconds_7d" Seconds [0.0, ANY] ATTENTION
        "Σ attention, over categories kept",
        |r| {
                Some(r.sum(r.state.affinity().0.total(), ranking::HALF_LIFE))
        };
    /// Brands that attention goes to, of the 4 kept.
    Brands "brands" Count [0.0, 4.0] ATTENTION
        "number of brands kept",
        |r| Some(r.state.brands.entries().len() as f64);
    /// Share of attention to brands that the favourite one has. Missing if none had any.
    TopBrandShare "top_brand_share" Share [0.0, 1.0] ATTENTION
        "max over brands kept of share",
        |r| r.state.brands.largest_share();
    /// Entropy of attention to brands. Missing if none had any.
    BrandEntropy "brand_entropy" Bits [0.0, 2.0] ATTENTION
        "−Σ share · log2(share), over brands kept",
        |r| r.state.brands.entropy();

    /// How far above the usual prices of their categories the products are that are looked at. Missing if no level is
    /// known for any.
    ViewedPriceLevel "viewed_price_level" LogPrice [-LN_PRICE, LN_PRICE] LEVELS
        "Σ n·(m − level) / Σ n, over categories kept with a level, n = sum(product_view with a price: 1) and m = \
         sum(product_view with a price: ln price) / n of the category; missing unless Σ n ≥ 1e-6",
        |r| r.prices().viewed;
    /// How much those distances from the usual prices differ. Missing if no level is known for any.
    ViewedPriceSpread "viewed_price_spread" LogPrice [0.0, LN_PRICE] LEVELS
        "√(w + Σ n·(m − level − viewed_price_level)² / Σ n), with n, m and Σ as in viewed_price_level and w = \
         sum(product_view with a price and a category: (ln price − m₋)² · n₋ / (n₋ + 1)) / sum(product_view with a \
         price: 1), where n₋ and m₋ are n and m of the category before the view, 0 where it was not kept",
        |r| r.prices().spread;
    /// How far above the usual prices of their categories the products are that are bought. Missing if no level is
    /// known for any.
    BoughtPriceLevel "bought_price_level" LogPrice [-LN_PRICE, LN_PRICE] LEVELS
        "as viewed_price_level, over the products of new orders",
        |r| r.prices().bought;
    /// Worth of the products looked at, in the currency of the latest price.
    ViewedValue30d "viewed_value_30d" Money [0.0, ANY] PRICED_30D
        "sum(product_view: price)",
        |r| Some(r.money(Tally::ViewedValue30d));
    /// Price of the products looked at, on average. Missing if none had a price.
    MeanViewedPrice30d "mean_viewed_price_30d" Money [0.0, ANY] PRICED_30D
        "viewed_value_30d / sum(product_view with a price: 1)",
        |r| {
                r.mean_money(Some(r.money(Tally::ViewedValue30d)), Tally::PricedViews30d)
        };
    /// Worth of what was put into the cart, in the currency of the latest price.
    CartValueAdded30d "cart_value_added_30d" Money [0.0, ANY] PRICED_30D
        "sum(cart_add: price · quantity), quantity as for the cart: the event's, else the product's, else 1",
        |r| Some(r.money(Tally::CartValueAdded30d));
    /// Worth of what was put on a wishlist, in the currency of the latest price.
    WishlistValue30d "wishlist_value_30d" Money [0.0, ANY] PRICED_30D
        "sum(wishlist_add: price)",
        |r| Some(r.money(Tally::WishlistValue30d));
    /// Share of the products looked at that cost more before. Missing if none had a price.
    DiscountedViewShare30d "discounted_view_share_30d" Share [0.0, 1.0] PRICED_30D
        "min(1, sum(product_view with a price below its list_price: 1) / sum(product_view with a price: 1))",
        |r| {
                Reading::share(r.tally(Tally::DiscountedViews30d), r.tally(Tally::PricedViews30d))
        };
    /// Lists and searches filtered or sorted by price, half-life 30 days.
    PriceFilters30d "price_filters_30d" Count [0.0, ANY] SUM_30D
        "sum(product_list_filter or search, a filter or sort of which has a kind with “price” in it, in any case: 1)",
        |r| Some(r.tally(Tally::PriceFilters30d));
    /// Share of them among filterings, sortings and searches. Missing without any.
    PriceFilterShare30d "price_filter_share_30d" Share [0.0, 1.0] SUM_30D
        "min(1, price_filters_30d / (sum(product_list_filter: 1) + searches_30d))",
        |r| {
                let all = r.tally(Tally::ProductListFilters30d) + r.tally(Tally::Searches30d);
                Reading::share(r.tally(Tally::PriceFilters30d), all)
        };
    /// Coupons applied or denied, half-life 30 days.
    CouponAttempts30d "coupon_attempts_30d" Count [0.0, ANY] SUM_30D
        "sum(coupon_attempt with outcome applied or denied: 1)",
        |r| {
                Some(r.tally(Tally::CouponsApplied30d) + r.tally(Tally::CouponsDenied30d))
        };
    /// Share of coupons that were applied. Missing without attempts.
    CouponSuccessShare30d "coupon_success_share_30d" Share [0.0, 1.0] SUM_30D
        "min(1, sum(coupon_attempt with outcome applied: 1) / coupon_attempts_30d)",
        |r| {
                let (applied, denied) = (r.tally(Tally::CouponsApplied30d), r.tally(Tally::CouponsDenied30d));
                Reading::share(applied, applied + denied)
        };
    /// Times a product was looked at again that had become cheaper, half-life 30 days.
    PriceDropsSeen30d "price_drops_seen_30d" Count [0.0, ANY] PRICED_30D
        "sum(price change with x ≤ −0.005: 1)",
        |r| Some(r.responses(Part::DropViews));
    /// Times a product was looked at again that had become dearer, half-life 30 days.
    PriceRisesSeen30d "price_rises_seen_30d" Count [0.0, ANY] PRICED_30D
        "sum(price change with x ≥ 0.005: 1)",
        |r| Some(r.responses(Part::RiseViews));
    /// How much likelier a product seen before is taken for each unit that the logarithm of its price has fallen:
    /// positive if the shopper buys more when it is cheaper. Missing if no price was seen to change.
    PriceElasticity "price_elasticity" Elasticity [-ANY, ANY] RESPONSES
        "−(Sxy − q·Sx) / (Sxx + 0.1), Sx = sum(price change: x), Sxx = sum(price change: x²), Sxy = sum(price \
         change that was taken, when it was: x), q = (sum(same price that was taken, when it was: 1) + \
         4·review_cart_share) / (sum(same price: 1) + 4); missing unless sum(price change: 1) ≥ 1e-6",
        |r| r.elasticity();

    /// Time between two visits, usually. Missing before the second visit.
    VisitGapHours "visit_gap_hours" Hours [0.0, ANY] GAPS
        "exp(mean) − 1, mean = sum(session begun after another: g) / sum(session begun after another: 1), g = \
         ln(1 + hours since the last presence of the one before)",
        |r| r.visit_gap_hours();
    /// How much that differs. Missing before the second visit.
    VisitGapSpread "visit_gap_spread" Log [0.0, LN_ANY] GAPS
        "√(sum(session begun after another: (g − mean)²) / sum(session begun after another: 1))",
        |r| r.visit_gap_spread();
    /// How much longer than usual the shopper is away. Missing if never there.
    VisitOverdue "visit_overdue" Deviation [-10.0, 10.0] OVERDUE
        "(ln(1 + hours since seen) − μ) / max(σ, 0.1), from −10 to 10; n = sum(session begun after another: 1), μ \
         = (sum(…: g) + 3·μ0) / (n + 3), σ² = (sum(…: (g − μ)²) + 3·σ0²) / (n + 3); μ0, σ0 = ln_visit_gap_hours \
         of the reference",
        |r| r.visit_overdue();
    /// Hour of the day where the shopper is. Missing if no `identify` told the time zone.
    LocalHour "local_hour" Hour [0.0, 23.0] ZONE
        "hour of now in time_zone of the latest identify that names a zone of the IANA database",
        |r| Some(f64::from(r.local()?.hour()));
    /// Day of the week where the shopper is. Missing if no `identify` told the time zone.
    LocalWeekday "local_weekday" Weekday [1.0, 7.0] ZONE
        "weekday of now there, Monday is 1",
        |r| {
                Some(f64::from(r.local()?.weekday().to_monday_one_offset()))
        };

    /// How far the engagement of the last day is from that of the shopper's usual days; while a session is open, how far
    /// above. Missing if never there.
    EngagementDeviation "engagement_deviation" Deviation [-10.0, 10.0] HABIT
        "deviation of ln(1 + engagement_1d · ln 2) from the baseline of ln(1 + Σ engagement of a UTC day), over \
         days with presence before the latest; s0 = 0.7, reference ln_daily_engagement; so far",
        |r| r.deviations().engagement;
    /// How far the open session is longer than the usual one, zero while it is not. Missing if none is open.
    SessionLengthDeviation "session_length_deviation" Deviation [0.0, 10.0] HABIT_OF_SESSION
        "deviation of ln(1 + session_seconds) from the baseline of ln(1 + seconds from first to last presence), \
         over sessions before the latest; s0 = 1, reference ln_session_seconds; so far",
        |r| r.deviations().session;
    /// How far the worth of the cart is from that of the usual order; while a session is open, how far above. Missing if
    /// the cart has no worth, or one in another currency than orders had.
    BasketDeviation "basket_deviation" Deviation [-10.0, 10.0] HABIT
        "deviation of ln(1 + cart_value) from the baseline of ln(1 + value), over new orders with a value above 0 \
         since the currency of orders last changed; s0 = 0.6, reference ln_basket; so far",
        |r| r.deviations().basket;
    /// How far the categories looked at lately are from the usual ones. Missing with less than a second of attention
    /// lately.
    CategoryMixDeviation "category_mix_deviation" Deviation [-10.0, 10.0] MIX
        "(d − μ0) / σ0, from −10 to 10; d = ½Σ p·log2(p/m) + ½Σ q·log2(q/m), over categories kept; p = share of \
         the same attention with half-life 1 day, q = share, m = (p + q)/2; μ0, σ0 = category_mix_divergence of \
         the reference; missing unless Σ of the attention with half-life 1 day ≥ 1 s",
        |r| r.deviations().mix;
    /// How far from usual it all is: far below zero if the shopper does much less than usual, far above if much more.
    /// Missing if none of the four is known.
    Deviation "deviation" Deviation [-10.0, 10.0] OVERALL
        "√(mean of the squares) with the sign of the mean (that of zero is +), of those of the four that are not \
         missing",
        |r| r.deviations().overall();
}
