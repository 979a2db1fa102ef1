//! Folds: what is learnt from and what is judged, again and again.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Examples, FitError, seeded::mixed};

/// The rows of one fold, by their places, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// What is learnt from.
    pub train: Vec<usize>,
    /// What is judged.
    pub test: Vec<usize>,
}

/// The share of the rows, the earliest, that only ever are learnt from.
const LEARNT_ONLY: f64 = 0.4;

/// Folds that go forward in time: rows at the instants of one stretch are judged by what was learnt from rows at least `gap` before
/// its beginning. The stretches, `folds` of about equally many rows, cover the later 60 % of the rows. Folds with nothing to
/// learn from are left out.
pub fn forward(times: &[f64], gap: f64, folds: usize) -> Vec<Fold> {
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by(|a, b| times[*a].total_cmp(&times[*b]));
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of rows"
        )]
        let place = (share * order.len() as f64) as usize;
        order.get(place).map_or(f64::INFINITY, |row| times[*row])
    };
    let begins =
        (0..folds).map(|fold| at(LEARNT_ONLY + (1.0 - LEARNT_ONLY) * fold as f64 / folds as f64));
    let mut begins: Vec<f64> = begins.collect();
    begins.dedup();
    let ends = begins.iter().skip(1).copied().chain([f64::INFINITY]);
    let fold = |(begin, end): (&f64, f64)| Fold {
        train: rows(times, |time| time + gap <= *begin && time < *begin),
        test: rows(times, |time| {
            *begin <= time && (time < end || end.is_infinite())
        }),
    };
    let folds = begins.iter().zip(ends).map(fold);
    folds
        .filter(|fold| !fold.train.is_empty() && !fold.test.is_empty())
        .collect()
}

fn rows(times: &[f64], of: impl Fn(f64) -> bool) -> Vec<usize> {
    (0..times.len()).filter(|row| of(times[*row])).collect()
}

/// Folds by group: each group is judged in exactly one of them, by what was learnt from all others. Groups are spread so that each
/// fold has about as many rows of either class, in an order that follows from `seed`.
pub fn grouped(examples: &Examples, folds: usize, seed: u64) -> Result<Vec<Fold>, FitError> {
    /// Positive and negative rows of a group.
    type Both = [usize; 2];
    let mut groups: BTreeMap<u64, Both> = BTreeMap::new();
    for (group, label) in examples.groups.iter().zip(&examples.labels) {
        groups.entry(*group).or_default()[usize::from(*label)] += 1;
    }
    if groups.len() < folds {
        return Err(FitError::Folds {
            groups: groups.len(),
            folds,
        });
    }
    let mut order: Vec<(u64, Both)> = groups.into_iter().collect();
    order.sort_by_key(|(group, _)| mixed(group ^ mixed(seed)));
    // The largest first, so that small ones even out; the sort keeps the order of equal ones.
    order.sort_by_key(|(_, both)| std::cmp::Reverse(both[0] + both[1]));
    let mut filled = vec![[0_usize; 2]; folds];
    let mut fold_of = BTreeMap::new();
    for (group, both) in order {
        let least = (0..folds).min_by_key(|fold| {
            // A group goes where there is least of the class that it mostly has, then where there is least of all.
            let main = usize::from(both[1] * 2 >= both[0] + both[1]);
            (filled[*fold][main], filled[*fold][0] + filled[*fold][1])
        });
        let fold = least.unwrap_or(0);
        filled[fold][0] += both[0];
        filled[fold][1] += both[1];
        fold_of.insert(group, fold);
    }
    let of_row: Vec<usize> = examples.groups.iter().map(|group| fold_of[group]).collect();
    let all: Vec<usize> = (0..examples.rows()).collect();
    let fold = |fold: usize| {
        let (test, train) = all.iter().partition(|row| of_row[**row] == fold);
        Fold { train, test }
    };
    Ok((0..folds).map(fold).collect())
}

