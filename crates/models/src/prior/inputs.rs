//! What the prior looks at.

use foretide_features::{Feature, FeatureVector};

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
    /// Takes them from `features`.
    pub fn of(features: &FeatureVector) -> Self {
        let or_zero = |feature| features.get(feature).unwrap_or(0.0);
        Self {
            has_cart: or_zero(Feature::CartItems) > 0.0,
            seconds_since_seen: features.get(Feature::SecondsSinceSeen),
            checkout_step: or_zero(Feature::SessionCheckoutStep),
            payment_entered: or_zero(Feature::SessionPaymentEntered) > 0.0,
            coupons_denied: or_zero(Feature::CouponsDenied7d),
            cart_age_seconds: features.get(Feature::CartAgeSeconds),
            purchases: or_zero(Feature::PurchasesTotal),
            engagement_trend: features.get(Feature::EngagementTrend7d),
            usual_gap_days: usual_gap_days(features),
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
fn usual_gap_days(features: &FeatureVector) -> Option<f64> {
    let gaps = features.get(Feature::SessionsTotal)? - 1.0;
    let first = features.get(Feature::DaysSinceFirstSeen)?;
    let last = features.get(Feature::SecondsSinceSeen)? / DAY_S;
    (gaps >= 1.0).then(|| (first - last).max(0.0) / gaps)
}
