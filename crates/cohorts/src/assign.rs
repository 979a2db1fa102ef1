//! Which of several points each of many shoppers is nearest to: distance and choice in one pass, without a table of all
//! distances, in vectors of 32-bit numbers; and yet to the last label what 64-bit arithmetic says.
//!
//! The point nearest to `x` is the one with the largest `x·c − |c|²/2`. In 32 bits that is wrong by no more than
//! `(d + 4) · 2⁻²⁴ · (|x||c| + |c|²/2)` (Higham 2002, 3.5), so a choice whose lead over the second best is larger than twice
//! that stands; the few others are chosen again by [`squared_distance`] in 64 bits, where the first of equals wins.

#![expect(
    clippy::inline_always,
    reason = "what is not inlined into `with_simd` is compiled without the machine's vectors"
)]

use std::thread;

use pulp::{Arch, Simd, WithSimd};

use crate::Rows;

/// Points that are compared with a panel of shoppers at once.
const GROUP: usize = 4;
/// Vectors of shoppers in a panel.
const VECTORS: usize = 2;
/// The most shoppers in a panel, whatever the machine's vectors.
const WIDEST: usize = 32;
/// Fewer shoppers than this are not worth a thread.
const WORTH_A_THREAD: usize = 8_192;

/// The squared distance of two places in 64 bits, dimension after dimension: what assignments are measured by.
pub fn squared_distance(one: &[f32], other: &[f32]) -> f64 {
    let mut sum = 0.0;
    for (one, other) in one.iter().zip(other) {
        let difference = f64::from(*one) - f64::from(*other);
        sum += difference * difference;
    }
    sum
}

/// The nearest of `points` to `row` in 64 bits, the first of equals, and its squared distance: the reference for
/// [`Kernel::assign`].
pub fn nearest(row: &[f32], points: &Rows) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (place, point) in points.iter().enumerate() {
        let distance = squared_distance(row, point);
        if distance < best.1 {
            best = (place, distance);
        }
    }
    best
}

/// Points made ready to be compared with many shoppers.
#[derive(Clone, Debug)]
pub struct Kernel<'a> {
    points: &'a Rows,
    /// For each group of points, for each dimension, the number of each point.
    grouped: Vec<f32>,
    /// |c|²/2 of each point; infinite where a group has no more.
    half_norms: Vec<f32>,
    /// The lead that is beyond doubt is `doubt.0 · |x|² + doubt.1`.
    doubt: (f32, f32),
}

impl<'a> Kernel<'a> {
    /// Makes `points` ready. The first 65,535 can be chosen.
    pub fn new(points: &'a Rows) -> Self {
        let width = points.width();
        let groups = points.len().div_ceil(GROUP);
        let mut grouped = vec![0.0; groups * width * GROUP];
        let mut half_norms = vec![f32::INFINITY; groups * GROUP];
        let mut largest = 0.0_f64;
        for (place, point) in points.iter().enumerate() {
            let norm: f64 = point.iter().map(|number| f64::from(*number).powi(2)).sum();
            largest = largest.max(norm);
            half_norms[place] = narrowed(norm / 2.0);
            let group = &mut grouped[place / GROUP * width * GROUP..][..width * GROUP];
            for (dimension, number) in point.iter().enumerate() {
                group[dimension * GROUP + place % GROUP] = *number;
            }
        }
        // Twice the bound above, and twice again for what 64 bits and the norms are off; |x||c| is at most (|x|² + |c|²)/2.
        let unit = 4.0 * (width as f64 + 4.0) * f64::from(f32::EPSILON) / 2.0;
        Self {
            points,
            grouped,
            half_norms,
            doubt: (narrowed(unit / 2.0), narrowed(unit * largest)),
        }
    }

    /// Writes the place of the nearest point of each of `rows` to `labels`, which has as many, on at most so many threads.
    pub fn assign(&self, rows: &Rows, labels: &mut [u16], threads: usize) {
        let width = rows.width().max(1);
        let worth = rows.len().div_ceil(WORTH_A_THREAD).max(1);
        let share = rows.len().div_ceil(threads.clamp(1, worth)).max(1);
        let mut parts = rows
            .values()
            .chunks(share * width)
            .zip(labels.chunks_mut(share));
        let first = parts.next();
        thread::scope(|scope| {
            for (values, labels) in parts {
                scope.spawn(move || self.assign_part(values, labels));
            }
            if let Some((values, labels)) = first {
                self.assign_part(values, labels);
            }
        });
    }

    /// The same in this thread, with the best vectors that the machine has.
    fn assign_part(&self, values: &[f32], labels: &mut [u16]) {
        Arch::new().dispatch(Part {
            kernel: self,
            values,
            labels,
        });
    }
}

