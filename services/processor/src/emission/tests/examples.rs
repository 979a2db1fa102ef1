//! Examples.

use std::collections::BTreeMap;

use foretide_events::{EpochMs, Event, ShopperId};
use foretide_features::{Feature, FoldRules, Profile, Reference, State};
use foretide_models::{
    Target,
    example::{Example, Point, Snapshot},
};
use proptest::prelude::*;

use super::{
    super::schedule::Schedule,
    shop::{DAY_MS, HOUR_MS, MINUTE_MS, START, Shop, event, shopper},
};
use crate::ExamplesMode;

const RULES: fn() -> FoldRules = FoldRules::default;

/// What a point should say: when, its label and weight, and what was known.
#[derive(Debug, PartialEq)]
struct Expected {
    at: EpochMs,
    label: Option<bool>,
    weight: f64,
    known: Snapshot,
}

/// The state of a shopper of whom just `events` are known, in their order.
fn state_of(events: &[&Event]) -> Profile {
    let mut profile = Profile::new(events[0].shopper);
    for (offset, event) in (0..).zip(events) {
        let _ = profile.apply(event, offset, &RULES());
    }
    profile
}

fn known(events: &[&Event], at: EpochMs) -> (Snapshot, Profile) {
    let until = events.partition_point(|event| event.at <= at);
    let profile = state_of(&events[..until]);
    let snapshot = Snapshot::take(profile.state(), at, &RULES(), &Reference::prior());
    (snapshot.unwrap(), profile)
}

/// Every point of `events`, of drift up to `until`, worked out from the beginning for each of them.
fn expected(events: &[Event], until: EpochMs) -> BTreeMap<String, Expected> {
    let mut by_shopper: BTreeMap<ShopperId, Vec<&Event>> = BTreeMap::new();
    for event in events {
        by_shopper.entry(event.shopper).or_default().push(event);
    }
    let mut all = BTreeMap::new();
    for (shopper, events) in &mut by_shopper {
        events.sort_by_key(|event| event.at);
        drift(*shopper, events, until, &mut all);
        let gap = RULES().session_gap_ms;
        for visit in events.chunk_by(|one, next| next.at.since(one.at) <= gap) {
            abandonment(*shopper, events, visit, &mut all);
            drift_within(*shopper, events, visit, until, &mut all);
        }
    }
    all
}

fn drift(
    shopper: ShopperId,
    events: &[&Event],
    until: EpochMs,
    all: &mut BTreeMap<String, Expected>,
) {
    let mut at = Schedule::of(&shopper).next(events[0].at);
    while at <= until {
        if let Some(expected) = drift_at(events, at) {
            all.insert(format!("{shopper}/drift/{}", at.0), expected);
        }
        at = at.plus(DAY_MS);
    }
}

fn drift_at(events: &[&Event], at: EpochMs) -> Option<Expected> {
    let (known, profile) = known(events, at);
    let state = profile.state();
    let is_there = state.sessions() >= 3
        && at.since(state.last_seen().unwrap()) <= 45 * DAY_MS
        && known.get(Feature::Actions30d).unwrap() >= 1.0;
    is_there.then_some(Expected {
        at,
        label: None,
        weight: 1.0,
        known,
    })
}

