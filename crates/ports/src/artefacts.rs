//! All artefacts that serve, followed together: the reference, the cohorts, the models, and the reports on them.

use std::{sync::Arc, time::Duration};

use foretide_events::{EpochMs, Text};
use serde::{Deserialize, Serialize};

use crate::{
    Artefact, ArtefactRefused, CohortVersions, CohortsVersion, LogError, ModelVersion,
    ModelVersions, ReadOnlyLog, Record, ReferenceVersion, References, ServingChange, Versioned,
    Versions, read_artefacts,
};

/// What became of the last attempt to form or to learn something: `report/<kind>` on `foretide.artefacts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Of what: `cohorts`, or the name of a target.
    pub kind: Text<32>,
    /// When it ended.
    pub at: EpochMs,
    /// How it ended, such as `published` or `refused`.
    pub outcome: Text<32>,
    /// Why, for a person.
    #[serde(default)]
    pub causes: Vec<String>,
    /// Figures.
    #[serde(default)]
    pub details: serde_json::Value,
}

impl Versioned for Report {
    const PREFIX: &'static str = "report/";

    fn name(&self) -> String {
        self.kind.to_string()
    }

    fn since(&self) -> EpochMs {
        self.at
    }

    fn check(&self) -> Result<(), ArtefactRefused> {
        Ok(())
    }
}

/// The last report of each kind.
pub type Reports = Versions<Report>;

/// Everything that is learnt and serves. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub struct Artefacts {
    /// What is usual among shoppers.
    pub references: Arc<References>,
    /// The cohorts.
    pub cohorts: Arc<CohortVersions>,
    /// The models, and which of them serve.
    pub models: Arc<ModelVersions>,
    /// What became of the last attempts to learn.
    pub reports: Arc<Reports>,
}

/// A kind of artefact, as metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArtefactKind {
    /// A version of the reference.
    Reference,
    /// A version of the cohorts.
    Cohorts,
    /// A model, or a change of which one serves.
    Model,
    /// A report.
    Report,
}

impl ArtefactKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Reference, Self::Cohorts, Self::Model, Self::Report];

    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Cohorts => "cohorts",
            Self::Model => "model",
            Self::Report => "report",
        }
    }
}

/// What a record of `foretide.artefacts` was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// What it is about.
    pub kind: ArtefactKind,
    /// Whether it cannot be used, and so changed nothing.
    pub refused: bool,
}

impl Artefacts {
    /// Reads all that `log` holds, for a command that looks at a log. What cannot be used is logged and passed over.
    ///
    /// # Errors
    /// The log cannot be read, or says nothing for `patience`.
    pub async fn load(log: &ReadOnlyLog, patience: Duration) -> Result<Self, LogError> {
        let known = Self::default();
        read_artefacts(log, patience, |record| {
            known.take(record);
        })
        .await?;
        Ok(known)
    }

    /// Takes note of a record of `foretide.artefacts`; `None` if it is no artefact, such as the log's id.
    pub fn take(&self, record: &Record) -> Option<Noted> {
        let noted = |kind, refused| Noted { kind, refused };
        if let Some(read) = self.references.take(record) {
            return Some(noted(ArtefactKind::Reference, read.is_refused()));
        }
        if let Some(read) = self.cohorts.take(record) {
            return Some(noted(ArtefactKind::Cohorts, read.is_refused()));
        }
        if let Some(read) = self.models.take(record) {
            return Some(noted(ArtefactKind::Model, read.is_refused()));
        }
        let read = self.reports.take(record)?;
        Some(noted(ArtefactKind::Report, read.is_refused()))
    }
}

/// Why `record`, which claims to be an artefact, cannot be used; `None` if it can, or is none.
pub fn why_refused(record: &Record) -> Option<ArtefactRefused> {
    fn of<T: Versioned>(record: &Record) -> Option<ArtefactRefused> {
        match Artefact::<T>::of(record)? {
            Artefact::Refused(_, cause) => Some(cause),
            Artefact::Version(_) | Artefact::Gone(_) => None,
        }
    }
    of::<ReferenceVersion>(record)
        .or_else(|| of::<CohortsVersion>(record))
        .or_else(|| of::<ModelVersion>(record))
        .or_else(|| of::<ServingChange>(record))
        .or_else(|| of::<Report>(record))
}
