//! Counts of rejected events.

use std::collections::BTreeMap;

use foretide_events::{RejectionReason, SourceId};
use uuid::Uuid;

use super::{Harness, Outcome, Outcome::Passed};
use crate::store::{BatchId, MOST_IMPORT_RUNS, MOST_WRITERS, RejectionCount, Store};

fn source(name: &str) -> SourceId {
    SourceId::new(name).unwrap()
}

/// Counts one event, for the check of the revision.
pub(super) async fn add_one(store: &dyn Store) {
    let count = (source("key:00000000"), RejectionReason::TooLarge, 1);
    add(store, &[count]).await;
}

/// The first batch of a writer.
pub(super) fn batch(writer: u128) -> BatchId {
    BatchId {
        writer: Uuid::from_u128(writer),
        number: 1,
    }
}

/// Adds the counts of someone who counted nothing before.
async fn add(store: &dyn Store, counts: &[RejectionCount]) {
    let batch = BatchId {
        writer: Uuid::new_v4(),
        number: 0,
    };
    store.add_rejections(batch, counts).await.unwrap();
}

/// Nor is one that comes later than the next of its writer; other writers are counted for themselves.
pub async fn a_batch_of_rejections_is_added_once(harness: &dyn Harness) -> Outcome {
    use RejectionReason::TooLarge;
    let store = harness.open().await;
    let one = source("key:a");
    let mut sum = 0;
    for (writer, number, count, is_new) in [
        (1, 1, 1, true),
        (1, 1, 1, false),
        (2, 1, 10, true),
        (1, 2, 100, true),
        (1, 2, 100, false),
        (1, 1, 1, false),
        (2, u64::MAX >> 1, 1000, true),
        (2, u64::MAX >> 1, 1000, false),
    ] {
        let batch = BatchId {
            number,
            ..batch(writer)
        };
        let counts = [(one.clone(), TooLarge, count)];
        store.add_rejections(batch, &counts).await.unwrap();
        sum += if is_new { count } else { 0 };
        let held = store.rejections(&one).await.unwrap();
        assert_eq!(held, BTreeMap::from([(TooLarge, sum)]), "{batch:?}");
    }
    Passed
}

