//! Evidence that a mean is above zero, which may be looked at as often as one likes.

/// The smallest bet, in parts of wealth for each unit of what is observed.
const SMALLEST_BET: f64 = 1.0 / 512.0;

/// How many bets there are, each twice as large as the one before: up to 16.
const BETS: usize = 14;

/// No loss is anywhere near as large: what is beyond is brought here, so that its square is still a number.
const LARGEST: f64 = 1e100;

/// What no bet may come closer to than this: losing everything at one observation.
const MOST_AT_STAKE: f64 = 0.95;

/// An e-process against "the mean of what was observed is not above zero".
///
/// # What it promises
///
/// Let x₁, x₂, … be observed one after the other, each with a bound xᵢ ≥ leastᵢ that is known before it, and let μᵢ be what was to be
/// expected of xᵢ given all before. As long as μ₁ + … + μₙ ≤ 0 at every n, the chance that [`log_e`](Self::log_e) *ever* reaches
/// ln(1/α) is at most α, however often one looks and whenever one stops. Nothing is assumed of how the μᵢ change or the xᵢ are
/// distributed, nor that one mean holds throughout: this is the empirical Bernstein process of Y. J. Choe and A. Ramdas, "Comparing
/// sequential forecasters" (Operations Research, 2023), with their bound (from Fan, Grama and Liu 2015)
/// E exp(λ·(x − μ) − ψ(λ)·(x − γ)²) ≤ 1, where ψ(λ) = (−ln(1 − λc) − λc)/c², x − γ ≥ −c, and γ is any number chosen before x: here the mean so far.
///
/// Which λ is best depends on how large the mean and the scatter are, which nobody knows beforehand. So the wealth is spread over
/// many of them (`BETS`); the mean of e-processes is one. A bet that an observation could ruin is given up before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The logarithm of the wealth of each bet; minus infinity where it was given up.
    log_wealth: [f64; BETS],
    count: u64,
    sum: f64,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            log_wealth: [0.0; BETS],
            count: 0,
            sum: 0.0,
        }
    }
}

impl Evidence {
    /// Takes in an observation, of which it was known beforehand that it would be at least `least` (itself at most zero: else there would be nothing
    /// to find out). What is not finite is passed over.
    pub fn observe(&mut self, x: f64, least: f64) {
        if !(x.is_finite() && least.is_finite()) {
            return;
        }
        let least = least.clamp(-LARGEST, LARGEST);
        let x = x.clamp(-LARGEST, LARGEST).max(least);
        let guess = (self.sum / (self.count + 1) as f64).max(least);
        let (deviation, room) = (x - guess, guess - least);
        for (place, log_wealth) in self.log_wealth.iter_mut().enumerate() {
            let bet = bet(place);
            *log_wealth = if bet * room > MOST_AT_STAKE {
                f64::NEG_INFINITY
            } else {
                *log_wealth + bet * x - cost(bet, room) * deviation * deviation
            };
        }
        self.count += 1;
        self.sum += x;
    }

    /// The logarithm of the evidence: 0 is none, ln(20) is as much as an error of 5 % allows.
    pub fn log_e(&self) -> f64 {
        log_mean(self.log_wealth.into_iter())
    }

    /// How many observations it has taken in.
    pub fn count(&self) -> u64 {
        self.count
    }
}

/// The logarithm of the mean of numbers given by their logarithms.
pub(super) fn log_mean(logs: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let count = logs.len() as f64;
    let most = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        return most;
    }
    let sum: f64 = logs.map(|log| libm::exp(log - most)).sum();
    most + libm::log(sum / count)
}

fn bet(place: usize) -> f64 {
    let place = i32::try_from(place).unwrap_or(0);
    libm::ldexp(SMALLEST_BET, place)
}

