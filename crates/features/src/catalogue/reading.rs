//! A state, read at an instant.

use std::cell::OnceCell;

use foretide_events::EpochMs;
use jiff::civil::DateTime;

use super::table::compute;
use crate::{
    CATALOGUE, Feature, FeatureVector, FoldRules, HalfLife, Reference, Session, State, Zone,
    baseline::{Baseline, bounded},
    half_life::{halved, halved_small, read},
    prices::{HARDLY_ANY, PriceLevels},
    purchases::major_units,
    recency::Latest,
    responses::Part,
    tally::Tally,
    visits,
};

/// A state, read at an instant: its features, each worked out when it is asked for.
///
/// Most features are a product, and cost no more than the cache lines they are in. What several share, and what takes longer, is
/// worked out with the first that needs it.
#[derive(Debug)]
pub struct Reading<'a> {
    pub(super) state: &'a State,
    pub(super) now: EpochMs,
    pub(super) reference: &'a Reference,
    pub(super) session: Option<&'a Session>,
    rules: FoldRules,
    /// When the state is read: now, or as of when it is if that is later.
    reached: EpochMs,
    /// What 1 in the sums of each half-life is worth now.
    worths: [OnceCell<f64>; HalfLife::ALL.len()],
    decays: [OnceCell<Decay>; HalfLife::ALL.len()],
    prices: OnceCell<PriceLevels>,
    deviations: OnceCell<Deviations>,
    local: OnceCell<Option<DateTime>>,
}

/// What becomes of the sums of one half-life until now.
#[derive(Clone, Copy, Debug)]
struct Decay {
    /// How often they are halved.
    halvings: i64,
    /// What 1 is worth in the period that is reached then.
    in_period: f64,
}

/// How far what the shopper does now is from what they usually do, in standard deviations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Deviations {
    pub(super) engagement: Option<f64>,
    pub(super) session: Option<f64>,
    pub(super) basket: Option<f64>,
    pub(super) mix: Option<f64>,
}

impl Deviations {
    fn of(reading: &Reading<'_>) -> Self {
        let (state, reference) = (reading.state, reading.reference);
        let habits = &state.habits;
        let of =
            |habit: &Baseline, now: f64, usual| habit.deviation(libm::log1p(now.max(0.0)), usual);
        let daily = reading.tally(Tally::Engagement1d) * std::f64::consts::LN_2;
        let basket = || {
            let cart = state.cart().value().filter(|value| value.minor_units > 0)?;
            let orders = state.purchases().value();
            let comparable = orders.is_none_or(|orders| orders.currency == cart.currency);
            comparable.then(|| major_units(cart.minor_units as f64, cart.currency))
        };
        let seconds = reading
            .session
            .map(|session| reading.seconds_since(session.start()));
        let usual = reference.mix;
        let mix = state.mix_divergence(reading.now);
        // What an open session adds to is not yet what it will come to: there only an excess says something.
        let so_far = |deviation: f64| match reading.session {
            Some(_) if deviation <= 0.0 => 0.0,
            _ => deviation,
        };
        Self {
            engagement: state
                .last_seen()
                .map(|_| so_far(of(&habits.day, daily, reference.day))),
            session: seconds.map(|now| so_far(of(&habits.session, now, reference.session))),
            basket: basket().map(|now| so_far(of(&habits.basket, now, reference.basket))),
            mix: mix.map(|now| bounded((now - usual.location) / usual.scale)),
        }
    }

    /// All in one: the root of the mean square, under the sign of the mean.
    pub(super) fn overall(&self) -> Option<f64> {
        let all = [self.engagement, self.session, self.basket, self.mix];
        let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for deviation in all.into_iter().flatten() {
            n += 1.0;
            sum += deviation;
            squares += deviation * deviation;
        }
        (n > 0.0).then(|| libm::copysign(libm::sqrt(squares / n), sum))
    }
}

