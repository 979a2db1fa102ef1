//! A state, read at an instant.

use foretide_events::EpochMs;
use jiff::civil::DateTime;

use super::table::compute;
use crate::{
    FeatureVector, FoldRules, HalfLife, Reference, Session, State, Zone,
    baseline::{Baseline, bounded},
    half_life::{halved, read},
    prices::{HARDLY_ANY, PriceLevels},
    purchases::major_units,
    recency::Latest,
    responses::Part,
    tally::Tally,
    visits,
};

/// A state, read at an instant.
pub(super) struct Reading<'a> {
    pub(super) state: &'a State,
    pub(super) now: EpochMs,
    pub(super) reference: &'a Reference,
    pub(super) session: Option<&'a Session>,
    /// What 1 in the sums of each half-life is worth now.
    worths: [f64; 4],
    /// How often sums are halved until now, and what 1 is worth in the period that is reached then.
    halvings: [i64; 4],
    in_period: [f64; 4],
    pub(super) prices: PriceLevels,
    pub(super) deviations: Deviations,
    pub(super) local: Option<DateTime>,
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
        Self {
            engagement: state
                .last_seen()
                .map(|_| of(&habits.day, daily, reference.day)),
            session: seconds.map(|now| of(&habits.session, now, reference.session)),
            basket: basket().map(|now| of(&habits.basket, now, reference.basket)),
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
    pub(super) fn tally(&self, tally: Tally) -> f64 {
        self.sum(self.state.tallies.get(tally), tally.half_life())
    }

    /// What a sum is worth now: the same as if the shopper had been there, and it had been moved on.
    pub(super) fn sum(&self, sum: f64, half_life: HalfLife) -> f64 {
        let place = half_life as usize;
        read(halved(sum, self.halvings[place]), self.in_period[place])
    }

    pub(super) fn worth(&self, half_life: HalfLife) -> f64 {
        self.worths[half_life as usize]
    }

    /// A sum of responses to prices, now.
    pub(super) fn responses(&self, part: Part) -> f64 {
        self.sum(self.state.responses.get(part), crate::responses::HALF_LIFE)
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
    /// Every feature at `now`, relative to what `reference` says is usual. Events after `now` are not left out: for a time in the
    /// past ask [`Profile::state_at`](crate::Profile::state_at) first.
    pub fn features(
        &self,
        now: EpochMs,
        rules: &FoldRules,
        reference: &Reference,
    ) -> FeatureVector {
        let worths = HalfLife::ALL.map(|half_life| half_life.worth(self.as_of, now));
        let prices = |currency| {
            let worth = worths[HalfLife::Month as usize];
            PriceLevels::of(&self.affinity, currency, reference, worth)
        };
        let reached = now.max(self.as_of);
        let mut reading = Reading {
            state: self,
            now,
            reference,
            session: self.session(now, rules),
            worths,
            halvings: HalfLife::ALL.map(|half_life| half_life.halvings(self.as_of, reached)),
            in_period: HalfLife::ALL.map(|half_life| half_life.worth(reached, reached)),
            prices: self.currency().map(prices).unwrap_or_default(),
            deviations: Deviations::default(),
            local: self.zone().and_then(|zone: &Zone| zone.local(now)),
        };
        reading.deviations = Deviations::of(&reading);
        compute(&reading)
    }
}
