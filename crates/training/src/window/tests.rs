use foretide_events::{Action, Event, EventId, Identity, ProductView, ShopperId, SourceId, Text};
use foretide_features::{Feature, FoldRules, Profile, Reference};
use foretide_models::example::{Point, Snapshot};
use proptest::prelude::*;

use super::*;

const START: EpochMs = EpochMs(1_790_000_000_000);
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// When everything is certain.
const LATER: EpochMs = EpochMs(START.0 + 100 * DAY_MS);

fn shopper(number: u8) -> ShopperId {
    ShopperId([number; 16])
}

/// What is known at `at` of someone who looked at so many products, the last of them then.
fn known(at: EpochMs, views: u64) -> Snapshot {
    let shopper = shopper(1);
    let rules = FoldRules::default();
    let mut profile = Profile::new(shopper);
    for offset in 0..views {
        let event = Event {
            id: EventId::new(&format!("event-{offset}")).unwrap(),
            at,
            received_at: at,
            shopper,
            identity: Identity {
                user: Some(shopper),
                anonymous: None,
            },
            session: None,
            source: SourceId::new("key:0123abcd").unwrap(),
            action: Action::ProductView(ProductView::default()),
        };
        let _ = profile.apply(&event, offset, &rules).unwrap();
    }
    Snapshot::take(profile.state(), at, &rules, &Reference::prior()).unwrap()
}

fn abandonment(number: u8, name: &str, at: EpochMs, revision: u64, label: bool) -> Example {
    Example {
        id: Text::new(&format!("{}/abandonment/{name}", shopper(number))).unwrap(),
        kind: Target::Abandonment,
        revision,
        shopper_id: shopper(number),
        point: Some(Point {
            at,
            session_started_at: Some(at.plus(-MINUTE_MS)),
            session_ended_at: Some(at.plus(MINUTE_MS)),
            weight: 1.0,
            label: Some(label),
            certain_at: at.plus(160 * MINUTE_MS),
            devices: Vec::new(),
            known: known(at, 1),
        }),
    }
}

fn drift(number: u8, day: i64, views: u64) -> Example {
    let at = START.plus(day * DAY_MS);
    Example {
        id: Text::new(&format!("{}/drift/{}", shopper(number), at.0)).unwrap(),
        kind: Target::Drift,
        revision: 1,
        shopper_id: shopper(number),
        point: Some(Point {
            at,
            session_started_at: None,
            session_ended_at: None,
            weight: 1.0,
            label: None,
            certain_at: at.plus(25 * HOUR_MS),
            devices: Vec::new(),
            known: known(at, views),
        }),
    }
}

fn served(number: u8, at: EpochMs, served: bool) -> Decided {
    Decided {
        decision_id: Text::new(&format!("decision-{}", at.0)).unwrap(),
        shopper: shopper(number),
        at,
        served,
        no_offer: 0.0,
        share: 0.05,
    }
}

fn window() -> Window {
    Window::new(WindowSettings::default())
}

fn labels(window: &Window, target: Target, now: EpochMs) -> Vec<bool> {
    let rows = window.rows(target, now).rows;
    rows.iter().map(|row| row.label).collect()
}

#[test]
fn a_point_counts_when_its_label_is_certain_whatever_the_label() {
    let mut window = window();
    window.take(0, abandonment(1, "a", START, 1, true));
    window.take(0, abandonment(2, "b", START, 1, false));
    let certain = START.plus(window.certain_after_ms(Target::Abandonment));
    assert_eq!(
        labels(&window, Target::Abandonment, certain.plus(-1)),
        [] as [bool; 0]
    );
    let uncertain = window
        .rows(Target::Abandonment, certain.plus(-1))
        .left_out
        .uncertain;
    assert_eq!(uncertain, 2);
    assert_eq!(labels(&window, Target::Abandonment, certain), [true, false]);
}

