//! What a run has come to in the end.

use std::{collections::BTreeMap, fmt};

use anyhow::bail;
use serde::Serialize;

use super::{
    args::SimulateArgs,
    tally::{Decisions, Tally},
};

/// A load that reaches this share of the rate has kept it.
const KEPT: f64 = 0.98;
/// What was due within this many seconds before the load's end may still be on its way then.
const ON_ITS_WAY_S: f64 = 0.25;

/// The summary.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Actions that were answered for.
    pub(super) sent: u64,
    pub(super) accepted: u64,
    /// Refused, by reason.
    pub(super) rejected: BTreeMap<String, u64>,
    /// Tries that were not answered and made again.
    pub(super) retried: u64,
    /// Actions that were due and never answered for.
    pub(super) unsent: u64,
    /// Actions a second that were asked for.
    pub(super) rate: u32,
    /// Actions a second that were answered for while there was load; 0 without load.
    pub(super) achieved_rate: f64,
    /// Whether the load kept the rate; `null` without load.
    pub(super) kept_rate: Option<bool>,
    /// From when an action was due until it was answered for, in milliseconds; `null` if none was.
    pub(super) p50_ms: Option<f64>,
    pub(super) p90_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    pub(super) p999_ms: Option<f64>,
    pub(super) max_ms: f64,
    /// Questions that were answered.
    pub(super) decisions: u64,
    pub(super) decisions_p50_ms: Option<f64>,
    pub(super) decisions_p99_ms: Option<f64>,
    /// What became of the questions.
    pub(super) asked: Decisions,
    /// What the shoppers were made of.
    pub(super) seed: u64,
    pub(super) shoppers: u32,
}

impl Summary {
    pub(super) fn of(args: &SimulateArgs, tally: &Tally) -> Self {
        let counts = tally.counts();
        let lasted = counts.load_lasted.as_secs_f64();
        let unsent = counts.generated.saturating_sub(counts.sent());
        let on_its_way = f64::from(args.rate) * ON_ITS_WAY_S;
        let achieved = if lasted > 0.0 {
            (counts.load_answered as f64 + on_its_way).min(counts.load as f64) / lasted
        } else {
            0.0
        };
        let of = |share| tally.latencies.percentile_ms(share);
        Self {
            sent: counts.sent(),
            accepted: counts.accepted,
            rejected: counts.rejected,
            retried: counts.retried,
            unsent,
            rate: args.rate,
            achieved_rate: (achieved * 10.0).round() / 10.0,
            kept_rate: (lasted > 0.0).then_some(achieved >= KEPT * f64::from(args.rate)),
            p50_ms: of(0.5),
            p90_ms: of(0.9),
            p99_ms: of(0.99),
            p999_ms: of(0.999),
            max_ms: tally.latencies.longest_ms(),
            decisions: counts.decisions.answered,
            decisions_p50_ms: tally.decided.percentile_ms(0.5),
            decisions_p99_ms: tally.decided.percentile_ms(0.99),
            asked: counts.decisions,
            seed: args.seed,
            shoppers: args.shoppers,
        }
    }
}

impl Summary {
    /// Whether it was a run at all.
    ///
    /// # Errors
    /// Events were not answered for, or not one question was answered.
    pub(super) fn verdict(&self) -> anyhow::Result<()> {
        if self.unsent > 0 {
            bail!(
                "{} events were not answered for: the server went away or is too slow; their ids are in no reply",
                self.unsent
            );
        }
        match &self.asked.first_cause {
            Some(cause) if self.decisions == 0 => bail!("no question was answered: {cause}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |latency: Option<f64>| latency.map_or("-".to_owned(), |ms| format!("{ms:.1} ms"));
        let rejected: u64 = self.rejected.values().sum();
        writeln!(
            f,
            "{} actions sent: {} accepted, {rejected} rejected; {} tries repeated, {} never answered",
            self.sent, self.accepted, self.retried, self.unsent
        )?;
        for (reason, count) in &self.rejected {
            writeln!(f, "  rejected ({reason}): {count}")?;
        }
        if let Some(kept) = self.kept_rate {
            let verdict = if kept {
                "kept"
            } else {
                "NOT KEPT: the server, or this machine, is too slow for it"
            };
            writeln!(
                f,
                "rate {} a second asked for, {} reached: {verdict}",
                self.rate, self.achieved_rate
            )?;
        }
        write!(
            f,
            "latency p50 {}, p90 {}, p99 {}, longest {:.1} ms",
            ms(self.p50_ms),
            ms(self.p90_ms),
            ms(self.p99_ms),
            self.max_ms
        )?;
        let asked = &self.asked;
        if self.decisions + asked.failed + asked.skipped > 0 {
            write!(
                f,
                "\n{} decisions, p50 {}, p99 {}; {} failed, {} not asked for, {} too late, {} degraded",
                self.decisions,
                ms(self.decisions_p50_ms),
                ms(self.decisions_p99_ms),
                asked.failed,
                asked.skipped,
                asked.late,
                asked.degraded
            )?;
        }
        for (kind, sum) in &asked.effects {
            write!(
                f,
                "\n  {} shown {kind}: {} buy, {} would have without (expected {:.1} and {:.1}); {:+.2} in revenue",
                sum.shown,
                sum.bought,
                sum.would_have_bought,
                sum.expected,
                sum.expected_without,
                (sum.revenue_cents - sum.revenue_without_cents) as f64 / 100.0
            )?;
        }
        Ok(())
    }
}
