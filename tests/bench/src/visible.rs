//! From the reply to an action to a decision that knows of it, against the publishing interval and what the log itself
//! takes at least: one transaction and its reading, or one append and its reading.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use foretide_embedded::{EmbeddedLog, EmbeddedOptions};
use foretide_events::EpochMs;
use foretide_ports::{Cleanup, Log as _, NewRecord, TopicPartition, TopicSpec};
use foretide_runtime::{Clock as _, SystemClock};
use foretide_tests::broker::Broker;
use futures_util::future::try_join_all;
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    runtime::Runtime,
    time::{sleep, timeout},
};

use crate::{
    measure::{Pairs, Spread, print_head},
    product::{ADMIN_KEY, Installation, LogKind, Served, WRITE_KEY},
    server,
};

/// The floor's topic.
const TOPIC: TopicSpec = TopicSpec {
    name: "peer.visible",
    partitions: 1,
    cleanup: Cleanup::Delete {
        retention_ms: 24 * 3_600_000,
    },
};
const AT: TopicPartition = TopicPartition {
    topic: TOPIC.name,
    partition: 0,
};
/// What one of its records holds: as much as a profile.
const PAYLOAD: [u8; 400] = [b'x'; 400];
/// The publishing interval of `foretide serve`, in milliseconds.
const INTERVAL_MS: f64 = 100.0;
/// Actions waited for at once.
const LANES: usize = 2;
/// Between two questions whether an action is visible.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// Whatever takes longer has gone wrong.
const PATIENCE: Duration = Duration::from_secs(20);
/// The load beside: so many actions at once, so often.
const BESIDE: (usize, Duration) = (10, Duration::from_millis(50));

/// Over Kafka.
pub fn kafka(directory: &Path, actions: usize, pairs: usize) -> anyhow::Result<()> {
    let broker = Broker::start();
    let brokers = broker.bootstrap();
    server::declare(&format!("kafka:{brokers}"), TOPIC)?;
    let mut floor = Transactions::connect(&brokers)?;
    run(
        directory,
        LogKind::Kafka(brokers),
        "Kafka: one transactional produce, commit and read_committed fetch",
        &mut || floor.once(),
        actions,
        pairs,
    )
}

/// Over the embedded log.
pub fn embedded(directory: &Path, actions: usize, pairs: usize) -> anyhow::Result<()> {
    let own = TempDir::new_in(directory)?;
    let now = Arc::new(|| EpochMs(SystemClock.now_ms()));
    let log = EmbeddedLog::open(own.path(), EmbeddedOptions::default(), now)?;
    let runtime = runtime()?;
    runtime.block_on(log.declare(&[TOPIC]))?;
    let mut reader = runtime.block_on(log.reader(TOPIC.name, &[(0, 0)]))?;
    let mut once = || {
        let begin = Instant::now();
        runtime.block_on(async {
            let record = NewRecord {
                at: AT,
                key: Bytes::from_static(b"k"),
                value: Some(Bytes::from_static(&PAYLOAD)),
            };
            let end = log.append(vec![record]).await?[0] + 1;
            while reader
                .next(PATIENCE)
                .await?
                .is_some_and(|chunk| chunk.next_offset < end)
            {}
            anyhow::Ok(begin.elapsed())
        })
    };
    let what = "embedded: one append and its reading";
    run(
        directory,
        LogKind::Embedded,
        what,
        &mut once,
        actions,
        pairs,
    )
}

fn run(
    directory: &Path,
    log: LogKind,
    what: &str,
    once: &mut dyn FnMut() -> anyhow::Result<Duration>,
    actions: usize,
    pairs: usize,
) -> anyhow::Result<()> {
    let directory = TempDir::new_in(directory)?;
    let served = Installation::new(directory.path(), log)?.start(None, &[])?;
    let beside = Beside::start(&served);
    let shop = Shop::new(&served)?;
    shop.p99_ms(0, actions / 5)?;
    let (mut bounds, mut floors, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 1..=pairs {
        let floor = p99_ms(
            (0..actions)
                .map(|_| once())
                .collect::<anyhow::Result<_>>()?,
        );
        floors.push(floor);
        bounds.push(INTERVAL_MS + 3.0 * floor);
        ours.push(shop.p99_ms(turn, actions)?);
    }
    let sent = beside.stop()?;
    println!(
        "\n{what}: p99 {} ms; {sent} actions beside",
        Spread::of(floors)
    );
    print_head();
    Pairs {
        floor: bounds,
        ours,
    }
    .print(
        "reply to an action → visible in a decision, p99",
        "ms",
        "≤ 1",
    );
    Ok(())
}

fn p99_ms(mut waits: Vec<Duration>) -> f64 {
    waits.sort();
    let wait = waits.get(waits.len() * 99 / 100).copied();
    wait.unwrap_or_default().as_secs_f64() * 1e3
}

fn runtime() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?)
}

