//! How many cohorts k-means forms, and from where it starts.
//!
//! Two things are looked at, both on shoppers whom the centroids were not fit to: the [variance
//! ratio](crate::Measured::variance_ratio), and whether there is a gap between a cohort and the next, for in many
//! dimensions a behaviour of its own is often a small part of the variance.
//!
//! Where cohorts serve, their number is tried with one more and one less. There is one more if the variance ratio is better by
//! `count_gain`, or if a gap lies around the new one; and one less if it is better by as much and no gap lies between the two that
//! become one. So on samples that differ by chance alone the number does not flicker. Where none serve, the number in the range
//! with the best ratio is taken, and one more for each gap.

use foretide_events::Text;

use crate::{
    Counts, Rows, Settings, Trial,
    assign::{Kernel, nearest},
    draws::Draws,
    gap::{Gap, gap},
    kmeans::{Fit, Fitter, cheapest_pair},
    quality::measure,
};

/// Shoppers whom a number is judged by at most.
const JURY: usize = 8_192;
/// Where surely fewer than this part of shoppers are between it and the next, a cohort is one of its own.
const GAP: f64 = 0.5;
/// Where surely more than this part are, two cohorts may become one.
const NO_GAP: f64 = 0.8;
/// Fresh starts for each number where nothing serves, at least.
const FIRST_STARTS: usize = 3;
/// Fresh starts for the number that was chosen there.
const LAST_STARTS: usize = 10;

/// What k-means came to.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) fit: Fit,
    /// Whether the centroids went on from those that serve.
    pub(crate) warm: bool,
    /// What was tried.
    pub(crate) trials: Vec<Trial>,
}

/// The choice of a forming.
pub(crate) struct Chooser<'a> {
    settings: &'a Settings,
    fitter: Fitter<'a>,
    jury: Rows,
    /// The fewest shoppers of the sample that a cohort may have.
    fewest: u64,
    seed: u64,
    trials: Vec<Trial>,
}

impl<'a> Chooser<'a> {
    pub(crate) fn new(
        settings: &'a Settings,
        seed: u64,
        train: &'a Rows,
        held_out: &Rows,
        fewest: u64,
    ) -> Self {
        Self {
            settings,
            fitter: Fitter::new(train, settings.threads),
            jury: held_out.thinned(JURY),
            fewest,
            seed,
            trials: Vec::new(),
        }
    }

    /// Without anything that serves.
    pub(crate) fn first(mut self) -> Chosen {
        let (least, most) = self.range(self.settings.cohorts);
        let mut best: Option<(f64, Fit)> = None;
        for k in least..=most {
            let fit = self.best_fresh(k, self.settings.restarts.max(FIRST_STARTS));
            let fit = self.settled(fit, least);
            let ratio = self.judged(&fit, "fresh");
            if best.as_ref().is_none_or(|(highest, _)| ratio > *highest) {
                best = Some((ratio, fit));
            }
        }
        // The range has at least one number.
        let fit = best.map(|(_, fit)| fit);
        let fit = fit.unwrap_or_else(|| self.best_fresh(least, 1));
        let mut fit = self.best_of_many(fit);
        let mut draws = Draws::of(self.seed, 2);
        while fit.centroids.len() < most {
            let more = self.fitter.with_one_more(&fit, &mut draws);
            let is_more = more.centroids.len() > fit.centroids.len();
            if !is_more || !self.is_sound(&more) || !self.has_gap_around_last(&more) {
                break;
            }
            self.judged(&more, "one more");
            fit = more;
        }
        Chosen {
            fit,
            warm: false,
            trials: self.trials,
        }
    }

    /// From centroids that serve.
    pub(crate) fn next(mut self, serving: Rows) -> Chosen {
        let (least, most) = self.range(self.settings.cohorts);
        let mut draws = Draws::of(self.seed, 1);
        let gain = self.settings.restart_gain;
        let mut warm = self.fitter.warm(serving, gain, &mut draws);
        while warm.centroids.len() > most {
            warm = self.fitter.with_one_less(&warm);
        }
        while warm.centroids.len() < least {
            let more = self.fitter.with_one_more(&warm, &mut draws);
            if more.centroids.len() == warm.centroids.len() {
                break;
            }
            warm = more;
        }
        let warm = self.settled(warm, least);
        let (fit, is_warm) = self.or_fresh(warm);
        let ratio = self.judged(&fit, if is_warm { "warm" } else { "fresh" });
        let needed = ratio * (1.0 + self.settings.count_gain);
        let more =
            (fit.centroids.len() < most).then(|| self.fitter.with_one_more(&fit, &mut draws));
        let more = more.filter(|more| more.centroids.len() > fit.centroids.len());
        if let Some(more) = more.filter(|more| self.is_sound(more)) {
            let better = self.judged(&more, "one more") > needed;
            if better || self.has_gap_around_last(&more) {
                return self.chosen(more, is_warm);
            }
        }
        if fit.centroids.len() > least {
            let less = self.fitter.with_one_less(&fit);
            let better = self.judged(&less, "one less") > needed;
            let (one, other) = cheapest_pair(&fit.centroids, &fit.counts);
            if better && self.gap(&fit, one, other).least > NO_GAP {
                return self.chosen(less, is_warm);
            }
        }
        self.chosen(fit, is_warm)
    }

