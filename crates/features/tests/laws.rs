//! The laws of the fold, over made-up streams.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail it")]

mod support;

use foretide_events::{EpochMs, Fate};
use foretide_features::{
    CATALOGUE, FoldRules, Observation, Profile, ProfileDigest, Reference, State,
};
use proptest::prelude::*;
use support::*;

fn digest(profile: &Profile) -> String {
    let mut digest = ProfileDigest::new();
    digest.add(profile);
    digest.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// However late (below a day) and however often events arrive, the state is the plain fold of each once, bit
    /// for bit, and the fates add up to the same.
    #[test]
    fn neither_order_nor_copies_leave_a_trace(arrivals in arrivals(10 * DAY_MS)) {
        let (profile, applied) = profile_of(&arrivals);
        let distinct = distinct(&arrivals);
        let plain = plain_fold(distinct.iter().copied());
        prop_assert_eq!(bits(profile.state()), bits(&plain));

        let count = |fate| applied.iter().filter(|applied| applied.fate == fate).count();
        prop_assert_eq!(count(Fate::Folded), distinct.len());
        prop_assert_eq!(count(Fate::Duplicate), arrivals.len() - distinct.len());
        prop_assert_eq!(count(Fate::Late), 0);

        let mut in_order = distinct;
        in_order.sort_by_key(|event| Observation::of(event).key());
        prop_assert_eq!(digest(&profile), digest(&profile_of(in_order).0));
    }

    /// Within a day any order whatever is as good as any other.
    #[test]
    fn within_a_day_any_order_gives_the_same(
        (forth, shuffled) in arrivals(23 * HOUR_MS)
            .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
    ) {
        let ((one, _), (other, _)) = (profile_of(&forth), profile_of(&shuffled));
        prop_assert_eq!(bits(one.state()), bits(other.state()));
        prop_assert_eq!(digest(&one), digest(&other));
    }

    /// A feature that is asked for alone is what it is among all of them, to the last bit.
    #[test]
    fn whichever_features_are_read_and_in_which_order_they_are_the_same(
        arrivals in arrivals(10 * DAY_MS),
        after in prop::sample::select(vec![-HOUR_MS, 0, 1, HOUR_MS, 40 * DAY_MS]),
        asked in prop::collection::vec(any::<prop::sample::Index>(), 1..9),
    ) {
        let (profile, _) = profile_of(&arrivals);
        let state = profile.state();
        let (rules, reference) = (FoldRules::default(), Reference::prior());
        let now = state.as_of().plus(after);
        let all = state.features(now, &rules, &reference);
        let reading = state.reading(now, &rules, &reference);
        for asked in asked {
            let spec = asked.get(&CATALOGUE);
            let alone = reading.get(spec.feature).map(f64::to_bits);
            prop_assert_eq!(alone, all.get(spec.feature).map(f64::to_bits), "{}", spec.name);
        }
    }

    /// Applying again what was applied, from any offset on, changes nothing.
    #[test]
    fn replay_is_a_no_op(arrivals in arrivals(4 * DAY_MS), from in any::<prop::sample::Index>()) {
        let rules = FoldRules::default();
        let (mut profile, _) = profile_of(&arrivals);
        let before = profile.clone();
        for (event, offset) in arrivals.iter().zip(0..).skip(from.index(arrivals.len())) {
            prop_assert_eq!(profile.apply(event, offset, &rules), None);
        }
        prop_assert_eq!(profile, before);
    }

    /// A profile can be stored and read back between any two events.
    #[test]
    fn storing_in_between_changes_nothing(arrivals in arrivals(4 * DAY_MS), at in any::<prop::sample::Index>()) {
        let rules = FoldRules::default();
        let (whole, _) = profile_of(&arrivals);
        let cut = at.index(arrivals.len());
        let (before, _) = profile_of(&arrivals[..cut]);
        let mut bytes = Vec::new();
        before.encode(&rules, &mut bytes);
        let mut resumed = Profile::decode(SHOPPER, &bytes, &rules).unwrap();
        prop_assert_eq!(&resumed, &before);
        for (event, offset) in arrivals.iter().zip(0..).skip(cut) {
            prop_assert!(resumed.apply(event, offset, &rules).is_some());
        }
        prop_assert_eq!(bits(resumed.state()), bits(whole.state()));
        prop_assert_eq!(resumed, whole);
    }

    /// The state at an earlier time is that of the events until then, or unknown. Where nothing happened between what is settled
    /// and then, it may be rounded already.
    #[test]
    fn a_state_of_the_past_is_that_of_the_events_until_then(
        arrivals in arrivals(3 * DAY_MS),
        back_ms in (0..4 * 24 * 12_i64).prop_map(|steps| steps * 5 * MINUTE_MS),
    ) {
        let rules = FoldRules::default();
        let (profile, _) = profile_of(&arrivals);
        let newest = profile.newest_at().unwrap();
        let at = newest.plus(-back_ms);
        let until: Vec<_> = distinct(&arrivals).into_iter().filter(|event| event.at <= at).collect();
        match profile.state_at(at, &rules) {
            Some(state) if !bits(&state).contains("rounded: true") => {
                prop_assert_eq!(bits(&state), bits(&plain_fold(until)));
            }
            Some(state) => {
                let of = |state: &State| state.features(at, &rules, &Reference::prior());
                let (state, plain) = (of(&state), of(&plain_fold(until)));
                for ((spec, here), (_, there)) in state.iter().zip(plain.iter()) {
                    let (here, there) = (here.unwrap_or(-1.0), there.unwrap_or(-1.0));
                    let near = (here - there).abs() <= 1e-9 * there.abs().max(1.0);
                    prop_assert!(near, "{}: {here} and {there}", spec.name);
                }
            }
            None => prop_assert!(back_ms > 25 * HOUR_MS, "the last 25 hours are always known"),
        }
    }

    /// Over the years, with amounts of any size and read at any time, every feature is finite and within its range.
    #[test]
    fn features_stay_finite_and_in_range(
        events in prop::collection::vec((any::<i64>(), any_action()), 1..40),
        now: i64,
    ) {
        let rules = FoldRules::default();
        let events: Vec<_> = events.into_iter().enumerate()
            .map(|(n, (at, action))| event(&n.to_string(), EpochMs(at), action)).collect();
        let (profile, _) = profile_of(&events);
        for (what, state) in [("profile", profile.state().clone()), ("plain fold", plain_fold(&events))] {
            for now in [EpochMs(now), profile.newest_at().unwrap()] {
                for (spec, value) in state.features(now, &rules, &Reference::prior()).iter() {
                    let Some(value) = value else { continue };
                    let fits = value.is_finite() && (spec.min..=spec.max).contains(&value);
                    prop_assert!(fits, "{what}: {} is {value}", spec.name);
                }
            }
            let shares: f64 = state.top_categories(16).iter().map(|top| top.share).sum();
            prop_assert!(shares <= 1.0 + 1e-9);
        }
    }

    /// Bytes from anywhere are refused or make a profile that works; they never panic.
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let rules = FoldRules::default();
        let mut framed = vec![4];
        framed.extend_from_slice(&rules.version().to_le_bytes());
        framed.extend_from_slice(&bytes);
        for bytes in [bytes, framed] {
            use_if_readable(&bytes, &rules);
        }
    }

    #[test]
    fn a_damaged_profile_does_no_harm(
        arrivals in arrivals(2 * DAY_MS),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let rules = FoldRules::default();
        let mut bytes = Vec::new();
        profile_of(&arrivals).0.encode(&rules, &mut bytes);
        prop_assert!(Profile::decode(SHOPPER, &bytes[..cut.index(bytes.len())], &rules).is_err(), "cut short");
        bytes.push(0);
        prop_assert!(Profile::decode(SHOPPER, &bytes, &rules).is_err(), "too long");
        bytes.pop();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        use_if_readable(&bytes, &rules);
    }
}

