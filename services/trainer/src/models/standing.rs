//! Which model serves, what it replaced, and which want to serve.

use std::{collections::BTreeSet, sync::Arc};

use foretide_events::EpochMs;
use foretide_models::Target;
use foretide_ports::{ModelVersion, ModelVersions, ServingCause, ServingChange};

/// The models of one target at an instant.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// What serves; `None` is the prior.
    pub(super) serving: Option<Arc<ModelVersion>>,
    /// Since when.
    pub(super) since: EpochMs,
    /// What it replaced, where it was promoted and is to be watched; `Some(None)` is the prior.
    #[expect(
        clippy::option_option,
        reason = "there may be nothing, and the prior is no model"
    )]
    pub(super) former: Option<Option<Arc<ModelVersion>>>,
    /// How many changes there were before the one that serves, ever.
    pub(super) earlier_changes: u64,
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
        let mut changes = known.changes(target);
        changes.sort_by_key(|change| (change.since, change.sequence));
        let newest_since = changes.last().map(|change| change.since);
        let is_pending = newest_since.is_some_and(|since| since > now);
        let effective: Vec<(Arc<ServingChange>, Option<Arc<ModelVersion>>)> = changes
            .iter()
            .filter(|change| change.since <= now)
            .filter_map(|change| {
                let model = match &change.version {
                    None => None,
                    Some(version) => Some(known.get(target, version)?),
                };
                Some((Arc::clone(change), model))
            })
            .collect();
        let served: BTreeSet<_> = changes
            .iter()
            .filter_map(|change| change.version.clone())
            .collect();
        let current = effective.last();
        let by_hand = current.filter(|(change, _)| change.cause == ServingCause::Admin);
        // Whoever decided by hand has seen the models of then.
        let seen = by_hand.map(|(change, _)| change.since);
        let mut challengers = known.models(target);
        challengers.retain(|model| {
            !served.contains(&model.version) && seen.is_none_or(|seen| model.created_at > seen)
        });
        let before = effective
            .len()
            .checked_sub(2)
            .map(|place| effective[place].1.clone());
        Self {
            serving: current.and_then(|(_, model)| model.clone()),
            since: current.map_or(EpochMs::EARLIEST, |(change, _)| change.since),
            former: current
                .filter(|(change, _)| change.cause == ServingCause::Promoted)
                .map(|_| before.flatten()),
            earlier_changes: current.map_or(0, |(change, _)| {
                u64::from(change.sequence.saturating_sub(1))
            }),
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
