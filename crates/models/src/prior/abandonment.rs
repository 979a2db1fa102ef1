//! That what is in the cart is not bought in this session.

use super::{Inputs, log_odds};
use crate::{Contribution, Prediction};

/// Baymard Institute, "Cart Abandonment Rate Statistics": the mean of some fifty published studies is 70 %.
const AVERAGE_CART: f64 = 0.70;
/// Without a cart there is no purchase to abandon; not zero, because the next action may start one.
const NO_CART: f64 = 0.01;

/// An action this long ago is neither a good nor a bad sign.
const NEUTRAL_IDLE_MINUTES: f64 = 5.0;
const IDLE_WEIGHT: f64 = 0.45;
/// A day without an action says all that idleness can say.
const LONGEST_IDLE_MINUTES: f64 = 24.0 * 60.0;

/// Of the shoppers who begin checkout about half complete it: from 0.70 to just below one half.
const CHECKOUT_BEGUN: f64 = -0.9;
const CHECKOUT_STEP: f64 = -0.4;
const MOST_CHECKOUT_STEPS: f64 = 4.0;
const PAYMENT_ENTERED: f64 = -0.8;

const DENIED_COUPON_WEIGHT: f64 = 0.9;
const MOST_DENIED_COUPONS: f64 = 5.0;

const CART_AGE_WEIGHT: f64 = 0.12;
const OLDEST_CART_HOURS: f64 = 7.0 * 24.0;

const PURCHASES_WEIGHT: f64 = -0.35;
const MOST_PURCHASES: f64 = 20.0;

/// Predicts from bounded `inputs`.
pub(super) fn predict(inputs: &Inputs) -> Prediction {
    if !inputs.has_cart {
        return Prediction::of(vec![Contribution::base(log_odds(NO_CART))]);
    }
    let idle = inputs.seconds_since_seen.unwrap_or(0.0);
    let step = inputs.checkout_step;
    let payment = f64::from(u8::from(inputs.payment_entered));
    let denied = inputs.coupons_denied;
    let age = inputs.cart_age_seconds.unwrap_or(0.0);
    let orders = inputs.purchases;
    let term = Contribution::of;
    Prediction::of(vec![
        Contribution::base(log_odds(AVERAGE_CART)),
        term("seconds_since_seen", idle, idle_term(idle / 60.0)),
        term("session_checkout_step", step, checkout_term(step)),
        term(
            "session_payment_entered",
            payment,
            PAYMENT_ENTERED * payment,
        ),
        term(
            "coupons_denied_7d",
            denied,
            growing(DENIED_COUPON_WEIGHT, denied, MOST_DENIED_COUPONS),
        ),
        term(
            "cart_age_seconds",
            age,
            growing(CART_AGE_WEIGHT, age / 3600.0, OLDEST_CART_HOURS),
        ),
        term(
            "purchases_total",
            orders,
            growing(PURCHASES_WEIGHT, orders, MOST_PURCHASES),
        ),
    ])
}

/// `weight` · ln(1 + `value`), no further than `most`: each further one says less.
fn growing(weight: f64, value: f64, most: f64) -> f64 {
    weight * libm::log1p(value.min(most))
}

/// Rises with the logarithm of the time without an action: −0.8 at once, 0 after five minutes, 0.7 after half an hour.
fn idle_term(minutes: f64) -> f64 {
    let minutes = minutes.min(LONGEST_IDLE_MINUTES);
    IDLE_WEIGHT * libm::log((minutes + 1.0) / (NEUTRAL_IDLE_MINUTES + 1.0))
}

/// Falls with every step of checkout, most with the first.
fn checkout_term(step: f64) -> f64 {
    let step = step.min(MOST_CHECKOUT_STEPS);
    CHECKOUT_BEGUN * step.min(1.0) + CHECKOUT_STEP * (step - 1.0).max(0.0)
}
