//! What is told of a re-forming: in `report/cohorts`, by metrics and in the log.

use std::time::Duration;

use foretide_cohorts::{Change, Cohort, Cohorts, Quality, Verdict};
use foretide_events::{EpochMs, Text};
use foretide_ports::{CohortSizes, CohortsVersion, Report};
use serde_json::{Map, Value, json};

use super::{Formed, KIND, Outcome};
use crate::TrainerMetrics;

/// What came of a re-forming.
pub(super) struct Told {
    outcome: Outcome,
    causes: Vec<String>,
    details: Map<String, Value>,
    quality: Option<Quality>,
    moved: Option<f64>,
}

impl Told {
    /// Before it is looked at whether what was formed is worth a version.
    pub(super) fn of(formed: &Formed, seed: u64) -> Self {
        let Formed {
            reforming,
            sampled,
            shoppers,
        } = formed;
        let candidate = reforming.candidate.as_ref();
        let (outcome, causes) = match &reforming.verdict {
            Verdict::Accepted => (Outcome::Published, Vec::new()),
            Verdict::Refused { causes } => {
                let causes = causes.iter().map(ToString::to_string).collect();
                let formed = candidate.map_or(Outcome::TooLittle, |_| Outcome::Refused);
                (formed, causes)
            }
        };
        let mut told = Self {
            outcome,
            causes,
            details: Map::new(),
            quality: candidate.map(|candidate| candidate.quality),
            moved: reforming.comparison.and_then(|comparison| comparison.moved),
        };
        told.add("sampled", json!(sampled));
        told.add("shoppers", json!(shoppers));
        told.add("seed", json!(seed));
        told.add("comparison", json!(reforming.comparison));
        told.add("candidate", candidate.map_or(Value::Null, summary));
        told
    }

    fn add(&mut self, name: &str, value: Value) {
        if !value.is_null() {
            self.details.insert(name.to_owned(), value);
        }
    }

    /// What serves has `sizes` now.
    pub(super) fn counted(&mut self, serving: &CohortsVersion, sizes: Vec<u64>) {
        let version = serving.version.clone();
        self.add(CohortSizes::NAME, json!(CohortSizes { version, sizes }));
    }

    /// It is hardly another than what serves.
    pub(super) fn unchanged(&mut self) {
        self.outcome = Outcome::Unchanged;
    }

    /// Another trainer has published meanwhile: what was formed goes on from what serves no more.
    pub(super) fn overtaken(&mut self) {
        self.outcome = Outcome::Unchanged;
        self.causes
            .push("another trainer published cohorts meanwhile".to_owned());
    }

    /// Whether some of `counted` have fewer shoppers than `minimum`, which the sample did not tell: they must not serve.
    pub(super) fn has_too_small(&mut self, counted: &Cohorts, minimum: u64) -> bool {
        let before = self.causes.len();
        let cause = |cohort: &Cohort| {
            format!(
                "cohort {} has {} shoppers, fewer than {minimum}",
                &*cohort.id, cohort.size
            )
        };
        self.causes.extend(counted.smaller_than(minimum).map(cause));
        let found = self.causes.len() > before;
        if found {
            self.outcome = Outcome::Refused;
        }
        found
    }

    /// The share of shoppers who would move; `None` where nothing serves yet.
    pub(super) fn moved(&self) -> Option<f64> {
        self.moved
    }

    /// It is published.
    pub(super) fn published(&mut self, version: &CohortsVersion) {
        self.outcome = Outcome::Published;
        self.add("version", json!(&*version.version));
        self.add("since", json!(version.since));
        self.add("candidate", summary(&version.cohorts));
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The record for everyone, at `now`, where it took so long.
    pub(super) fn report(&self, now: EpochMs, took: Duration) -> Report {
        let mut details = self.details.clone();
        details.insert("took_seconds".to_owned(), json!(took.as_secs_f64()));
        let text = |text: &str| Text::new(text).unwrap_or_default();
        Report {
            kind: text(KIND),
            at: now,
            outcome: text(self.outcome.label().unwrap_or_default()),
            causes: self.causes.clone(),
            details: Value::Object(details),
        }
    }

    /// Shows it by metrics.
    pub(super) fn show(&self, metrics: &TrainerMetrics) {
        if let Some(quality) = self.quality {
            metrics.reforming_silhouette.set(quality.silhouette);
            metrics.reforming_explained.set(quality.explained);
        }
        if let Some(moved) = self.moved {
            metrics.reforming_moved.set(moved);
        }
    }

    /// Logs it.
    pub(super) fn log(&self, version: Option<&CohortsVersion>, took: Duration) {
        let took_ms = took.as_millis();
        match (version, self.outcome) {
            (Some(version), _) => tracing::info!(
                version = &*version.version,
                since = %version.since,
                cohorts = version.cohorts.members.len(),
                shoppers = version.shoppers,
                moved_share = self.moved,
                silhouette = version.cohorts.quality.silhouette,
                took_ms,
                "published cohorts"
            ),
            (None, Outcome::Refused) => tracing::warn!(
                causes = self.causes.join("; "),
                took_ms,
                "a re-forming of the cohorts was refused: the last good ones go on serving"
            ),
            (None, outcome) => tracing::info!(
                outcome = outcome.label(),
                causes = self.causes.join("; "),
                moved_share = self.moved,
                took_ms,
                "the cohorts stay as they are"
            ),
        }
    }
}

/// What people look at first.
fn summary(cohorts: &Cohorts) -> Value {
    let member = |cohort: &Cohort| {
        json!({
            "id": &*cohort.id,
            "name": &*cohort.name,
            "size": cohort.size,
            "share": cohort.share,
        })
    };
    let changes: Vec<&Change> = cohorts
        .lineage
        .iter()
        .filter(|change| !matches!(change, Change::Kept { .. }))
        .collect();
    json!({
        "cohorts": cohorts.members.iter().map(member).collect::<Vec<_>>(),
        "quality": cohorts.quality,
        "changes": changes,
    })
}