/// ψ(λ), for observations with so much room below the guess.
fn cost(bet: f64, room: f64) -> f64 {
    let at_stake = bet * room;
    if at_stake < 1e-4 {
        // Its series: the formula would take the difference of nearly equal numbers.
        return bet * bet * (0.5 + at_stake / 3.0 + at_stake * at_stake / 4.0);
    }
    (-libm::log1p(-at_stake) - at_stake) / (room * room)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::seeded::Seeded;

    /// A number from 0 to 1.
    fn uniform(seeded: &mut Seeded) -> f64 {
        (seeded.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// In how many of `runs` the evidence for a mean above zero ever reaches 20, looked at after each of 2000 observations of 1 or −1.
    fn crossings(runs: u64, chance_of_one: impl Fn(u32) -> f64) -> u32 {
        let reached = |run: u64| {
            let (mut evidence, mut seeded) = (Evidence::default(), Seeded::new(run, 7));
            (0..2_000).any(|number| {
                let one = uniform(&mut seeded) < chance_of_one(number);
                evidence.observe(if one { 1.0 } else { -1.0 }, -1.0);
                evidence.log_e() >= libm::log(20.0)
            })
        };
        (0..runs).map(|run| u32::from(reached(run))).sum()
    }

    #[test]
    fn chance_alone_is_hardly_ever_taken_for_evidence_however_often_one_looks() {
        assert!(crossings(400, |_| 0.5) <= 20);
        // The mean so far is never above zero, though single ones are.
        assert!(crossings(400, |number| if number < 1_000 { 0.3 } else { 0.6 }) <= 20);
    }

    #[test]
    fn a_mean_above_zero_is_found() {
        assert!(crossings(50, |_| 0.6) >= 48);
    }

    #[test]
    fn a_naive_test_that_is_looked_at_often_errs_often() {
        // What the evidence is good for: of 400 runs without any difference a t-test at 5 % after each observation finds one in many.
        let naive = |run: u64| {
            let (mut seeded, mut sum) = (Seeded::new(run, 7), 0.0);
            (1..2_000).any(|count| {
                sum += if uniform(&mut seeded) < 0.5 {
                    1.0
                } else {
                    -1.0
                };
                count > 30 && sum / f64::from(count).sqrt() > 1.645
            })
        };
        let errors: u32 = (0..400).map(|run| u32::from(naive(run))).sum();
        assert!(errors > 80, "{errors}");
    }

    #[test]
    fn a_bet_that_could_be_ruined_is_given_up_before() {
        let mut evidence = Evidence::default();
        evidence.observe(0.0, -1e9);
        assert!(!evidence.log_e().is_finite());
        let mut evidence = Evidence::default();
        evidence.observe(3.0, -3.0);
        assert!(evidence.log_e().is_finite());
    }

    #[test]
    fn what_is_beyond_all_bounds_is_no_evidence_and_still_a_number() {
        for (x, least) in [(-0.0, 1.6e307), (1e308, -1.0), (f64::MAX, f64::MIN)] {
            let mut evidence = Evidence::default();
            for _ in 0..3 {
                evidence.observe(x, least);
                assert!(!evidence.log_e().is_nan(), "{x} {least}");
            }
        }
    }

    #[test]
    fn small_stakes_cost_what_the_series_says() {
        for room in [0.99e-4, 1.01e-4] {
            assert!((cost(1.0, room) - 0.5 - room / 3.0).abs() < 1e-7);
        }
    }

    proptest! {
        /// The bound that all rests on: of two values with a mean of zero, none makes wealth grow in expectation.
        #[test]
        fn no_bet_gains_from_a_fair_game(least in -3.0..-0.01_f64, most in 0.01..3.0_f64, before in -3.0..3.0_f64, place in 0..BETS) {
            let chance_of_most = -least / (most - least);
            let mut evidence = Evidence { count: 1, sum: 2.0 * before, ..Evidence::default() };
            evidence.log_wealth = [0.0; BETS];
            let after = |x: f64| {
                let mut evidence = evidence.clone();
                evidence.observe(x, least);
                libm::exp(evidence.log_wealth[place])
            };
            let expected = chance_of_most * after(most) + (1.0 - chance_of_most) * after(least);
            prop_assert!(expected <= 1.0 + 1e-9, "{expected}");
        }

        #[test]
        fn it_is_a_number_whatever_is_observed(seen in prop::collection::vec((any::<f64>(), any::<f64>()), 0..20)) {
            let mut evidence = Evidence::default();
            for (x, least) in seen {
                evidence.observe(x, least);
            }
            prop_assert!(!evidence.log_e().is_nan());
        }
    }
}
