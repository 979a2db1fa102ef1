//! What can be watched of the artefacts.

use foretide_events::EpochMs;
use foretide_models::Target;
use foretide_ports::{ArtefactKind, Artefacts, Noted};
use foretide_runtime::prometheus::{self, IntGaugeVec, Registry};

foretide_runtime::metrics! {
    /// What can be watched of the artefacts that serve.
    struct ArtefactMetrics {
        /// Records on foretide.artefacts that claim to be an artefact and cannot be used, by kind; the last good one stays.
        refused: IntCounterVec = "foretide_artefacts_refused_total" by ["kind"],
        /// 1 for the version of the reference that serves now.
        reference: IntGaugeVec = "foretide_reference_info" by ["version"],
        /// How long the reference has served, in seconds; 0 before one was learnt.
        reference_age: Gauge = "foretide_reference_age_seconds",
        /// Shoppers that the reference rests on; 0 before one was learnt.
        reference_shoppers: IntGauge = "foretide_reference_shoppers",
        /// Versions of the reference that are kept, each for the time that it served.
        reference_versions: IntGauge = "foretide_reference_versions",
        /// 1 for the version of the cohorts that serves now.
        cohorts: IntGaugeVec = "foretide_cohorts_info" by ["version"],
        /// How long the cohorts have served, in seconds; 0 before any formed.
        cohorts_age: Gauge = "foretide_cohorts_age_seconds",
        /// Cohorts that serve now; 0 before any formed.
        cohorts_count: IntGauge = "foretide_cohorts_count",
        /// Shoppers in each cohort that serves now, as they were counted at the last attempt to re-form.
        cohort_size: IntGaugeVec = "foretide_cohort_shoppers" by ["cohort"],
        /// Mean silhouette of the cohorts that serve now, on shoppers that they were not formed from: -1 to 1.
        silhouette: Gauge = "foretide_cohorts_silhouette",
        /// Share of the variance between shoppers that the cohorts that serve now explain.
        explained: Gauge = "foretide_cohorts_explained_share",
        /// 1 for the version of the model that serves now; the version is "prior" where none does.
        model: IntGaugeVec = "foretide_model_serving_info" by ["target", "version"],
        /// How long ago the model that serves now was trained, in seconds; 0 where none does.
        model_age: GaugeVec = "foretide_model_serving_age_seconds" by ["target"],
        /// Models that are kept.
        models: IntGaugeVec = "foretide_models" by ["target"],
    }
}

/// Shows what serves.
#[derive(Clone, Debug)]
pub(super) struct Shown(ArtefactMetrics);

impl Shown {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = ArtefactMetrics::register(registry)?;
        for kind in ArtefactKind::ALL {
            metrics.refused.with_label_values(&[kind.as_str()]);
        }
        Ok(Self(metrics))
    }

    /// Counts a record that was read.
    pub(super) fn count(&self, noted: Noted) {
        if noted.refused {
            let kind = noted.kind.as_str();
            self.0.refused.with_label_values(&[kind]).inc();
        }
    }

    /// Shows what serves at `now`.
    pub(super) fn show(&self, artefacts: &Artefacts, now: EpochMs) {
        self.show_reference(artefacts, now);
        self.show_cohorts(artefacts, now);
        self.0.model.reset();
        for target in Target::ALL {
            self.show_model(artefacts, target, now);
        }
    }

    fn show_reference(&self, artefacts: &Artefacts, now: EpochMs) {
        let serving = artefacts.references.serving(now);
        only(&self.0.reference, serving.reference.version());
        self.0.reference_age.set(age_s(serving.since, now));
        self.0.reference_shoppers.set(count(serving.shoppers));
        let versions = artefacts.references.all().len();
        self.0.reference_versions.set(count(versions as u64));
    }

    fn show_cohorts(&self, artefacts: &Artefacts, now: EpochMs) {
        let Some(serving) = artefacts.cohorts_counted(now) else {
            return;
        };
        let cohorts = &serving.cohorts;
        only(&self.0.cohorts, &serving.version);
        self.0.cohorts_age.set(age_s(Some(serving.since), now));
        self.0
            .cohorts_count
            .set(count(cohorts.members.len() as u64));
        self.0.cohort_size.reset();
        for cohort in &cohorts.members {
            let size = self.0.cohort_size.with_label_values(&[&*cohort.id]);
            size.set(count(cohort.size));
        }
        self.0.silhouette.set(cohorts.quality.silhouette);
        self.0.explained.set(cohorts.quality.explained);
    }

    fn show_model(&self, artefacts: &Artefacts, target: Target, now: EpochMs) {
        let serving = artefacts.models.at(target, now);
        let version = serving.as_ref().map_or("prior", |model| &*model.version);
        let name = target.as_str();
        self.0.model.with_label_values(&[name, version]).set(1);
        let trained = serving.as_ref().map(|model| model.created_at);
        let age = self.0.model_age.with_label_values(&[name]);
        age.set(age_s(trained, now));
        let kept = artefacts.models.models(target).len();
        self.0
            .models
            .with_label_values(&[name])
            .set(count(kept as u64));
    }
}

/// Shows 1 for `version`, and no other.
fn only(info: &IntGaugeVec, version: &str) {
    info.reset();
    info.with_label_values(&[version]).set(1);
}

fn age_s(since: Option<EpochMs>, now: EpochMs) -> f64 {
    let age_ms = since.map_or(0, |since| now.since(since).max(0));
    age_ms as f64 / 1000.0
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