/// FNV-1a of the pseudonym, and Fibonacci hashing.
fn drawn(shopper: ShopperId, visit: &[&Event]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in shopper.as_bytes() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash ^ visit[0].at.0.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// At the first, second, fourth or eighth moment of a visit, if it has one.
fn drift_within(
    shopper: ShopperId,
    events: &[&Event],
    visit: &[&Event],
    until: EpochMs,
    all: &mut BTreeMap<String, Expected>,
) {
    let mut moments: Vec<EpochMs> = visit.iter().map(|event| event.at).collect();
    moments.dedup();
    let which = [1, 2, 4, 8][(drawn(shopper, visit) << 3 >> 62) as usize];
    let at = moments.get(which - 1).copied();
    let expected = at
        .filter(|at| *at <= until)
        .and_then(|at| drift_at(events, at));
    if let Some(expected) = expected {
        let id = format!("{shopper}/drift/{}/visit", visit[0].at.0);
        all.insert(id, expected);
    }
}

/// One minute to the gap that ends a session, evenly by its logarithm.
#[expect(clippy::cast_possible_truncation, reason = "at most the gap")]
fn idle_ms(shopper: ShopperId, visit: &[&Event]) -> i64 {
    let number = u32::try_from(drawn(shopper, visit) << 5 >> 32).unwrap();
    let share = f64::from(number) / f64::from(u32::MAX);
    let gap = RULES().session_gap_ms;
    let doublings = (gap as f64 / MINUTE_MS as f64).log2();
    ((MINUTE_MS as f64 * (share * doublings).exp2()).round() as i64).min(gap)
}

/// When nothing had been done for `idle_ms` after one of `moments`, for the first time.
fn idle(moments: Vec<(EpochMs, u32)>, visit: &[&Event], idle_ms: i64) -> Option<(EpochMs, u32)> {
    let mut pauses = moments
        .into_iter()
        .map(|(at, bought)| (at, at.plus(idle_ms), bought));
    let is_quiet = |from: EpochMs, to: EpochMs| {
        let mut instants = visit.iter().map(|event| event.at);
        instants.all(|at| at <= from || at > to)
    };
    let (_, at, bought) = pauses.find(|(from, to, _)| is_quiet(*from, *to))?;
    Some((at, bought))
}

fn abandonment(
    shopper: ShopperId,
    events: &[&Event],
    visit: &[&Event],
    all: &mut BTreeMap<String, Expected>,
) {
    let bought = |state: &State| state.latest_session().unwrap().purchases();
    let (mut cart, mut checkout) = (None, None);
    let mut with_either = Vec::new();
    for event in visit {
        let (_, profile) = known(events, event.at);
        let state = profile.state();
        let moment = (event.at, bought(state));
        let in_checkout = state.latest_session().unwrap().checkout_step() > 0;
        if !state.cart().is_empty() {
            cart = cart.or(Some(moment));
        }
        if in_checkout {
            checkout = checkout.or(Some(moment));
        }
        if in_checkout || !state.cart().is_empty() {
            with_either.push(moment);
            // What happens at one instant comes to one state.
            with_either.dedup_by_key(|moment| moment.0);
        }
    }
    let (_, end) = known(events, visit[visit.len() - 1].at);
    // One to eight moments after the first.
    let later = with_either
        .get(1 + (drawn(shopper, visit) >> 61) as usize)
        .copied();
    let idle = idle(with_either, visit, idle_ms(shopper, visit));
    let named = [
        ("cart", cart),
        ("checkout", checkout),
        ("later", later),
        ("idle", idle),
    ];
    let mut points: Vec<(&str, (EpochMs, u32))> = Vec::new();
    for (slot, moment) in named {
        let is_new = |at: EpochMs| points.iter().all(|(_, known)| known.0 != at);
        if let Some(moment) = moment.filter(|moment| is_new(moment.0)) {
            points.push((slot, moment));
        }
    }
    for (slot, (at, bought_then)) in &points {
        let expected = Expected {
            at: *at,
            label: Some(*bought_then == bought(end.state())),
            weight: 1.0 / 4.0,
            known: known(events, *at).0,
        };
        let id = format!("{shopper}/abandonment/{}/{slot}", visit[0].at.0);
        all.insert(id, expected);
    }
}

/// Whether they say the same, up to the last digits.
fn agrees(point: &Point, expected: &Expected) -> bool {
    let close = |(one, other): (&(Feature, f32), &(Feature, f32))| {
        one.0 == other.0 && (one.1 - other.1).abs() <= 1e-5 * other.1.abs().max(1e-3)
    };
    let (told, known) = (point.known.values(), expected.known.values());
    point.at == expected.at
        && point.label == expected.label
        && (point.weight - expected.weight).abs() < 1e-9
        && point.known.as_of() == expected.known.as_of()
        && told.len() == known.len()
        && told.iter().zip(known).all(close)
}

fn check(shop: &Shop, events: &[Event]) {
    let until = shop.told_until();
    let mut left = shop.left();
    left.retain(|_, example| {
        example.kind == Target::Abandonment || example.point.as_ref().unwrap().at <= until
    });
    let expected = expected(events, until);
    let ids = |left: &BTreeMap<String, Example>| left.keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids(&left), expected.keys().cloned().collect::<Vec<_>>());
    for (id, example) in &left {
        let point = example.point.as_ref().unwrap();
        assert!(
            agrees(point, &expected[id]),
            "{id}: {point:?}\n{:?}",
            expected[id]
        );
    }
}

/// A visit: whose, how many minutes after the start, what is done every three minutes, and how late each event comes, in minutes.
type Visit = (u64, i64, Vec<(u8, i64)>);

fn visits() -> impl Strategy<Value = Vec<Visit>> {
    let delay = prop_oneof![3 => Just(0), 1 => 0..600_i64];
    let deeds = prop::collection::vec((0..4_u8, delay), 1..6);
    let visit = (0..4_u64, 0..14 * 24 * 60_i64, deeds);
    prop::collection::vec(visit, 1..40)
}

