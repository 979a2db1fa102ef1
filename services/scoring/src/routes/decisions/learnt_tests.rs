//! Decisions by cohorts and models.

use foretide_decision::{DecisionRecord, MaskCause, UntreatedShare};
use foretide_events::{EpochMs, ShopperId};
use foretide_features::{IdHash, Link, Linked};
use foretide_models::Target;
use foretide_ports::ModelVersion;
use serde_json::{Value, json};

use crate::testing::{
    MINUTE_MS, NOW, Shop, add, cohorts, config, model, page, serving, shopper_of, view,
};

fn of(user: &str) -> Value {
    json!({"shopper": {"user_id": user}})
}

/// A shop with cohorts and a model of each target that serve, and a shopper with three visits and a cart.
async fn shop() -> (Shop, [ModelVersion; 2]) {
    let shop = Shop::new().declared().await;
    learn(&shop);
    visit(&shop, "ann");
    let models = Target::ALL.map(|target| model(target, -3.0));
    (shop, models)
}

fn learn(shop: &Shop) {
    shop.publish(&cohorts("v1", NOW.plus(-MINUTE_MS), false));
    for target in Target::ALL {
        let model = model(target, -3.0);
        shop.publish(&model);
        shop.publish(&serving(&model, 1, NOW.plus(-MINUTE_MS)));
    }
}

fn visit(shop: &Shop, user: &str) -> ShopperId {
    for before_min in [400, 200] {
        shop.fold(user, before_min * MINUTE_MS, page());
    }
    shop.fold(user, 11 * MINUTE_MS, view("p1"));
    shop.fold(user, 10 * MINUTE_MS, add("p1", 5_995))
}

async fn only(shop: Shop) -> DecisionRecord {
    let mut records = shop.recorded().await;
    assert_eq!(records.len(), 1);
    records.remove(0)
}

#[tokio::test]
async fn a_decision_goes_by_the_shoppers_cohort_and_the_serving_models() {
    let (shop, [drift, abandonment]) = shop().await;
    let before = format!("/v1/decisions?at={}", NOW.plus(-2 * MINUTE_MS));
    let before = shop.post(&before, &of("ann")).await.ok();
    assert_eq!(before["cohort"]["id"], "everyone");
    assert_eq!(before["predictions"]["source"], "prior-1");
    let answer = shop.decide(&of("ann")).await.ok();
    assert!(["c-1", "c-2"].contains(&answer["cohort"]["id"].as_str().unwrap()));
    let source = format!("{} + {}", &*drift.version, &*abandonment.version);
    assert_eq!(answer["predictions"]["source"], source);
    for what in ["drift", "abandonment"] {
        let terms = answer["predictions"]["contributions"][what]
            .as_array()
            .unwrap();
        let named = |name: &str| terms.iter().any(|term| term["feature"] == name);
        assert!(named("cohort"), "{terms:?}");
        let sum: f64 = terms
            .iter()
            .map(|term| term["log_odds"].as_f64().unwrap())
            .sum();
        let p = answer["predictions"][what].as_f64().unwrap();
        assert!((p - 1.0 / (1.0 + (-sum).exp())).abs() < 1e-12);
    }
}

#[tokio::test]
async fn the_record_of_it_recomputes_to_the_last_bit_by_whoever_knows_the_models() {
    let (shop, [drift, _]) = shop().await;
    let answer = shop.decide(&of("ann")).await.ok();
    let models = std::sync::Arc::clone(&shop.artefacts.models);
    let record = only(shop).await;
    assert_eq!(record.cohorts.as_deref(), Some("v1"));
    assert_eq!(answer["cohort"]["id"], &*record.cohort.id);
    assert_eq!(record.predictions.source(Target::Drift), &*drift.version);
    assert_eq!(record.features.values.get("sessions_total"), Some(3.0));
    let again = record.predict_again(&*models).unwrap();
    for target in Target::ALL {
        let [again, told] = [&again, &record.predictions].map(|of| target.of(of).probability);
        assert_eq!(again.get().to_bits(), told.get().to_bits());
        let shown = answer["predictions"][target.as_str()].as_f64().unwrap();
        assert_eq!(shown.to_bits(), told.get().to_bits());
    }
    let choice = record.recompute(&*models).unwrap();
    assert_eq!(
        (&choice.offer, &choice.reasons, &choice.arms),
        (&record.chosen, &record.reasons, &record.arms)
    );
    // Who does not know them still knows what was predicted and chosen.
    assert_eq!(record.predict_again(&()), None);
    assert_eq!(record.recompute(&()).unwrap().offer, record.chosen);
}

#[tokio::test]
async fn the_prior_speaks_of_whom_models_have_not_learnt_from() {
    let (shop, [drift, abandonment]) = shop().await;
    let source = |answer: &Value| answer["predictions"]["source"].as_str().unwrap().to_owned();
    let stranger = shop.decide(&of("nobody")).await.ok();
    assert_eq!(source(&stranger), "prior-1");
    assert_eq!(stranger["cohort"]["id"], "everyone");
    shop.fold("new", MINUTE_MS, add("p1", 5_995));
    let newcomer = shop.decide(&of("new")).await.ok();
    assert_eq!(
        source(&newcomer),
        format!("prior-1 + {}", &*abandonment.version)
    );
    let mut emptied = of("ann");
    emptied["cart"] = json!({"items": []});
    let emptied = shop.decide(&emptied).await.ok();
    assert_eq!(source(&emptied), format!("{} + prior-1", &*drift.version));
}

