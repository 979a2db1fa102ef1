use foretide_events::Currency;
use foretide_models::{Contribution, Prediction, Probability};

use super::*;
use proptest::prelude::*;

use crate::{
    OfferId, Recommended, RuleDiscount, RuleRecommendations, Thresholds, UntreatedShare,
    catalogue::ProductCount,
};

/// Every field filled, and what follows from others as it does.
fn record() -> DecisionRecord {
    let values = RecordedValues::of(&prior::Inputs::FEATURES, |feature| match feature {
        Feature::CartItems => Some(1.0),
        Feature::SecondsSinceSeen => Some(750.0),
        Feature::CartAgeSeconds => Some(1_350.5),
        Feature::PurchasesTotal => Some(0.0),
        Feature::EngagementTrend7d => Some(0.1 + 0.2),
        _ => None,
    });
    let value = Money {
        minor_units: 12_990,
        currency: Currency::EUR,
    };
    let cart = RecordedCart {
        source: CartSource::Request,
        filled: true,
        value: Some(value),
        products: vec![ShopId::new("p1").unwrap()],
    };
    let features = RecordedFeatures {
        catalogue: "0123456789abcdef".into(),
        reference: Some("prior-1".into()),
        fold_rules: 7,
        age_ms: Some(61_000),
        max_age_ms: Some(10_000),
        next_offset: Some(42),
        values,
    };
    let mut record = DecisionRecord {
        features,
        follows: true,
        ..decided(Some(cart), former_predictions())
    };
    decide(&mut record);
    record
}

/// Fills in what follows from the features, the cart and the policy.
fn decide(record: &mut DecisionRecord) {
    record.predictions = record.predict_again(&()).unwrap();
    let choice = record.recompute(&()).unwrap();
    record.arms = choice.arms;
    record.chosen = choice.offer.clone();
    record.served = choice.offer;
    record.reasons = [choice.reasons, vec![stale()]].concat();
}

fn stale() -> Reason {
    Reason::new(ReasonCode::StaleFeatures, "what is known is 61000 ms old")
}

fn former_predictions() -> Predictions {
    Predictions {
        drift: Prediction::of(vec![Contribution::base(-0.5)]),
        abandonment: Prediction::of(vec![
            Contribution::base(0.75),
            Contribution::of("seconds_since_seen", 750.0, 0.5),
        ]),
        source: "prior-1".into(),
    }
}

/// As records were before version 4: nothing follows.
fn former_record() -> DecisionRecord {
    let value = Money {
        minor_units: 12_990,
        currency: Currency::EUR,
    };
    let cart = RecordedCart {
        source: CartSource::Request,
        filled: true,
        value: Some(value),
        products: vec![ShopId::new("p1").unwrap()],
    };
    decided(Some(cart), former_predictions())
}

/// What the rule decides by `predictions`.
fn decided(cart: Option<RecordedCart>, predictions: Predictions) -> DecisionRecord {
    let policy = RulePolicy::new(RuleSettings {
        store_revision: Some(17),
        thresholds: Thresholds {
            abandonment: "0.7".parse().unwrap(),
            drift: "0.8".parse().unwrap(),
        },
        discount: Some(RuleDiscount {
            id: OfferId::new("discount-10").unwrap(),
            version: Some(3),
            percent: "10".parse().unwrap(),
        }),
        recommendations: Some(RuleRecommendations {
            id: OfferId::RECOMMENDATIONS,
            version: Some(1),
            products: ProductCount::EIGHT,
        }),
        untreated_share: UntreatedShare::NONE,
    });
    let choice = policy.decide(&Situation {
        predictions: &predictions,
        cart_value: cart.as_ref().and_then(|cart| cart.value),
        recommend: &|_| Vec::new(),
        withheld: None,
    });
    DecisionRecord {
        decision_id: Text::new("0192f0c1-2345-7abc-8def-0123456789ab").unwrap(),
        at: EpochMs(1_795_334_400_123),
        shopper: ShopperId([0xab; 16]),
        known: None,
        session: SessionId::new("s1").ok(),
        request_id: Text::new("r1"),
        placement: Text::new("cart-page"),
        page: Text::new("/cart"),
        cart,
        features: RecordedFeatures {
            catalogue: "0123456789abcdef".into(),
            reference: None,
            fold_rules: 7,
            age_ms: Some(61_000),
            max_age_ms: Some(10_000),
            next_offset: Some(42),
            values: RecordedValues::InOrder(vec![Some(1.0), None, Some(0.25)]),
        },
        cohort: Cohort::EVERYONE,
        cohorts: None,
        predictions,
        follows: false,
        policy: policy.recorded(),
        arms: choice.arms,
        chosen: choice.offer.clone(),
        served: choice.offer,
        reasons: [choice.reasons, vec![stale()]].concat(),
        degraded: true,
        degraded_by: vec![ReasonCode::StaleFeatures],
    }
}

