//! How well a partition of shoppers tells them apart.

use crate::{Measured, Rows, assign::squared_distance};

/// The middles of shoppers by cohort, and how many there are in each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Middles {
    width: usize,
    /// Cohort after cohort; of an empty one, zeros.
    sums: Vec<f64>,
    /// Shoppers of each cohort.
    pub(crate) counts: Vec<u64>,
}

/// Shoppers whose sums are made together: whatever the number of threads, sums are rounded alike.
const BLOCK: usize = 4_096;

impl Middles {
    /// Of `rows`, whose cohorts are `labels`, all below `cohorts`.
    pub(crate) fn of(rows: &Rows, labels: &[u16], cohorts: usize) -> Self {
        let width = rows.width();
        let mut all = Self::empty(width, cohorts);
        let blocks = rows.values().chunks(BLOCK * width.max(1));
        for (values, labels) in blocks.zip(labels.chunks(BLOCK)) {
            let mut block = Self::empty(width, cohorts);
            for (row, label) in values.chunks_exact(width).zip(labels) {
                let cohort = usize::from(*label);
                block.counts[cohort] += 1;
                let sums = &mut block.sums[cohort * width..][..width];
                for (sum, number) in sums.iter_mut().zip(row) {
                    *sum += f64::from(*number);
                }
            }
            all.add(&block);
        }
        all
    }

    fn empty(width: usize, cohorts: usize) -> Self {
        Self {
            width,
            sums: vec![0.0; width * cohorts],
            counts: vec![0; cohorts],
        }
    }

    fn add(&mut self, other: &Self) {
        for (sum, own) in self.sums.iter_mut().zip(&other.sums) {
            *sum += own;
        }
        for (count, own) in self.counts.iter_mut().zip(&other.counts) {
            *count += own;
        }
    }

    /// The middle of a cohort; `None` if it is empty.
    pub(crate) fn middle(&self, cohort: usize) -> Option<Vec<f32>> {
        let count = self.counts[cohort];
        let sums = &self.sums[cohort * self.width..][..self.width];
        #[expect(clippy::cast_possible_truncation, reason = "places are small")]
        let narrowed = |sum: &f64| (sum / count as f64) as f32;
        (count > 0).then(|| sums.iter().map(narrowed).collect())
    }

    /// Σ |middle|² · count: what the sum of all squared norms is larger by than the inertia.
    pub(crate) fn weight(&self) -> f64 {
        let cohorts = self.sums.chunks_exact(self.width.max(1)).zip(&self.counts);
        let weights = cohorts
            .filter(|(_, count)| **count > 0)
            .map(|(sums, count)| {
                let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
                squares / *count as f64
            });
        weights.sum()
    }
}

/// Σ |x|² of all rows.
pub(crate) fn squared_norms(rows: &Rows) -> f64 {
    let norm = |row: &[f32]| -> f64 { row.iter().map(|number| f64::from(*number).powi(2)).sum() };
    rows.iter().map(norm).sum()
}

/// Measures a partition of `rows` by `labels` into `cohorts`, of which `noise` is of those like nobody, around the middles that the
/// rows themselves have: so partitions that were formed in other spaces can be compared in one.
pub(crate) fn measure(rows: &Rows, labels: &[u16], cohorts: usize, noise: Option<u16>) -> Measured {
    let middles = Middles::of(rows, labels, cohorts);
    let all = Middles::of(rows, &vec![0; rows.len()], 1);
    let middle = all.middle(0).unwrap_or_default();
    let places: Vec<_> = (0..cohorts)
        .filter(|cohort| noise.is_none_or(|noise| usize::from(noise) != *cohort))
        .filter_map(|cohort| Some((cohort, middles.middle(cohort)?)))
        .collect();
    let (mut within, mut total, mut silhouettes) = (0.0, 0.0, 0.0);
    for (row, label) in rows.iter().zip(labels) {
        let spread = squared_distance(row, &middle);
        total += spread;
        if noise == Some(*label) {
            within += spread;
            continue;
        }
        let (own, other) = own_and_other(row, usize::from(*label), &places);
        within += own;
        let (own, other) = (own.sqrt(), other.sqrt());
        if other.is_finite() && own.max(other) > 0.0 {
            silhouettes += (other - own) / own.max(other);
        }
    }
    let count = rows.len().max(1) as f64;
    let largest = middles.counts.iter().max().copied().unwrap_or(0);
    let regular = middles.counts.iter().enumerate();
    let regular =
        regular.filter(|(cohort, _)| noise.is_none_or(|noise| usize::from(noise) != *cohort));
    let smallest = regular.map(|(_, size)| *size).min().unwrap_or(0);
    Measured {
        cohorts,
        inertia: within / count,
        explained: if total > 0.0 {
            1.0 - within / total
        } else {
            0.0
        },
        silhouette: silhouettes / count,
        largest_share: largest as f64 / count,
        smallest_share: smallest as f64 / count,
        measured_on: rows.len() as u64,
    }
}

/// The squared distances to the own middle and to the nearest other.
fn own_and_other(row: &[f32], label: usize, places: &[(usize, Vec<f32>)]) -> (f64, f64) {
    let (mut own, mut other) = (0.0, f64::INFINITY);
    for (cohort, middle) in places {
        let distance = squared_distance(row, middle);
        if *cohort == label {
            own = distance;
        } else {
            other = other.min(distance);
        }
    }
    (own, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clear_partition_has_a_high_silhouette_and_a_mixed_one_has_none() {
        let rows = Rows::new(1, vec![0.0, 1.0, 10.0, 11.0]);
        let clear = measure(&rows, &[0, 0, 1, 1], 2, None);
        assert!(clear.silhouette > 0.9 && clear.explained > 0.98);
        assert!((clear.inertia - 0.25).abs() < 1e-12);
        let mixed = measure(&rows, &[0, 1, 0, 1], 2, None);
        assert!(mixed.silhouette < 0.2 && mixed.explained < 0.1);
        let one = measure(&rows, &[0; 4], 1, None);
        assert_eq!((one.silhouette, one.explained), (0.0, 0.0));
    }

    #[test]
    fn those_like_nobody_are_not_explained() {
        let rows = Rows::new(1, vec![0.0, 0.5, 10.0, 10.5, 90.0]);
        let measured = measure(&rows, &[0, 0, 1, 1, 2], 3, Some(2));
        assert!(measured.silhouette > 0.7 && measured.silhouette < 0.8);
        assert!(measured.explained < 0.5);
    }

    #[test]
    fn the_inertia_follows_from_norms_and_weights() {
        let rows = Rows::new(2, vec![0.0, 1.0, 2.0, 3.0, 8.0, 8.0]);
        let labels = [0, 0, 1];
        let middles = Middles::of(&rows, &labels, 3);
        let inertia = squared_norms(&rows) - middles.weight();
        let measured = measure(&rows, &labels, 3, None);
        assert!((inertia / 3.0 - measured.inertia).abs() < 1e-9);
        assert_eq!(middles.middle(2), None);
    }
}
