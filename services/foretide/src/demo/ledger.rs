//! What was offered, and what the offers truly did.

use std::{collections::BTreeMap, sync::Arc};

use foretide_simulator::{Ask, Effect, EffectSum, Moment, Offer, Temperament};
use serde_json::Value;

use super::shoppers::Sent;

/// All that became of the questions so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) sent: Arc<Sent>,
    /// Decisions, by the kind of offer; `none` for no offer, `unanswered` where there was no decision.
    pub(super) decisions: BTreeMap<String, u64>,
    /// Decisions whose probabilities came of a trained model, not of the prior alone.
    pub(super) by_models: u64,
    /// What the offers did, by their kind.
    pub(super) effects: BTreeMap<&'static str, EffectSum>,
    /// The latest offer of each kind.
    pub(super) latest: BTreeMap<&'static str, Offered>,
}

/// One offer, as it was made.
#[derive(Clone, Debug)]
pub(super) struct Offered {
    /// How requests name the shopper.
    pub(super) shopper: Value,
    pub(super) temperament: Temperament,
    pub(super) moment: Moment,
    pub(super) decision: Value,
    pub(super) effect: Effect,
}

impl Ledger {
    /// Writes down that a question was not answered.
    pub(super) fn unanswered(&mut self) {
        *self.decisions.entry("unanswered".to_owned()).or_default() += 1;
    }

    /// Writes down the answer `decision` to `ask`: the `offer` in it, and its `effect` if it came in time.
    pub(super) fn enter(
        &mut self,
        ask: &Ask,
        temperament: Temperament,
        decision: Value,
        offer: Option<&Offer>,
        effect: Option<Effect>,
    ) {
        let kind = offer.map_or("none", Offer::kind);
        *self.decisions.entry(kind.to_owned()).or_default() += 1;
        let source = decision["predictions"]["source"].as_str();
        let is_learnt = |source: &str| source.split(" + ").any(|one| !one.starts_with("prior"));
        self.by_models += u64::from(source.is_some_and(is_learnt));
        let (Some(_), Some(effect)) = (offer, effect) else {
            return;
        };
        self.effects.entry(kind).or_default().add(&effect);
        let offered = Offered {
            shopper: ask.shopper().clone(),
            temperament,
            moment: ask.moment,
            decision,
            effect,
        };
        self.latest.insert(kind, offered);
    }
}
