//! Calibration: learnt from rows that the model did not learn from.

use foretide_models::{Calibration, Knot, Probability};

use crate::metrics::margin_loss;

/// An isotonic curve is learnt only from at least so many rows of each class: a line needs far fewer.
const ENOUGH_FOR_CURVE: usize = 1_000;

/// The curve must lower the log-loss of rows it was not learnt from by this share to be worth its knots.
const CLEARLY: f64 = 1e-3;

/// A line is drawn towards slope 1 and offset 0 as strongly as this many rows of even odds hold it there.
const PRIOR_ROWS: f64 = 20.0;

/// Flatter than this, a line would throw away what order there is.
const LEAST_SLOPE: f64 = 0.05;

/// The fewest rows between two knots, and the most knots.
const KNOT_ROWS: usize = 100;
const MOST_KNOTS: usize = 256;

/// A row that a model judged without having learnt from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// What the model said, in log-odds.
    pub margin: f64,
    /// What happened.
    pub label: bool,
    /// How much it counts, at least 0.
    pub weight: f64,
}

/// The rows of one fold, their margins moved by one number, so that they say the rate of what was judged.
///
/// What changed in the rate of positives between what a fold learnt from and what it judged is no fault of the margins: a model that
/// is then fitted to all rows knows of it. Counted once more, it would be carried on into the future, where it mostly turns back.
pub fn levelled(mut rows: Vec<Judged>) -> Vec<Judged> {
    let both = |label| {
        rows.iter()
            .any(|row| row.label == label && row.weight > 0.0)
    };
    if !(both(true) && both(false)) {
        return rows;
    }
    let mut level = 0.0;
    for _ in 0..50 {
        let (mut off, mut certainty) = (0.0, f64::MIN_POSITIVE);
        for row in &rows {
            let probability = Probability::from_log_odds(level + row.margin).get();
            off += row.weight * (probability - f64::from(u8::from(row.label)));
            certainty += row.weight * probability * (1.0 - probability);
        }
        // No more than one at once, where hardly anything is uncertain and a step would lead far off.
        let step = (off / certainty).clamp(-1.0, 1.0);
        level -= step;
        if step.abs() < 1e-9 {
            break;
        }
    }
    for row in &mut rows {
        row.margin += level;
    }
    rows
}

/// The calibration that suits `rows` best: a line (Platt), or an isotonic curve where there are enough rows of both classes and, learnt
/// on every other row, it is clearly better than the line on the rest. `None` if there is nothing to learn from.
pub fn choose(rows: &[Judged]) -> Calibration {
    let counts = |label| {
        rows.iter()
            .filter(|row| row.label == label && row.weight > 0.0)
            .count()
    };
    let least = counts(true).min(counts(false));
    if least == 0 {
        return Calibration::None;
    }
    if least >= ENOUGH_FOR_CURVE {
        let other = |odd: usize| -> Vec<Judged> {
            rows.iter()
                .enumerate()
                .filter(|(place, _)| place % 2 == odd)
                .map(|(_, row)| *row)
                .collect()
        };
        let halves = [other(0), other(1)];
        let across = |learn: &dyn Fn(&[Judged]) -> Calibration| {
            loss(&learn(&halves[0]), &halves[1]) + loss(&learn(&halves[1]), &halves[0])
        };
        if across(&isotonic) < across(&platt) * (1.0 - CLEARLY) {
            return isotonic(rows);
        }
    }
    platt(rows)
}

/// The summed log-loss of `rows` as calibrated.
fn loss(calibration: &Calibration, rows: &[Judged]) -> f64 {
    let row = |row: &Judged| row.weight * margin_loss(calibration.apply(row.margin), row.label);
    rows.iter().map(row).sum()
}

