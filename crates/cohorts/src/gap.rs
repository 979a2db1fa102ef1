//! Whether two cohorts are apart: whether there are fewer shoppers half way between their centroids than at either of them.
//!
//! All shoppers of both are laid onto the line through the centroids. Of one behaviour that was cut in two there are more shoppers
//! at the cut than at the centroids of the halves (the ratio is about 1.4 of a normal distribution); of two behaviours that are
//! four deviations apart there is a quarter as many. What else the cohorts differ by does not dilute it.

use crate::Rows;

/// How much of the way between the centroids each of the three places takes up.
const WINDOW: f64 = 0.25;
/// Fewer shoppers at a centroid than this tell nothing.
const TELLING: u64 = 20;

/// How many shoppers are half way between two centroids, as a part of those at the one with fewer: below 1 there is a gap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Gap {
    /// Surely at least this, by two standard errors of each count.
    pub(crate) least: f64,
    /// Surely at most this.
    pub(crate) most: f64,
}

impl Gap {
    /// Where too few shoppers are to tell.
    const UNKNOWN: Self = Self {
        least: 1.0,
        most: 1.0,
    };
}

/// The gap between the centroids of two cohorts.
pub(crate) fn gap(
    rows: &Rows,
    labels: &[u16],
    one: &[f32],
    other: &[f32],
    cohorts: [usize; 2],
) -> Gap {
    let way: Vec<f64> = one
        .iter()
        .zip(other)
        .map(|(one, other)| f64::from(*other) - f64::from(*one))
        .collect();
    let length: f64 = way.iter().map(|step| step * step).sum();
    if length <= 0.0 {
        return Gap::UNKNOWN;
    }
    let mut counts = [0_u64; 3];
    for (row, label) in rows.iter().zip(labels) {
        if !cohorts.contains(&usize::from(*label)) {
            continue;
        }
        let from = row.iter().zip(one).zip(&way);
        let along: f64 = from
            .map(|((number, one), step)| (f64::from(*number) - f64::from(*one)) * step)
            .sum();
        for (count, middle) in counts.iter_mut().zip([0.0, 0.5, 1.0]) {
            *count += u64::from((along / length - middle).abs() <= WINDOW / 2.0);
        }
    }
    let [at_one, between, at_other] = counts;
    let fewer = at_one.min(at_other);
    if fewer < TELLING {
        return Gap::UNKNOWN;
    }
    let (between, fewer) = (between as f64, fewer as f64);
    let (off_between, off_fewer) = (2.0 * (between + 1.0).sqrt(), 2.0 * fewer.sqrt());
    Gap {
        least: (between - off_between).max(0.0) / (fewer + off_fewer),
        most: (between + off_between) / (fewer - off_fewer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::Draws;

    /// Two crowds so many deviations apart in the first of ten dimensions, and the ratio between them.
    fn ratio(apart: f64) -> Gap {
        let mut draws = Draws::of(1, 1);
        let mut normal = || (0..12).map(|_| draws.unit()).sum::<f64>() - 6.0;
        let mut rows = Rows::new(10, Vec::new());
        for number in 0..4000 {
            let mut row: Vec<f64> = (0..10).map(|_| normal()).collect();
            row[0] += if number % 2 == 0 { 0.0 } else { apart };
            #[expect(clippy::cast_possible_truncation, reason = "small")]
            rows.push(&row.iter().map(|number| *number as f32).collect::<Vec<_>>());
        }
        let mut middles = [[0.0_f32; 10]; 2];
        #[expect(clippy::cast_possible_truncation, reason = "small")]
        {
            // Where the halves of one crowd, or the two crowds, have their middles.
            middles[0][0] = (apart / 2.0 - (apart / 2.0).max(0.8)) as f32;
            middles[1][0] = (apart / 2.0 + (apart / 2.0).max(0.8)) as f32;
        }
        let labels = vec![0; rows.len()];
        gap(&rows, &labels, &middles[0], &middles[1], [0, 1])
    }

    #[test]
    fn crowds_that_are_apart_have_a_gap_and_one_that_was_cut_has_none() {
        assert!(ratio(5.0).most < 0.3);
        assert!(ratio(3.5).most < 0.7);
        assert!(ratio(0.0).least > 0.95);
    }

    #[test]
    fn too_few_shoppers_tell_nothing() {
        let rows = Rows::new(1, vec![0.0, 1.0]);
        assert_eq!(gap(&rows, &[0, 1], &[0.0], &[1.0], [0, 1]), Gap::UNKNOWN);
        assert_eq!(gap(&rows, &[0, 1], &[0.0], &[0.0], [0, 1]), Gap::UNKNOWN);
    }
}
