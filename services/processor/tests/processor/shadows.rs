//! Folding into shadows: exactly as live, on from where one stopped, at a pace, and with late events at their place.

use std::sync::Arc;

use foretide_events::{EpochMs, Event};
use foretide_features::{FoldRules, Reference};
use foretide_ports::{ACTIONS, Log, ReadOnlyLog};
use foretide_processor::{
    FoldedLog, fold_all,
    replay::{
        AloneReplay, Lateness, Placed, RanAlone, Sight, compare, feature_differences,
        shadow::{Shadow, Shadows, Terms},
    },
};
use foretide_runtime::CancellationToken;

use crate::support::{LONG, Rig, event, events, shopper};

const DAY_MS: i64 = 86_400_000;

/// A replay of all that `rig` holds.
async fn whole(rig: &Rig) -> AloneReplay {
    AloneReplay {
        log: ReadOnlyLog::new(Arc::new(rig.log.clone())),
        begins: vec![0; rig.partitions as usize],
        ends: rig.log.end_offsets(ACTIONS).await.unwrap(),
        rules: FoldRules::default(),
        speed: None,
        lateness: None,
    }
}

async fn run(replay: &AloneReplay, onto: FoldedLog) -> RanAlone {
    let never = CancellationToken::new();
    let running = tokio::time::timeout(LONG, replay.run(onto, &never, |_| ()));
    running.await.unwrap().unwrap()
}

fn make(dir: &std::path::Path, partitions: u32, with_late: bool) -> Shadow {
    let terms = Terms {
        made_at: EpochMs(0),
        log_id: None,
        begins: vec![0; partitions as usize],
        what_if: std::collections::BTreeMap::default(),
        rules: FoldRules::default().version(),
        with_late,
    };
    let shadows = Shadows::within(dir.to_owned());
    shadows.make(&"test".parse().unwrap(), terms).unwrap()
}