#[tokio::test]
async fn the_prior_speaks_of_a_cart_that_was_left_when_the_session_is_over() {
    let (shop, [_, abandonment]) = shop().await;
    for (user, idle_min, by_model) in [("here", 30, true), ("left", 31, false)] {
        shop.fold(user, idle_min * MINUTE_MS, add("p1", 5_995));
        let answer = shop.decide(&of(user)).await.ok();
        let source = answer["predictions"]["source"].as_str().unwrap();
        assert_eq!(source.contains(&*abandonment.version), by_model, "{user}");
        if !by_model {
            assert!(answer["predictions"]["abandonment"].as_f64().unwrap() > 0.7);
        }
    }
}

#[tokio::test]
async fn garbage_leaves_the_last_good_cohorts_and_models_serving() {
    let (shop, _) = shop().await;
    let before = shop.decide(&of("ann")).await.ok();
    for key in [
        "cohorts/v2",
        "model/drift/drift-0",
        "serving/drift/00000002",
    ] {
        for garbage in ["", "{", "null", "[1e999]"] {
            let record = foretide_ports::Record {
                offset: 1,
                appended_at: NOW,
                key: key.into(),
                value: Some(garbage.into()),
            };
            assert!(
                shop.artefacts.take(&record).unwrap().refused,
                "{key} {garbage}"
            );
        }
    }
    let after = shop.decide(&of("ann")).await.ok();
    for member in ["cohort", "predictions", "offer"] {
        assert_eq!(after[member], before[member], "{member}");
    }
}

#[tokio::test]
async fn some_shoppers_never_get_an_offer_and_the_record_tells_that_one_was_due() {
    let mut config = config();
    config.untreated_share = UntreatedShare::new(0.5).unwrap();
    let shop = Shop::with(config).declared().await;
    let is_untreated = |user: &String| config.untreated_share.holds(&shopper_of(user));
    let users: Vec<String> = (0..20).map(|number| format!("u{number}")).collect();
    let (without, with): (Vec<_>, Vec<_>) = users.into_iter().partition(is_untreated);
    assert!(!without.is_empty() && !with.is_empty());
    for user in with.iter().chain(&without) {
        shop.fold(user, 10 * MINUTE_MS, add("p1", 5_995));
        let answer = shop.decide(&of(user)).await.ok();
        assert_eq!(answer["offer"].is_null(), without.contains(user), "{user}");
    }
    let curious = shop.decide(&of(&without[0])).await.ok();
    assert_eq!(curious["reasons"][1]["code"], "untreated");
    let untreated = shop.recorded().await;
    let untreated = untreated.into_iter().filter(DecisionRecord::is_untreated);
    let untreated: Vec<_> = untreated.collect();
    assert_eq!(untreated.len(), without.len() + 1);
    for record in untreated {
        assert_eq!(record.arms[0].masked, Some(MaskCause::Untreated));
        assert_eq!(record.served, None);
        let choice = record.recompute(&()).unwrap();
        assert_eq!((choice.arms, choice.reasons), (record.arms, record.reasons));
    }
}

#[tokio::test]
async fn a_device_is_treated_as_its_owner_from_the_moment_that_it_is_known_to_be() {
    let mut config = config();
    config.untreated_share = UntreatedShare::new(0.5).unwrap();
    let shop = Shop::with(config).declared().await;
    let shoppers: Vec<String> = (0..20).map(|number| format!("u{number}")).collect();
    let by_group = |held| {
        let mut shoppers = shoppers.iter();
        let found = shoppers.find(|user| config.untreated_share.holds(&shopper_of(user)) == held);
        found.unwrap()
    };
    // Named by its pseudonym it does not matter that it is a user's.
    let device = shop.fold(by_group(false), 10 * MINUTE_MS, add("p1", 5_995));
    let owner = shopper_of(by_group(true));
    let asked = json!({"shopper": {"shopper_id": device.to_string()}});
    let offered = shop.decide(&asked).await.ok();
    assert_eq!(offered["offer"]["kind"], "discount");

    let linked_at = NOW.plus(-MINUTE_MS);
    link(&shop, device, owner, linked_at);
    let withheld = shop.decide(&asked).await.ok();
    assert_eq!(withheld["offer"], Value::Null);
    assert_eq!(withheld["shopper_id"], device.to_string());
    let before = format!("/v1/decisions?at={}", linked_at.plus(-MINUTE_MS));
    let before = shop.post(&before, &asked).await.ok();
    assert_eq!(before["offer"]["kind"], "discount");

    let mut records = shop.recorded().await;
    records.sort_by_key(|record| record.known);
    let known: Vec<_> = records.iter().map(|record| record.known).collect();
    assert_eq!(known, [None, Some(owner)]);
    let record = records.pop().unwrap();
    assert_eq!((record.shopper, record.person()), (device, &owner));
    assert_eq!(record.arms[0].masked, Some(MaskCause::Untreated));
    assert_eq!(record.recompute(&()).unwrap().arms, record.arms);
}

#[tokio::test]
async fn a_device_of_which_nothing_but_its_owner_is_known_is_treated_as_the_owner() {
    let shop = Shop::new().declared().await;
    let (device, owner) = (shopper_of("device"), shopper_of("ann"));
    link(&shop, device, owner, NOW);
    let asked = json!({"shopper": {"shopper_id": device.to_string()}});
    let answer = shop.decide(&asked).await.ok();
    assert_eq!(answer["reasons"][1]["code"], "unknown_shopper");
    assert_eq!(only(shop).await.known, Some(owner));
}

/// Lets the profile of `device` learn that it is `owner`'s.
fn link(shop: &Shop, device: ShopperId, owner: ShopperId, at: EpochMs) {
    let link = Link {
        at,
        id: IdHash::of("e-link"),
        known: owner,
    };
    let linked = shop
        .table
        .update(&device, |profile| profile.learn_link(link));
    assert_eq!(linked, Linked::First);
}