#[test]
fn the_highest_revision_counts_and_one_that_was_taken_back_does_not() {
    let mut window = window();
    let label = |window: &Window| labels(window, Target::Abandonment, LATER);
    assert_eq!(
        window.take(0, abandonment(1, "a", START, 5, true)),
        Taken::New
    );
    assert_eq!(
        window.take(0, abandonment(1, "a", START, 4, false)),
        Taken::Known
    );
    assert_eq!(label(&window), [true]);
    assert_eq!(
        window.take(0, abandonment(1, "a", START, 6, false)),
        Taken::Revised
    );
    assert_eq!(label(&window), [false]);
    let withdrawn = Example {
        point: None,
        ..abandonment(1, "a", START, 7, true)
    };
    assert_eq!(window.take(0, withdrawn), Taken::Revised);
    assert_eq!(label(&window), [] as [bool; 0]);
    assert_eq!(
        window.take(0, abandonment(1, "a", START, 6, false)),
        Taken::Known
    );
    assert_eq!(label(&window), [] as [bool; 0], "told once more");
}

#[test]
fn a_full_window_lets_the_oldest_go_and_does_not_take_them_again() {
    let mut window = Window::new(WindowSettings {
        most_points: 2,
        ..WindowSettings::default()
    });
    for hour in [2, 0, 1] {
        window.take(
            0,
            abandonment(
                1,
                &hour.to_string(),
                START.plus(hour * HOUR_MS),
                1,
                hour == 1,
            ),
        );
    }
    assert_eq!(labels(&window, Target::Abandonment, LATER), [true, false]);
    let whole_from = |target| window.rows(target, LATER).whole_from;
    assert_eq!(whole_from(Target::Abandonment), START.plus(1));
    assert_eq!(whole_from(Target::Drift), EpochMs::EARLIEST);
    assert_eq!(
        window.take(0, abandonment(1, "0", START, 9, true)),
        Taken::TooOld
    );
}

#[test]
fn a_session_in_which_an_offer_was_served_is_left_out_and_counted() {
    let mut window = window();
    window.take(0, abandonment(1, "before", START, 1, true));
    window.decided(&served(1, START.plus(-30_000), true));
    window.take(0, abandonment(2, "after", START, 1, true));
    window.decided(&served(2, START.plus(10 * MINUTE_MS), true));
    window.take(0, abandonment(3, "never", START, 1, true));
    window.decided(&served(3, START.plus(5 * HOUR_MS), true));
    let rows = window.rows(Target::Abandonment, LATER);
    let shoppers: Vec<_> = rows.rows.iter().map(|row| row.shopper).collect();
    assert_eq!(shoppers, [shopper(3)]);
    assert_eq!(rows.left_out.treated, 2);
    assert_eq!(rows.treated_at, [START, START]);
}

#[test]
fn each_target_holds_its_own_decisions() {
    let mut window = Window::new(WindowSettings {
        most_decisions: 1,
        ..WindowSettings::default()
    });
    window.take(0, abandonment(1, "a", START, 1, true));
    window.decided_for(Target::Drift, &served(1, START, true));
    window.decided_for(Target::Drift, &served(2, START.plus(HOUR_MS), true));
    let rows = window.rows(Target::Abandonment, LATER);
    assert_eq!((rows.rows.len(), rows.whole_from), (1, EpochMs::EARLIEST));
    window.decided(&served(1, START.plus(-HOUR_MS), false));
    window.decided(&served(1, START, false));
    let rows = window.rows(Target::Abandonment, LATER);
    assert_eq!(rows.rows.len(), 1, "it is not known of what lies earlier");
    assert!(rows.whole_from > START.plus(-HOUR_MS));
}

#[test]
fn who_was_spared_stands_for_all_who_were_not() {
    let mut window = window();
    window.take(0, abandonment(1, "a", START, 1, true));
    window.decided(&served(1, START, false));
    let rows = window.rows(Target::Abandonment, LATER).rows;
    assert!((rows[0].weight() - 20.0).abs() < 1e-9);
}

