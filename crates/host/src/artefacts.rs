//! Following what was learnt and serves (the reference, the cohorts, the models), in every process that reads features.

mod metrics;

use std::{sync::Arc, time::Duration};

use foretide_events::EpochMs;
use foretide_ports::{ARTEFACTS, Artefacts, Log, LogError, Record};
use foretide_runtime::{CancellationToken, Component, SharedClock};
use tokio::time::sleep;

use self::metrics::Shown;
use crate::Host;

/// How long to wait for records before looking around.
const MAX_WAIT: Duration = Duration::from_millis(500);
/// How long to wait before reading again after the log failed.
const PAUSE: Duration = Duration::from_millis(500);

/// Starts to follow the artefacts on `host`. What is returned knows all of them once the component `artefacts` is ready;
/// before, it answers with the prior, which names itself, and knows no cohort but everyone. Whoever asks never waits: what
/// comes takes the place of what was there between two questions.
///
/// # Errors
/// The name of a metric is taken.
pub fn follow_artefacts(host: &Host) -> anyhow::Result<Artefacts> {
    let artefacts = Artefacts::default();
    let follower = Follower {
        log: Arc::clone(&host.log),
        artefacts: artefacts.clone(),
        metrics: Shown::register(&host.registry)?,
        clock: Arc::clone(&host.clock),
        readiness: host.readiness.component("artefacts"),
        position: 0,
    };
    let stop = host.lifecycle.soft().clone();
    host.lifecycle.spawn(
        "artefact follower",
        async move { Ok(follower.run(stop).await?) },
    );
    Ok(artefacts)
}

struct Follower {
    log: Arc<dyn Log>,
    artefacts: Artefacts,
    metrics: Shown,
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
                    tracing::warn!(%error, "cannot follow the artefacts: trying again");
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
                for record in &chunk.records {
                    self.take(record);
                }
                self.position = chunk.next_offset;
            }
            if self.position >= to_reach {
                self.readiness.ready();
            }
            self.show();
        }
    }

    fn take(&self, record: &Record) {
        if let Some(noted) = self.artefacts.take(record) {
            self.metrics.count(noted);
        }
    }

    fn show(&self) {
        let now = EpochMs(self.clock.now_ms());
        self.metrics.show(&self.artefacts, now);
    }
}

#[cfg(test)]
mod tests {
    use foretide_events::Text;
    use foretide_features::Reference;
    use foretide_models::Target;
    use foretide_ports::{
        NewRecord, ReferenceVersion, ServingCause, ServingChange, Versioned as _, foretide_topics,
        memory::MemoryLog,
    };
    use foretide_runtime::{
        ManualClock, Readiness,
        prometheus::{Registry, proto::Metric},
    };

    use super::*;

    struct Rig {
        log: MemoryLog,
        artefacts: Artefacts,
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
                artefacts: Artefacts::default(),
                readiness: Readiness::new().component("artefacts"),
                stop: CancellationToken::new(),
                registry,
            };
            let follower = Follower {
                log: Arc::new(log),
                artefacts: rig.artefacts.clone(),
                metrics: Shown::register(&rig.registry).unwrap(),
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
            self.artefacts
                .references
                .at(EpochMs(10_000))
                .version()
                .to_owned()
        }

        fn shown(&self, name: &str) -> f64 {
            let families = self.registry.gather();
            let family = families
                .iter()
                .find(|family| family.name() == name)
                .unwrap();
            let value =
                |metric: &Metric| metric.get_gauge().get_value() + metric.get_counter().get_value();
            family.get_metric().iter().map(value).sum()
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
            ("foretide_artefacts_refused_total", 0.0),
        ] {
            assert!((rig.shown(name) - expected).abs() < 1e-9, "{name}");
        }
        rig.stop.cancel();
    }

    #[tokio::test(start_paused = true)]
    async fn garbage_of_any_kind_is_counted_and_what_serves_is_shown() {
        let rig = Rig::start().await;
        for key in [
            "cohorts/v1",
            "model/drift/drift-0",
            "report/drift",
            "log-id",
        ] {
            let garbage = NewRecord {
                key: key.into(),
                value: Some("[1".into()),
                ..version("one", 0).record().unwrap()
            };
            rig.publish(garbage).await;
        }
        let to_the_prior = ServingChange {
            target: Target::Drift,
            sequence: 1,
            version: None,
            since: EpochMs(0),
            cause: ServingCause::Admin,
            by: Text::new("test").unwrap(),
            by_hand: false,
        };
        rig.publish(to_the_prior.record().unwrap()).await;
        for (name, expected) in [
            ("foretide_artefacts_refused_total", 3.0),
            ("foretide_cohorts_count", 0.0),
            ("foretide_model_serving_info", 2.0),
            ("foretide_model_serving_age_seconds", 0.0),
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
        assert!((rig.shown("foretide_artefacts_refused_total") - 1.0).abs() < 1e-9);
        rig.log.faults().set_away(true);
        sleep(Duration::from_secs(5)).await;
        rig.log.faults().set_away(false);
        rig.publish(version("three", 6_000).record().unwrap()).await;
        assert_eq!(rig.serving(), "three");
        assert!((rig.shown("foretide_artefacts_refused_total") - 1.0).abs() < 1e-9);
        rig.stop.cancel();
    }
}
