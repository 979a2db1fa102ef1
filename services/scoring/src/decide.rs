//! Deciding: from a question to the whole record of its answer.

use std::{collections::HashSet, sync::Arc};

use foretide_decision::{
    Cohort, DecisionRecord, MaskCause, Reason, ReasonCode, Recommended, RecordedFeatures,
    RecordedValues, Situation,
};
use foretide_events::{Category, EpochMs, SessionId, ShopId, ShopperId, Text};
use foretide_features::{Feature, Reference, State};
use foretide_http::Problem;
use foretide_models::prior;
use rand::Rng as _;
use uuid::{Builder, Uuid};

use crate::{
    api::Api,
    cart::KnownCart,
    freshness::Freshness,
    instant::no_longer_remembered,
    knowledge::{Found, look_up},
    parity::Served,
};

/// In how many of the shopper's categories products are looked for.
const TASTES: usize = 5;

/// What is asked.
pub(crate) struct Question {
    pub(crate) shopper: ShopperId,
    /// The instant it is about; `None` for now.
    pub(crate) at: Option<EpochMs>,
    pub(crate) session: Option<SessionId>,
    pub(crate) cart: Option<KnownCart>,
    pub(crate) page: Option<Text<1024>>,
    pub(crate) placement: Option<Text<128>>,
    pub(crate) request_id: Option<Text<128>>,
}

/// What a decision rests on of what is known of a shopper.
struct Knowledge {
    /// The features that the predictions rest on.
    features: Features,
    /// What the shopper's actions tell of the cart, if there is one and the question does not name it.
    cart: Option<KnownCart>,
    /// The offset after the last event it rests on, in the shopper's partition of the actions.
    next_offset: u64,
}

/// The features that the prior rests on, as [`prior::Inputs::FEATURES`] has them.
#[derive(Clone, Copy, Default)]
struct Features([Option<f64>; prior::Inputs::FEATURES.len()]);

impl Features {
    fn of(get: impl FnMut(Feature) -> Option<f64>) -> Self {
        Self(prior::Inputs::FEATURES.map(get))
    }

    /// What is asked for in that order.
    fn in_order(&self) -> impl FnMut(Feature) -> Option<f64> {
        let mut values = self.0.into_iter();
        move |_| values.next().flatten()
    }
}

/// Decides. The only refusal is an instant that is no longer remembered.
pub(crate) fn decide(api: &Api, question: Question) -> Result<DecisionRecord, Problem> {
    let now = EpochMs(api.clock.now_ms());
    let at = question.at.unwrap_or(now);
    let reference = api.references.at(at);
    // Asked first: what is folded between the two questions may only make the answer better than it says.
    let freshness = Freshness::of(&api.table, &question.shopper, at, now);
    let known = known(api, &question, at, &reference)?;
    let (shopper, asked_at) = (question.shopper, question.at);
    let is_known = known.is_some();
    let next_offset = known.as_ref().map(|known| known.next_offset);
    let known = known.map(|known| (known.features, known.cart));
    let (features, known_cart) = known.unwrap_or_default();
    let cart = question.cart.or(known_cart);

    let inputs = prior::Inputs {
        has_cart: cart.as_ref().is_some_and(|cart| cart.filled),
        ..prior::Inputs::of(features.in_order())
    };
    let predictions = prior::predict(&inputs);
    let rules = api.rulebook.current();
    let choice = rules.policy.decide(&Situation {
        predictions: &predictions,
        cart_value: cart.as_ref().and_then(|cart| cart.value),
        recommend: &|most| recommend(api, &shopper, asked_at, cart.as_ref(), most),
        withheld: withheld(freshness, is_known),
    });
    let explained = explain(
        choice.reasons,
        freshness,
        is_known,
        rules.max_features_age_ms,
    );
    Ok(DecisionRecord {
        decision_id: decision_id(now),
        at,
        shopper,
        session: question.session,
        request_id: question.request_id,
        placement: question.placement,
        page: question.page,
        cart: cart.map(KnownCart::recorded),
        features: RecordedFeatures {
            catalogue: Arc::clone(&api.catalogue),
            reference: Some(reference.version().into()),
            fold_rules: api.rules.version(),
            age_ms: freshness.age_ms(),
            max_age_ms: Some(rules.max_features_age_ms),
            next_offset,
            values: RecordedValues::of_prior(features.in_order()),
        },
        cohort: Cohort::EVERYONE,
        predictions,
        follows: true,
        policy: rules.policy.recorded(),
        arms: choice.arms,
        chosen: choice.offer.clone(),
        served: choice.offer,
        reasons: explained.reasons,
        degraded: !explained.degraded_by.is_empty(),
        degraded_by: explained.degraded_by,
    })
}

