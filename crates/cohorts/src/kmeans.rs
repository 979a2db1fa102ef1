//! k-means: seeds, a first fit by linfa, refinement by our own kernel, and ways out of where it gets stuck.

use linfa::{DatasetBase, traits::Fit as _};
use linfa_clustering::{KMeans, KMeansInit};
use ndarray::Array2;

use crate::{
    Rows,
    assign::{Kernel, squared_distance},
    draws::Draws,
    quality::{Middles, squared_norms},
};

/// Shoppers that seeds are drawn from, first fits made on and swaps tried on.
const SCOUTS: usize = 4_096;
/// The most turns of a first fit.
const FIRST_TURNS: u64 = 12;
/// The most turns of a refinement.
const MOST_TURNS: usize = 60;
/// A refinement ends when a turn makes the inertia better by less than this part.
const SETTLED: f64 = 2e-5;
/// Turns in which a swap shows what it is worth.
const SWAP_TURNS: usize = 6;
/// Swaps that are tried in vain before no more are tried.
const SWAPS_IN_VAIN: usize = 4;
/// Places that are tried for one centroid more.
const PLACES_FOR_ONE_MORE: usize = 10;
/// The most swaps that are made.
const MOST_SWAPS: usize = 24;
/// By what part of the inertia a swap must be better.
const SWAP_GAIN: f64 = 0.004;

/// Centroids, and who is nearest to which.
#[derive(Clone, Debug)]
pub(crate) struct Fit {
    /// Shape `(k, n_dimensions)`.
    pub(crate) centroids: Rows,
    /// The centroid of each shopper.
    pub(crate) labels: Vec<u16>,
    /// How many shoppers each has.
    pub(crate) counts: Vec<u64>,
    /// The sum of squared distances to the middles of those who are together.
    pub(crate) inertia: f64,
}

/// A sample that is fit to.
#[derive(Debug)]
pub(crate) struct Fitter<'a> {
    rows: &'a Rows,
    scouts: Rows,
    norms: f64,
    scout_norms: f64,
    threads: usize,
}

impl<'a> Fitter<'a> {
    pub(crate) fn new(rows: &'a Rows, threads: usize) -> Self {
        let scouts = rows.thinned(SCOUTS);
        Self {
            rows,
            norms: squared_norms(rows),
            scout_norms: squared_norms(&scouts),
            scouts,
            threads,
        }
    }

    /// How many shoppers are fit to.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// From seeds that are drawn: fit by linfa to some shoppers, swapped, and refined on all.
    pub(crate) fn fresh(&self, k: usize, draws: &mut Draws) -> Fit {
        let seeds = self.seeds(k, draws);
        let first = self.first_fit(seeds);
        let swapped = self.swapped(first, draws);
        self.refined(swapped)
    }

    /// From centroids that serve: refined on all, and again where swaps lead out of where it is stuck by at least `gain`.
    pub(crate) fn warm(&self, start: Rows, gain: f64, draws: &mut Draws) -> Fit {
        let refined = self.refined(start);
        let (before, _) = self.turns_on_scouts(refined.centroids.clone());
        let swapped = self.swapped(refined.centroids.clone(), draws);
        let (after, _) = self.turns_on_scouts(swapped.clone());
        if after < before * (1.0 - gain) {
            let escaped = self.refined(swapped);
            if escaped.inertia < refined.inertia * (1.0 - gain) {
                return escaped;
            }
        }
        refined
    }

    /// With one centroid more, where it does most good of some drawn places.
    pub(crate) fn with_one_more(&self, fit: &Fit, draws: &mut Draws) -> Fit {
        let distances = self.scout_distances(&fit.centroids);
        let mut best: Option<(f64, Rows)> = None;
        for _ in 0..PLACES_FOR_ONE_MORE {
            let Some(place) = draws.weighted(&distances) else {
                break;
            };
            let mut more = fit.centroids.clone();
            more.push(self.scouts.row(place));
            let (inertia, more) = self.turns_on_scouts(more);
            if best.as_ref().is_none_or(|(least, _)| inertia < *least) {
                best = Some((inertia, more));
            }
        }
        best.map_or_else(|| fit.clone(), |(_, more)| self.refined(more))
    }

    /// With one centroid less: the two that it costs least to put together are one.
    pub(crate) fn with_one_less(&self, fit: &Fit) -> Fit {
        let pair = cheapest_pair(&fit.centroids, &fit.counts);
        self.refined(merged(&fit.centroids, &fit.counts, pair))
    }

    /// Without the centroid at `place`.
    pub(crate) fn without(&self, fit: &Fit, place: usize) -> Fit {
        self.refined(fit.centroids.without(place))
    }

    /// With the centroid at `place` put where most is missing.
    pub(crate) fn reseeded(&self, fit: &Fit, place: usize, draws: &mut Draws) -> Fit {
        let others = fit.centroids.without(place);
        let distances = self.scout_distances(&others);
        let mut centroids = fit.centroids.clone();
        if let Some(seed) = draws.weighted(&distances) {
            centroids.replace(place, self.scouts.row(seed));
        }
        self.refined(centroids)
    }

