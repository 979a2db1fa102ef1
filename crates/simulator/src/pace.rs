//! How much goes on: the rate that settings lead to, estimated from a sample of visits.

use foretide_events::EpochMs;

use crate::{
    Settings, Shop,
    rhythm::mean_absence_ms,
    shopper::Shopper,
    visit::{Past, Visit, World},
};

/// Shoppers in the sample.
const SAMPLED: u32 = 600;
/// Visits of each that are played.
const VISITS: u32 = 3;

/// Visits of a sample of the shoppers.
pub(crate) struct Sample(Vec<Sampled>);

struct Sampled {
    shopper: Shopper,
    engagement: f64,
    /// Actions of a visit, and its length in milliseconds, on average.
    actions: f64,
    length_ms: f64,
}

impl Sample {
    /// Each shopper as engaged as `engagement` says.
    pub(crate) fn of(
        settings: &Settings,
        shop: &Shop,
        engagement: impl Fn(&Shopper) -> f64,
    ) -> Self {
        let every = (settings.shoppers / SAMPLED).max(1);
        let numbers = (0..settings.shoppers).step_by(every as usize);
        Self(
            numbers
                .map(|number| {
                    let shopper = Shopper::of(settings, number);
                    sampled(settings, shop, shopper, engagement(&shopper))
                })
                .collect(),
        )
    }

    /// Actions a second of shop time, of as many shoppers as `settings` say.
    pub(crate) fn rate(&self, settings: &Settings) -> f64 {
        let each = self.0.iter().map(|sampled| {
            let absence_ms = mean_absence_ms(settings, &sampled.shopper, sampled.engagement);
            let cycle_ms = absence_ms + sampled.length_ms;
            sampled.actions * 1000.0 / cycle_ms
        });
        each.sum::<f64>() / self.0.len() as f64 * f64::from(settings.shoppers)
    }

    /// The busyness at which the rate is `rate`, or the nearest that can be reached.
    pub(crate) fn busyness(&self, settings: &Settings, rate: f64) -> f64 {
        let mut settings = settings.clone();
        let (mut low, mut high) = (1e-6_f64, 1e6_f64);
        for _ in 0..60 {
            settings.busyness = (low * high).sqrt();
            if self.rate(&settings) < rate {
                low = settings.busyness;
            } else {
                high = settings.busyness;
            }
        }
        (low * high).sqrt()
    }
}

fn sampled(settings: &Settings, shop: &Shop, shopper: Shopper, engagement: f64) -> Sampled {
    let world = World { settings, shop };
    let mut sum = (0.0, 0.0);
    for visit in 0..VISITS {
        let at = EpochMs(settings.start_at.0 + i64::from(visit) * 86_400_000);
        let mut visit = Visit::begin(world, shopper, visit, at, engagement, Past::default());
        let length_ms = visit.play(world);
        sum = (sum.0 + f64::from(visit.acted), sum.1 + length_ms as f64);
    }
    Sampled {
        shopper,
        engagement,
        actions: sum.0 / f64::from(VISITS),
        length_ms: sum.1 / f64::from(VISITS),
    }
}