/// What is known of the shopper at `at`, if anything is.
fn known(
    api: &Api,
    question: &Question,
    at: EpochMs,
    reference: &Reference,
) -> Result<Option<Knowledge>, Problem> {
    let read = |state: &State, next_offset| {
        let served = Served {
            shopper: &question.shopper,
            asked_at: question.at,
            at,
            state,
            next_offset,
        };
        api.parity.served(&served, &api.rules, &api.references);
        let reading = state.reading(at, &api.rules, reference);
        Knowledge {
            features: Features::of(|feature| reading.get(feature)),
            cart: match question.cart {
                None => KnownCart::of(state.cart()),
                Some(_) => None,
            },
            next_offset,
        }
    };
    match look_up(&api.table, &question.shopper, question.at, &api.rules, read) {
        Found::NotRemembered => Err(no_longer_remembered()),
        Found::Nobody => Ok(None),
        Found::Known(known) => Ok(Some(known)),
    }
}

/// While profiles are being restored, a shopper who seems unknown may not be: nothing is offered on no knowledge.
fn withheld(freshness: Freshness, is_known: bool) -> Option<MaskCause> {
    (freshness == Freshness::NotReady && !is_known).then_some(MaskCause::FeaturesNotReady)
}

/// Few decisions recommend: the shopper is looked up again for it, rather than each time for nothing.
fn recommend(
    api: &Api,
    shopper: &ShopperId,
    at: Option<EpochMs>,
    cart: Option<&KnownCart>,
    most: usize,
) -> Vec<Recommended> {
    let top = |state: &State, _| state.top_categories(TASTES);
    let top = match look_up(&api.table, shopper, at, &api.rules, top) {
        Found::Known(top) => top,
        Found::Nobody | Found::NotRemembered => Vec::new(),
    };
    let tastes: Vec<(Category, f64)> = top
        .into_iter()
        .map(|taste| (taste.category, taste.share))
        .collect();
    let in_cart: HashSet<ShopId> = cart
        .map(|cart| cart.products.iter().cloned().collect())
        .unwrap_or_default();
    api.popularity.read().recommend(&tastes, &in_cart, most)
}

/// The reasons of an answer, and which of them make it degraded.
struct Explained {
    reasons: Vec<Reason>,
    degraded_by: Vec<ReasonCode>,
}

/// `reasons` are those of the choice.
fn explain(
    mut reasons: Vec<Reason>,
    freshness: Freshness,
    known: bool,
    max_age_ms: i64,
) -> Explained {
    if !known && freshness != Freshness::NotReady {
        let text = "nothing is known of the shopper yet: the answer rests on the request alone";
        reasons.push(Reason::new(ReasonCode::UnknownShopper, text));
    }
    let mut explained = Explained {
        reasons,
        degraded_by: Vec::new(),
    };
    if let Some(reason) = freshness.degrades(max_age_ms) {
        explained.degraded_by.push(reason.code);
        if explained
            .reasons
            .iter()
            .all(|other| other.code != reason.code)
        {
            explained.reasons.push(reason);
        }
    }
    explained
}

/// A UUID of version 7: sorts by the time it was made at.
fn decision_id(now: EpochMs) -> Text<64> {
    // From the thread's own generator: the system's costs a call for each id.
    let random: [u8; 10] = rand::rng().random();
    let milliseconds = u64::try_from(now.0).unwrap_or(0);
    let id = Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid();
    let mut text = Uuid::encode_buffer();
    Text::new(id.hyphenated().encode_lower(&mut text)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_decision_is_a_uuid_of_version_7_that_holds_its_time() {
        let now = EpochMs(1_795_334_400_123);
        let (one, another) = (decision_id(now), decision_id(now));
        assert_ne!(one, another);
        let id: Uuid = one.parse().unwrap();
        assert_eq!(id.get_version_num(), 7);
        let at = id.get_timestamp().unwrap().to_unix();
        assert_eq!(at, (1_795_334_400, 123_000_000));
        assert!(*decision_id(now.plus(1)) > *one);
    }
}