#[test]
fn drift_is_what_a_shopper_had_done_a_horizon_later() {
    let mut window = window();
    for (number, before, after) in [(1, 8, 8), (2, 8, 2)] {
        window.take(0, drift(number, 0, before));
        window.take(0, drift(number, 7, after));
    }
    // Who is away is told of no more; others are.
    window.take(0, drift(3, 0, 8));
    // What happened in another partition says nothing of this one.
    window.take(1, drift(4, 0, 8));
    window.take(0, drift(5, 9, 8));
    let rows = window.rows(Target::Drift, LATER);
    let labels: Vec<_> = rows
        .rows
        .iter()
        .map(|row| (row.shopper, row.label))
        .collect();
    let expected = [(shopper(1), false), (shopper(2), true), (shopper(3), true)];
    assert_eq!(labels, expected);
    assert_eq!(
        rows.left_out.uncertain, 3,
        "that of partition 1, and the latest ones that did enough"
    );
    assert_eq!(rows.left_out.inactive, 1);
}

#[test]
fn drift_is_certain_a_horizon_and_late_events_after_the_point() {
    let mut window = window();
    window.take(0, drift(1, 0, 8));
    window.take(0, drift(1, 7, 8));
    window.take(0, drift(1, 30, 8));
    let certain = START.plus(7 * DAY_MS + 25 * HOUR_MS);
    assert_eq!(
        labels(&window, Target::Drift, certain.plus(-1)),
        [] as [bool; 0]
    );
    assert_eq!(labels(&window, Target::Drift, certain), [false]);
}

#[test]
fn an_offer_within_a_horizon_before_or_after_treats_a_point_of_drift() {
    let week = 7 * 24;
    let cases = [
        (-week - 1, 1),
        (-week, 0),
        (-1, 0),
        (1, 0),
        (week, 0),
        (week + 1, 1),
    ];
    for (hours, rows) in cases {
        let mut window = window();
        window.take(0, drift(1, 0, 8));
        window.take(0, drift(2, 9, 8));
        window.decided(&served(1, START.plus(hours * HOUR_MS), true));
        assert_eq!(labels(&window, Target::Drift, LATER).len(), rows, "{hours}");
    }
}

#[test]
fn a_unit_is_a_session_or_a_horizon_of_a_shopper() {
    let mut window = window();
    for (name, minute) in [("a", 0), ("b", 5)] {
        let mut example = abandonment(1, name, START.plus(minute * MINUTE_MS), 1, true);
        example.point.as_mut().unwrap().session_started_at = Some(START);
        window.take(0, example);
    }
    window.take(0, abandonment(2, "c", START, 1, true));
    let rows = window.rows(Target::Abandonment, LATER);
    let sizes = |from| -> Vec<_> {
        let units = rows.units(from, 0);
        units.iter().map(|unit| unit.rows.len()).collect()
    };
    assert_eq!(sizes(START), [1, 2]);
    assert_eq!(
        sizes(START.plus(1)),
        [] as [usize; 0],
        "half a session is none"
    );

    for day in 0..21 {
        window.take(0, drift(1, day, 8));
    }
    let rows = window.rows(Target::Drift, LATER);
    let units = rows.units(START.plus(DAY_MS), 7 * DAY_MS);
    let days: Vec<_> = units
        .iter()
        .map(|unit| unit.rows[0].at.since(START) / DAY_MS)
        .collect();
    assert_eq!(days, [1, 8], "days 9 to 12 overlap with 8");
}

/// A purchase is told at once, an abandonment when the session is over. Whoever trains on what is known learns that everybody buys.
#[test]
fn early_labels_do_not_bias_what_is_learnt_from() {
    // One visit a minute for ten hours; exactly every second one is abandoned. Now is the end of the tenth.
    let now = START.plus(10 * HOUR_MS);
    let mut window = window();
    let (mut known, mut abandoned) = (0, 0);
    for minute in 0..600 {
        let at = START.plus(minute * MINUTE_MS);
        let label = minute % 2 == 0;
        let told_at = if label {
            at.plus(150 * MINUTE_MS)
        } else {
            at.plus(MINUTE_MS)
        };
        if told_at <= now {
            known += 1;
            abandoned += i32::from(label);
            window.take(0, abandonment(1, &minute.to_string(), at, 1, label));
        }
    }
    let naive = f64::from(abandoned) / f64::from(known);
    assert!(naive < 0.45, "what is known is full of purchases: {naive}");
    let labels = labels(&window, Target::Abandonment, now);
    let rate = labels.iter().filter(|label| **label).count() as f64 / labels.len() as f64;
    assert!((rate - 0.5).abs() < 0.005, "{rate}");
    assert!(labels.len() > 400);
}