/// The line of least log-loss, by Newton's method (Platt 1999; Lin, Lin and Weng 2007), drawn a little towards the one that changes nothing.
pub fn platt(rows: &[Judged]) -> Calibration {
    let mean = {
        let weight: f64 = rows.iter().map(|row| row.weight).sum();
        let count = rows.iter().filter(|row| row.weight > 0.0).count().max(1);
        (weight / count as f64).max(f64::MIN_POSITIVE)
    };
    let prior = PRIOR_ROWS * mean / 4.0;
    let penalised = |slope: f64, offset: f64| {
        let line = Calibration::Platt { slope, offset };
        loss(&line, rows) + prior / 2.0 * ((slope - 1.0) * (slope - 1.0) + offset * offset)
    };
    let (mut slope, mut offset) = (1.0, 0.0);
    let mut reached = penalised(slope, offset);
    for _ in 0..50 {
        let (by_slope, by_offset) = step(rows, slope, offset, prior);
        let mut share = 1.0;
        let found = loop {
            let next = (
                (slope - share * by_slope).max(LEAST_SLOPE),
                offset - share * by_offset,
            );
            let loss = penalised(next.0, next.1);
            if loss < reached {
                break Some((next, loss));
            }
            share /= 2.0;
            if share < 1e-6 {
                break None;
            }
        };
        let Some((next, loss)) = found else { break };
        let gain = reached - loss;
        (slope, offset) = next;
        reached = loss;
        if gain <= 1e-10 * reached {
            break;
        }
    }
    Calibration::Platt { slope, offset }
}

/// Newton's step at a line.
fn step(rows: &[Judged], slope: f64, offset: f64, prior: f64) -> (f64, f64) {
    let mut gradient = [prior * (slope - 1.0), prior * offset];
    let (mut aa, mut ab, mut bb) = (prior, 0.0, prior);
    for row in rows {
        let probability = Probability::from_log_odds(offset + slope * row.margin).get();
        let off = row.weight * (probability - f64::from(u8::from(row.label)));
        gradient[0] += off * row.margin;
        gradient[1] += off;
        let certainty = row.weight * probability * (1.0 - probability);
        aa += certainty * row.margin * row.margin;
        ab += certainty * row.margin;
        bb += certainty;
    }
    let determinant = (aa * bb - ab * ab).max(f64::MIN_POSITIVE);
    (
        (bb * gradient[0] - ab * gradient[1]) / determinant,
        (aa * gradient[1] - ab * gradient[0]) / determinant,
    )
}

/// Rows next to each other.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    weight: f64,
    positive: f64,
    margins: f64,
}

impl Block {
    fn with(self, other: Self) -> Self {
        Self {
            weight: self.weight + other.weight,
            positive: self.positive + other.positive,
            margins: self.margins + other.margins,
        }
    }

    fn rate(self) -> f64 {
        self.positive / self.weight
    }
}

