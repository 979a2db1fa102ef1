use foretide_events::{Currency, EpochMs, ShopId};
use proptest::prelude::*;

use super::*;
use crate::{
    OfferKind, Percent,
    catalogue::{CatalogueOffer, NewOffer, default_offers},
};

fn settings() -> RuleSettings {
    let thresholds = Thresholds {
        abandonment: Probability::new(0.7).unwrap(),
        drift: Probability::new(0.8).unwrap(),
    };
    let kept = |offer: NewOffer| CatalogueOffer {
        id: offer.id,
        name: offer.name,
        terms: offer.terms,
        state: offer.state,
        version: 3,
        created_at: EpochMs(0),
        updated_at: EpochMs(0),
    };
    RuleSettings::of(thresholds, &default_offers().map(kept), 17)
}

fn policy() -> RulePolicy {
    RulePolicy::new(settings())
}

fn predictions(abandonment: f64, drift: f64) -> Predictions {
    let certain = |p| Prediction {
        probability: Probability::new(p).unwrap(),
        contributions: Vec::new(),
    };
    Predictions {
        drift: certain(drift),
        abandonment: certain(abandonment),
        source: "test".into(),
    }
}

fn euros(minor_units: i64) -> Money {
    Money {
        minor_units,
        currency: Currency::EUR,
    }
}

fn one_product(_: usize) -> Vec<Recommended> {
    vec![Recommended {
        product_id: ShopId::new("p1").unwrap(),
        category: None,
    }]
}

fn decide(abandonment: f64, drift: f64, cart_value: Option<Money>) -> Choice {
    policy().decide(&Situation {
        predictions: &predictions(abandonment, drift),
        cart_value,
        recommend: &one_product,
        withheld: None,
    })
}

fn kind(choice: &Choice) -> Option<OfferKind> {
    choice.offer.as_ref().map(|offer| offer.content.kind())
}

fn codes(choice: &Choice) -> Vec<ReasonCode> {
    choice.reasons.iter().map(|reason| reason.code).collect()
}

/// The next number above and below in 64 bits.
fn around(value: f64) -> [f64; 3] {
    [value.next_down(), value, value.next_up()]
}

#[test]
fn only_above_its_threshold_does_abandonment_get_ten_percent_of_the_cart() {
    let [under, at, over] = around(0.7).map(|p| decide(p, 0.9, Some(euros(12_990))));
    assert_eq!(kind(&under), Some(OfferKind::Recommendations));
    assert_eq!(kind(&at), Some(OfferKind::Recommendations));
    let expected = OfferContent::Discount(Discount {
        percent: Percent::new(10).unwrap(),
        amount: euros(1_299),
        cart_value: euros(12_990),
    });
    assert_eq!(
        over.offer.as_ref().map(|offer| &offer.content),
        Some(&expected)
    );
    assert_eq!(over.offer.unwrap().id.as_str(), "discount-10");
}

#[test]
fn only_above_its_threshold_does_drift_get_recommendations() {
    let [under, at, over] = around(0.8).map(|p| decide(0.1, p, Some(euros(12_990))));
    assert_eq!((kind(&under), under.arm), (None, Arm::Nothing));
    assert_eq!((kind(&at), at.arm), (None, Arm::Nothing));
    assert_eq!(
        (kind(&over), over.arm),
        (Some(OfferKind::Recommendations), Arm::Recommendations)
    );
}

#[test]
fn a_discount_without_a_cart_of_value_falls_to_the_next_rule_and_says_so() {
    for worthless in [None, Some(euros(0)), Some(euros(4)), Some(euros(-100))] {
        let choice = decide(0.9, 0.9, worthless);
        assert_eq!(kind(&choice), Some(OfferKind::Recommendations));
        assert_eq!(
            codes(&choice),
            [ReasonCode::Rule, ReasonCode::NoCartValue, ReasonCode::Rule]
        );
        assert_eq!(choice.arms[0].masked, Some(MaskCause::NoCartValue));
        assert_eq!(kind(&decide(0.9, 0.1, worthless)), None);
    }
}

#[test]
fn without_products_nothing_is_recommended() {
    let choice = policy().decide(&Situation {
        predictions: &predictions(0.1, 0.9),
        cart_value: None,
        recommend: &|_| Vec::new(),
        withheld: None,
    });
    assert_eq!(kind(&choice), None);
    assert_eq!(codes(&choice), [ReasonCode::Rule, ReasonCode::NoProducts]);
}

#[test]
fn what_is_withheld_is_masked_with_its_cause() {
    let choice = policy().decide(&Situation {
        predictions: &predictions(0.9, 0.9),
        cart_value: Some(euros(1_000)),
        recommend: &one_product,
        withheld: Some(MaskCause::FeaturesNotReady),
    });
    assert_eq!(kind(&choice), None);
    let masked = choice.arms.map(|report| report.masked);
    let cause = Some(MaskCause::FeaturesNotReady);
    assert_eq!(masked, [cause, cause, None]);
}

#[test]
fn what_the_catalogue_has_no_active_offer_for_is_masked_with_its_own_cause() {
    let bare = RulePolicy::new(RuleSettings {
        discount: None,
        recommendations: None,
        ..settings()
    });
    let choice = bare.decide(&Situation {
        predictions: &predictions(0.9, 0.9),
        cart_value: Some(euros(1_000)),
        recommend: &one_product,
        withheld: None,
    });
    assert_eq!(kind(&choice), None);
    let cause = Some(MaskCause::NoActiveOffer);
    assert_eq!(
        choice.arms.map(|report| report.masked),
        [cause, cause, None]
    );
    assert_eq!(
        codes(&choice),
        [
            ReasonCode::Rule,
            ReasonCode::NoActiveOffer,
            ReasonCode::Rule
        ]
    );
}

#[test]
fn an_offer_names_its_version_and_recommendations_their_number() {
    let asked = std::cell::Cell::new(0);
    let recommend = |most| {
        asked.set(most);
        one_product(most)
    };
    let choice = policy().decide(&Situation {
        predictions: &predictions(0.1, 0.9),
        cart_value: None,
        recommend: &recommend,
        withheld: None,
    });
    let offer = choice.offer.unwrap();
    assert_eq!(
        (offer.id.as_str(), offer.version),
        ("recommendations", Some(3))
    );
    assert_eq!(asked.get(), 8);
}

proptest! {
    #[test]
    fn thousandths_are_as_ever(p in prop_oneof![0.0..=1.0, (0..=2000_u32).prop_map(|n| f64::from(n) / 2000.0)]) {
        prop_assert_eq!(thousandths(Probability::new(p).unwrap()), format!("{p:.3}"));
    }

    #[test]
    fn the_propensities_add_up_to_one_and_the_chosen_arm_has_it_all(
        abandonment in 0.0..=1.0, drift in 0.0..=1.0, cart in prop::option::of(any::<i64>()),
    ) {
        let choice = decide(abandonment, drift, cart.map(euros));
        for report in choice.arms {
            let expected = if report.arm == choice.arm { 1.0_f64 } else { 0.0 };
            prop_assert_eq!(report.propensity.to_bits(), expected.to_bits());
        }
        prop_assert_eq!(choice.offer.is_none(), choice.arm == Arm::Nothing);
        prop_assert!(!choice.reasons.is_empty());
    }
}