/// Transactions on a topic of the floor's own.
struct Transactions {
    producer: BaseProducer,
    consumer: BaseConsumer,
    count: u64,
}

impl Transactions {
    fn connect(brokers: &str) -> anyhow::Result<Self> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("transactional.id", "peer-visible")
            .set("linger.ms", "0")
            // As the product has it: while the last transaction still ends, librdkafka tries again after this long.
            .set("retry.backoff.ms", "20")
            .create()?;
        producer.init_transactions(PATIENCE)?;
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "peer-visible")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .create()?;
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(TOPIC.name, 0, Offset::Beginning)?;
        consumer.assign(&from)?;
        let mut transactions = Self {
            producer,
            consumer,
            count: 0,
        };
        for _ in 0..50 {
            transactions.once()?;
        }
        Ok(transactions)
    }

    /// One record, produced, committed and fetched.
    fn once(&mut self) -> anyhow::Result<Duration> {
        self.count += 1;
        let key = self.count.to_string();
        let begin = Instant::now();
        self.producer.begin_transaction()?;
        let record = BaseRecord::to(TOPIC.name)
            .partition(0)
            .key(&key)
            .payload(&PAYLOAD[..]);
        self.producer.send(record).map_err(|(error, _)| error)?;
        self.producer.commit_transaction(PATIENCE)?;
        let record = self.consumer.poll(PATIENCE).context("nothing to fetch")??;
        ensure!(record.key() == Some(key.as_bytes()), "another record came");
        Ok(begin.elapsed())
    }
}

/// The product as a shop sees it.
struct Shop {
    runtime: Runtime,
    client: Client,
    url: String,
}

impl Shop {
    fn new(served: &Served) -> anyhow::Result<Self> {
        Ok(Self {
            runtime: runtime()?,
            client: Client::builder().no_proxy().build()?,
            url: format!("http://{}", served.address),
        })
    }

    /// The 99th percentile of `count` actions of as many new shoppers.
    fn p99_ms(&self, turn: usize, count: usize) -> anyhow::Result<f64> {
        let lanes = (0..LANES).map(|lane| async move {
            let mut waits = Vec::new();
            for number in (lane..count).step_by(LANES) {
                waits.push(self.once(&format!("visible-{turn}-{number}")).await?);
            }
            anyhow::Ok(waits)
        });
        let waits = self.runtime.block_on(try_join_all(lanes))?;
        Ok(p99_ms(waits.into_iter().flatten().collect()))
    }

    /// From the reply to the first action of `user` to the answer that knows it.
    async fn once(&self, user: &str) -> anyhow::Result<Duration> {
        let reply = self.post("/v1/actions", WRITE_KEY, &action(user)).await?;
        let begin = Instant::now();
        ensure!(reply["accepted"] == 1, "{reply}");
        let question = json!({"shopper": {"user_id": user}});
        let visible = async {
            loop {
                let answer = self.post("/v1/decisions", ADMIN_KEY, &question).await?;
                let reasons = answer["reasons"].as_array().context("no reasons")?;
                if reasons
                    .iter()
                    .all(|reason| reason["code"] != "unknown_shopper")
                {
                    return anyhow::Ok(begin.elapsed());
                }
                sleep(LOOK_AGAIN).await;
            }
        };
        timeout(PATIENCE, visible)
            .await
            .context("an action never showed")?
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.client.post(format!("{}{path}", self.url));
        let answer = request.bearer_auth(key).json(body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}

fn action(user: &str) -> Value {
    json!({"type": "product_view", "shopper": {"user_id": user}, "product": {"product_id": "p1", "category": "c1"}})
}

/// Some load beside what is measured, for as long as it is.
struct Beside {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<anyhow::Result<usize>>,
}

impl Beside {
    fn start(served: &Served) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let url = format!("http://{}/v1/actions", served.address);
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let client = Client::builder().no_proxy().build()?;
            runtime()?.block_on(async {
                let mut sent = 0;
                while !stopped.load(Ordering::Relaxed) {
                    let actions: Vec<Value> = (sent..sent + BESIDE.0)
                        .map(|number| action(&format!("beside-{}", number % 1_000)))
                        .collect();
                    let request = client.post(&url).bearer_auth(WRITE_KEY);
                    let body = json!({"actions": actions});
                    request.json(&body).send().await?.error_for_status()?;
                    sent += BESIDE.0;
                    sleep(BESIDE.1).await;
                }
                Ok(sent)
            })
        });
        Self { stop, thread }
    }

    /// Ends it; how many actions it sent.
    fn stop(self) -> anyhow::Result<usize> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.unwrap_or_else(|_| anyhow::bail!("the load beside broke off"))
    }
}