fn encoded(record: &DecisionRecord) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    bytes
}

#[test]
fn a_record_of_version_6_is_written_and_read_as_ever() {
    let golden = include_str!("../../golden/decision-v6.json");
    let record = DecisionRecord {
        known: Some(ShopperId([0xcd; 16])),
        ..record_of_version_5()
    };
    let written = String::from_utf8(encoded(&record)).unwrap();
    assert_eq!(written, golden.trim_end());
    let read = DecisionRecord::decode(golden.as_bytes()).unwrap();
    assert_eq!(read, record);
    assert_same_choice(&read);
}

/// One of a shopper in a cohort.
fn record_of_version_5() -> DecisionRecord {
    let mut record = record();
    record.cohort = cohort();
    record.cohorts = Text::new("cohorts-1");
    let policy = Arc::make_mut(&mut record.policy);
    policy.settings.untreated_share = UntreatedShare::new(0.05).unwrap();
    record
}

#[test]
fn a_record_of_version_5_is_read_as_ever_and_kept_when_written_again() {
    let golden = include_str!("../../golden/decision-v5.json");
    let read = DecisionRecord::decode(golden.as_bytes()).unwrap();
    assert_eq!(read, record_of_version_5());
    assert_eq!(DecisionRecord::decode(&encoded(&read)).unwrap(), read);
    assert_same_choice(&read);
}

#[test]
fn a_record_of_version_4_is_read_as_ever_and_kept_when_written_again() {
    let golden = include_str!("../../golden/decision-v4.json");
    let read = DecisionRecord::decode(golden.as_bytes()).unwrap();
    assert_eq!(read, record());
    assert_eq!(DecisionRecord::decode(&encoded(&read)).unwrap(), read);
    assert_same_choice(&read);
}

fn cohort() -> Cohort {
    Cohort {
        id: "c-7".into(),
        name: "price-sensitive browsers".into(),
    }
}

#[test]
fn what_rests_on_a_model_is_read_by_whoever_does_not_know_it_without_what_is_the_models_to_tell() {
    let mut record = record();
    record.predictions.source = "drift-1 + prior-1".into();
    let read = DecisionRecord::decode(&encoded(&record)).unwrap();
    assert_eq!(read.predictions.drift.contributions, []);
    assert_eq!(
        read.predictions.drift.probability,
        record.predictions.drift.probability
    );
    assert_eq!(read.predictions.abandonment, record.predictions.abandonment);
    assert_eq!(read.reasons, record.reasons);
    assert_eq!(read.predict_again(&()), None);
    assert_eq!(DecisionRecord::decode(&encoded(&read)).unwrap(), read);
}

