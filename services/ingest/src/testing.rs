//! A small shop for tests: ingest over a log in memory.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use foretide_events::{EpochMs, Event, ShopperId, wire};
use foretide_host::LogHealth;
use foretide_http::{Keys, MemoryBudget, Protection};
use foretide_ports::{ACTIONS, Log, Record, foretide_topics, memory::MemoryLog};
use foretide_privacy::{IdKind, PseudonymKey, Pseudonymiser};
use foretide_runtime::{Component, ManualClock, Readiness, Secret};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;
use utoipa::openapi::OpenApi;

use crate::{IngestConfig, IngestMetrics, IngestState, RejectedCounts, router};

/// 2026-11-22T08:00:00Z
pub(crate) const NOW_MS: i64 = 1_795_334_400_000;
pub(crate) const PARTITIONS: u32 = 4;
pub(crate) const WRITE_KEY: &str = "the write key";
pub(crate) const ADMIN_KEY: &str = "the admin key";

/// Ingest, and what tests look at and turn.
pub(crate) struct Shop {
    pub(crate) router: Router,
    pub(crate) document: OpenApi,
    pub(crate) log: MemoryLog,
    pub(crate) keys: Keys,
    pub(crate) log_ready: Component,
    pub(crate) log_health: LogHealth,
    pub(crate) clock: ManualClock,
    pub(crate) metrics: IngestMetrics,
    pub(crate) rejected: RejectedCounts,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body, `null` where it is not JSON.
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// An empty log in memory with all topics.
pub(crate) async fn memory_log(partitions: u32) -> MemoryLog {
    let log = MemoryLog::new(Arc::new(|| EpochMs(NOW_MS)));
    log.declare(&foretide_topics(partitions)).await.unwrap();
    log
}

fn pseudonymiser() -> Pseudonymiser {
    Pseudonymiser::new(&PseudonymKey::from_bytes([7; 32]))
}

/// The pseudonym that the log knows a user by.
pub(crate) fn pseudonym_of(user_id: &str) -> String {
    ShopperId(pseudonymiser().pseudonym(IdKind::User, user_id)).to_string()
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::with(IngestConfig::default()).await
    }

    pub(crate) async fn with(config: IngestConfig) -> Self {
        let log = memory_log(PARTITIONS).await;
        let log_ready = Readiness::new().component("log");
        let log_health = LogHealth::new(log_ready.clone());
        log_health.there();
        let metrics = IngestMetrics::register(&prometheus::Registry::new()).unwrap();
        let rejected = RejectedCounts::default();
        let clock = ManualClock::at(NOW_MS);
        let keys = Keys::new(&Secret::new(WRITE_KEY), &Secret::new(ADMIN_KEY));
        let state = IngestState {
            log: Arc::new(log.clone()),
            log_health: log_health.clone(),
            partitions: PARTITIONS,
            pseudonymiser: Arc::new(pseudonymiser()),
            clock: Arc::new(clock.clone()),
            keys: keys.clone(),
            budget: MemoryBudget::new(64 << 20),
            config,
            metrics: metrics.clone(),
            rejected: rejected.clone(),
        };
        let protection = Protection::new(16, Duration::from_hours(24));
        let (router, document) = router(state, protection);
        Self {
            router,
            document,
            log,
            keys,
            log_ready,
            log_health,
            clock,
            metrics,
            rejected,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        answer_of(self.router.clone(), request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    /// Posts with the write key.
    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.post_with(path, &[], body).await
    }

    /// Posts with the write key and more headers.
    pub(crate) async fn post_with(
        &self,
        path: &str,
        more: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let key = basic(WRITE_KEY);
        let headers = [&[("authorization", key.as_str())], more].concat();
        self.send(post(path, &headers, body)).await
    }

    /// Every record of the topic of actions, by partition.
    pub(crate) async fn records(&self) -> Vec<(u32, Record)> {
        let positions: Vec<_> = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
        let mut reader = self.log.reader(ACTIONS, &positions).await.unwrap();
        let ends: u64 = self.log.end_offsets(ACTIONS).await.unwrap().iter().sum();
        let mut records = Vec::new();
        while (records.len() as u64) < ends {
            let chunk = reader.next(Duration::from_secs(1)).await.unwrap().unwrap();
            records.extend(
                chunk
                    .records
                    .into_iter()
                    .map(|record| (chunk.from.partition, record)),
            );
        }
        records
    }

    /// How many records the topic of actions holds.
    pub(crate) async fn stored(&self) -> u64 {
        self.log.end_offsets(ACTIONS).await.unwrap().iter().sum()
    }

    /// Every event stored, sorted by id.
    pub(crate) async fn events(&self) -> Vec<Event> {
        let records = self.records().await;
        let mut events: Vec<_> = records
            .iter()
            .map(|(_, record)| wire::decode(record.value.as_ref().unwrap()).unwrap())
            .collect();
        events.sort_by(|one, other| one.id.cmp(&other.id));
        events
    }
}

pub(crate) async fn answer_of(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
        json,
    }
}

pub(crate) fn post(path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let request = Request::post(path);
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    request.body(body.into()).unwrap()
}

pub(crate) fn basic(key: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{key}:")))
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(content: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(zstd_safe::compress_bound(content.len()));
    zstd_safe::compress(&mut packed, content, 3).unwrap();
    packed
}
