//! The prior: what is said of a shopper before any model has been trained on the shop's own stream.
//!
//! It is a sum of a few terms in log-odds, each of one input, each monotone in it and bounded. The starting points are
//! published averages; the sizes of the terms are judgement, not fitted, and chosen so that ordinary shoppers lie on both
//! sides of the thresholds of the default rule. Every term is in the answer.
//!
//! | prediction | starts at | raised by | lowered by |
//! |---|---|---|---|
//! | abandonment, with a cart | 0.70, the average of the studies of cart abandonment collected by the Baymard Institute | time without an action, denied coupons, age of the cart | steps of checkout reached, payment details, past orders |
//! | abandonment, without a cart | 0.01: there is nothing to abandon yet | | |
//! | drift | 0.30 | engagement below the shopper's own usual rate, silence longer than the shopper's usual gap | their opposites |

mod abandonment;
mod drift;
mod inputs;

use std::borrow::Cow;

pub use inputs::Inputs;

use crate::Predictions;

/// The name of this prior in answers and records. Any change of a number in it gets a new one.
pub const NAME: &str = "prior-1";

/// What the prior says of a shopper with these `inputs`. Always finite and strictly between 0 and 1, whatever they hold.
pub fn predict(inputs: &Inputs) -> Predictions {
    let inputs = inputs.bounded();
    Predictions {
        drift: drift::predict(&inputs),
        abandonment: abandonment::predict(&inputs),
        source: Cow::Borrowed(NAME),
    }
}

/// The log-odds of a probability strictly between 0 and 1.
fn log_odds(probability: f64) -> f64 {
    libm::log(probability / (1.0 - probability))
}

#[cfg(test)]
mod tests;
