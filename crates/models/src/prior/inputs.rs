//! What the prior looks at.

use foretide_features::Feature;

const DAY_S: f64 = 86_400.0;

/// The few facts of a shopper, at the instant of the prediction, that the prior rests on. The default is a shopper of
/// whom nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Inputs {
    /// Whether there is something in the cart.
    pub has_cart: bool,
    /// Seconds since the last action; `None` if there was none, which counts as just now: whoever asks is there.
    pub seconds_since_seen: Option<f64>,
    /// Step of the checkout reached in this session: 0 not begun, 1 begun, then the shop's numbers.
    pub checkout_step: f64,
    /// Whether payment details were entered in this session.
    pub payment_entered: bool,
    /// Coupons denied lately.
    pub coupons_denied: f64,
    /// Seconds since the cart was empty; `None` if that is not known.
    pub cart_age_seconds: Option<f64>,
    /// Orders so far.
    pub purchases: f64,
    /// Daily engagement of the last week over that of the last month: 1 is as usual. `None` without any.
    pub engagement_trend: Option<f64>,
    /// Days that pass between two sessions on average; `None` if the shopper has not come back yet.
    pub usual_gap_days: Option<f64>,
}

/// No input counts above this: thirty years in seconds.
const MOST: f64 = 1e9;

impl Inputs {
    /// The features they are made of. A decision records these, so that it can be predicted again; a change of them is one of
    /// [`NAME`](super::NAME).
    pub const FEATURES: [Feature; 10] = [
        Feature::CartItems,
        Feature::SecondsSinceSeen,
        Feature::SessionCheckoutStep,
        Feature::SessionPaymentEntered,
        Feature::CouponsDenied7d,
        Feature::CartAgeSeconds,
        Feature::PurchasesTotal,
        Feature::EngagementTrend7d,
        Feature::SessionsTotal,
        Feature::DaysSinceFirstSeen,
    ];

    /// Makes them of the features that `get` gives, asked for those of [`FEATURES`](Self::FEATURES), each once and in their order.
    pub fn of(get: impl FnMut(Feature) -> Option<f64>) -> Self {
        let [
            cart_items,
            seconds_since_seen,
            checkout_step,
            payment_entered,
            coupons_denied,
            cart_age_seconds,
            purchases,
            engagement_trend,
            sessions,
            days_since_first_seen,
        ] = Self::FEATURES.map(get);
        Self {
            has_cart: cart_items.unwrap_or(0.0) > 0.0,
            seconds_since_seen,
            checkout_step: checkout_step.unwrap_or(0.0),
            payment_entered: payment_entered.unwrap_or(0.0) > 0.0,
            coupons_denied: coupons_denied.unwrap_or(0.0),
            cart_age_seconds,
            purchases: purchases.unwrap_or(0.0),
            engagement_trend,
            usual_gap_days: usual_gap_days(sessions, days_since_first_seen, seconds_since_seen),
        }
    }

    /// The same with every number brought into its range: at least 0, at most a thousand million, not a number as 0.
    pub(super) fn bounded(self) -> Self {
        let bound = |value: f64| {
            if value.is_nan() {
                0.0
            } else {
                value.clamp(0.0, MOST)
            }
        };
        Self {
            has_cart: self.has_cart,
            seconds_since_seen: self.seconds_since_seen.map(bound),
            checkout_step: bound(self.checkout_step),
            payment_entered: self.payment_entered,
            coupons_denied: bound(self.coupons_denied),
            cart_age_seconds: self.cart_age_seconds.map(bound),
            purchases: bound(self.purchases),
            engagement_trend: self.engagement_trend.map(bound),
            usual_gap_days: self.usual_gap_days.map(bound),
        }
    }
}

/// The time between the first action and the last, shared by the gaps between sessions.
fn usual_gap_days(
    sessions: Option<f64>,
    days_since_first_seen: Option<f64>,
    seconds_since_seen: Option<f64>,
) -> Option<f64> {
    let gaps = sessions? - 1.0;
    let (first, last) = (days_since_first_seen?, seconds_since_seen? / DAY_S);
    (gaps >= 1.0).then(|| (first - last).max(0.0) / gaps)
}