    fn chosen(self, fit: Fit, warm: bool) -> Chosen {
        Chosen {
            fit,
            warm,
            trials: self.trials,
        }
    }

    /// Whether no cohort is too small.
    fn is_sound(&self, fit: &Fit) -> bool {
        fit.counts.iter().all(|count| *count >= self.fewest)
    }

    /// Whether a gap lies between the cohort of the last centroid and the nearest other.
    fn has_gap_around_last(&self, fit: &Fit) -> bool {
        let last = fit.centroids.len() - 1;
        let (next, _) = nearest(fit.centroids.row(last), &fit.centroids.without(last));
        self.gap(fit, last, next).most < GAP
    }

    fn gap(&self, fit: &Fit, one: usize, other: usize) -> Gap {
        gap(
            &self.jury,
            &self.labels(fit),
            fit.centroids.row(one),
            fit.centroids.row(other),
            [one, other],
        )
    }

    /// The range, no wider than the sample can fill.
    fn range(&self, counts: Counts) -> (usize, usize) {
        let (least, most) = counts.range();
        let room = self.fitter.len() as u64 / self.fewest.max(1);
        let room = usize::try_from(room).unwrap_or(most).max(2);
        match counts {
            Counts::Fixed(k) => (k, k),
            Counts::Between { .. } => (least.min(room), most.min(room)),
        }
    }

    /// The best of some fresh starts.
    fn best_fresh(&self, k: usize, starts: usize) -> Fit {
        let fit = |start: usize| {
            let purpose = 1_000 * k as u64 + start as u64 + 2;
            self.fitter.fresh(k, &mut Draws::of(self.seed, purpose))
        };
        let mut best = fit(0);
        for start in 1..starts {
            let other = fit(start);
            if other.inertia < best.inertia {
                best = other;
            }
        }
        best
    }

    /// `fit`, or the best of many fresh starts with as many: what serves first is gone on from for long.
    fn best_of_many(&self, fit: Fit) -> Fit {
        let other = self.best_fresh(fit.centroids.len(), LAST_STARTS);
        if self.is_sound(&other) && other.inertia < fit.inertia {
            other
        } else {
            fit
        }
    }

    /// `warm`, unless a fresh start with as many is better by `restart_gain`.
    fn or_fresh(&self, warm: Fit) -> (Fit, bool) {
        let k = warm.centroids.len();
        if self.settings.restarts == 0 {
            return (warm, true);
        }
        let fresh = self.best_fresh(k, self.settings.restarts);
        let better = fresh.inertia < warm.inertia * (1.0 - self.settings.restart_gain);
        if self.is_sound(&fresh) && better {
            (fresh, false)
        } else {
            (warm, true)
        }
    }

    /// Without cohorts that are too small, as long as there are more than `least`; then such a one is tried elsewhere.
    fn settled(&self, mut fit: Fit, least: usize) -> Fit {
        let mut draws = Draws::of(self.seed, 3);
        let mut tries = fit.centroids.len();
        loop {
            let smallest = fit
                .counts
                .iter()
                .enumerate()
                .min_by_key(|(_, count)| **count);
            let Some((place, _)) = smallest.filter(|(_, count)| **count < self.fewest) else {
                return fit;
            };
            if fit.centroids.len() > least.max(2) {
                fit = self.fitter.without(&fit, place);
            } else if tries > 0 {
                fit = self.fitter.reseeded(&fit, place, &mut draws);
                tries -= 1;
            } else {
                return fit;
            }
        }
    }

    /// The variance ratio of the jury.
    fn judged(&mut self, fit: &Fit, how: &str) -> f64 {
        let measured = measure(&self.jury, &self.labels(fit), fit.centroids.len(), None);
        let ratio = measured.variance_ratio();
        self.trials.push(Trial {
            cohorts: fit.centroids.len(),
            start: Text::new(how).unwrap_or_default(),
            inertia: fit.inertia / self.fitter.len().max(1) as f64,
            variance_ratio: ratio,
            silhouette: measured.silhouette,
        });
        ratio
    }

    /// The cohorts of the jury.
    fn labels(&self, fit: &Fit) -> Vec<u16> {
        let mut labels = vec![0; self.jury.len()];
        Kernel::new(&fit.centroids).assign(&self.jury, &mut labels, self.settings.threads);
        labels
    }
}
