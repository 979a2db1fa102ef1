//! DBSCAN (Ester, Kriegel, Sander & Xu 1996): dense regions of any shape, and those like nobody.
//!
//! It looks at a bounded number of shoppers. A core point has at least twice as many neighbours as there are dimensions
//! (Sander et al. 1998), and how near a neighbour is, ε, is read off the curve of distances to the neighbour of that rank: the
//! point of it that is farthest from the line between its ends.
//!
//! Who was not looked at belongs to the cohort of the nearest core point within reach, and else to those like nobody. Core
//! points that lie close to one that is kept are left out, and the reach is that much longer, so that everyone within ε of any
//! core point is within reach of one that is kept.

use linfa::{ParamGuard as _, traits::Transformer as _};
use linfa_clustering::Dbscan;
use ndarray::Array2;

use crate::{
    Method, Point, Rows,
    assign::{Kernel, squared_distance},
    check::MOST_CORE_POINTS,
};

/// How close the ε that serves must be to the new one to stay.
const EPSILON_KEPT: f64 = 0.15;
/// The least number of neighbours of a core point.
const FEWEST_NEIGHBOURS: usize = 5;
/// The most.
const MOST_NEIGHBOURS: usize = 40;

/// A reach that nobody is beyond.
const EVERYWHERE: f64 = 1e9;

/// What DBSCAN found.
pub(crate) struct Found {
    /// How to assign; the cohort of a core point is its number, and that of those like nobody is `cohorts`.
    pub(crate) method: Method,
    /// How many dense regions there are.
    pub(crate) cohorts: usize,
}

/// The dense regions of `rows` with at least `fewest` of them, the most populous first; at most `most` rows are looked at.
/// `None` if there is no such region.
pub(crate) fn find(
    rows: &Rows,
    most: usize,
    fewest: u64,
    serving: Option<&Method>,
) -> Option<Found> {
    let seen = rows.thinned(most);
    let neighbours = (2 * rows.width()).clamp(FEWEST_NEIGHBOURS, MOST_NEIGHBOURS);
    if seen.len() <= neighbours {
        return None;
    }
    let distances = neighbour_distances(&seen, neighbours);
    let epsilon = steady(knee(&distances), serving);
    if epsilon <= 0.0 || !epsilon.is_finite() {
        return None;
    }
    let labels = labels(&seen, epsilon, neighbours)?;
    // What is left of the sample must be as many as stand for `fewest` of all of it.
    let fewest = (fewest as f64 * seen.len() as f64 / rows.len().max(1) as f64).ceil();
    let regions = regions(&labels, fewest);
    if regions.is_empty() {
        return None;
    }
    let is_core = |place: &usize| distances[*place] <= epsilon;
    let members: Vec<Vec<usize>> = regions
        .iter()
        .map(|region| {
            let own = (0..seen.len()).filter(|place| labels[*place] == Some(*region));
            own.filter(is_core).collect()
        })
        .collect();
    let (cover, core) = covering(&seen, &members, epsilon / 2.0);
    Some(Found {
        cohorts: regions.len(),
        method: Method::Dbscan {
            epsilon,
            minimum_neighbours: neighbours,
            reach: epsilon + cover,
            core,
        },
    })
}

/// The cohorts of all rows by what was found, that of those like nobody being the last. If they are fewer than `fewest` they are no
/// cohort of their own: everyone is within reach then.
pub(crate) fn assign(
    mut found: Found,
    rows: &Rows,
    fewest: u64,
    threads: usize,
) -> (Found, Vec<u16>) {
    let cohorts = found.cohorts + 1;
    let mut labels = assign_on(&found.method, cohorts, rows, threads).unwrap_or_default();
    let alone = labels
        .iter()
        .filter(|label| usize::from(**label) == found.cohorts);
    if (1..fewest).contains(&(alone.count() as u64)) {
        if let Method::Dbscan { reach, .. } = &mut found.method {
            *reach = EVERYWHERE;
        }
        labels = assign_on(&found.method, cohorts, rows, threads).unwrap_or_default();
    }
    (found, labels)
}

