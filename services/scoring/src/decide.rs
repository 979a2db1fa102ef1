//! Deciding: from a question to the whole record of its answer.

use std::{collections::HashSet, sync::Arc};

use foretide_decision::{
    DecisionRecord, MaskCause, Predicted, Predictors, Reason, ReasonCode, Recommended,
    RecordedFeatures, RecordedValues, RuleSettings, Situation,
};
use foretide_events::{Category, EpochMs, SessionId, ShopId, ShopperId, Text};
use foretide_features::{Feature, Profile, State};
use foretide_http::Problem;
use foretide_models::prior;
use rand::Rng as _;
use uuid::{Builder, Uuid};

use crate::{
    api::Api,
    cart::KnownCart,
    freshness::Freshness,
    instant::no_longer_remembered,
    knowledge::{Found, look_at, look_up},
    parity::Served,
    serving::{Known, Serving},
};

/// In how many of the shopper's categories products are looked for.
const TASTES: usize = 5;

/// What is asked.
pub(crate) struct Question {
    pub(crate) shopper: ShopperId,
    /// That of the shopper.
    pub(crate) partition: u32,
    /// The instant it is about; `None` for now.
    pub(crate) at: Option<EpochMs>,
    pub(crate) session: Option<SessionId>,
    pub(crate) cart: Option<KnownCart>,
    pub(crate) page: Option<Text<1024>>,
    pub(crate) placement: Option<Text<128>>,
    pub(crate) request_id: Option<Text<128>>,
}

/// What a decision rests on of what is known of a shopper.
#[derive(Default)]
struct Knowledge {
    /// What cohort and predictions rest on.
    known: Known,
    /// What the shopper's actions tell of the cart, if there is one and the question does not name it.
    cart: Option<KnownCart>,
    /// The offset after the last event it rests on, in the shopper's partition of the actions; `None` of nobody.
    next_offset: Option<u64>,
    /// The known shopper that the pseudonym, a device's, had turned out to be.
    person: Option<ShopperId>,
}

/// Decides. The only refusal is an instant that is no longer remembered.
pub(crate) fn decide(api: &Api, question: Question) -> Result<DecisionRecord, Problem> {
    let now = EpochMs(api.clock.now_ms());
    let at = question.at.unwrap_or(now);
    let serving = Serving::at(&api.artefacts, at);
    // Asked first: what is folded between the two questions may only make the answer better than it says.
    let freshness = Freshness::of(&api.table, question.partition, at, now);
    let knowledge = known(api, &question, at, &serving)?;
    let (shopper, asked_at) = (question.shopper, question.at);
    let (known, next_offset, person) = (knowledge.known, knowledge.next_offset, knowledge.person);
    let is_known = next_offset.is_some();
    let cart = question.cart.or(knowledge.cart);

    let rules = api.rulebook.current();
    let predictors = predictors(&serving, &known, cart.as_ref());
    let (cohort, cohorts) = serving.cohort(&known, |id| rules.cohort_name(id));
    let predictions = predictors.predict(&Predicted {
        feature: &|feature| known.feature(feature),
        has_cart: has_cart(cart.as_ref()),
        cohort: cohorts.map(|cohorts| (&*cohorts.version, &*cohort.id)),
    });
    let choice = rules.policy.decide(&Situation {
        predictions: &predictions,
        cart_value: cart.as_ref().and_then(|cart| cart.value),
        recommend: &|most| recommend(api, &shopper, asked_at, cart.as_ref(), most),
        withheld: withheld(
            freshness,
            is_known,
            person.as_ref().unwrap_or(&shopper),
            rules.policy.settings(),
        ),
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
        known: person,
        session: question.session,
        request_id: question.request_id,
        placement: question.placement,
        page: question.page,
        cart: cart.map(KnownCart::recorded),
        features: RecordedFeatures {
            catalogue: Arc::clone(&api.catalogue),
            reference: Some(serving.reference.version().into()),
            fold_rules: api.rules.version(),
            age_ms: freshness.age_ms(),
            max_age_ms: Some(rules.max_features_age_ms),
            next_offset,
            values: recorded(&predictors, &known),
        },
        cohorts: cohorts.map(|cohorts| cohorts.version.clone()),
        cohort,
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

fn has_cart(cart: Option<&KnownCart>) -> bool {
    cart.is_some_and(|cart| cart.filled)
}

/// Those of the serving models that have learnt from shoppers such as this one.
fn predictors(serving: &Serving, known: &Known, cart: Option<&KnownCart>) -> Predictors {
    let serving = serving.predictors();
    if serving.are_none() {
        return serving;
    }
    // Of a cart that only the request tells of, features say nothing: models have not learnt from such.
    let is_told = |feature| known.feature(feature).is_some_and(|value| value > 0.0);
    let has_told_cart = is_told(Feature::CartItems) || is_told(Feature::SessionCheckoutStep);
    // They say what becomes of a session that goes on: what lies in the cart when it is over was not bought in it.
    serving.of_such(
        known.feature(Feature::SessionsTotal),
        known.is_in_session() && has_cart(cart) && has_told_cart,
    )
}

/// The features that the predictions rest on.
fn recorded(predictors: &Predictors, known: &Known) -> RecordedValues {
    let feature = |feature| known.feature(feature);
    if predictors.are_none() {
        return RecordedValues::of(&prior::Inputs::FEATURES, feature);
    }
    RecordedValues::of(&predictors.features(), feature)
}

/// What is known of the shopper at `at`.
fn known(
    api: &Api,
    question: &Question,
    at: EpochMs,
    serving: &Serving,
) -> Result<Knowledge, Problem> {
    let read = |state: &State, next_offset| {
        let served = Served {
            shopper: &question.shopper,
            asked_at: question.at,
            at,
            state,
            next_offset,
        };
        api.parity
            .served(&served, &api.rules, &api.artefacts.references);
        Knowledge {
            known: serving.read(state, at, &api.rules),
            cart: match question.cart {
                None => KnownCart::of(state.cart()),
                Some(_) => None,
            },
            next_offset: Some(next_offset),
            person: None,
        }
    };
    let looked = api
        .table
        .read_in(question.partition, &question.shopper, |profile| {
            let person = person(profile, question.at);
            (look_at(profile, question.at, &api.rules, read), person)
        });
    let (found, person) = looked.unwrap_or((Found::Nobody, None));
    let known = match found {
        Found::NotRemembered => return Err(no_longer_remembered()),
        Found::Nobody => Knowledge::default(),
        Found::Known(known) => known,
    };
    Ok(Knowledge { person, ..known })
}

/// The known shopper that the one of `profile` had turned out to be at `at`, or by now.
fn person(profile: &Profile, at: Option<EpochMs>) -> Option<ShopperId> {
    let link = profile.link()?;
    at.is_none_or(|at| link.at <= at).then_some(link.known)
}

/// While profiles are being restored, a shopper who seems unknown may not be: nothing is offered on no knowledge.
/// Some people are always left without, on each device that is known to be theirs.
fn withheld(
    freshness: Freshness,
    is_known: bool,
    person: &ShopperId,
    settings: &RuleSettings,
) -> Option<MaskCause> {
    if freshness == Freshness::NotReady && !is_known {
        return Some(MaskCause::FeaturesNotReady);
    }
    let untreated = settings.untreated_share.holds(person);
    untreated.then_some(MaskCause::Untreated)
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