    /// Turns on all shoppers until it is settled (Lloyd 1982). A centroid that nobody is near stays where it is.
    pub(crate) fn refined(&self, mut centroids: Rows) -> Fit {
        let k = centroids.len();
        let mut labels = vec![0; self.rows.len()];
        let mut former = f64::INFINITY;
        for _ in 0..MOST_TURNS {
            let inertia = turn(
                self.rows,
                self.norms,
                &mut centroids,
                &mut labels,
                self.threads,
            );
            if former - inertia <= SETTLED * inertia {
                break;
            }
            former = inertia;
        }
        Kernel::new(&centroids).assign(self.rows, &mut labels, self.threads);
        let middles = Middles::of(self.rows, &labels, k);
        Fit {
            inertia: self.norms - middles.weight(),
            counts: middles.counts,
            centroids,
            labels,
        }
    }

    /// Greedy k-means++ (Arthur & Vassilvitskii 2007): of some draws by squared distance, the one that leaves least.
    fn seeds(&self, k: usize, draws: &mut Draws) -> Rows {
        let scouts = &self.scouts;
        let mut seeds = Rows::new(scouts.width(), Vec::new());
        let first = draws.weighted(&vec![1.0; scouts.len()]).unwrap_or(0);
        seeds.push(scouts.row(first));
        let to = |place: usize| {
            scouts
                .iter()
                .map(move |row| squared_distance(row, scouts.row(place)))
        };
        let mut distances: Vec<f64> = to(first).collect();
        let tries = 2 + usize::try_from(k.ilog2()).unwrap_or(0);
        while seeds.len() < k {
            let mut best: Option<(f64, usize, Vec<f64>)> = None;
            for _ in 0..tries {
                let place = draws.weighted(&distances).unwrap_or(0);
                let left: Vec<f64> = to(place)
                    .zip(&distances)
                    .map(|(new, old)| new.min(*old))
                    .collect();
                let sum = left.iter().sum();
                if best.as_ref().is_none_or(|(least, ..)| sum < *least) {
                    best = Some((sum, place, left));
                }
            }
            let Some((_, place, left)) = best else {
                break;
            };
            seeds.push(scouts.row(place));
            distances = left;
        }
        seeds
    }

    /// The fit of linfa to some shoppers from `seeds`; the seeds themselves should it refuse.
    fn first_fit(&self, seeds: Rows) -> Rows {
        let table = |rows: &Rows| {
            Array2::from_shape_vec((rows.len(), rows.width()), rows.values().to_vec()).ok()
        };
        let fitted = table(&self.scouts)
            .zip(table(&seeds))
            .and_then(|(scouts, start)| {
                KMeans::params(seeds.len())
                    .init_method(KMeansInit::Precomputed(start))
                    .n_runs(1)
                    .max_n_iterations(FIRST_TURNS)
                    .tolerance(1e-2)
                    .fit(&DatasetBase::from(scouts))
                    .ok()
            });
        fitted.map_or(seeds, |model| {
            Rows::new(
                self.scouts.width(),
                model.centroids().iter().copied().collect(),
            )
        })
    }

    /// As long as it pays, puts the two nearest centroids together and a new one where shoppers are far from any (Fränti 2018).
    fn swapped(&self, start: Rows, draws: &mut Draws) -> Rows {
        if start.len() < 3 {
            return start;
        }
        let (mut inertia, mut best) = self.turns_on_scouts(start);
        let (mut made, mut in_vain) = (0, 0);
        while made < MOST_SWAPS && in_vain < SWAPS_IN_VAIN {
            let mut labels = vec![0; self.scouts.len()];
            Kernel::new(&best).assign(&self.scouts, &mut labels, self.threads);
            let counts = Middles::of(&self.scouts, &labels, best.len()).counts;
            let mut other = merged(&best, &counts, cheapest_pair(&best, &counts));
            let Some(place) = draws.weighted(&self.scout_distances(&best)) else {
                break;
            };
            other.push(self.scouts.row(place));
            let (swapped, other) = self.turns_on_scouts(other);
            if swapped < inertia * (1.0 - SWAP_GAIN) {
                (inertia, best, in_vain) = (swapped, other, 0);
                made += 1;
            } else {
                in_vain += 1;
            }
        }
        best
    }

    /// A few turns on the scouts: their inertia and the centroids.
    fn turns_on_scouts(&self, mut centroids: Rows) -> (f64, Rows) {
        let mut labels = vec![0; self.scouts.len()];
        let mut inertia = f64::INFINITY;
        for _ in 0..SWAP_TURNS {
            inertia = turn(
                &self.scouts,
                self.scout_norms,
                &mut centroids,
                &mut labels,
                1,
            );
        }
        (inertia, centroids)
    }