/// The folds within training rows, and whether they go forward in time. Folds without at least `least` rows of either class on both
/// sides are left out; where too little is left of those that go forward, folds are made by group: no more than there are groups, and by row where there
/// is but one.
pub(crate) fn within(
    examples: &Examples,
    folds: usize,
    gap: f64,
    seed: u64,
    least: usize,
) -> Result<(Vec<Fold>, bool), FitError> {
    let both = |rows: &[usize]| {
        let positives = rows
            .iter()
            .filter(|row| examples.weights[**row] > 0.0 && examples.labels[**row]);
        let negatives = rows
            .iter()
            .filter(|row| examples.weights[**row] > 0.0 && !examples.labels[**row]);
        positives.count() >= least && negatives.count() >= least
    };
    let usable = |fold: &Fold| both(&fold.train) && both(&fold.test);
    if let Some(times) = &examples.times {
        let mut forward = forward(times, gap, folds);
        forward.retain(usable);
        if forward.len() * 2 >= folds {
            return Ok((forward, true));
        }
    }
    let groups: BTreeSet<u64> = examples.groups.iter().copied().collect();
    let mut by_group = if groups.len() < 2 {
        let alone = (0..examples.rows() as u64).collect();
        grouped(&examples.clone().grouped(alone)?, folds, seed)?
    } else {
        grouped(examples, folds.min(groups.len()), seed)?
    };
    by_group.retain(usable);
    if by_group.len() < 2 {
        return Err(FitError::Folds {
            groups: groups.len(),
            folds,
        });
    }
    Ok((by_group, false))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Column, Frame};

    fn examples(groups: Vec<u64>, labels: Vec<bool>) -> Examples {
        let column = Column::Numbers(vec![0.0; labels.len()]);
        let frame = Frame::new(vec![("a".to_owned(), column)]).unwrap();
        Examples::new(frame, labels)
            .unwrap()
            .grouped(groups)
            .unwrap()
    }

    #[test]
    fn within_few_groups_there_are_as_many_folds_as_groups_and_within_one_they_are_of_rows() {
        let labels: Vec<bool> = (0..120).map(|row| row % 2 == 0).collect();
        let folds = |groups: u64| {
            let groups = (0..120).map(|row| row / 2 % groups).collect();
            let (folds, _) = within(&examples(groups, labels.clone()), 3, 0.0, 1, 5).unwrap();
            folds.len()
        };
        assert_eq!((folds(2), folds(3), folds(40)), (2, 3, 3));
        assert_eq!(folds(1), 3);
    }

    #[test]
    fn classes_are_spread_over_the_folds_alike() {
        let labels: Vec<bool> = (0..100).map(|row| row % 10 == 0).collect();
        let folds = grouped(&examples((0..100).collect(), labels.clone()), 5, 3).unwrap();
        for fold in folds {
            assert_eq!(fold.test.len(), 20);
            assert_eq!(fold.test.iter().filter(|row| labels[**row]).count(), 2);
        }
    }

    #[test]
    fn without_enough_time_for_the_gap_folds_are_by_group() {
        let labels: Vec<bool> = (0..100).map(|row| row % 2 == 0).collect();
        let timed = examples((0..100).collect(), labels).timed((0..100).map(f64::from).collect());
        let timed = timed.unwrap();
        assert!(within(&timed, 3, 10.0, 0, 5).unwrap().1);
        assert!(!within(&timed, 3, 90.0, 0, 5).unwrap().1);
    }

    proptest! {
        #[test]
        fn what_is_judged_comes_after_what_is_learnt_and_the_gap(
            times in prop::collection::vec(0_u16..50, 10..200), gap in 0.0..20.0, folds in 2_usize..6,
        ) {
            let times: Vec<f64> = times.into_iter().map(f64::from).collect();
            let mut judged = BTreeSet::new();
            for fold in forward(&times, gap, folds) {
                let last = fold.train.iter().map(|row| times[*row]).fold(f64::MIN, f64::max);
                let first = fold.test.iter().map(|row| times[*row]).fold(f64::MAX, f64::min);
                prop_assert!(last + gap <= first && last < first);
                prop_assert!(fold.test.iter().all(|row| judged.insert(*row)));
            }
        }

        #[test]
        fn a_group_is_never_on_both_sides_and_every_row_is_judged_once(
            rows in prop::collection::vec((0_u64..20, any::<bool>()), 60..200), seed in any::<u64>(),
        ) {
            let (groups, labels): (Vec<u64>, Vec<bool>) = rows.into_iter().unzip();
            prop_assume!(groups.iter().collect::<BTreeSet<_>>().len() >= 4);
            let mut judged = 0;
            for fold in grouped(&examples(groups.clone(), labels), 4, seed).unwrap() {
                let learnt: BTreeSet<u64> = fold.train.iter().map(|row| groups[*row]).collect();
                prop_assert!(fold.test.iter().all(|row| !learnt.contains(&groups[*row])));
                judged += fold.test.len();
            }
            prop_assert_eq!(judged, groups.len());
        }
    }
}