/// The events of `visits`, each with when it is appended, in that order. Each shopper's come so much later than they happened.
fn arrivals(visits: &[Visit], later: [i64; 4]) -> Vec<(Event, EpochMs)> {
    let mut arrivals = Vec::new();
    for (who, minute, deeds) in visits {
        for (step, (kind, late)) in (0..).zip(deeds) {
            let at = START.plus((minute + step * 3) * MINUTE_MS);
            let appended_at = at.plus(late * MINUTE_MS + later[usize::try_from(*who).unwrap()]);
            arrivals.push((event(arrivals.len(), *who, at, *kind), appended_at));
        }
    }
    arrivals.sort_by_key(|(event, appended_at)| (*appended_at, event.at));
    arrivals
}

/// What happens between two portions.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Nothing,
    Commit,
    Crash,
}

fn cuts() -> impl Strategy<Value = Vec<(usize, Cut)>> {
    let cut = prop_oneof![
        1 => Just(Cut::Nothing),
        3 => Just(Cut::Commit),
        1 => Just(Cut::Crash),
    ];
    prop::collection::vec((1..30_usize, cut), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Live, a few days late, and years of history: a reader is left with the same.
    #[test]
    fn whatever_the_order_the_cuts_and_the_crashes_the_same_examples_are_left(
        visits in visits(),
        later in [0..2_usize, 0..3, 0..3, 0..3],
        cuts in cuts(),
    ) {
        let later = later.map(|choice| [0, 3 * DAY_MS, 400 * DAY_MS][choice]);
        let mut shop = Shop::new(ExamplesMode::All);
        let arrivals = arrivals(&visits, later);
        for (event, appended_at) in &arrivals {
            shop.append(event, *appended_at);
        }
        for (portion, cut) in cuts.iter().cycle().take(2_000) {
            if shop.is_done() {
                break;
            }
            shop.fold(*portion);
            match cut {
                Cut::Nothing => {}
                Cut::Commit => shop.commit(),
                Cut::Crash => shop.crash(),
            }
        }
        // Whoever crashes without an end never gets through.
        shop.fold(usize::MAX / 2);
        shop.settle();
        let events: Vec<Event> = arrivals.into_iter().map(|(event, _)| event).collect();
        check(&shop, &events);
    }
}

/// Three visits of shopper 1 on consecutive days, the third with a cart.
fn habit() -> Vec<Event> {
    [(0, 0), (1, 0), (2, 0), (2, 1)]
        .into_iter()
        .enumerate()
        .map(|(id, (day, kind))| {
            let at = START.plus(day * DAY_MS + i64::from(kind) * MINUTE_MS);
            event(id, 1, at, kind)
        })
        .collect()
}

#[test]
fn a_session_with_a_cart_is_told_once_it_is_over_and_not_before() {
    let mut shop = Shop::new(ExamplesMode::All);
    for event in habit() {
        shop.append(&event, event.at.plus(100));
    }
    shop.fold(9);
    shop.commit();
    assert!(
        shop.examples
            .iter()
            .all(|example| example.kind != Target::Abandonment)
    );
    shop.settle();
    let left = shop.left();
    let started = START.plus(2 * DAY_MS);
    let point = |slot: &str| {
        let id = format!("{}/abandonment/{}/{slot}", shopper(1), started.0);
        left.get(&id).and_then(|example| example.point.clone())
    };
    let cart = point("cart").unwrap();
    assert_eq!((cart.at, cart.label), (started.plus(MINUTE_MS), Some(true)));
    assert_eq!(cart.session_started_at, Some(started));
    assert_eq!(cart.session_ended_at, Some(cart.at));
    assert_eq!(cart.certain_at, cart.at.plus(160 * MINUTE_MS));
    assert!((cart.weight - 0.25).abs() < 1e-9);
    assert_eq!(
        (point("checkout"), point("later")),
        (None, None),
        "nothing came after it"
    );
}

#[test]
fn a_purchase_that_comes_late_turns_the_label_and_the_highest_revision_says_so() {
    let mut shop = Shop::new(ExamplesMode::All);
    for event in habit() {
        shop.append(&event, event.at.plus(100));
    }
    shop.fold(9);
    shop.settle();
    let labels = |shop: &Shop| {
        let left = shop.left();
        let points = left.values().filter_map(|example| example.point.clone());
        points.filter_map(|point| point.label).collect::<Vec<_>>()
    };
    assert_eq!(labels(&shop), [true, true]);
    let late = event(9, 1, START.plus(2 * DAY_MS + 2 * MINUTE_MS), 3);
    shop.append(&late, START.plus(2 * DAY_MS + 5 * HOUR_MS));
    shop.fold(9);
    shop.settle();
    assert_eq!(labels(&shop), [false], "of the cart; there was no pause");
}

#[test]
fn what_idleness_says_is_learnt_in_a_pause_whether_the_shopper_comes_back_or_not() {
    // A cart and nothing more; a cart that is bought after all but the longest pauses.
    for (bought_after_min, label) in [(None, true), (Some(30), false)] {
        let mut shop = Shop::new(ExamplesMode::All);
        let mut events = habit();
        let filled_at = events[3].at;
        let bought_at = bought_after_min.map(|minutes| filled_at.plus(minutes * MINUTE_MS));
        events.extend(bought_at.map(|at| event(9, 1, at, 3)));
        for event in &events {
            shop.append(event, event.at.plus(100));
        }
        shop.fold(9);
        shop.settle();
        let left = shop.left();
        let idle = left.iter().find(|(id, _)| id.ends_with("/idle"));
        let point = idle.and_then(|(_, example)| example.point.clone()).unwrap();
        let seconds = point.at.since(filled_at) as f64 / 1_000.0;
        assert!((60.0..30.0 * 60.0).contains(&seconds));
        let known = point.known.get(Feature::SecondsSinceSeen).unwrap();
        assert!((known - seconds).abs() < 0.1, "{known} {seconds}");
        assert_eq!((point.label, point.known.as_of()), (Some(label), filled_at));
        assert!(point.at <= point.certain_at);
    }
}

#[test]
fn who_is_away_is_told_as_long_as_others_are_there_and_time_goes_on() {
    let mut shop = Shop::new(ExamplesMode::All);
    for event in habit() {
        shop.append(&event, event.at.plus(100));
    }
    shop.fold(9);
    shop.settle();
    let drifts = |shop: &Shop| {
        let left = shop.left();
        let of =
            |example: &&Example| example.kind == Target::Drift && example.shopper_id == shopper(1);
        left.values().filter(of).count()
    };
    let before = drifts(&shop);
    shop.clock.advance(20 * DAY_MS);
    shop.settle();
    assert_eq!(drifts(&shop), before, "no time has passed by the events");
    for day in 3..200 {
        let at = START.plus(day * DAY_MS);
        shop.append(&event(100 + usize::try_from(day).unwrap(), 2, at, 0), at);
    }
    shop.fold(999);
    shop.settle();
    let told = drifts(&shop) - before;
    // Four actions of 30 days are below one after two months, and 45 days is all that is told.
    assert_eq!(told, 45);
}

#[test]
fn history_is_told_only_where_all_is_and_nothing_where_nothing_is() {
    for (mode, some) in [
        (ExamplesMode::All, true),
        (ExamplesMode::Live, false),
        (ExamplesMode::Off, false),
    ] {
        let mut shop = Shop::new(mode);
        for event in habit() {
            shop.append(&event, START.plus(400 * DAY_MS));
        }
        shop.fold(9);
        shop.settle();
        assert_eq!(!shop.examples.is_empty(), some, "{mode:?}");
    }
    let mut shop = Shop::new(ExamplesMode::Live);
    for event in habit() {
        shop.append(&event, event.at.plus(100));
    }
    shop.fold(9);
    shop.settle();
    let is_of = |kind| shop.examples.iter().any(|example| example.kind == kind);
    assert!(is_of(Target::Abandonment));
}

#[test]
fn a_start_tells_the_history_whose_end_was_not_told_and_no_other() {
    let mut shop = Shop::new(ExamplesMode::All);
    for event in habit() {
        shop.append(&event, START.plus(400 * DAY_MS));
    }
    shop.fold(9);
    shop.settle();
    let told = shop.examples.len();
    assert!(told > 0);
    shop.crash();
    shop.settle();
    assert_eq!(shop.examples.len(), told, "all was told");
    for (id, former) in (10..).zip(habit()) {
        let event = event(id, 2, former.at, u8::from(id == 13));
        shop.append(&event, START.plus(401 * DAY_MS));
    }
    shop.fold(9);
    shop.commit();
    shop.crash();
    shop.settle();
    let again = &shop.examples[told..];
    assert!(again.iter().all(|example| example.shopper_id == shopper(2)));
    assert!(
        again
            .iter()
            .any(|example| example.kind == Target::Abandonment)
    );
}
