//! Which model serves, what it replaced, and which want to serve.

use std::{collections::BTreeSet, sync::Arc};

use foretide_events::EpochMs;
use foretide_models::Target;
use foretide_ports::{ModelVersion, ModelVersions, ServingChange};

/// The models of one target at an instant.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// What serves; `None` is the prior.
    pub(super) serving: Option<Arc<ModelVersion>>,
    /// Since when.
    pub(super) since: EpochMs,
    /// What would be gone back to, where a model serves: it is watched, whoever let it serve. `Some(None)` is the prior.
    #[expect(
        clippy::option_option,
        reason = "there may be nothing, and the prior is no model"
    )]
    pub(super) former: Option<Option<Arc<ModelVersion>>>,
    /// The sequence of the next change.
    pub(super) next_sequence: u32,
    /// The models that never served and may, by when they were trained.
    pub(super) challengers: Vec<Arc<ModelVersion>>,
    /// Whether another change is on its way.
    pub(super) is_pending: bool,
    /// When the newest change takes or took effect, for the next is to be later.
    pub(super) newest_since: Option<EpochMs>,
}

impl Standing {
    /// How it stands with `target` at `now`. A change to a model that is not kept, or was refused, changed nothing.
    pub(super) fn of(known: &ModelVersions, target: Target, now: EpochMs) -> Self {
        // Before anything else is looked at: whatever comes meanwhile must not seem to have been known.
        let next_sequence = known.next_sequence(target);
        let mut changes = known.changes(target);
        changes.sort_by_key(|change| (change.since, change.sequence));
        let usable: Vec<(Arc<ServingChange>, Option<Arc<ModelVersion>>)> = changes
            .iter()
            .filter_map(|change| {
                let model = match &change.version {
                    None => None,
                    Some(version) => Some(known.get(target, version)?),
                };
                Some((Arc::clone(change), model))
            })
            .collect();
        let newest_since = usable.last().map(|(change, _)| change.since);
        let is_pending = newest_since.is_some_and(|since| since > now);
        let effective = usable.partition_point(|(change, _)| change.since <= now);
        let served: BTreeSet<_> = changes
            .iter()
            .filter_map(|change| change.version.clone())
            .collect();
        let current = usable[..effective].last();
        let by_hand = current.filter(|(change, _)| change.is_by_hand());
        // Whoever decided by hand has seen the models of then.
        let seen = by_hand.map(|(change, _)| change.since);
        let mut challengers = known.models(target);
        challengers.retain(|model| {
            !served.contains(&model.version) && seen.is_none_or(|seen| model.created_at > seen)
        });
        let serving = current.and_then(|(_, model)| model.clone());
        Self {
            since: current.map_or(EpochMs::EARLIEST, |(change, _)| change.since),
            former: serving.is_some().then(|| known.former(target, now)),
            serving,
            next_sequence,
            challengers,
            is_pending,
            newest_since,
        }
    }

    /// All models that are at hand.
    pub(super) fn models(&self) -> impl Iterator<Item = &ModelVersion> {
        let former = self.former.iter().flatten();
        let all = self.serving.iter().chain(former).chain(&self.challengers);
        all.map(|model| &**model)
    }
}
