//! Which cohorts served when.

use std::sync::Arc;

use foretide_cohorts::Cohorts;
use foretide_events::{EpochMs, Text};
use serde::{Deserialize, Serialize};

use crate::{ArtefactRefused, Artefacts, Report, Versioned, Versions};

/// Cohorts with the time from which they serve: `cohorts/<version>` on `foretide.artefacts`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CohortsVersion {
    /// Their name, which is the cohorts' own.
    pub version: Text<64>,
    /// From when on they serve, which the cohorts say too.
    pub since: EpochMs,
    /// As of when shoppers were read, at the latest `since`: of a past that has been imported, when it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<EpochMs>,
    /// How many shoppers were assigned when they formed.
    #[serde(default)]
    pub shoppers: u64,
    /// What they are.
    pub cohorts: Arc<Cohorts>,
}

impl CohortsVersion {
    /// As of when shoppers are read who have not been seen since.
    pub fn read_at(&self) -> EpochMs {
        self.as_of.map_or(self.since, |at| at.min(self.since))
    }
}

impl Versioned for CohortsVersion {
    const PREFIX: &'static str = "cohorts/";

    fn name(&self) -> String {
        self.version.to_string()
    }

    fn since(&self) -> EpochMs {
        self.since
    }

    fn check(&self) -> Result<(), ArtefactRefused> {
        let inner = &self.cohorts;
        if inner.version != self.version || inner.since != self.since {
            return Err(ArtefactRefused::OtherName);
        }
        let sound = inner.check();
        sound.map_err(|refused| ArtefactRefused::Unsound(refused.to_string()))
    }
}

/// How many shoppers were in each cohort of a version when they were last counted, as `report/cohorts` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CohortSizes {
    /// The version whose cohorts they are.
    pub version: Text<64>,
    /// How many shoppers are in each, in the order of its members.
    pub sizes: Vec<u64>,
}

impl CohortSizes {
    /// What it is called among the figures of a report.
    pub const NAME: &'static str = "serving";

    /// What `report` says; `None` if it says nothing of sizes.
    pub fn of(report: &Report) -> Option<Self> {
        Self::deserialize(report.details.get(Self::NAME)?).ok()
    }

    /// The cohorts of `version` with these sizes; `None` if they are those of another version.
    fn applied_to(&self, version: &CohortsVersion) -> Option<CohortsVersion> {
        if self.version != version.version {
            return None;
        }
        let counted = Cohorts::clone(&version.cohorts).counted(&self.sizes)?;
        Some(CohortsVersion {
            shoppers: counted.shoppers,
            cohorts: Arc::new(counted),
            ..version.clone()
        })
    }
}

impl Artefacts {
    /// The cohorts that serve at `at`, with the sizes that were counted last: those of when they formed until then.
    pub fn cohorts_counted(&self, at: EpochMs) -> Option<Arc<CohortsVersion>> {
        let serving = self.cohorts.at(at)?;
        let report = self.reports.get("cohorts");
        let sizes = report.and_then(|report| CohortSizes::of(&report));
        let counted = sizes.and_then(|sizes| sizes.applied_to(&serving));
        Some(counted.map_or(serving, Arc::new))
    }
}

/// All versions of the cohorts, by when they served. Before the first there is one cohort, that of everyone.
pub type CohortVersions = Versions<CohortsVersion>;

#[cfg(test)]
mod tests {
    use foretide_cohorts::{Counts, Reformer, Sample, Settings};
    use foretide_features::Feature;

    use super::*;
    use crate::Record;

    fn cohorts(version: &str, since: i64) -> CohortsVersion {
        let features = vec![Feature::ProductViews30d, Feature::Searches30d];
        let mut sample = Sample::new(&features);
        for number in 0..400_u32 {
            let jitter = f64::from(number * 37 % 101) / 101.0;
            sample.push(|_| Some(f64::from(number % 2) * 50.0 + jitter));
        }
        let settings = Settings {
            features,
            cohorts: Counts::Fixed(2),
            ..Settings::default()
        };
        let reference = Text::new("prior-1").unwrap();
        let reformer = Reformer::new(settings, 1).unwrap();
        let reforming = reformer.reform(&sample, &sample, None, EpochMs(since), &reference);
        let version = Text::new(version).unwrap();
        let formed = reforming.accepted().unwrap();
        let formed = formed.named(version.clone(), EpochMs(since));
        CohortsVersion {
            version,
            since: EpochMs(since),
            as_of: None,
            shoppers: 400,
            cohorts: Arc::new(formed),
        }
    }

    fn take(known: &CohortVersions, key: bytes::Bytes, value: String) -> bool {
        let record = Record {
            offset: 0,
            appended_at: EpochMs(0),
            key,
            value: Some(value.into()),
        };
        known.take(&record).is_some_and(|read| !read.is_refused())
    }

    #[test]
    fn cohorts_survive_their_record_and_what_cannot_be_used_is_refused() {
        let known = CohortVersions::default();
        let good = cohorts("v1", 100).record().unwrap();
        let text = String::from_utf8(good.value.unwrap().into()).unwrap();
        assert!(take(&known, good.key, text));
        assert_eq!(
            *known.at(EpochMs(100)).unwrap().cohorts,
            *cohorts("v1", 100).cohorts
        );

        let next = cohorts("v2", 200).record().unwrap();
        let text = String::from_utf8(next.value.unwrap().into()).unwrap();
        let schema = foretide_features::schema_id();
        for damaged in [
            text.replace(&schema, "0000000000000000"),
            text.replacen("\"v2\"", "\"v3\"", 1),
            text.replace("\"members\":[{", "\"members\":[{\"x\":1,"),
            text.replacen("\"size\":", "\"size\":-", 1),
            text.replacen("\"centroid\":[", "\"centroid\":[1e999,", 1),
            text.replacen("\"centroid\":[", "\"centroid\":[0.5,", 1),
            text[..text.len() / 2].to_owned(),
            String::new(),
        ] {
            assert_ne!(damaged, text);
            assert!(
                !take(&known, next.key.clone(), damaged.clone()),
                "{damaged}"
            );
        }
        assert_eq!(&*known.at(EpochMs(1_000)).unwrap().version, "v1");
        assert!(take(&known, next.key, text));
        assert_eq!(&*known.at(EpochMs(1_000)).unwrap().version, "v2");
    }
}
