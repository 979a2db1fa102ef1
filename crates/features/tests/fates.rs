//! What becomes of single events: late, duplicate or folded, and what settles when.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail it")]

mod support;

use foretide_events::{EpochMs, Event, Fate};
use foretide_features::{FoldRules, Profile, RECENT_LIMIT};
use support::*;

fn view(id: &str, at: EpochMs) -> Event {
    event(id, at, product_view("mug", "kitchen", Some(10_000)))
}

fn fates(events: &[Event]) -> Vec<Fate> {
    profile_of(events)
        .1
        .iter()
        .map(|applied| applied.fate)
        .collect()
}

fn hours(hours: i64) -> EpochMs {
    START.plus(hours * HOUR_MS)
}

#[test]
fn a_day_behind_the_newest_is_in_time_and_a_millisecond_more_is_late() {
    let events = [
        view("newest", hours(24)),
        view("in time", START),
        view("late", START.plus(-1)),
    ];
    assert_eq!(fates(&events), [Fate::Folded, Fate::Folded, Fate::Late]);
}

#[test]
fn late_is_judged_before_duplicate() {
    let events = [
        view("a", START),
        view("b", START.plus(24 * HOUR_MS + 1)),
        view("a", START),
    ];
    assert_eq!(fates(&events), [Fate::Folded, Fate::Folded, Fate::Late]);
}

#[test]
fn the_id_alone_makes_a_duplicate() {
    let other_content = event("a", START.plus(1000), cart_add("mug", 100, 1));
    let (profile, applied) =
        profile_of(&[view("a", START), other_content.clone(), view("b", START)]);
    assert_eq!(
        applied.map_fates(),
        [Fate::Folded, Fate::Duplicate, Fate::Folded]
    );
    assert!(profile.state().cart().is_empty(), "the earlier copy counts");

    let (profile, applied) = profile_of(&[other_content, view("a", START)]);
    assert_eq!(applied.map_fates(), [Fate::Folded, Fate::Duplicate]);
    assert!(
        profile.state().cart().is_empty(),
        "the earlier copy counts, though it came second"
    );
}

#[test]
fn of_copies_at_one_time_the_same_one_wins_in_any_order() {
    let copies = [
        event("a", START, cart_add("mug", 100, 1)),
        event("a", START, cart_add("tea", 500, 2)),
    ];
    let (one, _) = profile_of(&copies);
    let (other, _) = profile_of(copies.iter().rev());
    assert_eq!(one.state().cart().items(), other.state().cart().items());
}

#[test]
fn when_and_through_whom_an_event_arrived_does_not_matter() {
    let mut other = view("a", START);
    other.received_at = hours(5);
    other.source = foretide_events::SourceId::new("import:again").unwrap();
    assert_eq!(profile_of(&[view("a", START)]).0, profile_of(&[other]).0);
}

#[test]
fn a_copy_moved_by_up_to_an_hour_never_folds_twice_and_one_moved_further_can() {
    let newest_after = |ms| [view("a", START), view("b", START.plus(ms))];
    for newest_ms in (23 * 60..27 * 60).map(|minute| minute * MINUTE_MS) {
        let mut events = newest_after(newest_ms).to_vec();
        events.push(view("a", hours(1)));
        assert_ne!(
            fates(&events)[2],
            Fate::Folded,
            "newest {newest_ms} ms later"
        );
    }
    let mut events = newest_after(25 * HOUR_MS + 1).to_vec();
    events.push(view("a", hours(1).plus(1)));
    assert_eq!(fates(&events)[2], Fate::Folded, "the stated bound");
}

#[test]
fn observations_settle_at_twenty_five_hours() {
    let (profile, _) = profile_of(&[view("a", START), view("b", hours(25))]);
    assert_eq!(profile.recent_len(), 2);
    let (profile, applied) = profile_of(&[view("a", START), view("b", hours(25).plus(1))]);
    assert_eq!((profile.recent_len(), applied[1].settled_early), (1, 0));
    assert!((profile.state().actions(), profile.state().sessions()) == (2, 2));
}

#[test]
fn the_oldest_of_too_many_settle_early_and_are_counted() {
    let events: Vec<_> = (0..1000)
        .map(|n| view(&n.to_string(), START.plus(n * 1000)))
        .collect();
    let (profile, applied) = profile_of(&events);
    assert_eq!(profile.recent_len(), RECENT_LIMIT);
    let early: u32 = applied.iter().map(|applied| applied.settled_early).sum();
    assert_eq!(early as usize, events.len() - RECENT_LIMIT);
    assert_eq!(bits(profile.state()), bits(&plain_fold(&events)));

    let (mut profile, rules) = (profile, FoldRules::default());
    let last_settled = &events[events.len() - RECENT_LIMIT - 1];
    let between = view("x", last_settled.at.plus(-500));
    for (event, offset) in [last_settled, &between].into_iter().zip(1000..) {
        let applied = profile.apply(event, offset, &rules).unwrap();
        assert_eq!(applied.fate, Fate::Late, "it is not after the last settled");
    }
}

#[test]
fn a_bot_with_endless_carts_keeps_its_profile_below_a_megabyte() {
    let rules = FoldRules::default();
    let mut profile = Profile::new(SHOPPER);
    let mut early = 0;
    for n in 0..300 {
        let products = (0..200)
            .map(|p| product(&format!("{n:0>60}-{p:0>60}"), None, Some(1), Some(1)))
            .collect();
        let view = foretide_events::CartView {
            cart_id: None,
            products: foretide_events::List::new(products).unwrap(),
        };
        let event = event(
            &n.to_string(),
            START.plus(n * 1000),
            foretide_events::Action::CartView(view),
        );
        early += profile
            .apply(&event, n.cast_unsigned(), &rules)
            .unwrap()
            .settled_early;
    }
    let mut bytes = Vec::new();
    profile.encode(&rules, &mut bytes);
    assert!(bytes.len() < 1_000_000, "{} bytes", bytes.len());
    assert!(early > 0 && profile.recent_len() > 1);
    assert_eq!(Profile::decode(SHOPPER, &bytes, &rules).unwrap(), profile);
}

trait MapFates {
    fn map_fates(&self) -> Vec<Fate>;
}

impl MapFates for Vec<foretide_features::Applied> {
    fn map_fates(&self) -> Vec<Fate> {
        self.iter().map(|applied| applied.fate).collect()
    }
}
