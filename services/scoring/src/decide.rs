//! Deciding: from a question to the whole record of its answer.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use foretide_decision::{
    Choice, Cohort, DecisionRecord, MaskCause, Reason, ReasonCode, Recommended, RecordedFeatures,
    Situation,
};
use foretide_events::{Category, EpochMs, SessionId, ShopId, ShopperId, Text};
use foretide_features::FeatureVector;
use foretide_http::Problem;
use foretide_models::prior;
use uuid::{NoContext, Timestamp, Uuid};

use crate::{
    api::Api,
    cart::KnownCart,
    freshness::Freshness,
    instant::no_longer_remembered,
    knowledge::{Found, Knowledge, look_up},
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

/// Decides. The only refusal is an instant that is no longer remembered.
pub(crate) fn decide(api: &Api, question: Question) -> Result<DecisionRecord, Problem> {
    let now = EpochMs(api.clock.now_ms());
    let at = question.at.unwrap_or(now);
    let known = match look_up(&api.table, &question.shopper, question.at, &api.rules) {
        Found::NotRemembered => return Err(no_longer_remembered()),
        Found::Nobody => None,
        Found::Known(known) => Some(known),
    };
    let freshness = Freshness::of(&api.table, &question.shopper, at, now);
    let cart = question
        .cart
        .or_else(|| KnownCart::of(known.as_ref()?.state.cart()));
    let features = known
        .as_ref()
        .map(|known| known.state.features(at, &api.rules));

    let inputs = prior::Inputs {
        has_cart: cart.as_ref().is_some_and(|cart| cart.filled),
        ..features.as_ref().map(prior::Inputs::of).unwrap_or_default()
    };
    let predictions = prior::predict(&inputs);
    let choice = api.policy.decide(&Situation {
        predictions: &predictions,
        cart_value: cart.as_ref().and_then(|cart| cart.value),
        recommend: &|| recommend(api, known.as_deref(), cart.as_ref()),
        withheld: withheld(freshness, known.as_deref()),
    });
    let explained = explain(
        &choice,
        freshness,
        known.is_some(),
        api.config.max_features_age_ms,
    );
    Ok(DecisionRecord {
        decision_id: decision_id(now),
        at,
        shopper: question.shopper,
        session: question.session,
        request_id: question.request_id,
        placement: question.placement,
        page: question.page,
        cart: cart.as_ref().map(KnownCart::recorded),
        features: RecordedFeatures {
            catalogue: api.catalogue.to_string().into(),
            fold_rules: api.rules.version(),
            age_ms: freshness.age_ms(),
            next_offset: known.as_ref().map(|known| known.next_offset),
            values: features.as_ref().map(recorded).unwrap_or_default(),
        },
        cohort: Cohort::EVERYONE,
        predictions,
        policy: api.policy.recorded(),
        arms: choice.arms.to_vec(),
        chosen: choice.offer.clone(),
        served: choice.offer,
        reasons: explained.reasons,
        degraded: !explained.degraded_by.is_empty(),
        degraded_by: explained.degraded_by,
    })
}

/// While profiles are being restored, a shopper who seems unknown may not be: nothing is offered on no knowledge.
fn withheld(freshness: Freshness, known: Option<&Knowledge>) -> Option<MaskCause> {
    (freshness == Freshness::NotReady && known.is_none()).then_some(MaskCause::FeaturesNotReady)
}

fn recommend(api: &Api, known: Option<&Knowledge>, cart: Option<&KnownCart>) -> Vec<Recommended> {
    let tastes: Vec<(Category, f64)> = known
        .map(|known| known.state.top_categories(TASTES))
        .unwrap_or_default()
        .into_iter()
        .map(|taste| (taste.category, taste.share))
        .collect();
    let in_cart: HashSet<ShopId> = cart
        .map(|cart| cart.products.iter().cloned().collect())
        .unwrap_or_default();
    api.popularity
        .read()
        .recommend(&tastes, &in_cart, api.config.recommendations)
}

/// The reasons of an answer, and which of them make it degraded.
struct Explained {
    reasons: Vec<Reason>,
    degraded_by: Vec<ReasonCode>,
}

fn explain(choice: &Choice, freshness: Freshness, known: bool, max_age_ms: i64) -> Explained {
    let mut reasons = choice.reasons.clone();
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

fn recorded(features: &FeatureVector) -> BTreeMap<Cow<'static, str>, f64> {
    features
        .iter()
        .filter_map(|(spec, value)| Some((spec.name.into(), value?)))
        .collect()
}

/// A UUID of version 7: sorts by the time it was made at.
fn decision_id(now: EpochMs) -> Text<64> {
    let seconds = u64::try_from(now.0.div_euclid(1000)).unwrap_or(0);
    let nanoseconds = u32::try_from(now.0.rem_euclid(1000) * 1_000_000).unwrap_or(0);
    let id = Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, nanoseconds));
    Text::new(&id.to_string()).unwrap_or_default()
}