/// Weights give the mean of everybody without an offer, though those who are left out are unlike those who are not.
#[test]
fn weights_undo_that_offers_go_to_those_who_need_them() {
    let mut window = window();
    // 4000 shoppers: of the half who hesitates 80 % abandon without an offer, of the others 20 %. The policy makes an offer to who
    // hesitates; one in twenty never gets any.
    let mut number = 0_u32;
    for hesitates in [true, false] {
        for of_half in 0..2_000_u32 {
            let spared = of_half % 20 == 0;
            let label = (of_half / 20 % 5 == 0) != hesitates;
            let shopper = ShopperId(u128::from(number).to_be_bytes());
            number += 1;
            let mut example = abandonment(1, &number.to_string(), START, 1, label);
            example.shopper_id = shopper;
            window.take(0, example);
            if hesitates {
                window.decided(&Decided {
                    shopper,
                    ..served(1, START, !spared)
                });
            }
        }
    }
    let rows = window.rows(Target::Abandonment, LATER).rows;
    let mean = |weight: &dyn Fn(&Row) -> f64| {
        let all: f64 = rows.iter().map(weight).sum();
        let abandoned = rows.iter().filter(|row| row.label);
        abandoned.map(weight).sum::<f64>() / all
    };
    assert!(mean(&|_| 1.0) < 0.3, "those who are left hardly hesitate");
    assert!((mean(&Row::weight) - 0.5).abs() < 0.01);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn neither_order_nor_repetition_leaves_a_trace(
        examples in prop::collection::vec((0_u8..4, 0_i64..6, 0_u64..4), 1..24),
        order in any::<u64>(),
    ) {
        let examples: Vec<Example> = examples
            .iter()
            .map(|(number, hour, revision)| {
                // Equal revisions of one point are equal.
                let label = *revision % 2 == 0;
                abandonment(*number, &hour.to_string(), START.plus(hour * HOUR_MS), *revision, label)
            })
            .collect();
        let of = |examples: &[&Example]| {
            let mut window = window();
            for example in examples {
                window.take(0, (*example).clone());
            }
            window.decided(&served(1, START.plus(2 * HOUR_MS), true));
            window.rows(Target::Abandonment, LATER)
        };
        let once: Vec<&Example> = examples.iter().collect();
        let mut again: Vec<&Example> = examples.iter().chain(&examples).collect();
        let mut state = order | 1;
        for place in (1..again.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            again.swap(place, (state >> 33) as usize % (place + 1));
        }
        prop_assert_eq!(of(&once), of(&again));
    }

    #[test]
    fn no_row_is_from_later_than_its_label_is_certain(day in 0_i64..20, hours in 0_i64..600) {
        let mut window = window();
        for day in 0..=day {
            window.take(0, drift(1, day, 8));
        }
        let now = START.plus(hours * HOUR_MS);
        for row in window.rows(Target::Drift, now).rows {
            prop_assert!(row.certain_at <= now);
            prop_assert!(row.at.plus(window.certain_after_ms(Target::Drift)) <= row.certain_at);
            prop_assert_eq!(row.get(Feature::ActionsTotal), Some(8.0));
        }
    }
}

/// The same example, told when these devices had turned out to be the shopper's.
fn with_devices(mut example: Example, devices: &[u8]) -> Example {
    if let Some(point) = &mut example.point {
        point.devices = devices.iter().copied().map(shopper).collect();
    }
    example
}

