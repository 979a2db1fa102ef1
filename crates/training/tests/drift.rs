//! Drift from the events of shoppers to a judged model: who comes less is found.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use foretide_events::{
    Action, EpochMs, Event, EventId, Identity, ProductView, ShopperId, SourceId, Text,
};
use foretide_features::{Feature, FoldRules, Profile, Reference};
use foretide_models::{
    Target,
    example::{Example, Point, Snapshot},
};
use foretide_training::{
    Kind, TrainSettings, Training, train,
    window::{Window, WindowSettings},
};

const START: EpochMs = EpochMs(1_790_000_000_000);
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const SHOPPERS: u64 = 240;
const DAYS: u64 = 64;

/// A number from 0 to 1 that looks random and follows from what it is drawn for.
fn luck(shopper: u64, day: u64) -> f64 {
    let mut z = shopper << 20 ^ day;
    for _ in 0..3 {
        z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
    }
    (z >> 11) as f64 / (1_u64 << 53) as f64
}

/// Points of a shopper who comes on so many days, and from a day between 20 and 50 on, if there is one, on a tenth of those.
fn tell(number: u64, window: &mut Window) {
    let shopper = ShopperId((u128::from(number + 1) << 64).to_be_bytes());
    let often = 0.3 + 0.6 * luck(number, 1_000);
    let drops_on = number.is_multiple_of(3).then(|| 20 + number % 30);
    let (rules, reference) = (FoldRules::default(), Reference::prior());
    let mut profile = Profile::new(shopper);
    let mut offset = 0;
    for day in 0..DAYS {
        let midnight = START.plus(i64::try_from(day).unwrap() * DAY_MS);
        let is_gone = drops_on.is_some_and(|drops_on| day >= drops_on);
        if luck(number, day) < if is_gone { often / 10.0 } else { often } {
            for view in 0..5 {
                let at = midnight.plus(10 * HOUR_MS + view * 60_000);
                let event = Event {
                    id: EventId::new(&format!("{number}/{offset}")).unwrap(),
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
                offset += 1;
            }
        }
        let at = midnight.plus(20 * HOUR_MS);
        let state = profile.state();
        if state.sessions() < 3 {
            continue;
        }
        let known = Snapshot::take(state, at, &rules, &reference).unwrap();
        if known.get(Feature::Actions30d).unwrap() < 1.0 {
            continue;
        }
        let example = Example {
            id: Text::new(&format!("{shopper}/drift/{}", at.0)).unwrap(),
            kind: Target::Drift,
            revision: offset,
            shopper_id: shopper,
            point: Some(Point {
                at,
                session_started_at: None,
                session_ended_at: None,
                weight: 1.0,
                label: None,
                certain_at: at.plus(25 * HOUR_MS),
                devices: Vec::new(),
                known,
            }),
        };
        window.take(0, example);
    }
}

#[test]
fn who_comes_less_is_found_on_later_data() {
    let mut window = Window::new(WindowSettings::default());
    (0..SHOPPERS).for_each(|number| tell(number, &mut window));
    let now = START.plus(200 * DAY_MS);
    let rows = window.rows(Target::Drift, now);
    let settings = TrainSettings {
        kinds: vec![Kind::Logistic],
        bootstrap_samples: 20,
        ..TrainSettings::default()
    };
    let training = Training {
        target: Target::Drift,
        gap_ms: window.certain_after_ms(Target::Drift),
        reference: "prior",
        cohorts: None,
        seed: 1,
        now,
    };
    let card = train(&rows, &settings, &training).unwrap().card;
    let metrics = card.metrics.unwrap();
    assert!(metrics.auc.value > 0.7, "{metrics:?} of {:?}", card.test);
}
