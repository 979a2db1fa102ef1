//! One person under several pseudonyms: links, contributions and what they combine to.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail it")]

mod support;

use foretide_events::{Event, ShopperId};
use foretide_features::{
    Contributed, Contribution, Feature, FoldRules, IdHash, Link, Linked, Profile, Reference,
    SOURCE_LIMIT, State,
};
use proptest::prelude::*;
use support::*;

/// What sums of four parts may lose together that are nothing each.
const NEGLIGIBLE: f64 = 5e-3;

const KNOWN: ShopperId = ShopperId([1; 16]);

fn source(number: u8) -> ShopperId {
    ShopperId([100 + number; 16])
}

fn link(at_minute: i64) -> Link {
    Link {
        known: KNOWN,
        at: START.plus(at_minute * MINUTE_MS),
        id: IdHash::of("link"),
    }
}

/// The profile of `shopper` after `events`, linked where it is anonymous.
fn profile(shopper: ShopperId, events: &[Event]) -> Profile {
    let (mut profile, rules) = (Profile::new(shopper), FoldRules::default());
    for (event, offset) in events.iter().zip(0..) {
        assert!(profile.apply(event, offset, &rules).is_some());
    }
    if shopper != KNOWN {
        let offset = profile.next_offset();
        assert_eq!(profile.apply_link(link(0), offset), Some(Linked::First));
    }
    profile
}

/// What each source contributes after half of its events, at least one, and after all.
fn contributions(sources: &[Vec<Event>]) -> Vec<Contribution> {
    let of = |(events, number): (&Vec<Event>, u8)| {
        let half = &events[..events.len().div_ceil(2)];
        [half, events].map(|events| profile(source(number), events).contribution().unwrap())
    };
    sources.iter().zip(0..).flat_map(of).collect()
}

/// Events with ids of their own.
fn renamed(events: Vec<Event>, number: u8) -> Vec<Event> {
    let rename = |event: Event| Event {
        id: foretide_events::EventId::new(&format!("{number}-{}", event.id)).unwrap(),
        ..event
    };
    events.into_iter().map(rename).collect()
}

fn people(sources: usize) -> impl Strategy<Value = (Vec<Event>, Vec<Vec<Event>>)> {
    let sources = prop::collection::vec(arrivals(5 * DAY_MS), 1..=sources);
    (arrivals(5 * DAY_MS), sources).prop_map(|(own, sources)| {
        let sources = sources
            .into_iter()
            .zip(0..)
            .map(|(events, number)| renamed(events, number));
        (own, sources.collect())
    })
}

fn contribute(profile: &mut Profile, contribution: &Contribution) -> Contributed {
    profile.contribute(contribution.clone(), &FoldRules::default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whenever, in whatever order and however often contributions come, the same profile comes of them.
    #[test]
    fn neither_order_nor_repetition_of_contributions_leaves_a_trace(
        ((own, sources), order) in people(3).prop_flat_map(|(own, sources)| {
            let all = (0..sources.len() * 2).chain(0..sources.len() * 2).collect::<Vec<_>>();
            (Just((own, sources)), Just(all).prop_shuffle())
        }),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        let rules = FoldRules::default();
        let contributions = contributions(&sources);
        let mut plain = profile(KNOWN, &own);
        for contribution in &contributions {
            prop_assert_ne!(contribute(&mut plain, contribution), Contributed::Refused);
        }
        let mut mixed = Profile::new(KNOWN);
        let mut applied = 0;
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(own.len() + 1)).collect();
        cuts.sort_unstable();
        for (place, contribution) in order.iter().zip(0..) {
            let until = cuts.get(contribution).copied().unwrap_or(own.len());
            for (event, offset) in own.iter().zip(0..).take(until).skip(applied) {
                prop_assert!(mixed.apply(event, offset, &rules).is_some());
                applied = applied.max(usize::try_from(offset).unwrap() + 1);
            }
            let _ = contribute(&mut mixed, &contributions[*place]);
        }
        for (event, offset) in own.iter().zip(0..).skip(applied) {
            prop_assert!(mixed.apply(event, offset, &rules).is_some());
        }
        prop_assert_eq!(bits(mixed.state()), bits(plain.state()));
        let mut bytes = Vec::new();
        mixed.encode(&rules, &mut bytes);
        let decoded = Profile::decode(mixed.shopper(), &bytes, &rules).unwrap();
        prop_assert_eq!(bits(decoded.state()), bits(plain.state()));
        prop_assert_eq!(decoded.sources().count(), sources.len());
    }

    /// A contribution that was withdrawn was never there, even if an older copy of it comes again.
    #[test]
    fn what_is_withdrawn_leaves_no_trace((own, sources) in people(3), gone in any::<prop::sample::Index>()) {
        let contributions = contributions(&sources);
        let gone = source(u8::try_from(gone.index(sources.len())).unwrap());
        let (mut with, mut without) = (profile(KNOWN, &own), profile(KNOWN, &own));
        for contribution in &contributions {
            let _ = contribute(&mut with, contribution);
            if contribution.source() != gone {
                let _ = contribute(&mut without, contribution);
            }
        }
        let withdrawn = Contribution::withdrawn(gone, u64::MAX);
        prop_assert_eq!(contribute(&mut with, &withdrawn), Contributed::Applied);
        for contribution in &contributions {
            prop_assert_eq!(contribute(&mut with, contribution), Contributed::Older);
        }
        prop_assert_eq!(bits(with.state()), bits(without.state()));
    }

    /// Within a day everything interleaves: it is as if one pseudonym had done it all.
    #[test]
    fn within_a_day_it_is_as_if_one_had_done_it_all(
        own in arrivals(20 * HOUR_MS),
        other in arrivals(20 * HOUR_MS),
    ) {
        let other = renamed(other, 9);
        let mut merged = profile(KNOWN, &own);
        let _ = contribute(&mut merged, &profile(source(9), &other).contribution().unwrap());
        let all = [own, other].concat();
        let distinct = distinct(&all);
        prop_assert_eq!(bits(merged.state()), bits(&plain_fold(distinct.iter().copied())));
    }

    /// A contribution survives being stored.
    #[test]
    fn a_contribution_survives_being_stored(events in arrivals(3 * DAY_MS)) {
        let rules = FoldRules::default();
        for contribution in [profile(source(1), &events).contribution().unwrap(), Contribution::withdrawn(source(1), 7)] {
            let mut bytes = Vec::new();
            contribution.encode(&rules, &mut bytes);
            prop_assert_eq!(Contribution::decode(contribution.source(), &bytes, &rules), Ok(contribution));
        }
    }

    /// Counts add and nothing leaves its range, however different the parts are.
    #[test]
    fn combined_statistics_add_up((own, sources) in people(4), later_ms in 0..40 * DAY_MS) {
        let (rules, reference) = (FoldRules::default(), Reference::prior());
        let mut all = vec![plain_fold(distinct(&own))];
        all.extend(sources.iter().map(|events| plain_fold(distinct(events))));
        let parts: Vec<&State> = all.iter().collect();
        let combined = State::combine(&parts);
        prop_assert_eq!(combined.actions(), parts.iter().map(|part| part.actions()).sum::<u64>());
        prop_assert_eq!(combined.first_seen(), parts.iter().filter_map(|part| part.first_seen()).min());
        prop_assert_eq!(combined.last_seen(), parts.iter().filter_map(|part| part.last_seen()).max());
        let now = combined.as_of().plus(later_ms);
        let features = combined.features(now, &rules, &reference);
        for (spec, value) in features.iter() {
            prop_assert!(value.is_none_or(|value| (spec.min..=spec.max).contains(&value)), "{}: {value:?}", spec.name);
        }
        for feature in [Feature::Engagement7d, Feature::Searches30d, Feature::DwellSeconds1d] {
            let of = |part: &&State| part.features(now, &rules, &reference).get(feature).unwrap();
            let sum: f64 = parts.iter().map(of).sum();
            let whole = features.get(feature).unwrap();
            prop_assert!((whole - sum).abs() <= NEGLIGIBLE + 1e-9 * sum, "{feature:?}: {whole} and {sum}");
        }
    }
}