/// A number as 32 bits hold it.
fn narrowed(number: f64) -> f32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is lost is bounded above"
    )]
    let narrowed = number as f32;
    narrowed
}

/// What one thread does.
struct Part<'k, 'a> {
    kernel: &'k Kernel<'a>,
    values: &'k [f32],
    labels: &'k mut [u16],
}

impl WithSimd for Part<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.kernel.points.width();
        let panel = VECTORS * S::F32_LANES;
        if width == 0 || panel > WIDEST {
            return;
        }
        let mut turned = vec![0.0_f32; width * panel];
        let rows = self.values.chunks(panel * width);
        for (values, labels) in rows.zip(self.labels.chunks_mut(panel)) {
            turn(values, width, panel, &mut turned);
            let (vectors, _) = S::as_simd_f32s(&turned);
            let mut choice = Choice::default();
            choose(simd, self.kernel, vectors, &mut choice);
            for (row, label) in labels.iter_mut().enumerate() {
                let place = if choice.doubtful[row] == 0 {
                    choice.places[row]
                } else {
                    exact(self.kernel, &values[row * width..][..width])
                };
                #[expect(clippy::cast_possible_truncation, reason = "as `Kernel::new` says")]
                let place = place as u16;
                *label = place;
            }
        }
    }
}

/// The nearest point in 64 bits. Not inlined: it is rare.
#[inline(never)]
fn exact(kernel: &Kernel<'_>, row: &[f32]) -> u32 {
    u32::try_from(nearest(row, kernel.points).0).unwrap_or_default()
}

/// Writes `values`, row after row, so that the same dimension of all rows of the panel is together.
#[inline(always)]
fn turn(values: &[f32], width: usize, panel: usize, turned: &mut [f32]) {
    for (place, row) in values.chunks_exact(width).enumerate() {
        for (own, value) in turned.chunks_exact_mut(panel).zip(row) {
            own[place] = *value;
        }
    }
}

/// The choice for each row of a panel.
#[derive(Default)]
struct Choice {
    places: [u32; WIDEST],
    /// Not zero where the lead over the second best is too small to be sure.
    doubtful: [u32; WIDEST],
}

/// The best and second best so far of a vector of shoppers.
#[derive(Clone, Copy)]
struct Leaders<S: Simd> {
    best: S::f32s,
    second: S::f32s,
    place: S::u32s,
}

#[inline(always)]
fn choose<S: Simd>(simd: S, kernel: &Kernel<'_>, panel: &[S::f32s], choice: &mut Choice) {
    let lowest = simd.splat_f32s(f32::NEG_INFINITY);
    let mut leaders = [Leaders::<S> {
        best: lowest,
        second: lowest,
        place: simd.splat_u32s(0),
    }; VECTORS];
    let (dimensions, _) = panel.as_chunks::<VECTORS>();
    let groups = kernel
        .grouped
        .chunks_exact(GROUP * dimensions.len())
        .zip(kernel.half_norms.as_chunks::<GROUP>().0);
    let mut place = 0;
    for (group, half_norms) in groups {
        let scores = scores(simd, dimensions, group.as_chunks::<GROUP>().0, half_norms);
        for scores in scores {
            let here = simd.splat_u32s(place);
            for (leader, score) in leaders.iter_mut().zip(scores) {
                let better = simd.greater_than_f32s(score, leader.best);
                leader.second = simd.max_f32s(leader.second, simd.min_f32s(leader.best, score));
                leader.best = simd.max_f32s(leader.best, score);
                leader.place = simd.select_u32s_m32s(better, here, leader.place);
            }
            place += 1;
        }
    }
    settle(simd, kernel, dimensions, &leaders, choice);
}

/// x·c − |c|²/2 of a group of points with a panel of shoppers.
#[inline(always)]
fn scores<S: Simd>(
    simd: S,
    dimensions: &[[S::f32s; VECTORS]],
    group: &[[f32; GROUP]],
    half_norms: &[f32; GROUP],
) -> [[S::f32s; VECTORS]; GROUP] {
    let mut sums = half_norms.map(|half| [simd.splat_f32s(-half); VECTORS]);
    for (shoppers, numbers) in dimensions.iter().zip(group) {
        for (sums, number) in sums.iter_mut().zip(numbers) {
            let number = simd.splat_f32s(*number);
            for (sum, shopper) in sums.iter_mut().zip(shoppers) {
                *sum = simd.mul_add_e_f32s(*shopper, number, *sum);
            }
        }
    }
    sums
}

