//! What is played: how many shoppers, of which temperaments, from when, and what offers do to them.

use foretide_events::EpochMs;

use crate::Temperament;

/// What a run is made of. The same settings give the same events, to the byte.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// Number of shoppers, at least 1.
    pub shoppers: u32,
    /// When the shop opens: nothing happens before.
    pub start_at: EpochMs,
    /// How often the shoppers come, as a multiple of what their temperament says; more than 0.
    pub busyness: f64,
    /// Whether the hour of the day and the day of the week matter. Without, visits are spread evenly.
    pub rhythm: bool,
    /// Shoppers from this number on come for the first time after [`newcomers_from`](Self::newcomers_from).
    pub established: u32,
    /// Before this the newcomers do not come.
    pub newcomers_from: EpochMs,
    /// Whether questions for decisions are raised.
    pub asks: bool,
    /// Whether a batch ends soon after a question, so that it can always be answered in time. Without, shoppers go on
    /// whether they are answered or not.
    pub waits: bool,
    /// Share of each temperament, in the order of [`Temperament::ALL`]. They need not sum to 1.
    pub mix: [f64; 5],
    /// A drifting shopper's engagement begins to fall this many days after being let in, evenly between the two.
    pub drift_after_days: (f64, f64),
    /// In how many days the engagement of a drifting shopper halves; more than 0.
    pub drift_half_life_days: f64,
    /// Of all the engagement a drifting shopper had, this share stays, however long ago it began to fall; from above 0 to 1.
    pub least_engagement: f64,
    /// Products of each category, at least 6.
    pub products_per_category: u16,
    /// What offers do.
    pub effects: Effects,
}

impl Settings {
    /// The usual shop with this seed and number of shoppers, open from `start_at`.
    pub fn new(seed: u64, shoppers: u32, start_at: EpochMs) -> Self {
        Self {
            seed,
            shoppers: shoppers.max(1),
            start_at,
            busyness: 1.0,
            rhythm: true,
            established: u32::MAX,
            newcomers_from: start_at,
            asks: false,
            waits: true,
            mix: [0.41, 0.22, 0.18, 0.18, 0.01],
            drift_after_days: (10.0, 60.0),
            drift_half_life_days: 5.0,
            least_engagement: 0.02,
            products_per_category: 40,
            effects: Effects::default(),
        }
    }
}

/// The true effects of offers, by temperament in the order of [`Temperament::ALL`].
#[derive(Clone, Debug, PartialEq)]
pub struct Effects {
    /// What ten percent off the cart adds to the log-odds of buying it. Other percentages in proportion.
    pub discount_log_odds: [f64; 5],
    /// What recommendations add to the log-odds that something is put into the cart.
    pub recommendations_log_odds: [f64; 5],
    /// What a banner or message adds to the log-odds that something is put into the cart.
    pub content_log_odds: [f64; 5],
    /// What help adds to the log-odds of buying the cart.
    pub assistance_log_odds: [f64; 5],
    /// The probability that recommendations win a shopper back whose engagement falls.
    pub recovery: f64,
    /// How long a shopper who was won back stays, in days, before drifting again.
    pub recovered_days: f64,
    /// The probability that an offer that is seen is clicked.
    pub click: [f64; 5],
}

impl Default for Effects {
    fn default() -> Self {
        Self {
            discount_log_odds: [0.5, 1.4, 0.15, 0.6, 0.0],
            recommendations_log_odds: [0.25, 0.1, 0.3, 0.5, 0.0],
            content_log_odds: [0.1, 0.15, 0.05, 0.1, 0.0],
            assistance_log_odds: [0.4, 0.1, 0.2, 0.3, 0.0],
            recovery: 0.35,
            recovered_days: 14.0,
            click: [0.15, 0.35, 0.25, 0.2, 0.0],
        }
    }
}

impl Effects {
    /// Offers that do nothing, to look for effects where there are none.
    pub fn none() -> Self {
        Self {
            discount_log_odds: [0.0; 5],
            recommendations_log_odds: [0.0; 5],
            content_log_odds: [0.0; 5],
            assistance_log_odds: [0.0; 5],
            recovery: 0.0,
            recovered_days: 0.0,
            click: [0.0; 5],
        }
    }

    /// What ten percent off adds to the log-odds that a shopper of `temperament` buys the cart.
    pub fn discount(&self, temperament: Temperament) -> f64 {
        self.discount_log_odds[temperament as usize]
    }
}
