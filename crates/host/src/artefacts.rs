//! Following which reference serves, in every process that reads features.

use std::{sync::Arc, time::Duration};

use foretide_events::EpochMs;
use foretide_ports::{ARTEFACTS, Log, LogError, ReferenceRecord, References};
use foretide_runtime::{CancellationToken, Component, SharedClock};
use tokio::time::sleep;

use crate::Host;

/// How long to wait for records before looking around.
const MAX_WAIT: Duration = Duration::from_millis(500);
/// How long to wait before reading again after the log failed.
const PAUSE: Duration = Duration::from_millis(500);

foretide_runtime::metrics! {
    /// What can be watched of the reference that is applied when features are read.
    struct ReferenceMetrics {
        /// 1 for the version of the reference that serves now.
        info: IntGaugeVec = "foretide_reference_info" by ["version"],
        /// How long the reference has served, in seconds; 0 before one was learnt.
        age: Gauge = "foretide_reference_age_seconds",
        /// Shoppers that the reference rests on; 0 before one was learnt.
        shoppers: IntGauge = "foretide_reference_shoppers",
        /// Versions of the reference that are kept, each for the time that it served.
        versions: IntGauge = "foretide_reference_versions",
        /// Records on foretide.artefacts that claim to be a reference and cannot be used.
        refused: IntCounter = "foretide_reference_refused_total",
    }
}

/// Starts to follow the versions of the reference on `host`. What is returned knows all of them once the component `references`
/// is ready; before, it answers with the prior, which names itself.
///
/// # Errors
/// The name of a metric is taken.
pub fn follow_references(host: &Host) -> anyhow::Result<Arc<References>> {
    let references = Arc::new(References::default());
    let follower = Follower {
        log: Arc::clone(&host.log),
        references: Arc::clone(&references),
        metrics: ReferenceMetrics::register(&host.registry)?,
        clock: Arc::clone(&host.clock),
        readiness: host.readiness.component("references"),
        position: 0,
    };
    let stop = host.lifecycle.soft().clone();
    host.lifecycle.spawn("reference follower", async move {
        Ok(follower.run(stop).await?)
    });
    Ok(references)
}

struct Follower {
    log: Arc<dyn Log>,
    references: Arc<References>,
    metrics: ReferenceMetrics,
    clock: SharedClock,
    readiness: Component,
    /// Where `foretide.artefacts` is to be read on.
    position: u64,
}

impl Follower {
    /// Follows until `stop`. When the log is away it goes on where it was once the log is back.
    async fn run(mut self, stop: CancellationToken) -> Result<(), LogError> {
        tokio::select! {
            ended = self.work() => ended,
            () = stop.cancelled() => Ok(()),
        }
    }

    async fn work(&mut self) -> Result<(), LogError> {
        loop {
            match self.follow().await {
                Err(error @ (LogError::Away(_) | LogError::Full(_))) => {
                    tracing::warn!(%error, "cannot follow the references: trying again");
                }
                Err(error) => return Err(error),
                Ok(()) => {}
            }
            self.show();
            sleep(PAUSE).await;
        }
    }

    /// Reads until something goes wrong.
    async fn follow(&mut self) -> Result<(), LogError> {
        let end = self.log.end_offsets(ARTEFACTS).await?;
        let to_reach = end.first().copied().unwrap_or(0);
        let mut reader = self.log.reader(ARTEFACTS, &[(0, self.position)]).await?;
        loop {
            if let Some(chunk) = reader.next(MAX_WAIT).await? {
                let refused = |read: &ReferenceRecord| matches!(read, ReferenceRecord::Refused(..));
                for record in &chunk.records {
                    if self.references.take(record).as_ref().is_some_and(refused) {
                        self.metrics.refused.inc();
                    }
                }
                self.position = chunk.next_offset;
            }
            if self.position >= to_reach {
                self.readiness.ready();
            }
            self.show();
        }
    }