/// Such as one that was given up on while the database was still at it, and its repetition.
pub async fn attempts_at_once_add_a_batch_once(harness: &dyn Harness) -> Outcome {
    use RejectionReason::TooLarge;
    let one = source("key:a");
    for number in 1..=10 {
        let mut tasks = Vec::new();
        for _ in 0..4 {
            let (store, counts) = (harness.open().await, [(one.clone(), TooLarge, 1)]);
            let batch = BatchId { number, ..batch(1) };
            tasks.push(tokio::spawn(async move {
                store.add_rejections(batch, &counts).await.unwrap();
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let held = harness.open().await.rejections(&one).await.unwrap();
        assert_eq!(held, BTreeMap::from([(TooLarge, number)]));
    }
    Passed
}

/// Also within one call; sources and reasons are kept apart; zeros leave no trace.
pub async fn rejections_add_up(harness: &dyn Harness) -> Outcome {
    use RejectionReason::{BatchFull, MissingField, TooLarge};
    let store = harness.open().await;
    let (one, other) = (source("key:0a1b2c3d"), source("import:\0\\ A"));
    let first = [
        (one.clone(), TooLarge, 2),
        (one.clone(), MissingField, 1),
        (one.clone(), TooLarge, 3),
        (other.clone(), TooLarge, 7),
        (one.clone(), BatchFull, 0),
    ];
    add(&*store, &first).await;
    add(&*store, &[]).await;
    add(&*store, &[(one.clone(), TooLarge, 10)]).await;
    let of = async |of: &SourceId| store.rejections(of).await.unwrap();
    assert_eq!(
        of(&one).await,
        BTreeMap::from([(TooLarge, 15), (MissingField, 1)])
    );
    assert_eq!(of(&other).await, BTreeMap::from([(TooLarge, 7)]));
    assert_eq!(of(&source("key:0A1B2C3D")).await, BTreeMap::new());
    Passed
}

/// Whatever order each names them in.
pub async fn rejections_of_instances_at_once_add_up(harness: &dyn Harness) -> Outcome {
    const TASKS: u64 = 4;
    const ROUNDS: u64 = 10;
    let sources = [source("key:a"), source("key:b"), source("key:c")];
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let store = harness.open().await;
        let mut counts: Vec<_> = sources
            .iter()
            .flat_map(|source| RejectionReason::ALL.map(|reason| (source.clone(), reason, 1)))
            .collect();
        if task % 2 == 1 {
            counts.reverse();
        }
        tasks.push(tokio::spawn(async move {
            for _ in 0..ROUNDS {
                add(&*store, &counts).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let store = harness.open().await;
    let expected: BTreeMap<_, _> = RejectionReason::ALL
        .into_iter()
        .map(|reason| (reason, TASKS * ROUNDS))
        .collect();
    for source in &sources {
        assert_eq!(store.rejections(source).await.unwrap(), expected);
    }
    Passed
}

/// A count never turns over.
pub async fn rejections_stop_at_the_most_and_leave_others_alone(harness: &dyn Harness) -> Outcome {
    use RejectionReason::{InvalidField, TooLarge};
    let store = harness.open().await;
    let most = i64::MAX.unsigned_abs();
    let one = source("key:a");
    for count in [most - 1, 5, u64::MAX] {
        let counts = [
            (one.clone(), TooLarge, count),
            (one.clone(), InvalidField, 1),
        ];
        add(&*store, &counts).await;
        let held = store.rejections(&one).await.unwrap();
        assert!(held[&TooLarge] >= most - 1, "{held:?}");
    }
    let held = store.rejections(&one).await.unwrap();
    assert_eq!(held, BTreeMap::from([(TooLarge, most), (InvalidField, 3)]));
    Passed
}

/// Those with the fewest counts are forgotten first; keys never are.
pub async fn any_number_of_import_runs_takes_bounded_room(harness: &dyn Harness) -> Outcome {
    use RejectionReason::TooLarge;
    const EXTRA: usize = 3;
    let store = harness.open().await;
    let run = |number: usize| source(&format!("import:{number:04}"));
    let (key, busy) = (source("key:0a1b2c3d"), source("import:busy"));
    add(
        &*store,
        &[(key.clone(), TooLarge, 1), (busy.clone(), TooLarge, 9)],
    )
    .await;
    let many: Vec<_> = (1..MOST_IMPORT_RUNS + EXTRA)
        .map(|number| (run(number), TooLarge, 1))
        .collect();
    add(&*store, &many).await;
    add(&*store, &[(run(0), TooLarge, 1)]).await;
    for (source, count) in [(&key, 1), (&busy, 9), (&run(0), 1)] {
        let held = store.rejections(source).await.unwrap();
        assert_eq!(held, BTreeMap::from([(TooLarge, count)]), "{source}");
    }
    let mut held = 0;
    for (source, ..) in &many {
        held += usize::from(!store.rejections(source).await.unwrap().is_empty());
    }
    assert_eq!(held, MOST_IMPORT_RUNS - 1, "beside the busy one");
    Passed
}

/// The writers that began last are known still: what they try again is not added twice.
pub async fn any_number_of_starts_takes_bounded_room(harness: &dyn Harness) -> Outcome {
    use RejectionReason::TooLarge;
    let store = harness.open().await;
    let one = source("key:a");
    let start = |number: usize| BatchId {
        writer: Uuid::from_u128((7 << 76) | ((number as u128) << 80)),
        number: 1,
    };
    let last = MOST_WRITERS + 2;
    for number in (0..=last).chain([last, 3]) {
        let counts = [(one.clone(), TooLarge, 1)];
        store.add_rejections(start(number), &counts).await.unwrap();
    }
    let counted = |sum: usize| BTreeMap::from([(TooLarge, sum as u64)]);
    assert_eq!(store.rejections(&one).await.unwrap(), counted(last + 1));
    let counts = [(one.clone(), TooLarge, 1)];
    store.add_rejections(start(0), &counts).await.unwrap();
    let held = store.rejections(&one).await.unwrap();
    assert_eq!(held, counted(last + 2), "the first is forgotten");
    Passed
}