fn use_if_readable(bytes: &[u8], rules: &FoldRules) {
    let Ok(mut profile) = Profile::decode(SHOPPER, bytes, rules) else {
        return;
    };
    let _ = profile.apply(
        &event("next", START, cart_add("mug", 100, 1)),
        profile.next_offset(),
        rules,
    );
    assert!(
        profile
            .state()
            .features(START, rules, &Reference::prior())
            .iter()
            .all(|(_, value)| value.unwrap_or(0.0).is_finite())
    );
    let mut again = Vec::new();
    profile.encode(rules, &mut again);
    assert_eq!(
        Profile::decode(SHOPPER, &again, rules).as_ref(),
        Ok(&profile)
    );
}

#[test]
fn a_million_years_of_decay_never_overflow() {
    let rules = FoldRules::default();
    let mut state = State::default();
    for year in 0..2_000 {
        let at = EpochMs(year * 500 * 365 * DAY_MS);
        for second in 0..50 {
            let id = format!("{year}-{second}");
            state.fold(
                &Observation::of(&event(
                    &id,
                    at.plus(second * 1000),
                    product_view("p", "c", Some(u32::MAX)),
                )),
                &rules,
            );
        }
    }
    for (spec, value) in state
        .features(EpochMs(i64::MAX), &rules, &Reference::prior())
        .iter()
    {
        assert!(value.is_none_or(f64::is_finite), "{}", spec.name);
    }
}