#[test]
fn who_never_gets_an_offer_is_masked_where_one_was_due_and_recomputes_so() {
    let mut record = former_record();
    let policy = Arc::make_mut(&mut record.policy);
    policy.settings.untreated_share = UntreatedShare::new(0.5).unwrap();
    let by_group = |held: bool| {
        let mut shoppers = (0..=255).map(|byte| ShopperId([byte; 16]));
        shoppers.find(|shopper| policy.settings.untreated_share.holds(shopper) == held)
    };
    // Of a device it is the known shopper who counts.
    record.shopper = by_group(false).unwrap();
    record.known = by_group(true);
    let likely = || Prediction::of(vec![Contribution::base(3.0)]);
    record.predictions.drift = likely();
    for (cart, discount) in [
        (true, MaskCause::Untreated),
        (false, MaskCause::NoCartValue),
    ] {
        for (products, recommendations) in [(1, MaskCause::Untreated), (0, MaskCause::NoProducts)] {
            record.predictions.abandonment = likely();
            record.cart = record.cart.take().filter(|_| cart);
            let choice = RulePolicy::of(&record.policy).unwrap().decide(&Situation {
                predictions: &record.predictions,
                cart_value: record.cart.as_ref().and_then(|cart| cart.value),
                recommend: &|_| self::products(products),
                withheld: Some(MaskCause::Untreated),
            });
            assert_eq!(choice.offer, None);
            let masked = choice.arms.map(|report| report.masked);
            assert_eq!(masked, [Some(discount), Some(recommendations), None]);
            (record.chosen, record.served) = (None, None);
            record.arms = choice.arms;
            record.reasons = choice.reasons;
            let read = DecisionRecord::decode(&encoded(&record)).unwrap();
            assert_eq!(read, record);
            assert!(read.is_untreated());
            assert_same_choice(&read);
        }
    }
}

#[test]
fn records_of_former_versions_are_read_as_ever_and_kept_when_written_again() {
    for golden in [
        include_str!("../../golden/decision-v3.json"),
        include_str!("../../golden/decision-v2.json"),
    ] {
        let read = DecisionRecord::decode(golden.as_bytes()).unwrap();
        assert_eq!(read, former_record());
        assert_eq!(DecisionRecord::decode(&encoded(&read)).unwrap(), read);
        assert_same_choice(&read);
    }
}

#[test]
fn a_record_predicts_and_decides_again_from_its_features_to_the_last_bit() {
    let read = DecisionRecord::decode(&encoded(&record())).unwrap();
    let trend = read.features.values.get("engagement_trend_7d").unwrap();
    assert_eq!(trend.to_bits(), (0.1_f64 + 0.2).to_bits());
    assert_eq!(read.predict_again(&()).as_ref(), Some(&read.predictions));
    let mut misled = read.clone();
    misled.predictions = former_predictions();
    assert_eq!(misled.recompute(&()), read.recompute(&()));
}

