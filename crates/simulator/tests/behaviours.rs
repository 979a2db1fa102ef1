//! Every kind of behaviour that a profile tells apart is there to be seen.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a helper that fails fails its test

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{DAY_MS, by_temperament, days, settings};
use foretide_simulator::{Act, Action, Narrowing, Page, Simulator, Temperament};

/// The actions of each visit, in their order.
fn visits(actions: &[Action]) -> Vec<Vec<&Action>> {
    let mut visits: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for action in actions {
        let key = (action.identity.shopper, action.visit);
        visits.entry(key).or_default().push(action);
    }
    visits.into_values().collect()
}

fn played() -> (Simulator, Vec<Action>) {
    days(settings(23, 600), 40)
}

fn any(actions: &[Action], that: impl Fn(&Act) -> bool) -> bool {
    actions.iter().any(|action| that(&action.act))
}

#[test]
fn pages_about_goods_and_others_are_read_and_lists_narrowed_in_every_way() {
    let (_, actions) = played();
    let read = |wanted: fn(&Page) -> bool| {
        any(
            &actions,
            |act| matches!(act, Act::Page { page, .. } if wanted(page)),
        )
    };
    assert!(read(|page| matches!(page, Page::Guide(_))));
    for page in [Page::Shipping, Page::Returns, Page::Account, Page::Stores] {
        assert!(
            any(
                &actions,
                |act| matches!(act, Act::Page { page: read, .. } if *read == page)
            ),
            "{page:?}"
        );
    }
    let narrowed = |wanted: fn(&Narrowing) -> bool| {
        any(
            &actions,
            |act| matches!(act, Act::Filter { by, .. } if wanted(by)),
        )
    };
    assert!(narrowed(|by| matches!(by, Narrowing::Price)));
    assert!(narrowed(|by| matches!(by, Narrowing::UpTo(_))));
    assert!(narrowed(|by| matches!(by, Narrowing::Reduced)));
    assert!(narrowed(|by| matches!(by, Narrowing::Brand(_))));
}

#[test]
fn some_searches_lead_to_no_view_and_some_find_nothing() {
    let (_, actions) = played();
    let (mut searched, mut in_vain) = (0, 0);
    for visit in visits(&actions) {
        let Some(search) = visit
            .iter()
            .rposition(|action| matches!(action.act, Act::Search { .. }))
        else {
            continue;
        };
        searched += 1;
        let viewed = visit[search..]
            .iter()
            .any(|action| matches!(action.act, Act::View { .. }));
        in_vain += usize::from(!viewed);
    }
    let share = in_vain as f64 / f64::from(searched);
    assert!((0.03..0.2).contains(&share), "{share}");
    assert!(any(&actions, |act| matches!(
        act,
        Act::Search { results: 0, .. }
    )));
}

/// What a shopper does in the visit on which a product that was looked at before is seen at another price: whether it goes
/// into the cart, by whether it became cheaper.
fn responses(simulator: &Simulator, actions: &[Action]) -> [(u32, u32); 2] {
    let shop = simulator.shop();
    let mut seen: BTreeMap<(u32, u32), i64> = BTreeMap::new();
    let mut counts = [(0, 0); 2];
    for visit in visits(actions) {
        let shopper = visit[0].identity.shopper;
        let taken: BTreeSet<u32> = visit
            .iter()
            .filter_map(|action| match action.act {
                Act::Add { line, .. } => Some(line.product),
                _ => None,
            })
            .collect();
        for action in &visit {
            let Act::View { product, .. } = action.act else {
                continue;
            };
            let now = shop.price(product, action.at).cents;
            let before = seen.insert((shopper, product), now).unwrap_or(now);
            if now != before {
                let (met, took) = &mut counts[usize::from(now < before)];
                *met += 1;
                *took += u32::from(taken.contains(&product));
            }
        }
    }
    counts
}

#[test]
fn a_product_seen_before_is_rather_bought_when_it_has_become_cheaper() {
    let (simulator, actions) = days(settings(24, 800), 60);
    let by = by_temperament(&simulator, &actions);
    let share = |(met, took): (u32, u32)| {
        assert!(met > 200, "{met}");
        f64::from(took) / f64::from(met)
    };
    let [dearer, cheaper] = responses(&simulator, &by[&Temperament::BargainHunter]).map(share);
    assert!(cheaper > 1.3 * dearer, "{cheaper} {dearer}");
    let loyal = responses(&simulator, &by[&Temperament::Loyal]).map(share);
    assert!(
        cheaper - dearer > loyal[1] - loyal[0],
        "hunters mind prices more: {cheaper} {dearer} {loyal:?}"
    );
}

#[test]
fn what_is_left_in_a_cart_is_there_on_the_next_visit() {
    let (_, actions) = played();
    let mut carts: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let mut carried = 0;
    for visit in visits(&actions) {
        let cart = carts.entry(visit[0].identity.shopper).or_default();
        let left = !cart.is_empty();
        for action in visit {
            match &action.act {
                Act::Add { line, .. } => cart.push(line.product),
                Act::Remove(line) => {
                    let place = cart.iter().position(|product| *product == line.product);
                    cart.remove(place.expect("what is taken out was in"));
                }
                Act::LookAtCart(lines) => {
                    let mut seen: Vec<u32> = lines.iter().map(|line| line.product).collect();
                    seen.sort_unstable();
                    cart.sort_unstable();
                    assert_eq!(&seen, cart);
                    carried += usize::from(left);
                }
                Act::Buy(_) => cart.clear(),
                _ => {}
            }
        }
    }
    assert!(carried > 100, "{carried}");
}

#[test]
fn known_shoppers_buy_in_stores_too_and_rather_what_they_left_in_a_cart() {
    let (_, actions) = days(settings(25, 800), 60);
    let bought: BTreeSet<(u32, u32)> = actions
        .iter()
        .filter(|action| matches!(action.act, Act::BuyInStore { .. }))
        .map(|action| {
            assert!(action.identity.user && action.identity.device.is_none());
            (action.identity.shopper, action.visit)
        })
        .collect();
    assert!(bought.len() > 60, "{}", bought.len());
    let mut rate = [(0_u32, 0_u32); 2];
    for visit in visits(&actions) {
        let known = visit.iter().any(|action| action.identity.user);
        let carted = visit
            .iter()
            .any(|action| matches!(action.act, Act::Add { .. }));
        let purchased = visit.iter().any(|action| matches!(action.act, Act::Buy(_)));
        if known && !purchased {
            let (all, those) = &mut rate[usize::from(carted)];
            *all += 1;
            let key = (visit[0].identity.shopper, visit[0].visit);
            *those += u32::from(bought.contains(&key));
        }
    }
    let share = |(all, those): (u32, u32)| f64::from(those) / f64::from(all);
    assert!(share(rate[1]) > 1.5 * share(rate[0]), "{rate:?}");
}

#[test]
fn weekends_are_busier_than_the_days_before_them() {
    let (_, actions) = days(settings(26, 400), 70);
    let mut by_day = [0_u32; 7];
    for action in &actions {
        // The epoch began on a Thursday.
        by_day[usize::try_from(action.at.0.div_euclid(DAY_MS) % 7).unwrap()] += 1;
    }
    let [thursday, friday, saturday, sunday, ..] = by_day;
    assert!(
        sunday > saturday && saturday > thursday.max(friday),
        "{by_day:?}"
    );
    assert!(f64::from(sunday) > 1.25 * f64::from(friday), "{by_day:?}");
}
