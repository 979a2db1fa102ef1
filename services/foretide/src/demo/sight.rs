//! Whether drift is seen: what the server predicts of shoppers, against what is true of them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::{api::Api, story::Story};

/// How many shoppers are asked about at each look.
const ASKED_ABOUT: usize = 64;
/// A shopper whose engagement fell below this is drifting, in truth.
const DRIFTED: f64 = 0.5;
/// A predicted probability above this is what the default rule acts upon.
const SEEN: f64 = 0.8;

/// What is true, and what is seen, of the shoppers that are watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Drift {
    /// Drifting in truth.
    pub(super) drifting: u32,
    /// Of these, seen.
    pub(super) seen: u32,
    /// As engaged as ever in truth.
    pub(super) engaged: u32,
    /// Of these, taken for drifting.
    pub(super) mistaken: u32,
}

/// Looks at a few shoppers at a time.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// The latest prediction for each.
    predicted: BTreeMap<u32, f64>,
    turn: usize,
}

impl Sight {
    /// Whom to ask about next, each with the name that requests have for them.
    pub(super) fn whom(&mut self, story: &Story) -> Vec<(u32, String)> {
        let watched = &story.watched;
        let these = watched
            .iter()
            .cycle()
            .skip(self.turn)
            .take(ASKED_ABOUT.min(watched.len()));
        let whom = these
            .map(|&number| (number, story.simulator.names().user(number)))
            .collect();
        self.turn = (self.turn + ASKED_ABOUT) % watched.len().max(1);
        whom
    }

    /// Asks about them, without anything being recorded.
    pub(super) async fn ask(&mut self, api: &Api, whom: Vec<(u32, String)>, now: &str) {
        let path = format!("/v1/decisions?at={now}");
        for (number, user) in whom {
            let answer = api
                .post(&path, &json!({ "shopper": { "user_id": user } }))
                .await;
            let drift = answer.and_then(|answer| answer["predictions"]["drift"].as_f64());
            if let Some(drift) = drift {
                self.predicted.insert(number, drift);
            }
        }
    }

    /// What is seen of what is true.
    pub(super) fn drift(&self, story: &Story) -> Drift {
        let now = story.simulator.reached();
        let mut drift = Drift::default();
        for (&number, &predicted) in &self.predicted {
            let truth = story.simulator.truth(number, now);
            let seen = u32::from(predicted > SEEN);
            if truth.engagement < DRIFTED {
                drift.drifting += 1;
                drift.seen += seen;
            } else if truth.engagement >= 1.0 {
                drift.engaged += 1;
                drift.mistaken += seen;
            }
        }
        drift
    }
}