    fn show(&self) {
        let now = EpochMs(self.clock.now_ms());
        let serving = self.references.serving(now);
        self.metrics.info.reset();
        let version = serving.reference.version();
        self.metrics.info.with_label_values(&[version]).set(1);
        let age_ms = serving.since.map_or(0, |since| now.since(since).max(0));
        self.metrics.age.set(age_ms as f64 / 1000.0);
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.shoppers.set(count(serving.shoppers));
        let versions = self.references.all().len();
        self.metrics.versions.set(count(versions as u64));
    }
}

#[cfg(test)]
mod tests {
    use foretide_events::Text;
    use foretide_features::Reference;
    use foretide_ports::{NewRecord, ReferenceVersion, foretide_topics, memory::MemoryLog};
    use foretide_runtime::{ManualClock, Readiness, prometheus::Registry};

    use super::*;

    struct Rig {
        log: MemoryLog,
        references: Arc<References>,
        registry: Registry,
        readiness: Component,
        stop: CancellationToken,
    }

    impl Rig {
        async fn start() -> Self {
            let log = MemoryLog::new(Arc::new(|| EpochMs(0)));
            log.declare(&foretide_topics(1)).await.unwrap();
            let registry = Registry::new();
            let rig = Self {
                log: log.clone(),
                references: Arc::default(),
                readiness: Readiness::new().component("references"),
                stop: CancellationToken::new(),
                registry,
            };
            let follower = Follower {
                log: Arc::new(log),
                references: Arc::clone(&rig.references),
                metrics: ReferenceMetrics::register(&rig.registry).unwrap(),
                clock: Arc::new(ManualClock::at(10_000)),
                readiness: rig.readiness.clone(),
                position: 0,
            };
            tokio::spawn(follower.run(rig.stop.clone()));
            rig
        }

        async fn publish(&self, record: NewRecord) {
            self.log.append(vec![record]).await.unwrap();
            sleep(Duration::from_secs(2)).await;
        }

        fn serving(&self) -> String {
            self.references.at(EpochMs(10_000)).version().to_owned()
        }

        fn shown(&self, name: &str) -> f64 {
            let families = self.registry.gather();
            let family = families
                .iter()
                .find(|family| family.name() == name)
                .unwrap();
            let metric = &family.get_metric()[0];
            metric.get_gauge().get_value() + metric.get_counter().get_value()
        }
    }

    fn version(name: &str, since: i64) -> ReferenceVersion {
        let version = Text::new(name).unwrap();
        ReferenceVersion {
            reference: Arc::new(Reference::prior().named(version.clone())),
            version,
            since: EpochMs(since),
            shoppers: 120,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_published_serves_from_its_time_on_and_is_shown() {
        let rig = Rig::start().await;
        sleep(Duration::from_secs(1)).await;
        assert!(rig.readiness.is_ready());
        assert_eq!(rig.serving(), "prior-1");
        rig.publish(version("one", 4_000).record().unwrap()).await;
        rig.publish(version("later", 11_000).record().unwrap())
            .await;
        assert_eq!(rig.serving(), "one");
        for (name, expected) in [
            ("foretide_reference_age_seconds", 6.0),
            ("foretide_reference_shoppers", 120.0),
            ("foretide_reference_versions", 2.0),
            ("foretide_reference_refused_total", 0.0),
        ] {
            assert!((rig.shown(name) - expected).abs() < 1e-9, "{name}");
        }
        rig.stop.cancel();
    }

    #[tokio::test(start_paused = true)]
    async fn damage_is_counted_and_the_last_good_one_stays_as_it_does_while_the_log_is_away() {
        let rig = Rig::start().await;
        rig.publish(version("one", 4_000).record().unwrap()).await;
        let damaged = NewRecord {
            value: Some("{".into()),
            ..version("two", 5_000).record().unwrap()
        };
        rig.publish(damaged).await;
        assert_eq!(rig.serving(), "one");
        assert!((rig.shown("foretide_reference_refused_total") - 1.0).abs() < 1e-9);
        rig.log.faults().set_away(true);
        sleep(Duration::from_secs(5)).await;
        rig.log.faults().set_away(false);
        rig.publish(version("three", 6_000).record().unwrap()).await;
        assert_eq!(rig.serving(), "three");
        assert!((rig.shown("foretide_reference_refused_total") - 1.0).abs() < 1e-9);
        rig.stop.cancel();
    }
}
