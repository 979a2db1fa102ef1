//! Load over HTTP: some connections, each sending the next body as soon as the last was answered.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::ensure;
use reqwest::{Client, header::CONTENT_TYPE};

/// Actions in each body.
pub const BATCH: usize = 100;

/// The day of all actions.
pub const ACTION_DAY: &str = "2026-01-01";

/// What a run of load did.
pub struct LoadReport {
    /// Events acknowledged per second.
    pub events_per_second: f64,
    /// 99th percentile of the time to an answer, in milliseconds.
    pub p99_ms: f64,
}

/// Bodies of 100 native actions each; `run` makes the ids unique.
pub fn bodies(run: usize, count: usize) -> Vec<String> {
    (0..count).map(|body| batch(run, body)).collect()
}

fn batch(run: usize, body: usize) -> String {
    let actions: Vec<String> = (0..BATCH)
        .map(|place| {
            let number = body * BATCH + place;
            let product = number * 7919 % 5000;
            format!(
                concat!(
                    r#"{{"id":"b{}-{}","type":"product_view","at":"{}T{:02}:{:02}:{:02}.000Z","#,
                    r#""shopper":{{"user_id":"user-{}"}},"session":"s-{}","product":{{"product_id":"p{}","#,
                    r#""category":"home.kitchen.c{}","brand":"brand-{}","price":{{"minor_units":{},"currency":"EUR"}}}},"#,
                    r#""dwell_ms":{},"scroll_depth":0.75}}"#
                ),
                run,
                number,
                ACTION_DAY,
                number / 3600 % 24,
                number / 60 % 60,
                number % 60,
                number * 31 % 20_000,
                number * 31 % 20_000,
                product,
                product % 40,
                product % 90,
                500 + product * 3,
                1000 + number % 60_000,
            )
        })
        .collect();
    format!(r#"{{"actions":[{}]}}"#, actions.join(","))
}

/// Sends all `bodies` to `url` over `connections`.
pub async fn send(
    url: &str,
    key: &str,
    bodies: &[String],
    connections: usize,
) -> anyhow::Result<LoadReport> {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    let lanes = (0..connections).map(|_| async {
        let client = Client::builder().pool_max_idle_per_host(1).build()?;
        let mut waits = Vec::new();
        while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
            let sent = Instant::now();
            let request = client
                .post(url)
                .bearer_auth(key)
                .header(CONTENT_TYPE, "application/json");
            let answer = request.body(body.clone()).send().await?;
            let status = answer.status();
            let text = answer.text().await?;
            ensure!(
                status == 200 && text.contains(r#""accepted":100"#),
                "{status}: {text}"
            );
            waits.push(sent.elapsed());
        }
        anyhow::Ok(waits)
    });
    let waits = futures_util::future::try_join_all(lanes).await?;
    let elapsed = start.elapsed();
    let mut waits: Vec<Duration> = waits.into_iter().flatten().collect();
    waits.sort();
    let p99 = waits
        .get(waits.len() * 99 / 100)
        .copied()
        .unwrap_or_default();
    Ok(LoadReport {
        events_per_second: (bodies.len() * BATCH) as f64 / elapsed.as_secs_f64(),
        p99_ms: p99.as_secs_f64() * 1000.0,
    })
}
