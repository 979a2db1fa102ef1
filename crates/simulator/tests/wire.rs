//! Everything that is written is what a shop could send, and means the same in both formats.

#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp)] // a helper that fails fails its test

mod common;

use std::collections::BTreeSet;

use common::{days, settings};
use foretide_events::{
    Action as Meant, ContentKind, Currency, EpochMs, Event, EventId, Intake, Receipt, SourceId,
    native, segment,
};
use foretide_privacy::{PseudonymKey, Pseudonymiser};
use foretide_simulator::{Act, Action, Settings, Simulator};

/// Two months of a shop whose every question is met with an offer.
fn played() -> (Simulator, Vec<Action>) {
    let mut simulator = Simulator::new(Settings {
        asks: true,
        ..settings(11, 150)
    });
    let end = common::OPENING.plus(60 * common::DAY_MS);
    let mut actions = Vec::new();
    while simulator.reached() < end {
        let batch = simulator.next_batch(end, 1000);
        actions.extend(batch.actions);
        for ask in &batch.asks {
            simulator.respond(
                ask,
                "decision-1",
                Some(&foretide_simulator::Offer::Discount(10)),
            );
        }
    }
    (simulator, actions)
}

fn with_intake<R>(read: impl FnOnce(&mut Intake<'_>) -> R) -> R {
    let mut make_id = || -> EventId { panic!("every event has an id") };
    read(&mut Intake {
        pseudonymiser: &Pseudonymiser::new(&PseudonymKey::from_bytes([7; 32])),
        received_at: EpochMs(2_000_000_000_000),
        source: &SourceId::new("key:0a1b2c3d").unwrap(),
        make_id: &mut make_id,
        default_currency: Currency::EUR,
        timings: None,
    })
}

fn accepted(receipts: Vec<Receipt>, body: &[u8]) -> Event {
    let text = String::from_utf8_lossy(body);
    match receipts.into_iter().next() {
        Some(Ok(event)) => event,
        other => panic!("{other:?} for {text}"),
    }
}

fn read_native(simulator: &Simulator, action: &Action) -> Event {
    let mut body = Vec::new();
    simulator.write_native(action, &mut body);
    let receipts = with_intake(|intake| native::parse_json(&body, intake)).unwrap();
    accepted(receipts, &body)
}

fn read_segment(simulator: &Simulator, action: &Action) -> Event {
    let mut body = b"{\"batch\":[".to_vec();
    simulator.write_segment(action, &mut body);
    body.extend_from_slice(b"]}");
    let batch = segment::open(&body).unwrap();
    accepted(with_intake(|intake| batch.receipts(intake)), &body)
}

#[test]
fn every_event_is_accepted_and_both_formats_mean_the_same() {
    let (simulator, actions) = played();
    let mut kinds = BTreeSet::new();
    for action in &actions {
        let mut native = read_native(&simulator, action);
        let segment = read_segment(&simulator, action);
        kinds.insert(native.action.action_type().as_str());
        if let Act::Content { interaction, .. } = action.act {
            // To Segment every promotion is a banner, and none is ever closed.
            if interaction == foretide_simulator::Interaction::Dismiss {
                continue;
            }
            if let (Meant::ContentInteraction(native), Meant::ContentInteraction(segment)) =
                (&mut native.action, &segment.action)
            {
                native.kind = ContentKind::Banner;
                native.creative = segment.creative.clone();
            }
        }
        if let (Meant::Conversion(native), Meant::Custom(segment)) =
            (&native.action, &segment.action)
        {
            // Segment has no word for it: a tracked event of the shop's own, of which only numbers are kept.
            assert_eq!(&*segment.name, "Store Purchase");
            let cents = native.value.unwrap().minor_units as f64;
            assert!((segment.values[0].value.get() * 100.0 - cents).abs() < 1e-6);
            continue;
        }
        if let Meant::CartAdd(add) = &mut native.action {
            add.quantity = None;
        }
        assert_eq!(native, segment);
    }
    for kind in [
        "page_view",
        "search",
        "product_list_view",
        "product_list_filter",
        "product_click",
        "product_view",
        "cart_add",
        "cart_remove",
        "cart_view",
        "wishlist_add",
        "wishlist_remove",
        "coupon_attempt",
        "content_interaction",
        "checkout_start",
        "checkout_step",
        "payment_info",
        "purchase",
        "refund",
        "cancel",
        "conversion",
        "share",
        "review",
        "identify",
    ] {
        assert!(kinds.contains(kind), "no {kind}");
    }
}

#[test]
fn ids_are_distinct_and_times_never_fall() {
    let (simulator, actions) = days(settings(11, 300), 20);
    let mut ids = BTreeSet::new();
    for action in &actions {
        let id = simulator
            .names()
            .event(action.identity.shopper, action.visit, action.number);
        assert!(id.len() < 100 && ids.insert(id));
    }
    assert!(actions.is_sorted_by_key(|action| action.at));
}

#[test]
fn a_device_is_unknown_then_signs_in_then_is_known() {
    let (simulator, actions) = days(settings(11, 300), 60);
    let mut met = BTreeSet::new();
    for shopper in 0..300 {
        let mut signed_in = BTreeSet::new();
        for action in actions
            .iter()
            .filter(|action| action.identity.shopper == shopper)
        {
            let identity = action.identity;
            match (identity.user, identity.device) {
                (false, Some(device)) => assert!(!signed_in.contains(&device), "{action:?}"),
                (true, Some(device)) => drop(signed_in.insert(device)),
                (true, None) => assert!(!signed_in.is_empty()),
                (false, None) => panic!("an event of nobody"),
            }
        }
        met.insert(signed_in.len());
    }
    assert_eq!(
        met,
        BTreeSet::from([0, 1, 2]),
        "shoppers sign in on no, one and two devices"
    );
    assert_eq!(
        simulator.names().shopper(&simulator.names().user(17)),
        Some(17)
    );
}

#[test]
fn what_is_bought_was_in_the_cart_at_the_price_it_had() {
    let (_, actions) = played();
    let (mut bought, mut carried) = (0, 0);
    for action in &actions {
        let Act::Buy(order) = &action.act else {
            continue;
        };
        bought += 1;
        let of_visit = |other: &&Action| {
            (other.identity.shopper, other.visit) == (action.identity.shopper, action.visit)
        };
        let seen = actions
            .iter()
            .filter(of_visit)
            .find_map(|other| match &other.act {
                Act::LookAtCart(lines) => Some(lines.clone()),
                _ => None,
            });
        assert_eq!(seen.as_ref(), Some(&order.lines));
        for line in &order.lines {
            let added = actions.iter().any(|other| {
                other.identity.shopper == action.identity.shopper
                    && other.at < action.at
                    && matches!(other.act, Act::Add { line: before, .. }
                        if (before.product, before.quantity) == (line.product, line.quantity)
                            && (other.visit < action.visit || before.cents == line.cents))
            });
            assert!(added, "{line:?} was never put into the cart");
        }
        carried += usize::from(
            !actions
                .iter()
                .filter(of_visit)
                .any(|other| matches!(other.act, Act::Add { .. })),
        );
        assert!(
            order.percent_off == 5 || order.percent_off == 10,
            "a discount was offered on every cart"
        );
    }
    assert!(bought > 50 && carried > 0, "{bought} {carried}");
}