impl Reading<'_> {
    /// The value of `feature`, relative to what the reference says is usual; `None` if it is missing, or holds no longer.
    pub fn get(&self, feature: Feature) -> Option<f64> {
        if self.is_expired(feature) {
            return None;
        }
        compute(self, feature).filter(|value| value.is_finite())
    }

    /// Whether the shopper's newest event is longer ago than `feature` holds. Here, so that who serves it, trains on it or
    /// shows it sees the same.
    pub fn is_expired(&self, feature: Feature) -> bool {
        let time_to_live = feature.spec().nature.time_to_live;
        let age_ms = self.now.since(self.state.as_of);
        time_to_live
            .ms(&self.rules)
            .is_some_and(|most| age_ms > most)
    }

    /// The values of all features.
    pub fn features(&self) -> FeatureVector {
        let mut vector = FeatureVector::default();
        for spec in &CATALOGUE {
            vector.set(spec.feature, self.get(spec.feature));
        }
        vector
    }

    pub(super) fn tally(&self, tally: Tally) -> f64 {
        self.sum(self.state.tallies.get(tally), tally.half_life())
    }

    /// What a sum is worth now: the same as if the shopper had been there, and it had been moved on.
    pub(super) fn sum(&self, sum: f64, half_life: HalfLife) -> f64 {
        let decay = self.decay(half_life);
        read(halved(sum, decay.halvings), decay.in_period)
    }

    fn decay(&self, half_life: HalfLife) -> &Decay {
        self.decays[half_life as usize].get_or_init(|| Decay {
            halvings: half_life.halvings(self.state.as_of, self.reached),
            in_period: half_life.worth(self.reached, self.reached),
        })
    }

    pub(super) fn worth(&self, half_life: HalfLife) -> f64 {
        let worth = || half_life.worth(self.state.as_of, self.now);
        *self.worths[half_life as usize].get_or_init(worth)
    }

    pub(super) fn prices(&self) -> &PriceLevels {
        self.prices.get_or_init(|| {
            let levels = |currency| {
                let (variance, worth) = (self.state.price_variance(), self.worth(HalfLife::Month));
                PriceLevels::of(
                    &self.state.affinity,
                    currency,
                    self.reference,
                    variance,
                    worth,
                )
            };
            self.state.currency().map(levels).unwrap_or_default()
        })
    }

    pub(super) fn deviations(&self) -> &Deviations {
        self.deviations.get_or_init(|| Deviations::of(self))
    }

    /// The date and time where the shopper is.
    pub(super) fn local(&self) -> Option<DateTime> {
        let local = || {
            self.state
                .zone()
                .and_then(|zone: &Zone| zone.local(self.now))
        };
        *self.local.get_or_init(local)
    }

    /// A sum of responses to prices, now.
    pub(super) fn responses(&self, part: Part) -> f64 {
        let decay = self.decay(crate::responses::HALF_LIFE);
        let left = halved_small(self.state.responses.get(part), decay.halvings);
        read(left, decay.in_period)
    }

    /// Seconds from `then` to now, zero if that lies ahead.
    pub(super) fn seconds_since(&self, then: EpochMs) -> f64 {
        self.now.since(then).max(0) as f64 / 1000.0
    }

    pub(super) fn days_since(&self, then: EpochMs) -> f64 {
        self.seconds_since(then) / 86_400.0
    }

    pub(super) fn days_since_latest(&self, latest: Latest) -> Option<f64> {
        Some(self.days_since(self.state.recency.of(latest)?))
    }

    pub(super) fn in_session(&self, value: impl FnOnce(&Session) -> u32) -> Option<f64> {
        self.session.map(|session| f64::from(value(session)))
    }

    /// The rate per day behind the sum `recent`, over that behind `usual`: a decayed sum of a steady rate is
    /// rate · half-life / ln 2, so the ratio of rates is that of sums times the inverse ratio of half-lives.
    pub(super) fn trend(&self, recent: Tally, usual: Tally) -> Option<f64> {
        let usual_sum = self.tally(usual);
        let scale = usual.half_life().ms() as f64 / recent.half_life().ms() as f64;
        (usual_sum > 1e-6).then(|| (self.tally(recent) / usual_sum).min(1.0) * scale)
    }

    /// `part` over `whole`; `None` where there is hardly any of the whole.
    pub(super) fn share(part: f64, whole: f64) -> Option<f64> {
        (whole >= HARDLY_ANY).then(|| (part / whole).min(1.0))
    }

    /// A sum of money in the shopper's currency, in its main unit; zero if nothing had a price yet.
    pub(super) fn money(&self, tally: Tally) -> f64 {
        let currency = self.state.currency();
        currency.map_or(0.0, |currency| major_units(self.tally(tally), currency))
    }

    /// What the orders of the last month were worth; `None` if no order had a worth.
    pub(super) fn spend(&self) -> Option<f64> {
        let currency = self.state.purchases().value()?.currency;
        Some(major_units(self.tally(Tally::Spend30d), currency))
    }

    /// `money` over the number of `things`; `None` where there are hardly any.
    pub(super) fn mean_money(&self, money: Option<f64>, things: Tally) -> Option<f64> {
        let things = self.tally(things);
        money
            .filter(|_| things >= HARDLY_ANY)
            .map(|money| money / things)
    }

    pub(super) fn visit_gap_hours(&self) -> Option<f64> {
        visits::usual_hours(&self.state.gaps, self.worth(visits::HALF_LIFE))
    }

    pub(super) fn visit_gap_spread(&self) -> Option<f64> {
        visits::spread(&self.state.gaps, self.worth(visits::HALF_LIFE))
    }

    pub(super) fn visit_overdue(&self) -> Option<f64> {
        let worth = self.worth(visits::HALF_LIFE);
        let last = self.state.last_seen()?;
        Some(visits::overdue(
            &self.state.gaps,
            worth,
            last,
            self.now,
            self.reference,
        ))
    }

    pub(super) fn elasticity(&self) -> Option<f64> {
        let worth = self.worth(crate::responses::HALF_LIFE);
        self.state
            .responses
            .elasticity(worth, self.reference.review_cart_share)
    }
}

impl State {
    /// The state at `now`, read relative to what `reference` says is usual: for who needs a few features. Events after `now` are not
    /// left out: for a time in the past ask [`Profile::state_at`](crate::Profile::state_at) first.
    pub fn reading<'a>(
        &'a self,
        now: EpochMs,
        rules: &FoldRules,
        reference: &'a Reference,
    ) -> Reading<'a> {
        Reading {
            state: self,
            now,
            reference,
            session: self.session(now, rules),
            rules: *rules,
            reached: now.max(self.as_of),
            worths: Default::default(),
            decays: Default::default(),
            prices: OnceCell::new(),
            deviations: OnceCell::new(),
            local: OnceCell::new(),
        }
    }

    /// Every feature at `now`, as [`reading`](Self::reading) has it.
    pub fn features(
        &self,
        now: EpochMs,
        rules: &FoldRules,
        reference: &Reference,
    ) -> FeatureVector {
        self.reading(now, rules, reference).features()
    }
}