/// Folds what `rig` holds beyond what `shadow` does into it. Returns the digest, and what became of late events.
async fn go_on(rig: &Rig, shadow: &Shadow) -> (String, Option<Placed>) {
    let rules = FoldRules::default();
    let held = shadow.load(&rules).unwrap();
    let terms = shadow.terms();
    let replay = AloneReplay {
        begins: held.reached,
        lateness: terms.with_late.then(|| Lateness {
            begins: terms.begins.clone(),
            known: held.late,
        }),
        ..whole(rig).await
    };
    let RanAlone {
        replayed,
        late,
        placed,
    } = run(&replay, held.folded).await;
    assert!(replayed.is_complete);
    let reached: Vec<u64> = replayed.stretches.values().map(|s| s.reached).collect();
    shadow
        .save(&replayed.folded, &reached, &late, &rules)
        .unwrap();
    (replayed.folded.digest().digest, placed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shadow_goes_on_where_it_stopped_and_is_what_one_run_makes() {
    let rig = Rig::new(3).await;
    let dir = tempfile::tempdir().unwrap();
    let shadow = make(dir.path(), 3, false);
    let mut all = Vec::new();
    for seed in 1..=4 {
        let some = events(700, 10, seed);
        rig.append(&some).await;
        all.extend(some);
        let (digest, _) = go_on(&rig, &shadow).await;
        let once = run(&whole(&rig).await, FoldedLog::empty(3)).await;
        assert_eq!(digest, once.replayed.folded.digest().digest);
        assert_eq!(digest, rig.expected().await.digest.digest);
    }
    let (again, _) = go_on(&rig, &shadow).await;
    assert_eq!(again, rig.expected().await.digest.digest, "nothing new");
}

/// Events of some shoppers over a week, in order of time.
fn a_week() -> Vec<Event> {
    let start = 1_795_000_000_000;
    let mut events: Vec<Event> = (0..600_u64)
        .map(|n| {
            let at = EpochMs(start + i64::try_from(n * 37 % 600).unwrap() * 7 * DAY_MS / 600);
            event(&format!("w-{n}"), n % 9, at, n)
        })
        .collect();
    events.sort_by(|a, b| (a.at, a.id.as_str()).cmp(&(b.at, b.id.as_str())));
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_events_at_their_place_make_what_would_be_if_nothing_had_come_late() {
    let in_time = Rig::new(2).await;
    in_time.append(&a_week()).await;
    let expected = run(&whole(&in_time).await, FoldedLog::empty(2)).await;
    let expected = expected.replayed.folded.digest();

    // The same, with the middle of the week at the end, for all but one shopper.
    let is_middle =
        |n: usize, event: &Event| (200..300).contains(&n) && event.shopper != shopper(4);
    let week = a_week().into_iter().enumerate();
    let (middle, rest): (Vec<_>, Vec<_>) = week.partition(|(n, event)| is_middle(*n, event));
    let shuffled: Vec<Event> = rest
        .into_iter()
        .chain(middle)
        .map(|(_, event)| event)
        .collect();
    let rig = Rig::new(2).await;
    let dir = tempfile::tempdir().unwrap();
    let (with, without) = (dir.path().join("with"), dir.path().join("without"));
    let (with, without) = (make(&with, 2, true), make(&without, 2, false));
    for some in shuffled.chunks(230) {
        rig.append(some).await;
        go_on(&rig, &with).await;
        go_on(&rig, &without).await;
    }
    let (digest, placed) = go_on(&rig, &with).await;
    assert_eq!(digest, expected.digest);
    let placed = placed.unwrap();
    assert_eq!((placed.shoppers, placed.still_late), (8, 0), "{placed:?}");
    let (live, _) = go_on(&rig, &without).await;
    assert_ne!(live, expected.digest);

    // What differs is named, and only of the shoppers of whom something was late.
    let rules = FoldRules::default();
    let (with, live) = (
        with.load(&rules).unwrap().folded,
        without.load(&rules).unwrap().folded,
    );
    let found = compare(&with.table, &live.table, 0..2, 20);
    assert_eq!((found.compared, found.differ), (9, 8));
    assert!(!found.first.contains(&shopper(4)));
    let reference = Reference::prior();
    let sight = |table| Sight {
        table,
        rules: &rules,
        reference: &reference,
        at: EpochMs(1_795_000_000_000 + 8 * DAY_MS),
    };
    for shopper in &found.first {
        let different = feature_differences(&sight(&with.table), &sight(&live.table), shopper);
        assert!(
            different.iter().any(|d| d.feature == "actions_total"),
            "{different:?}"
        );
        let same = feature_differences(&sight(&live.table), &sight(&live.table), shopper);
        assert_eq!(same, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_at_a_pace_makes_the_same_profiles() {
    let rig = Rig::new(3).await;
    rig.append(&events(1_000, 5, 7)).await;
    rig.clock.advance(10_000);
    rig.append(&events(1_000, 5, 8)).await;
    let paced = AloneReplay {
        speed: Some("100".parse().unwrap()),
        ..whole(&rig).await
    };
    let ran = run(&paced, FoldedLog::empty(3)).await.replayed;
    assert!(ran.is_complete);
    assert_eq!(ran.folded.digest(), rig.expected().await.digest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_at_a_pace_that_is_stopped_says_how_far_it_got_and_goes_on_there() {
    let rig = Rig::new(2).await;
    rig.append(&events(500, 5, 9)).await;
    let early = rig.log.end_offsets(ACTIONS).await.unwrap();
    rig.clock.advance(86_400_000);
    rig.append(&events(500, 5, 10)).await;
    let paced = AloneReplay {
        speed: Some("1".parse().unwrap()),
        ..whole(&rig).await
    };
    let stop = CancellationToken::new();
    let total: u64 = early.iter().sum();
    let stopper = stop.clone();
    let progress = move |progress: foretide_processor::replay::Progress| {
        if progress.done == total {
            stopper.cancel();
        }
    };
    let running = tokio::time::timeout(LONG, paced.run(FoldedLog::empty(2), &stop, progress));
    let ran = running.await.unwrap().unwrap().replayed;
    assert!(!ran.is_complete);
    let reached: Vec<u64> = ran.stretches.values().map(|s| s.reached).collect();
    assert_eq!(reached, early);
    let rest = AloneReplay {
        begins: reached,
        ..whole(&rig).await
    };
    let done = run(&rest, ran.folded).await.replayed;
    let log = ReadOnlyLog::new(Arc::new(rig.log.clone()));
    let live = fold_all(&log, 2, FoldRules::default(), |_| ())
        .await
        .unwrap();
    assert_eq!(done.folded.digest(), live.digest());
}