/// The same by a method; `None` if it is not DBSCAN.
pub(crate) fn assign_by(method: &Method, cohorts: usize, rows: &Rows) -> Option<Vec<u16>> {
    assign_on(method, cohorts, rows, 1)
}

fn assign_on(method: &Method, cohorts: usize, rows: &Rows, threads: usize) -> Option<Vec<u16>> {
    let Method::Dbscan { reach, core, .. } = method else {
        return None;
    };
    let mut points = Rows::new(rows.width(), Vec::new());
    for point in core {
        points.push(&point.at);
    }
    let mut labels = vec![0; rows.len()];
    Kernel::new(&points).assign(rows, &mut labels, threads);
    let nobody = u16::try_from(cohorts.saturating_sub(1)).unwrap_or(u16::MAX);
    for (label, row) in labels.iter_mut().zip(rows.iter()) {
        let place = usize::from(*label);
        let within = squared_distance(row, points.row(place)) <= reach * reach;
        *label = if within { core[place].cohort } else { nobody };
    }
    Some(labels)
}

/// The distance of each row to its neighbour of rank `rank`, counted with itself as the first.
fn neighbour_distances(rows: &Rows, rank: usize) -> Vec<f64> {
    let mut distances = vec![0.0; rows.len()];
    let distance = |row: &[f32]| {
        for (distance, other) in distances.iter_mut().zip(rows.iter()) {
            *distance = squared_distance(row, other);
        }
        let (_, at_rank, _) = distances.select_nth_unstable_by(rank - 1, f64::total_cmp);
        at_rank.sqrt()
    };
    rows.iter().map(distance).collect()
}

/// Where the sorted curve is farthest below the line between its ends.
fn knee(distances: &[f64]) -> f64 {
    let mut curve = distances.to_vec();
    curve.sort_by(f64::total_cmp);
    let (Some(low), Some(high)) = (curve.first(), curve.last()) else {
        return 0.0;
    };
    let steps = curve.len().saturating_sub(1).max(1) as f64;
    let mut best = (f64::NEG_INFINITY, *high);
    for (place, distance) in curve.iter().enumerate() {
        let line = low + (high - low) * place as f64 / steps;
        if line - distance > best.0 {
            best = (line - distance, *distance);
        }
    }
    best.1
}

/// The ε that serves, if the new one is hardly different.
fn steady(epsilon: f64, serving: Option<&Method>) -> f64 {
    match serving {
        Some(Method::Dbscan { epsilon: old, .. })
            if (epsilon - old).abs() <= EPSILON_KEPT * old =>
        {
            *old
        }
        _ => epsilon,
    }
}

/// The region of each row by linfa, `None` for those like nobody.
fn labels(rows: &Rows, epsilon: f64, neighbours: usize) -> Option<Vec<Option<usize>>> {
    let shape = (rows.len(), rows.width());
    let values = rows.values().iter().map(|number| f64::from(*number));
    let table = Array2::from_shape_vec(shape, values.collect()).ok()?;
    let parameters = Dbscan::params::<f64>(neighbours)
        .tolerance(epsilon)
        .check()
        .ok()?;
    Some(parameters.transform(&table).to_vec())
}

/// The regions that have at least `fewest` rows, the most populous first.
fn regions(labels: &[Option<usize>], fewest: f64) -> Vec<usize> {
    let mut counts = std::collections::BTreeMap::<usize, usize>::new();
    for region in labels.iter().flatten() {
        *counts.entry(*region).or_default() += 1;
    }
    let mut large: Vec<_> = counts
        .into_iter()
        .filter(|(_, count)| *count as f64 >= fewest)
        .collect();
    large.sort_by_key(|(region, count)| (std::cmp::Reverse(*count), *region));
    large.truncate(crate::Counts::MOST);
    large.into_iter().map(|(region, _)| region).collect()
}

