use foretide_simulator::{Effect, Outcome, Temperament};
use serde_json::json;

use super::{
    super::learnt::{Cohort, Move},
    *,
};

fn snapshot() -> Snapshot {
    let ends = |probability, purchased| Outcome {
        probability,
        purchased,
        ..Outcome::default()
    };
    Snapshot {
        seconds: 3,
        events_per_second: 25,
        accepted: 75,
        shoppers: 12,
        fates: json!({ "folded": 70, "duplicate": 0, "late": 0 }),
        offers: [("discount".to_owned(), 2)].into(),
        learnt: Learnt {
            cohorts: vec![Cohort {
                id: "c-3".to_owned(),
                name: "price-sensitive browsers".to_owned(),
                size: 312,
            }],
            moves: vec![Move {
                from: "c-1".to_owned(),
                to: "c-3".to_owned(),
                shoppers: 14,
            }],
            models: vec![Model {
                target: "drift".to_owned(),
                version: "drift-0123456789abcdef".to_owned(),
                is_serving: true,
                auc: Some(Figure {
                    value: 0.712,
                    low: 0.68,
                    high: 0.74,
                }),
                ..Model::default()
            }],
            ..Learnt::default()
        },
        by_models: 1,
        drift: Drift {
            drifting: 9,
            seen: 7,
            engaged: 20,
            mistaken: 1,
        },
        effects: [(
            "discount",
            EffectSum {
                shown: 2,
                bought: 1,
                revenue_cents: 4200,
                ..EffectSum::default()
            },
        )]
        .into(),
        example: Some(Example {
            shopper: json!({ "user_id": "shopper-000007" }),
            decision: json!({
                "predictions": { "drift": 0.2, "abandonment": 0.83, "source": "prior-1" },
                "cohort": { "id": "c-3", "name": "price-sensitive browsers" },
                "offer": { "id": "discount-10", "kind": "discount", "amount": "12.99", "currency": "EUR", "cart_total": "129.90" },
                "reasons": [{ "code": "rule", "text": "the probability of abandonment, 0.830, is above 0.7, most because of seconds_since_seen" }],
            }),
            profile: json!({ "features": {
                "cart_value": { "value": 129.9, "unit": "money" }, "sessions_total": { "value": null, "unit": "count" },
            } }),
            temperament: Temperament::BargainHunter,
            moment: Moment::Cart,
            effect: Effect {
                without: ends(0.25, false),
                with: ends(0.5, true),
            },
        }),
        ..Snapshot::default()
    }
}

#[test]
fn a_block_shows_the_offer_its_reason_what_it_does_and_the_features() {
    let text = block(&snapshot());
    for part in [
        "25/s",
        "70 folded",
        "7 of 9 drifting seen",
        "2 discount; 1 by trained models",
        "price-sensitive browsers (c-3) 312",
        "14 times; most (14) from c-1 to price-sensitive",
        "drift-0123456789abcdef promoted, held-out AUC 0.71",
        "  cohort     price-sensitive browsers (c-3)",
        "+42 EUR",
        "shopper-000007 over a cart (bargain hunter in truth)",
        "83 %",
        "discount-10: 12.99 EUR off 129.90",
        "with 50 %, without the offer with 25 %",
        "above 0.7",
        "cart_value",
    ] {
        assert!(text.contains(part), "no {part} in:\n{text}");
    }
    assert!(
        !text.contains("sessions_total"),
        "a feature without a value is left out"
    );
}

#[test]
fn a_block_fits_eighty_columns() {
    for line in block(&snapshot()).lines() {
        assert!(line.chars().count() <= COLUMNS, "{line}");
    }
}

#[test]
fn a_line_is_one_line() {
    let text = line(&snapshot());
    assert_eq!(text.lines().count(), 1);
    assert!(text.contains("discount-10"));
}

#[test]
fn nothing_yet_is_shown_as_such() {
    let text = line(&Snapshot::default());
    assert!(text.contains("none yet"), "{text}");
    assert!(block(&Snapshot::default()).contains("none was shown yet"));
}
