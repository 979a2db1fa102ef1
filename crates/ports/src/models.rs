//! Which models there are, and which of them served when.

use std::{sync::Arc, time::Duration};

use foretide_decision::KnownModels;
use foretide_events::{EpochMs, Text};
use foretide_models::{Model, ModelCard, Target};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::{
    Artefact, ArtefactRefused, LogError, ReadOnlyLog, Record, Versioned, Versions, read_artefacts,
};

/// A model as it is kept: `model/<target>/<version>` on `foretide.artefacts`. That it is kept does not mean that it serves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelVersion {
    /// What it predicts.
    pub target: Target,
    /// Its name, which is the model's own.
    pub version: Text<64>,
    /// When it was trained.
    pub created_at: EpochMs,
    /// What people may want to know of it.
    pub card: ModelCard,
    /// It itself; written in the codec of models, as base64.
    #[serde(with = "packed")]
    pub model: Arc<Model>,
}

mod packed {
    use std::sync::Arc;

    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use foretide_models::Model;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(
        model: &Arc<Model>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(model.encode()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<Model>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        Ok(Arc::new(Model::decode(&bytes).map_err(D::Error::custom)?))
    }
}

impl Versioned for ModelVersion {
    const PREFIX: &'static str = "model/";

    fn name(&self) -> String {
        model_name(self.target, &self.version)
    }

    fn since(&self) -> EpochMs {
        self.created_at
    }

    fn check(&self) -> Result<(), ArtefactRefused> {
        // What decodes is sound.
        let own = (self.model.target(), self.model.version());
        let carded = (self.card.target, &self.card.version);
        if own == (self.target, &self.version) && carded == own {
            Ok(())
        } else {
            Err(ArtefactRefused::OtherName)
        }
    }
}

fn model_name(target: Target, version: &str) -> String {
    format!("{target}/{version}")
}

/// Why another model serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServingCause {
    /// It proved better than the one before, or as good and fresher.
    Promoted,
    /// The one before it did worse than it should.
    RolledBack,
    /// A person asked for it.
    Admin,
}

impl ServingCause {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
            Self::Admin => "admin",
        }
    }
}

/// From when on which model serves: `serving/<target>/<sequence>` on `foretide.artefacts`, and `serving/<target>/<sequence>/<by>`
/// if a person asked for it, so that whoever took the same sequence at the same moment does not put it away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServingChange {
    /// What is predicted.
    pub target: Target,
    /// Rises with each change of the target.
    pub sequence: u32,
    /// The model that serves; `None` for the prior.
    pub version: Option<Text<64>>,
    /// From when on.
    pub since: EpochMs,
    /// Why.
    pub cause: ServingCause,
    /// Who says so: an instance, or the id of an admin key.
    pub by: Text<128>,
    /// Whether a person asked for it: then no change counts any more that did not know of it. Absent in older records, of which
    /// those with the cause [`Admin`](ServingCause::Admin) were.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_hand: bool,
}

impl ServingChange {
    /// Whether a person asked for it.
    pub fn is_by_hand(&self) -> bool {
        self.by_hand || self.cause == ServingCause::Admin
    }

    /// Whether it does not count because of `other`, which a person asked for: it would serve later, though whoever said so did not
    /// know of that.
    fn is_overruled_by(&self, other: &Self) -> bool {
        let knew_of_it = self.sequence > other.sequence
            || (self.sequence == other.sequence && self.is_by_hand());
        other.is_by_hand()
            && other.target == self.target
            && !knew_of_it
            && other.since <= self.since
    }
}

impl Versioned for ServingChange {
    const PREFIX: &'static str = "serving/";

    fn name(&self) -> String {
        let name = format!("{}/{:08}", self.target, self.sequence);
        if self.by_hand {
            format!("{name}/{}", &*self.by)
        } else {
            name
        }
    }

    fn since(&self) -> EpochMs {
        self.since
    }

    fn check(&self) -> Result<(), ArtefactRefused> {
        Ok(())
    }
}

/// What a record of `foretide.artefacts` was to those who follow models.
#[derive(Clone, Debug)]
pub enum ModelRecord {
    /// Of a model.
    Model(Artefact<ModelVersion>),
    /// Of what serves since when.
    Change(Artefact<ServingChange>),
}

impl ModelRecord {
    /// Whether it cannot be used.
    pub fn is_refused(&self) -> bool {
        match self {
            Self::Model(artefact) => artefact.is_refused(),
            Self::Change(artefact) => artefact.is_refused(),
        }
    }
}

/// All models that are kept, and which served when. A change to a model that is not known, or was refused, changes nothing:
/// what served before goes on.
#[derive(Debug, Default)]
pub struct ModelVersions {
    models: Versions<ModelVersion>,
    changes: Versions<ServingChange>,
    /// What follows from the two: looked up by every decision.
    serving: RwLock<[Line; Target::ALL.len()]>,
}

/// What serves of one target, each from its instant on, the earliest first; `None` for the prior.
type Line = Vec<(EpochMs, Option<Arc<ModelVersion>>)>;

impl ModelVersions {
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

    /// The model of `target` that serves at `instant`; `None` for the prior.
    pub fn at(&self, target: Target, instant: EpochMs) -> Option<Arc<ModelVersion>> {
        let serving = self.serving.read();
        at(&serving, target, instant).cloned()
    }

