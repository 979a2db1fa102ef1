//! What of a shadow is other than live.

use std::fmt;

use anyhow::{Context as _, bail};
use foretide_events::{EpochMs, ShopperId};
use foretide_features::FoldRules;
use foretide_ports::{ProfileTable, ReadOnlyLog, References};
use foretide_processor::{
    FoldedLog, fold_all,
    replay::{FeatureDifference, Sight, compare, feature_differences},
};
use foretide_runtime::CancellationToken;
use serde::Serialize;

use crate::{look::Patience, progress::Meter};

/// How many features are shown of a shopper in words; machines get them all.
const SHOWN: usize = 8;

/// The live profiles: those published, with what follows them on the log.
pub(crate) async fn live(
    log: &ReadOnlyLog,
    partitions: u32,
    rules: FoldRules,
    patience: Patience,
    stop: &CancellationToken,
) -> anyhow::Result<FoldedLog> {
    let meter = Meter::new("{msg}  {elapsed_precise}");
    let folding = patience.with(|pulse| {
        let meter = &meter;
        fold_all(log, partitions, rules, move |n| {
            pulse.beat();
            meter.show(n, None, || {
                format!("reading what is published: {n} records")
            });
        })
    });
    tokio::select! {
        folded = folding => folded?.context("reading what is published"),
        () = stop.cancelled() => bail!("asked to end while reading what is published"),
    }
}

/// A shadow as it is compared.
pub(crate) struct Shade<'a> {
    pub(crate) table: &'a ProfileTable,
    pub(crate) rules: &'a FoldRules,
    /// For each partition, the offset up to which it is folded.
    pub(crate) reached: &'a [u64],
}

/// What of a shadow is other than live.
#[derive(Debug, Serialize)]
pub(crate) struct Against {
    /// Shoppers compared.
    pub(crate) compared: u64,
    /// Those whose profile is another, or who have one in only one of the two.
    pub(crate) differ: u64,
    /// Actions that are part of the live profiles and not yet of the shadow.
    pub(crate) behind: u64,
    /// The instant of the features.
    at: EpochMs,
    /// The first of those that differ, by id.
    shoppers: Vec<Other>,
}

#[derive(Debug, Serialize)]
struct Other {
    shopper_id: ShopperId,
    /// The features that differ; none where only what they may become does.
    features: Vec<OtherFeature>,
}

#[derive(Debug, Serialize)]
struct OtherFeature {
    feature: &'static str,
    shadow: Option<f64>,
    live: Option<f64>,
    /// By how much the shadow's is greater, where both are there.
    by: Option<f64>,
}

impl From<FeatureDifference> for OtherFeature {
    fn from(found: FeatureDifference) -> Self {
        let FeatureDifference {
            feature,
            one: shadow,
            other: live,
        } = found;
        Self {
            feature,
            shadow,
            live,
            by: shadow.zip(live).map(|(shadow, live)| shadow - live),
        }
    }
}

impl Against {
    /// Compares, and looks into the features of up to `named` shoppers as they are at `at`.
    pub(crate) fn of(
        shade: &Shade<'_>,
        live: &FoldedLog,
        live_rules: &FoldRules,
        references: &References,
        at: EpochMs,
        named: usize,
    ) -> Self {
        let partitions = 0..live.table.partitions();
        let found = compare(shade.table, &live.table, partitions, named);
        let reference = references.at(at);
        let sight = |table, rules| Sight {
            table,
            rules,
            reference: &reference,
            at,
        };
        let (shadow, live_sight) = (
            sight(shade.table, shade.rules),
            sight(&live.table, live_rules),
        );
        let other = |shopper_id: ShopperId| Other {
            features: feature_differences(&shadow, &live_sight, &shopper_id)
                .into_iter()
                .map(OtherFeature::from)
                .collect(),
            shopper_id,
        };
        let positions = live.positions();
        let behind = positions.iter().zip(shade.reached);
        Self {
            compared: found.compared,
            differ: found.differ,
            behind: behind
                .map(|(live, reached)| live.saturating_sub(*reached))
                .sum(),
            at,
            shoppers: found.first.into_iter().map(other).collect(),
        }
    }
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} shoppers compared with the live profiles, {} differ",
            self.compared, self.differ
        )?;
        if self.behind > 0 {
            write!(f, "; live is {} actions further", self.behind)?;
        }
        for Other {
            shopper_id,
            features,
        } in &self.shoppers
        {
            write!(f, "\n  {shopper_id}  {} features differ", features.len())?;
            for OtherFeature {
                feature,
                shadow,
                live,
                by,
            } in features.iter().take(SHOWN)
            {
                let word = |value: &Option<f64>| value.map_or("-".to_owned(), short);
                let (shadow, live) = (word(shadow), word(live));
                write!(f, "\n    {feature}: {shadow}, live {live}")?;
                if let Some(by) = by {
                    let sign = if *by > 0.0 { "+" } else { "" };
                    write!(f, " ({sign}{})", short(*by))?;
                }
            }
            if features.len() > SHOWN {
                write!(f, "\n    and {} more (--json)", features.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}

/// A number as a person reads it.
fn short(value: f64) -> String {
    let rounded = format!("{value:.4}");
    if value != 0.0 && value.abs() < 0.0005 {
        return format!("{value:.2e}");
    }
    let text = rounded.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_never_rounded_to_nothing() {
        for (value, text) in [
            (0.0, "0"),
            (3.0, "3"),
            (0.25, "0.25"),
            (-1.5, "-1.5"),
            (1e-7, "1.00e-7"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