    /// The squared distance of each scout to the nearest centroid.
    fn scout_distances(&self, centroids: &Rows) -> Vec<f64> {
        let mut labels = vec![0; self.scouts.len()];
        Kernel::new(centroids).assign(&self.scouts, &mut labels, self.threads);
        let nearest = self.scouts.iter().zip(&labels);
        nearest
            .map(|(row, label)| squared_distance(row, centroids.row(usize::from(*label))))
            .collect()
    }
}

/// Assigns all rows, and moves the centroids to the middles. The inertia around the new middles.
fn turn(rows: &Rows, norms: f64, centroids: &mut Rows, labels: &mut [u16], threads: usize) -> f64 {
    Kernel::new(centroids).assign(rows, labels, threads);
    let middles = Middles::of(rows, labels, centroids.len());
    for cohort in 0..centroids.len() {
        if let Some(middle) = middles.middle(cohort) {
            centroids.replace(cohort, &middle);
        }
    }
    norms - middles.weight()
}

/// The two centroids, the lower place first, that it costs least inertia to put together (Ward 1963).
pub(crate) fn cheapest_pair(centroids: &Rows, counts: &[u64]) -> (usize, usize) {
    let mut best = (f64::INFINITY, 0, 0);
    for (second, one) in centroids.iter().enumerate() {
        for (first, other) in centroids.iter().enumerate().take(second) {
            let (a, b) = (counts[first] as f64, counts[second] as f64);
            let cost = squared_distance(one, other) * a * b / (a + b).max(1.0);
            if cost < best.0 {
                best = (cost, first, second);
            }
        }
    }
    (best.1, best.2)
}

/// The centroids with a pair of them put together.
fn merged(centroids: &Rows, counts: &[u64], (first, second): (usize, usize)) -> Rows {
    let (a, b) = (counts[first] as f64, counts[second] as f64);
    let middle: Vec<f32> = centroids
        .row(first)
        .iter()
        .zip(centroids.row(second))
        .map(|(one, other)| {
            let sum = f64::from(*one) * a + f64::from(*other) * b;
            #[expect(clippy::cast_possible_truncation, reason = "places are small")]
            let middle = (sum / (a + b).max(1.0)) as f32;
            middle
        })
        .collect();
    let mut merged = centroids.clone();
    if a + b > 0.0 {
        merged.replace(first, &middle);
    }
    merged.without(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `k` planted groups of 200 on a line, 10 apart, each one wide.
    fn planted(k: u16) -> Rows {
        let mut draws = Draws::of(3, 9);
        let mut rows = Rows::new(2, Vec::new());
        for number in 0..k * 200 {
            let middle = f32::from(number % k) * 10.0;
            #[expect(clippy::cast_possible_truncation, reason = "small")]
            let jitter = (draws.unit() as f32, draws.unit() as f32);
            rows.push(&[middle + jitter.0, jitter.1]);
        }
        rows
    }

    #[test]
    fn planted_groups_are_found_from_any_seed() {
        let rows = planted(12);
        let fitter = Fitter::new(&rows, 1);
        for seed in 0..5 {
            let fit = fitter.fresh(12, &mut Draws::of(seed, 0));
            assert_eq!(fit.counts, [200; 12], "seed {seed}");
            assert!(fit.inertia < 12.0 * 200.0 * 0.2);
        }
    }

    #[test]
    fn a_warm_start_that_is_stuck_escapes_and_one_that_is_not_stays() {
        let rows = planted(6);
        let fitter = Fitter::new(&rows, 2);
        let mut draws = Draws::of(1, 0);
        // Two centroids in one group, and one for two others.
        let stuck = [0.2, 0.8, 10.5, 20.5, 30.5, 45.5];
        let stuck = Rows::new(2, stuck.iter().flat_map(|at| [*at, 0.5]).collect());
        assert_eq!(fitter.warm(stuck, 0.01, &mut draws).counts, [200; 6]);
        let right = [0.5, 10.5, 20.5, 30.5, 40.5, 50.5];
        let right = Rows::new(2, right.iter().flat_map(|at| [*at, 0.5]).collect());
        let fit = fitter.warm(right.clone(), 0.01, &mut draws);
        for (one, other) in fit.centroids.iter().zip(right.iter()) {
            assert!(squared_distance(one, other) < 0.1);
        }
    }

    #[test]
    fn more_less_and_reseeded_centroids_go_where_shoppers_are() {
        let rows = planted(5);
        let fitter = Fitter::new(&rows, 1);
        let mut draws = Draws::of(2, 0);
        let fit = fitter.fresh(5, &mut draws);
        let less = fitter.with_one_less(&fit);
        assert_eq!(less.centroids.len(), 4);
        assert_eq!(fitter.with_one_more(&less, &mut draws).counts, [200; 5]);
        let mut astray = fit.clone();
        astray.centroids.replace(2, &[900.0, 900.0]);
        assert_eq!(fitter.reseeded(&astray, 2, &mut draws).counts, [200; 5]);
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let rows = planted(40);
        let fit = |threads| {
            let fit = Fitter::new(&rows, threads).fresh(9, &mut Draws::of(4, 0));
            (fit.centroids, fit.inertia.to_bits())
        };
        assert_eq!(fit(1), fit(3));
    }
}
