//! Closing and opening again, in good order and after trouble.

use foretide_ports::{GroupEvent, LogError};

use super::*;
use crate::space;

#[tokio::test]
async fn what_was_written_is_read_from_the_store_after_a_restart() {
    let harness = EmbeddedHarness::new();
    let log = harness.declared().await;
    let filler = "x".repeat(1000);
    for round in 0..30 {
        let records = (0..100).map(|n| new(EVENTS, n % 2, "k", &format!("{round}.{n} {filler}")));
        log.append(records.collect()).await.unwrap();
    }
    let before = [read(&log, EVENTS, 0).await, read(&log, EVENTS, 1).await];
    let stats = log.stats().await.unwrap();
    drop(log);
    let log = harness.restarted().await;
    for (partition, before) in (0..).zip(&before) {
        assert_eq!(&read(&log, EVENTS, partition).await, before);
    }
    assert_eq!(log.stats().await.unwrap(), stats);
    assert_eq!(
        log.append(vec![new(EVENTS, 0, "k", "next")]).await.unwrap(),
        [1500]
    );
}

#[tokio::test]
async fn append_times_do_not_fall_when_the_clock_is_set_back() {
    let harness = EmbeddedHarness::new();
    let log = harness.declared().await;
    log.append(vec![new(EVENTS, 0, "k", "1")]).await.unwrap();
    drop(log);
    harness.now.fetch_sub(5000, Ordering::Relaxed);
    let log = harness.restarted().await;
    log.append(vec![new(EVENTS, 0, "k", "2")]).await.unwrap();
    let times: Vec<_> = read(&log, EVENTS, 0)
        .await
        .iter()
        .map(|record| record.appended_at)
        .collect();
    assert_eq!(times[0], times[1]);
}

#[tokio::test]
async fn a_store_that_failed_is_opened_again_with_everything_in_it() {
    let harness = EmbeddedHarness::new();
    let log = harness.declared().await;
    log.append(vec![new(EVENTS, 0, "k", "1"), new(EVENTS, 1, "k", "2")])
        .await
        .unwrap();
    let mut member = log.join("group", EVENTS.name, "a").await.unwrap();
    let assigned = member.next(std::time::Duration::ZERO).await.unwrap();
    assert!(matches!(assigned, GroupEvent::Assigned(_)), "{assigned:?}");
    member
        .commit(vec![new(TABLE, 0, "k", "out")], &[(0, 1)])
        .await
        .unwrap();

    log.0
        .shared
        .lose_store(LogError::Away("the disk failed".to_owned()));
    let refused = log.append(vec![new(EVENTS, 0, "k", "3")]).await;
    assert_eq!(refused, Err(LogError::Away("the disk failed".to_owned())));
    assert!(log.health().await.is_err());

    log.0.shared.reopen().unwrap();
    assert_eq!(log.health().await, Ok(()));
    assert_eq!(
        log.committed("group", EVENTS.name).await.unwrap(),
        [Some(1), None]
    );
    assert_eq!(
        log.append(vec![new(EVENTS, 0, "k", "3")]).await.unwrap(),
        [1]
    );
    assert_eq!(texts(&read(&log, EVENTS, 0).await), ["1", "3"]);
    assert_eq!(texts(&read(&log, TABLE, 0).await), ["out"]);
}

#[tokio::test]
async fn a_disk_down_to_the_reserve_takes_no_records_and_gives_those_it_has() {
    let harness = EmbeddedHarness::new();
    let log = harness.declared().await;
    log.append(vec![new(EVENTS, 0, "k", "1")]).await.unwrap();
    drop(log);
    *harness.log.lock() = None;
    let options = EmbeddedOptions {
        reserve_bytes: u64::MAX,
        ..EmbeddedOptions::default()
    };
    let now = Arc::new(|| EpochMs(1_700_000_000_000));
    let log = EmbeddedLog::open(&harness.path(), options, now).unwrap();
    log.declare(&[EVENTS]).await.unwrap();
    let refused = log.append(vec![new(EVENTS, 0, "k", "2")]).await;
    assert!(matches!(refused, Err(LogError::Full(_))), "{refused:?}");
    assert!(matches!(log.health().await, Err(LogError::Full(_))));
    assert_eq!(texts(&read(&log, EVENTS, 0).await), ["1"]);
}

#[test]
fn the_file_system_tells_its_free_space() {
    let dir = tempfile::tempdir().unwrap();
    let free = space::of_file_system();
    assert!(free(dir.path()).unwrap() > 0);
    assert!(space::check(&free, dir.path(), 0).is_ok());
    assert!(matches!(
        space::check(&free, &dir.path().join("gone"), 0),
        Err(LogError::Away(_))
    ));
}

#[tokio::test]
async fn a_log_closes_while_a_reader_of_it_waits() {
    let harness = EmbeddedHarness::new();
    let log = harness.declared().await;
    let mut reader = log.reader(EVENTS.name, &[(0, 0)]).await.unwrap();
    reader.next(std::time::Duration::ZERO).await.unwrap();
    drop(log);
    *harness.log.lock() = None;
    assert_eq!(
        reader.next(std::time::Duration::from_millis(1)).await,
        Ok(None)
    );
    drop(reader);
    harness.restarted().await;
}