    /// Both at once, in the order of [`Target::ALL`].
    pub fn serving(&self, instant: EpochMs) -> [Option<Arc<ModelVersion>>; Target::ALL.len()] {
        let serving = self.serving.read();
        Target::ALL.map(|target| at(&serving, target, instant).cloned())
    }

    /// The model of this name.
    pub fn get(&self, target: Target, version: &str) -> Option<Arc<ModelVersion>> {
        self.models.get(&model_name(target, version))
    }

    /// All models of `target` that are kept, by when they were trained.
    pub fn models(&self, target: Target) -> Vec<Arc<ModelVersion>> {
        let mut models = self.models.all();
        models.retain(|model| model.target == target);
        models
    }

    /// All changes of what serves of `target` that count, by their sequence.
    pub fn changes(&self, target: Target) -> Vec<Arc<ServingChange>> {
        let mut changes = self.counting();
        changes.retain(|change| change.target == target);
        changes.sort_by_key(|change| change.sequence);
        changes
    }

    /// The changes of what serves of `target` that do not count, because a person decided otherwise at the same time.
    pub fn overruled(&self, target: Target) -> Vec<Arc<ServingChange>> {
        let all = self.changes.all();
        let mut overruled = all.clone();
        overruled.retain(|change| change.target == target && self.is_overruled(change, &all));
        overruled
    }

    /// The changes that count, by when they take effect.
    fn counting(&self) -> Vec<Arc<ServingChange>> {
        let all = self.changes.all();
        let mut counting = all.clone();
        counting.retain(|change| !self.is_overruled(change, &all));
        counting
    }

    /// Whether a person decided otherwise than `change` at the same time. One who named a model that is not known decided nothing.
    fn is_overruled(&self, change: &ServingChange, all: &[Arc<ServingChange>]) -> bool {
        all.iter()
            .any(|other| change.is_overruled_by(other) && self.model_of(other).is_ok())
    }

    /// What to go back to from the model of `target` that serves at `instant`: what served before it came to serve, and was not
    /// itself left behind by going back. `None` for the prior.
    pub fn former(&self, target: Target, instant: EpochMs) -> Option<Arc<ModelVersion>> {
        let mut line: Vec<Option<Arc<ModelVersion>>> = vec![None];
        for change in self.counting() {
            if change.target != target || change.since > instant {
                continue;
            }
            let Ok(model) = self.model_of(&change) else {
                continue;
            };
            let same = |known: &Option<Arc<ModelVersion>>| {
                version(known.as_ref()) == version(model.as_ref())
            };
            if change.cause == ServingCause::RolledBack {
                // Where it is not told any more when it served first, nothing but the prior is known to have been before.
                let place = line.iter().rposition(same);
                line.truncate(place.unwrap_or(0) + 1);
                if place.is_none() {
                    line.push(model);
                }
            } else if !line.last().is_some_and(same) {
                line.push(model);
            }
        }
        line.pop();
        line.pop().flatten()
    }

    /// The sequence of the next change of `target`: 1 at first.
    pub fn next_sequence(&self, target: Target) -> u32 {
        let all = self.changes.all();
        let own = all.iter().filter(|change| change.target == target);
        own.map(|change| change.sequence.saturating_add(1))
            .max()
            .unwrap_or(1)
    }

    /// Takes note of a record of `foretide.artefacts`, as [`Versions::take`] does.
    pub fn take(&self, record: &Record) -> Option<ModelRecord> {
        let taken = match self.models.take(record) {
            Some(model) => ModelRecord::Model(model),
            None => ModelRecord::Change(self.changes.take(record)?),
        };
        if !taken.is_refused() {
            // Worked out before the lock is taken: decisions wait for no more than the exchange.
            let lines = Target::ALL.map(|target| self.line(target));
            *self.serving.write() = lines;
        }
        Some(taken)
    }

    fn line(&self, target: Target) -> Line {
        let mut line = Line::new();
        for change in self.counting() {
            if change.target != target {
                continue;
            }
            if let Ok(model) = self.model_of(&change) {
                line.push((change.since, model));
            }
        }
        line
    }

    /// The model that `change` lets serve, `None` for the prior.
    fn model_of(&self, change: &ServingChange) -> Result<Option<Arc<ModelVersion>>, Unknown> {
        match &change.version {
            None => Ok(None),
            Some(version) => self.get(change.target, version).map(Some).ok_or(Unknown),
        }
    }
}

impl KnownModels for ModelVersions {
    fn model(&self, target: Target, version: &str) -> Option<Arc<Model>> {
        let found = self.get(target, version)?;
        Some(Arc::clone(&found.model))
    }
}

/// The model is not known, or was refused.
struct Unknown;

fn version(model: Option<&Arc<ModelVersion>>) -> Option<&Text<64>> {
    model.map(|model| &model.version)
}

fn at(
    serving: &[Line; Target::ALL.len()],
    target: Target,
    instant: EpochMs,
) -> Option<&Arc<ModelVersion>> {
    let line = &serving[target as usize];
    let next = line.partition_point(|(since, _)| *since <= instant);
    line[..next].last()?.1.as_ref()
}

#[cfg(test)]
mod tests;