#[test]
fn an_offer_shown_to_a_device_before_its_shopper_was_known_was_shown_to_the_shopper() {
    let shown = served(9, START.plus(-30_000), true);
    let point = |devices| with_devices(abandonment(1, "a", START, 1, true), devices);
    for is_early in [true, false] {
        let mut window = window();
        if is_early {
            window.decided(&shown);
        }
        window.take(0, point(&[8, 9]));
        if !is_early {
            window.decided(&shown);
        }
        let rows = window.rows(Target::Abandonment, LATER);
        assert_eq!((rows.rows.len(), rows.left_out.treated), (0, 1));
    }
    let mut window = window();
    window.decided(&shown);
    window.take(0, point(&[8]));
    assert_eq!(labels(&window, Target::Abandonment, LATER), [true]);
}

#[test]
fn who_could_have_been_shown_an_offer_under_two_names_is_spared_by_both() {
    let mut window = window();
    window.decided(&served(9, START.plus(-30_000), false));
    window.decided(&served(1, START.plus(10_000), false));
    window.take(0, with_devices(abandonment(1, "a", START, 1, true), &[9]));
    let rows = window.rows(Target::Abandonment, LATER).rows;
    // One in twenty twice would be 400, and no point may stand for so many.
    assert!((rows[0].stands_for - 50.0).abs() < 1e-9);
}

#[test]
fn what_was_shown_to_strangers_counts_once_they_turn_out_to_be_someones() {
    let mut window = window();
    let shown = |at: EpochMs| served(9, at, true);
    window.decided_for_stranger(&shown(START.plus(-30_000)));
    assert!(!window.is_device(Target::Abandonment, &shopper(9)));
    let point = |id: &str, at| with_devices(abandonment(1, id, at, 1, true), &[9]);
    window.take(0, point("a", START));
    window.take(0, point("b", START.plus(5 * HOUR_MS)));
    assert!(window.is_device(Target::Abandonment, &shopper(9)));
    assert!(!window.is_device(Target::Drift, &shopper(9)));
    let rows = window.rows(Target::Abandonment, LATER);
    assert_eq!((rows.rows.len(), rows.left_out.treated), (1, 1));
    window.decided_for(Target::Abandonment, &shown(START.plus(5 * HOUR_MS)));
    let rows = window.rows(Target::Abandonment, LATER);
    assert_eq!((rows.rows.len(), rows.left_out.treated), (0, 2));
}

/// It goes on under another name: that nothing more is told of it says nothing.
#[test]
fn a_device_whose_shopper_signed_in_has_not_drifted() {
    let mut window = window();
    window.take(0, drift(9, 0, 10));
    window.take(0, drift(2, 40, 10));
    assert_eq!(
        labels(&window, Target::Drift, LATER),
        [true],
        "nothing more is told of it, while of others there is"
    );
    window.take(0, with_devices(drift(1, 40, 10), &[9]));
    let rows = window.rows(Target::Drift, LATER);
    assert_eq!((rows.rows.len(), rows.left_out.signed_in), (0, 1));
}

#[test]
fn the_points_of_drift_of_a_shoppers_day_count_as_one() {
    let mut window = window();
    // Each day at noon, and twice more on the second.
    let noon = -(START.0.rem_euclid(DAY_MS)) + 12 * HOUR_MS;
    let point = |day: i64, name: &str, hours: i64| {
        let mut example = drift(1, day, 10);
        let at = START.plus(day * DAY_MS + noon + hours * HOUR_MS);
        example.id = Text::new(&format!("{}/drift/{day}/{name}", shopper(1))).unwrap();
        example.point.as_mut().unwrap().at = at;
        example
    };
    for (day, name, hours) in [
        (0, "", 0),
        (1, "a", -3),
        (1, "", 0),
        (1, "b", 5),
        (2, "", 0),
    ] {
        window.take(0, point(day, name, hours));
    }
    // What became of them is told by a later one.
    window.take(0, point(20, "", 0));
    let rows = window.rows(Target::Drift, LATER).rows;
    let shares: Vec<_> = rows.iter().take(5).map(|row| row.share * 3.0).collect();
    let expected = [3.0, 1.0, 1.0, 1.0, 3.0];
    assert!(
        shares
            .iter()
            .zip(expected)
            .all(|(share, expected)| (share - expected).abs() < 1e-9),
        "{shares:?}"
    );
}