/// Core points such that every other of its region lies within the first number of one of them; that is `cover`, or more where
/// there would be too many.
fn covering(rows: &Rows, members: &[Vec<usize>], mut cover: f64) -> (f64, Vec<Point>) {
    loop {
        let mut kept = Vec::new();
        for (cohort, own) in (0_u16..).zip(members) {
            let first = kept.len();
            for place in own {
                let row = rows.row(*place);
                let is_covered = kept[first..]
                    .iter()
                    .any(|point: &Point| squared_distance(row, &point.at) <= cover * cover);
                if !is_covered {
                    kept.push(Point {
                        cohort,
                        at: row.to_vec(),
                    });
                }
            }
        }
        if kept.len() <= MOST_CORE_POINTS {
            return (cover, kept);
        }
        cover *= 1.25;
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "equal to the bit")]
mod tests {
    use super::*;
    use crate::draws::Draws;

    /// Two rings, one within the other, and some shoppers anywhere.
    fn rings() -> Rows {
        let mut draws = Draws::of(8, 8);
        let mut rows = Rows::new(2, Vec::new());
        for number in 0..1200_u16 {
            let radius = if number % 2 == 0 { 1.0 } else { 5.0 };
            let turn = draws.unit() * std::f64::consts::TAU;
            let at = if number % 40 == 0 {
                [draws.unit() * 60.0 - 30.0, draws.unit() * 60.0 + 12.0]
            } else {
                let jitter = 1.0 + draws.unit() * 0.1;
                [
                    radius * jitter * libm::cos(turn),
                    radius * jitter * libm::sin(turn),
                ]
            };
            #[expect(clippy::cast_possible_truncation, reason = "small")]
            rows.push(&at.map(|number| number as f32));
        }
        rows
    }

    #[test]
    fn regions_of_any_shape_are_found_and_those_like_nobody_are_left() {
        let rows = rings();
        let found = find(&rows, 4_000, 50, None).unwrap();
        assert_eq!(found.cohorts, 2);
        let Method::Dbscan {
            core,
            epsilon,
            reach,
            ..
        } = &found.method
        else {
            panic!("another method");
        };
        assert!(
            (0.05..2.0).contains(epsilon) && *reach >= *epsilon,
            "{epsilon} {reach}"
        );
        for point in core {
            let radius = point.at[0].hypot(point.at[1]);
            let inner = radius < 3.0;
            let same = core.iter().filter(|other| other.cohort == point.cohort);
            assert!(
                same.into_iter()
                    .all(|other| (other.at[0].hypot(other.at[1]) < 3.0) == inner)
            );
        }
    }

    #[test]
    fn the_nearness_that_serves_stays_while_the_new_one_is_close() {
        let serving = |epsilon| Method::Dbscan {
            epsilon,
            minimum_neighbours: 5,
            reach: epsilon,
            core: Vec::new(),
        };
        assert_eq!(steady(1.1, Some(&serving(1.0))), 1.0);
        assert_eq!(steady(1.5, Some(&serving(1.0))), 1.5);
        assert_eq!(steady(1.5, Some(&Method::KMeans)), 1.5);
    }

    #[test]
    fn many_core_points_are_covered_by_few() {
        let rows = rings();
        let all = vec![(0..rows.len()).collect::<Vec<_>>()];
        let (cover, kept) = covering(&rows, &all, 1e-6);
        assert!(kept.len() <= MOST_CORE_POINTS);
        for row in rows.iter() {
            let near = |point: &Point| squared_distance(row, &point.at) <= cover * cover;
            assert!(kept.iter().any(near));
        }
    }

    #[test]
    fn a_crowd_of_equals_or_too_few_are_no_regions() {
        let same = Rows::new(1, vec![2.0; 300]);
        assert!(find(&same, 4_000, 50, None).is_none());
        assert!(find(&Rows::new(1, vec![1.0, 2.0]), 4_000, 50, None).is_none());
    }
}