#[test]
fn a_cart_says_that_it_is_filled_where_nothing_else_does() {
    let mut record = record();
    let told = |record: &DecisionRecord| String::from_utf8(encoded(record)).unwrap();
    assert!(!told(&record).contains("filled"));
    let cart = record.cart.as_mut().unwrap();
    (cart.value, cart.products) = (None, Vec::new());
    for filled in [true, false] {
        record.cart.as_mut().unwrap().filled = filled;
        decide(&mut record);
        assert_eq!(told(&record).contains(r#""filled":true"#), filled);
        assert_eq!(DecisionRecord::decode(&encoded(&record)).unwrap(), record);
    }
}

#[test]
fn what_follows_from_something_unknown_is_refused_by_its_name() {
    let refusal = |from: &str, to: &str| {
        let text = String::from_utf8(encoded(&record())).unwrap();
        assert!(text.contains(from), "{text}");
        let changed = text.replace(from, to);
        DecisionRecord::decode(changed.as_bytes())
            .unwrap_err()
            .to_string()
    };
    let model = refusal(r#""source":"prior-1""#, r#""source":"trees-9""#);
    assert!(model.contains("the model trees-9"), "{model}");
    let policy = refusal(r#""name":"rule""#, r#""name":"bandit""#);
    assert!(policy.contains("the policy bandit"), "{policy}");
}

#[test]
fn what_a_record_does_not_say_is_implied_and_the_exception_said() {
    let usual = former_record();
    let texts = |record: &DecisionRecord| String::from_utf8(encoded(record)).unwrap();
    for implied in [
        "served",
        "cohort",
        "recommendations\",\"propensity",
        "null,\"reasons",
        "\"chosen\":null",
    ] {
        assert!(!texts(&usual).contains(implied), "{implied}");
    }
    let mut held_back = usual.clone();
    held_back.served = None;
    held_back.cohort.id = "others".into();
    held_back.arms[1].masked = Some(MaskCause::NoProducts);
    held_back.arms[2].propensity = 1e-9;
    assert!(texts(&held_back).contains(r#""served":null"#));
    let mut unlike = usual.clone();
    unlike.chosen = None;
    let bare = DecisionRecord {
        session: None,
        request_id: None,
        placement: None,
        page: None,
        cart: None,
        chosen: None,
        served: None,
        degraded: false,
        degraded_by: Vec::new(),
        reasons: Vec::new(),
        ..usual
    };
    for record in [held_back, unlike, bare] {
        assert_eq!(DecisionRecord::decode(&encoded(&record)).unwrap(), record);
    }
}

#[test]
fn where_nothing_was_due_that_is_said_in_one_piece_which_readers_look_for() {
    let mut record = former_record();
    (record.chosen, record.served) = (None, None);
    record.arms = Arm::ALL.map(ArmReport::never);
    record.arms[2].propensity = 1.0;
    let told = |record: &DecisionRecord| {
        let text = String::from_utf8(encoded(record)).unwrap();
        text.contains(r#""arms":[{"arm":"nothing","propensity":1}],"reasons":"#)
    };
    assert!(told(&record));
    record.arms[0].masked = Some(MaskCause::Untreated);
    assert!(!told(&record));
}

#[test]
fn every_kind_of_offer_is_read_as_it_was_written() {
    let category = foretide_events::Category::new("shoes").ok();
    let id = || ShopId::new("p\"1").unwrap();
    for content in [
        OfferContent::Content(crate::Content { content_id: id() }),
        OfferContent::Assistance(crate::Assistance {
            means: foretide_events::Label::new("chat").unwrap(),
        }),
        OfferContent::Recommendations(crate::Recommendations {
            products: [category, None]
                .map(|category| Recommended {
                    product_id: id(),
                    category,
                })
                .to_vec(),
        }),
    ] {
        let mut record = former_record();
        record.chosen = Some(Offer {
            id: OfferId::new("o \\ ü").unwrap(),
            version: None,
            content,
        });
        assert_eq!(DecisionRecord::decode(&encoded(&record)).unwrap(), record);
    }
}

/// The record as it was before there was a catalogue.
fn record_of_version_1() -> DecisionRecord {
    let mut record = former_record();
    let policy = Arc::make_mut(&mut record.policy);
    policy.version = 1;
    policy.settings.store_revision = None;
    for offer in [&mut record.chosen, &mut record.served]
        .into_iter()
        .flatten()
    {
        offer.version = None;
    }
    if let Some(discount) = &mut policy.settings.discount {
        discount.version = None;
    }
    if let Some(recommendations) = &mut policy.settings.recommendations {
        recommendations.version = None;
    }
    record.features.max_age_ms = None;
    record.features.values = RecordedValues::ByName(vec![("cart_items".into(), 1.0)]);
    record
}

#[test]
fn a_record_of_version_1_is_read_as_ever_and_kept_when_written_again() {
    let golden = include_str!("../../golden/decision-v1.json");
    let record = DecisionRecord::decode(golden.as_bytes()).unwrap();
    assert_eq!(record, record_of_version_1());
    let again = DecisionRecord::decode(&encoded(&record)).unwrap();
    assert_eq!(again, record);
    assert_same_choice(&record);
}

fn assert_same_choice(record: &DecisionRecord) {
    let choice = record.recompute(&()).unwrap();
    assert_eq!(choice.offer, record.chosen);
    assert_eq!(choice.arms, record.arms);
    assert_eq!(choice.reasons, record.reasons[..choice.reasons.len()]);
}

#[test]
fn what_another_policy_chose_cannot_be_recomputed() {
    let mut record = record();
    Arc::make_mut(&mut record.policy).version = 3;
    assert_eq!(record.recompute(&()), None);
    let policy = Arc::make_mut(&mut record.policy);
    policy.version = 2;
    policy.name = "bandit".into();
    assert_eq!(record.recompute(&()), None);
}

fn any_settings() -> impl Strategy<Value = RuleSettings> {
    let share = || (0.0..=1.0).prop_map(|share| Probability::new(share).unwrap());
    let discount = (1_u8..=100).prop_map(|percent| RuleDiscount {
        id: OfferId::new(format!("off-{percent}")).unwrap(),
        version: Some(u64::from(percent)),
        percent: crate::Percent::new(percent).unwrap(),
    });
    let recommendations = (1_u8..=50).prop_map(|products| RuleRecommendations {
        id: OfferId::new("more").unwrap(),
        version: Some(2),
        products: ProductCount::new(products).unwrap(),
    });
    (
        share(),
        share(),
        prop::option::of(discount),
        prop::option::of(recommendations),
    )
        .prop_map(
            |(abandonment, drift, discount, recommendations)| RuleSettings {
                store_revision: Some(5),
                thresholds: Thresholds { abandonment, drift },
                discount,
                recommendations,
                untreated_share: UntreatedShare::NONE,
            },
        )
}

fn products(count: usize) -> Vec<Recommended> {
    let product = |number| Recommended {
        product_id: ShopId::new(&format!("p{number}")).unwrap(),
        category: None,
    };
    (0..count).map(product).collect()
}

proptest! {
    #[test]
    fn a_record_recomputes_to_the_same_decision(
        settings in any_settings(),
        log_odds in (-4.0..4.0, -4.0..4.0),
        cart in prop::option::of(-1_000_i64..1_000_000),
        known_products in 0_usize..60,
        is_withheld in any::<bool>(),
    ) {
        let mut record = former_record();
        record.predictions.abandonment = Prediction::of(vec![Contribution::of("x", 1.0, log_odds.0)]);
        record.predictions.drift = Prediction::of(vec![Contribution::of("y", 1.0, log_odds.1)]);
        let value = cart.map(|minor_units| Money { minor_units, currency: Currency::EUR });
        record.cart = Some(RecordedCart { source: CartSource::Profile, filled: true, value, products: Vec::new() });
        let policy = RulePolicy::new(settings);
        let choice = policy.decide(&Situation {
            predictions: &record.predictions,
            cart_value: value,
            recommend: &|most| products(known_products.min(most)),
            withheld: is_withheld.then_some(MaskCause::FeaturesNotReady),
        });
        record.policy = policy.recorded();
        record.arms = choice.arms;
        record.chosen = choice.offer.clone();
        record.served = choice.offer;
        record.reasons = choice.reasons;
        let read = DecisionRecord::decode(&encoded(&record)).unwrap();
        prop_assert_eq!(&read, &record);
        assert_same_choice(&read);
    }
}

#[test]
fn another_version_or_anything_else_is_refused() {
    let newer = DecisionRecord::decode(br#"{"v":7}"#);
    assert!(matches!(newer, Err(RecordError::Version(7))));
    for bad in [&b"{\"v\":1}"[..], b"{}", b"\xff"] {
        assert!(matches!(
            DecisionRecord::decode(bad),
            Err(RecordError::Shape(_))
        ));
    }
}
