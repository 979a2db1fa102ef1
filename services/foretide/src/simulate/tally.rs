//! What a run has come to so far, counted by many tasks at once.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use foretide_simulator::{Effect, EffectSum, Offer};
use parking_lot::Mutex;
use serde::Serialize;

use super::latency::Latencies;
use crate::{output::note, sending::Answered};

/// The running counts.
#[derive(Default)]
pub(super) struct Tally {
    counts: Mutex<Counts>,
    /// From when an action was due until it was answered for.
    pub(super) latencies: Latencies,
    /// From when a question was put until it was answered.
    pub(super) decided: Latencies,
}

/// The sums.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// Actions that were due.
    pub(super) generated: u64,
    pub(super) accepted: u64,
    /// Refused, by reason.
    pub(super) rejected: BTreeMap<String, u64>,
    /// Tries that were not answered and made again.
    pub(super) retried: u64,
    /// Of the load alone: how many actions, in which time.
    pub(super) load: u64,
    pub(super) load_lasted: Duration,
    /// How many of them had been answered for by then.
    pub(super) load_answered: u64,
    pub(super) decisions: Decisions,
}

/// What became of the questions.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Decisions {
    /// Answered.
    pub(super) answered: u64,
    /// Not answered.
    pub(super) failed: u64,
    /// Why the first of them was not; absent where all were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_cause: Option<String>,
    /// Not put, because too many were open.
    pub(super) skipped: u64,
    /// Answered when the shopper had gone on.
    pub(super) late: u64,
    /// Answers that said they were degraded.
    pub(super) degraded: u64,
    /// Answers, by the kind of offer; `none` for no offer.
    pub(super) offers: BTreeMap<String, u64>,
    /// What the offers truly did, by their kind.
    pub(super) effects: BTreeMap<String, EffectSum>,
}

impl Counts {
    pub(super) fn rejected(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Actions that were answered for.
    pub(super) fn sent(&self) -> u64 {
        self.accepted + self.rejected()
    }
}

impl Tally {
    pub(super) fn counts(&self) -> Counts {
        self.counts.lock().clone()
    }

    /// So many more actions are due.
    pub(super) fn generated(&self, count: u64) {
        self.counts.lock().generated += count;
    }

    /// The load has come to so many actions in this time.
    pub(super) fn load(&self, count: u64, lasted: Duration) {
        let mut counts = self.counts.lock();
        let before = counts.generated.saturating_sub(count);
        (counts.load, counts.load_lasted) = (count, lasted);
        counts.load_answered = counts.sent().saturating_sub(before).min(count);
    }

    /// A try was not answered.
    pub(super) fn retried(&self, cause: &str) {
        let first = {
            let mut counts = self.counts.lock();
            counts.retried += 1;
            counts.retried == 1
        };
        if first {
            note(&format!("{cause}; trying again until it is answered"));
        }
    }

    /// A batch of actions that were due at `dues` was answered.
    pub(super) fn answered(&self, answered: &Answered, dues: &[Instant]) {
        let now = Instant::now();
        self.latencies
            .add(dues.iter().map(|due| now.saturating_duration_since(*due)));
        let mut counts = self.counts.lock();
        counts.accepted += answered.receipts.accepted;
        for refused in &answered.receipts.rejected {
            if counts.rejected.is_empty() {
                let field = refused.field.as_deref().unwrap_or_default();
                note(&format!(
                    "refused ({}): {field} {}",
                    refused.code, refused.message
                ));
            }
            *counts.rejected.entry(refused.code.clone()).or_default() += 1;
        }
    }

    /// A question was not answered, for this cause: the first is told.
    pub(super) fn unanswered(&self, cause: &str) {
        let first = {
            let decisions = &mut self.counts.lock().decisions;
            decisions.failed += 1;
            if decisions.failed == 1 {
                decisions.first_cause = Some(cause.to_owned());
            }
            decisions.failed == 1
        };
        if first {
            note(&format!("a question was not answered: {cause}"));
        }
    }

    /// What became of a question.
    pub(super) fn decided(&self, write: impl FnOnce(&mut Decisions)) {
        write(&mut self.counts.lock().decisions);
    }
}

impl Decisions {
    /// An answer with `offer`, and its `effect` if it came in time.
    pub(super) fn add(&mut self, offer: Option<&Offer>, effect: Option<&Effect>, degraded: bool) {
        self.answered += 1;
        self.degraded += u64::from(degraded);
        let kind = offer.map_or("none", Offer::kind).to_owned();
        *self.offers.entry(kind.clone()).or_default() += 1;
        match effect {
            None => self.late += 1,
            Some(effect) if offer.is_some() => self.effects.entry(kind).or_default().add(effect),
            Some(_) => {}
        }
    }
}