/// The rising curve of least squared error, by pooling adjacent violators (Zadrozny and Elkan 2002), through the middles of its steps. Rows
/// are first taken together by the hundred, at most 256 times, so that no knot rests on a few rows.
pub fn isotonic(rows: &[Judged]) -> Calibration {
    let mut order: Vec<&Judged> = rows.iter().filter(|row| row.weight > 0.0).collect();
    order.sort_by(|a, b| a.margin.total_cmp(&b.margin));
    let at_once = (order.len() / MOST_KNOTS).max(KNOT_ROWS);
    let mut pooled: Vec<Block> = Vec::new();
    for together in order.chunks(at_once) {
        let add = |block: Block, row: &&Judged| {
            block.with(Block {
                weight: row.weight,
                positive: if row.label { row.weight } else { 0.0 },
                margins: row.weight * row.margin,
            })
        };
        let mut block = together.iter().fold(Block::default(), add);
        while let Some(last) = pooled.pop_if(|last| last.rate() >= block.rate()) {
            block = last.with(block);
        }
        pooled.push(block);
    }
    let total: f64 = pooled.iter().map(|block| block.weight).sum();
    // Half a row of either class, so that a block of one class is not certain of it.
    let half = total / order.len().max(1) as f64 / 2.0;
    let mut knots: Vec<Knot> = Vec::with_capacity(pooled.len());
    for block in pooled {
        let odds = (block.positive + half) / (block.weight - block.positive + half);
        let knot = Knot {
            margin: block.margins / block.weight,
            log_odds: libm::log(odds),
        };
        let rises = |last: &Knot| last.margin < knot.margin && last.log_odds <= knot.log_odds;
        if knots.last().is_none_or(rises) {
            knots.push(knot);
        }
    }
    if knots.is_empty() {
        Calibration::None
    } else {
        Calibration::Isotonic { knots }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::seeded::Seeded;

    /// Rows whose log-odds are `truth` of their margin.
    fn rows(count: usize, truth: impl Fn(f64) -> f64, seed: u64) -> Vec<Judged> {
        let mut seeded = Seeded::new(seed, 0);
        let mut row = || {
            let margin = seeded.below(8_000) as f64 / 1_000.0 - 4.0;
            let probability = Probability::from_log_odds(truth(margin)).get();
            let label = (seeded.below(1_000_000) as f64) < probability * 1e6;
            Judged {
                margin,
                label,
                weight: 1.0,
            }
        };
        (0..count).map(|_| row()).collect()
    }

    #[test]
    fn a_line_finds_slope_and_offset() {
        let Calibration::Platt { slope, offset } = platt(&rows(20_000, |m| 0.5 * m - 1.0, 1))
        else {
            panic!("no line");
        };
        assert!(
            (slope - 0.5).abs() < 0.03 && (offset + 1.0).abs() < 0.06,
            "{slope} {offset}"
        );
    }

    #[test]
    fn margins_that_mean_nothing_keep_their_order() {
        let calibration = choose(&rows(5_000, |_| -2.0, 2));
        assert_eq!(calibration.check(), Ok(()));
        assert!(calibration.apply(1.0) > calibration.apply(-1.0));
        assert!((calibration.apply(0.0) + 2.0).abs() < 0.2);
    }

    #[test]
    fn levelled_margins_say_the_rate_of_what_was_judged() {
        let moved = levelled(rows(5_000, |margin| margin + 1.5, 4));
        let said: f64 = moved
            .iter()
            .map(|row| Probability::from_log_odds(row.margin).get())
            .sum();
        let happened = moved.iter().filter(|row| row.label).count();
        assert!((said - happened as f64).abs() < 1e-3, "{said} {happened}");
        let one = vec![Judged {
            margin: 2.0,
            label: true,
            weight: 1.0,
        }];
        assert_eq!(levelled(one.clone()), one);
    }

    #[test]
    fn a_curve_is_taken_where_a_line_does_not_fit() {
        let bent = |margin: f64| if margin < 1.0 { -2.0 } else { 2.0 };
        let calibration = choose(&rows(20_000, bent, 3));
        assert!(matches!(calibration, Calibration::Isotonic { .. }));
        assert_eq!(calibration.check(), Ok(()));
        assert!(
            (calibration.apply(-1.0) + 2.0).abs() < 0.3
                && (calibration.apply(3.0) - 2.0).abs() < 0.3
        );
        assert!(matches!(
            choose(&rows(20_000, |m| m - 1.0, 3)),
            Calibration::Platt { .. }
        ));
    }

    #[test]
    fn without_rows_of_both_classes_nothing_is_changed() {
        assert_eq!(choose(&[]), Calibration::None);
        let one = [Judged {
            margin: 1.0,
            label: true,
            weight: 1.0,
        }];
        assert_eq!(choose(&one), Calibration::None);
    }

    #[test]
    fn few_rows_hardly_move_the_line() {
        let three = [(2.0, true), (-1.0, false), (1.0, true)];
        let three = three.map(|(margin, label)| Judged {
            margin,
            label,
            weight: 1.0,
        });
        let Calibration::Platt { slope, offset } = choose(&three) else {
            panic!("no line")
        };
        assert!(
            (0.7..2.0).contains(&slope) && offset.abs() < 0.3,
            "{slope} {offset}"
        );
    }

    proptest! {
        #[test]
        fn what_is_learnt_may_always_serve(
            rows in prop::collection::vec((-30.0..30.0_f64, any::<bool>(), 0.0..20.0_f64), 0..300),
        ) {
            let rows: Vec<Judged> =
                rows.into_iter().map(|(margin, label, weight)| Judged { margin, label, weight }).collect();
            for calibration in [choose(&rows), isotonic(&rows)] {
                prop_assert_eq!(calibration.check(), Ok(()));
            }
        }
    }
}
