//! From margins to log-odds that mean what they say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::refused::{Refused, sensible};

/// The most knots of an isotonic calibration.
const KNOT_LIMIT: usize = 1024;

/// How a margin is corrected, so that of the shoppers with a probability of 0.7 seven of ten do it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Calibration {
    /// Not at all.
    #[default]
    None,
    /// `offset + slope · margin`: J. Platt, "Probabilistic outputs for support vector machines" (1999).
    Platt {
        /// Above zero.
        slope: f64,
        /// In log-odds.
        offset: f64,
    },
    /// Along the lines between knots, and level beyond the first and the last: Zadrozny and Elkan, "Transforming classifier
    /// scores into accurate multiclass probability estimates" (2002). Lines rather than steps keep margins apart that differ.
    Isotonic {
        /// At least one, their margins ascending, their log-odds never falling.
        knots: Vec<Knot>,
    },
}

/// A point that an isotonic calibration goes through.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Knot {
    /// The margin.
    pub margin: f64,
    /// The log-odds that it means.
    pub log_odds: f64,
}

impl Calibration {
    /// The log-odds that `margin` means.
    pub fn apply(&self, margin: f64) -> f64 {
        match self {
            Self::None => margin,
            Self::Platt { slope, offset } => offset + slope * margin,
            Self::Isotonic { knots } => along(knots, margin),
        }
    }

    /// Refuses what is not finite, falls anywhere, or has no knots.
    pub fn check(&self) -> Result<(), Refused> {
        match self {
            Self::None => Ok(()),
            Self::Platt { slope, offset } => {
                sensible("calibration.offset", *offset)?;
                sensible("calibration.slope", *slope)?;
                if *slope > 0.0 {
                    Ok(())
                } else {
                    Err(Refused::nonsense("calibration.slope", "must be above zero"))
                }
            }
            Self::Isotonic { knots } => check_knots(knots),
        }
    }
}

fn check_knots(knots: &[Knot]) -> Result<(), Refused> {
    for Knot { margin, log_odds } in knots {
        sensible("calibration.knots.margin", *margin)?;
        sensible("calibration.knots.log_odds", *log_odds)?;
    }
    let rising = |a: &Knot, b: &Knot| a.margin < b.margin && a.log_odds <= b.log_odds;
    if !knots.is_sorted_by(rising) {
        return Err(Refused::nonsense(
            "calibration.knots",
            "must rise in margin and never fall in log-odds",
        ));
    }
    if knots.is_empty() || knots.len() > KNOT_LIMIT {
        return Err(Refused::nonsense("calibration.knots", "must be 1 to 1024"));
    }
    Ok(())
}

/// The height at `margin` of the line through `knots`.
fn along(knots: &[Knot], margin: f64) -> f64 {
    let next = knots.partition_point(|knot| knot.margin <= margin);
    match (next.checked_sub(1).map(|last| knots[last]), knots.get(next)) {
        (Some(from), Some(to)) => {
            let share = (margin - from.margin) / (to.margin - from.margin);
            let height = from.log_odds + share * (to.log_odds - from.log_odds);
            // Rounding must not turn the order around.
            height.clamp(from.log_odds, to.log_odds)
        }
        (Some(last), None) => last.log_odds,
        (None, Some(first)) => first.log_odds,
        (None, None) => margin,
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn isotonic(knots: &[(f64, f64)]) -> Calibration {
        let knots = knots
            .iter()
            .map(|&(margin, log_odds)| Knot { margin, log_odds })
            .collect();
        Calibration::Isotonic { knots }
    }

    #[test]
    fn lines_lead_from_knot_to_knot_and_are_level_beyond() {
        let calibration = isotonic(&[(-1.0, -2.0), (1.0, 0.0), (2.0, 0.0), (3.0, 5.0)]);
        for (margin, log_odds) in [
            (-9.0, -2.0),
            (-1.0, -2.0),
            (0.0, -1.0),
            (1.5, 0.0),
            (2.5, 2.5),
            (3.0, 5.0),
            (99.0, 5.0),
        ] {
            assert_eq!(calibration.apply(margin), log_odds, "{margin}");
        }
        assert_eq!(isotonic(&[(0.0, 1.0)]).apply(-3.0), 1.0);
    }

    #[test]
    fn a_line_changes_slope_and_offset() {
        let platt = Calibration::Platt {
            slope: 2.0,
            offset: -1.0,
        };
        assert_eq!(platt.apply(3.0), 5.0);
        assert_eq!(Calibration::None.apply(3.0), 3.0);
    }

    #[test]
    fn what_falls_or_is_not_finite_is_refused() {
        let platt = |slope, offset| Calibration::Platt { slope, offset };
        for bad in [
            platt(0.0, 0.0),
            platt(-1.0, 0.0),
            platt(f64::NAN, 0.0),
            platt(1.0, f64::INFINITY),
            isotonic(&[]),
            isotonic(&[(0.0, 1.0), (0.0, 2.0)]),
            isotonic(&[(0.0, 1.0), (1.0, 0.5)]),
            isotonic(&[(f64::NAN, 1.0)]),
            isotonic(&[(0.0, f64::NAN)]),
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
        for good in [
            Calibration::None,
            platt(0.5, -3.0),
            isotonic(&[(0.0, 1.0), (1.0, 1.0)]),
        ] {
            assert_eq!(good.check(), Ok(()));
        }
    }

    proptest! {
        #[test]
        fn a_higher_margin_never_means_less(
            steps in prop::collection::vec((0.01..3.0, 0.0..3.0), 1..20), a in -10.0..60.0, b in -10.0..60.0,
        ) {
            let (mut margin, mut log_odds) = (-5.0, -5.0);
            let knots: Vec<_> = steps.iter().map(|(right, up)| {
                margin += right;
                log_odds += up;
                (margin, log_odds)
            }).collect();
            let calibration = isotonic(&knots);
            prop_assert_eq!(calibration.check(), Ok(()));
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            prop_assert!(calibration.apply(low) <= calibration.apply(high));
        }
    }
}