#[test]
fn the_earliest_link_counts() {
    let mut anonymous = Profile::new(source(0));
    assert!(anonymous.link().is_none() && anonymous.contribution().is_none());
    let other = Link {
        known: ShopperId([2; 16]),
        ..link(5)
    };
    assert_eq!(anonymous.apply_link(other, 10), Some(Linked::First));
    assert_eq!(anonymous.apply_link(other, 10), None, "applied before");
    let former = Some(other.known);
    assert_eq!(
        anonymous.apply_link(link(0), 11),
        Some(Linked::Earlier { former })
    );
    assert_eq!(anonymous.apply_link(link(3), 12), Some(Linked::Later));
    assert_eq!(anonymous.link(), Some(&link(0)));
    assert!(
        anonymous.contribution().is_none(),
        "nothing was done under its own name: it takes no place of a device with a history"
    );
    let view = event("view", START, product_view("mug", "kitchen", None));
    let applied = anonymous.apply(&view, 13, &FoldRules::default());
    assert!(applied.is_some());
    let contribution = anonymous.contribution().unwrap();
    assert_eq!(
        (contribution.source(), contribution.position()),
        (source(0), 14)
    );
}

#[test]
fn a_fifth_source_is_refused_until_another_withdraws() {
    let view = [event("view", START, product_view("mug", "kitchen", None))];
    let of = |number: u8| profile(source(number), &view).contribution().unwrap();
    let mut known = Profile::new(KNOWN);
    for number in 0..u8::try_from(SOURCE_LIMIT).unwrap() {
        assert_eq!(contribute(&mut known, &of(number)), Contributed::Applied);
    }
    assert_eq!(contribute(&mut known, &of(9)), Contributed::Refused);
    assert_eq!(contribute(&mut known, &of(1)), Contributed::Older);
    let withdrawn = Contribution::withdrawn(source(1), 1_000);
    assert_eq!(contribute(&mut known, &withdrawn), Contributed::Applied);
    assert_eq!(contribute(&mut known, &of(9)), Contributed::Applied);
    let itself = Contribution::withdrawn(KNOWN, 1);
    assert_eq!(contribute(&mut known, &itself), Contributed::Refused);
}

#[test]
fn what_was_put_into_the_cart_before_signing_in_is_there_after() {
    let minute = |minutes: i64| START.plus(minutes * MINUTE_MS);
    let before = [
        event("view", START, product_view("mug", "kitchen", Some(20_000))),
        event("add", minute(1), cart_add("mug", 1250, 2)),
    ];
    let after = [event(
        "search",
        minute(3),
        foretide_events::Action::Search(foretide_events::Search::default()),
    )];
    let mut known = profile(KNOWN, &after);
    let _ = contribute(
        &mut known,
        &profile(source(1), &before).contribution().unwrap(),
    );
    let features = known
        .state()
        .features(minute(4), &FoldRules::default(), &Reference::prior());
    for (feature, value) in [
        (Feature::CartValue, 25.0),
        (Feature::SessionActions, 3.0),
        (Feature::SessionsTotal, 1.0),
        (Feature::SessionSeconds, 240.0),
        (Feature::TopCategoryShare, 1.0),
    ] {
        assert_eq!(features.get(feature), Some(value), "{feature:?}");
    }
}