/// Writes down who leads, and where the lead is in doubt.
#[inline(always)]
fn settle<S: Simd>(
    simd: S,
    kernel: &Kernel<'_>,
    dimensions: &[[S::f32s; VECTORS]],
    leaders: &[Leaders<S>; VECTORS],
    choice: &mut Choice,
) {
    let mut norms = [simd.splat_f32s(0.0); VECTORS];
    for shoppers in dimensions {
        for (norm, shopper) in norms.iter_mut().zip(shoppers) {
            *norm = simd.mul_add_e_f32s(*shopper, *shopper, *norm);
        }
    }
    let (slope, base) = (
        simd.splat_f32s(kernel.doubt.0),
        simd.splat_f32s(kernel.doubt.1),
    );
    let (sure, unsure) = (simd.splat_u32s(0), simd.splat_u32s(1));
    let (places, _) = S::as_mut_simd_u32s(&mut choice.places);
    let (doubtful, _) = S::as_mut_simd_u32s(&mut choice.doubtful);
    for (vector, leader) in leaders.iter().enumerate() {
        let lead = simd.sub_f32s(leader.best, leader.second);
        let needed = simd.mul_add_e_f32s(norms[vector], slope, base);
        let beyond = simd.greater_than_f32s(lead, needed);
        places[vector] = leader.place;
        doubtful[vector] = simd.select_u32s_m32s(beyond, sure, unsure);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::draws::Draws;

    fn reference(rows: &Rows, points: &Rows) -> Vec<u16> {
        let place = |row| u16::try_from(nearest(row, points).0).unwrap();
        rows.iter().map(place).collect()
    }

    fn assigned(rows: &Rows, points: &Rows, threads: usize) -> Vec<u16> {
        let mut labels = vec![u16::MAX; rows.len()];
        Kernel::new(points).assign(rows, &mut labels, threads);
        labels
    }

    fn drawn(draws: &mut Draws, count: usize, width: usize, scale: f64) -> Rows {
        let values = (0..count * width).map(|_| narrowed((draws.unit() - 0.5) * scale));
        Rows::new(width, values.collect())
    }

    #[test]
    fn every_count_of_points_and_rows_and_every_number_of_threads_gives_the_reference() {
        let mut draws = Draws::of(1, 1);
        for (width, points, rows) in [
            (1, 1, 1),
            (3, 5, 17),
            (26, 16, 1000),
            (28, 64, 333),
            (64, 9, 40),
        ] {
            let points = drawn(&mut draws, points, width, 6.0);
            let rows = drawn(&mut draws, rows, width, 8.0);
            for threads in [1, 2, 3] {
                assert_eq!(assigned(&rows, &points, threads), reference(&rows, &points));
            }
        }
        let points = drawn(&mut draws, 16, 4, 6.0);
        let rows = drawn(&mut draws, 3 * WORTH_A_THREAD + 5, 4, 8.0);
        assert_eq!(assigned(&rows, &points, 3), reference(&rows, &points));
    }

    #[test]
    fn of_equal_points_the_first_is_chosen() {
        let points = Rows::new(2, vec![9.0, 9.0, 1.0, 1.0, 1.0, 1.0, -1.0, 1.0]);
        let rows = Rows::new(2, vec![1.0, 1.1, 0.0, 1.0]);
        assert_eq!(assigned(&rows, &points, 1), [1, 1]);
    }

    #[test]
    fn nothing_to_assign_is_no_error() {
        let points = Rows::new(2, vec![9.0, 9.0]);
        assert_eq!(assigned(&Rows::new(2, Vec::new()), &points, 4), [0_u16; 0]);
    }

    proptest! {
        /// Points far from zero and next to each other, and shoppers half way between two: where 32 bits are wrong.
        #[test]
        fn labels_are_those_of_64_bits_where_32_are_wrong(
            seed in any::<u64>(),
            far in 0.0..3e3_f64,
            apart in 1e-4..2.0_f64,
            width in 1_usize..30,
            count in 1_usize..40,
        ) {
            let mut draws = Draws::of(seed, 0);
            let mut points = drawn(&mut draws, count, width, apart);
            points = Rows::new(width, points.values().iter().map(|number| number + narrowed(far)).collect());
            let mut rows = Rows::new(width, Vec::new());
            for number in 0..50 {
                let (one, other) = (points.row(number % count), points.row((number * 7 + 1) % count));
                let middle: Vec<f32> = one.iter().zip(other).map(|(one, other)| f32::midpoint(*one, *other)).collect();
                rows.push(&middle);
            }
            prop_assert_eq!(assigned(&rows, &points, 1), reference(&rows, &points));
        }

        #[test]
        fn labels_are_those_of_64_bits_of_any_numbers(
            width in 1_usize..12,
            points in prop::collection::vec(-1e5_f32..1e5, 1..200),
            rows in prop::collection::vec(-1e5_f32..1e5, 0..400),
        ) {
            let points = Rows::new(width, points);
            prop_assume!(!points.is_empty());
            let rows = Rows::new(width, rows);
            prop_assert_eq!(assigned(&rows, &points, 2), reference(&rows, &points));
        }
    }
}
