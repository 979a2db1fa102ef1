use bytes::Bytes;
use foretide_events::EpochMs;
use foretide_ports::{DECISIONS, TopicPartition, foretide_topics, memory::MemoryLog};
use foretide_runtime::prometheus::Registry;
use tokio::time::sleep;

use super::*;
use crate::testing::Shop;

const TOPIC: TopicPartition = TopicPartition {
    topic: DECISIONS,
    partition: 0,
};

async fn started(capacity: usize) -> (Recorder, Drain, MemoryLog) {
    let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
    log.declare(&foretide_topics(1)).await.unwrap();
    let metrics = ScoringMetrics::register(&Registry::new()).unwrap();
    let (recorder, drain) = queue(capacity, Arc::new(log.clone()), &metrics);
    (recorder, drain, log)
}

fn record(size: usize) -> NewRecord {
    NewRecord {
        at: TOPIC,
        key: Bytes::from_static(b"k"),
        value: Some(vec![b'x'; size].into()),
    }
}

async fn stored(log: &MemoryLog) -> u64 {
    log.end_offsets(DECISIONS).await.unwrap()[0]
}

#[tokio::test]
async fn everything_queued_is_written_and_the_drain_ends_with_its_last_sender() {
    let (recorder, drain, log) = started(2_000).await;
    for _ in 0..1_200 {
        recorder.put(record(10)).unwrap();
    }
    let metrics = recorder.metrics.clone();
    assert_eq!(metrics.queue_depth.get(), 1_200);
    drop(recorder);
    drain
        .run(CancellationToken::new(), CancellationToken::new())
        .await;
    assert_eq!(stored(&log).await, 1_200);
    assert_eq!(
        (metrics.queue_depth.get(), metrics.recorded.get()),
        (0, 1_200)
    );
}

#[tokio::test(start_paused = true)]
async fn while_the_log_is_away_decisions_wait_and_are_written_when_it_is_back() {
    let (recorder, drain, log) = started(10).await;
    log.faults().set_away(true);
    recorder.put(record(10)).unwrap();
    let metrics = recorder.metrics.clone();
    let (closed, hard) = (CancellationToken::new(), CancellationToken::new());
    let running = tokio::spawn(drain.run(closed.clone(), hard));
    sleep(Duration::from_mins(1)).await;
    assert!(metrics.record_failures.get() > 3);
    log.faults().set_away(false);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(stored(&log).await, 1);
    closed.cancel();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn when_the_last_request_is_answered_what_is_held_is_still_written() {
    let (recorder, drain, log) = started(10).await;
    let closed = CancellationToken::new();
    closed.cancel();
    recorder.put(record(10)).unwrap();
    drain.run(closed, CancellationToken::new()).await;
    assert_eq!(stored(&log).await, 1);
    assert_eq!(recorder.put(record(10)), Err(NotRecorded::Closed));
    let lost = recorder.metrics.lost.with_label_values(&["shutdown"]);
    assert_eq!(lost.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn at_the_hard_signal_what_is_not_written_is_counted_as_lost() {
    let (recorder, drain, log) = started(2_000).await;
    log.faults().set_away(true);
    for _ in 0..700 {
        recorder.put(record(10)).unwrap();
    }
    let (closed, hard) = (CancellationToken::new(), CancellationToken::new());
    hard.cancel();
    drain.run(closed, hard).await;
    let lost = recorder.metrics.lost.with_label_values(&["shutdown"]);
    assert_eq!((lost.get(), recorder.metrics.queue_depth.get()), (700, 0));
}

#[test]
fn what_is_lost_at_the_end_is_told_with_its_number() {
    let lines = Lines::default();
    let hearing = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer({
            let lines = lines.clone();
            move || lines.clone()
        })
        .finish();
    tracing::subscriber::with_default(hearing, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (recorder, drain, log) = started(BATCH + 2_000).await;
            log.faults().set_full(true);
            for _ in 0..BATCH + 700 {
                recorder.put(record(10)).unwrap();
            }
            let hard = CancellationToken::new();
            hard.cancel();
            drain.run(CancellationToken::new(), hard).await;
        });
    });
    let told = String::from_utf8(lines.0.lock().clone()).unwrap();
    assert_eq!(told.matches("decisions are lost").count(), 1, "{told}");
    let number = format!("decisions.count={}", BATCH + 700);
    assert!(
        told.contains(&number) && told.contains("what_to_do"),
        "{told}"
    );
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<parking_lot::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_decision_too_large_for_the_log_does_not_hold_up_its_neighbours() {
    let (recorder, drain, log) = started(10).await;
    recorder.put(record(10)).unwrap();
    recorder.put(record(20 << 20)).unwrap();
    recorder.put(record(10)).unwrap();
    let metrics = recorder.metrics.clone();
    drop(recorder);
    drain
        .run(CancellationToken::new(), CancellationToken::new())
        .await;
    assert_eq!(stored(&log).await, 2);
    assert_eq!(metrics.lost.with_label_values(&["too_large"]).get(), 1);
}

#[tokio::test]
async fn decisions_that_share_memory_are_recorded_each_as_it_was_made() {
    let shop = Shop::new().declared().await;
    let mut made = Vec::new();
    // More than a piece, in records of many sizes.
    for number in 0..PIECE / 800 {
        let page = "x".repeat(number * 11 % 1_024);
        let asked = serde_json::json!({"shopper": {"user_id": format!("u{number}")}, "page": format!("/{page}")});
        let answer = shop.decide(&asked).await.ok();
        made.push((answer["decision_id"].to_string(), page.len() + 1));
    }
    let told = shop.recorded().await;
    let mut told: Vec<_> = told
        .iter()
        .map(|record| {
            let length = record.page.as_ref().map_or(0, |page| page.len());
            (format!("\"{}\"", &*record.decision_id), length)
        })
        .collect();
    made.sort();
    told.sort();
    assert_eq!(told, made);
}
