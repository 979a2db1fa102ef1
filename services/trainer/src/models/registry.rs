//! What is taken away of the models: see [`Keeping`].

use std::collections::BTreeMap;

use foretide_events::{EpochMs, Text};
use foretide_models::Target;
use foretide_ports::{ModelVersions, NewRecord, Versioned as _};
use foretide_training::registry::{Keeping, Registered};

use super::standing::Standing;
use crate::parts::KEPT_MS;

/// How many models of a target are shown beside the one that serves, the newest that never served.
pub(super) const CHALLENGERS: usize = 8;
/// How many are kept that never served.
const NEVER_SERVED_KEPT: usize = 16;

/// What takes away, at `now`, the models of `target` that nobody asks for any more, and the changes that are as old.
pub(super) fn outlived(
    known: &ModelVersions,
    target: Target,
    standing: &Standing,
    now: EpochMs,
) -> Vec<NewRecord> {
    let mut changes = known.changes(target);
    changes.sort_by_key(|change| (change.since, change.sequence));
    let highest = changes.iter().map(|change| change.sequence).max();
    let mut served_until: BTreeMap<Text<64>, EpochMs> = BTreeMap::new();
    // Those that do not count would, once that is gone which overrules them.
    let overruled = known.overruled(target);
    let mut records: Vec<NewRecord> = overruled.iter().map(|own| own.tombstone()).collect();
    for (place, change) in changes.iter().enumerate() {
        let until = changes.get(place + 1).map_or(now, |next| next.since);
        if let Some(version) = &change.version {
            let known = served_until.entry(version.clone()).or_insert(until);
            *known = until.max(*known);
        }
        // The newest says what serves, the one before it what to go back to, and the highest how the sequence goes on.
        let is_old = now.since(until) > KEPT_MS && place + 2 < changes.len();
        if is_old && Some(change.sequence) != highest {
            records.push(change.tombstone());
        }
    }
    let models = known.models(target);
    let looked_at = standing.challengers.len().saturating_sub(CHALLENGERS);
    let needed = |version: &Text<64>| {
        let serves = standing
            .serving
            .iter()
            .chain(standing.former.iter().flatten());
        let wants_to = &standing.challengers[looked_at..];
        serves
            .chain(wants_to)
            .any(|model| model.version == *version)
    };
    let registered: Vec<Registered<'_>> = models
        .iter()
        .map(|model| Registered {
            version: &model.version,
            created_at: model.created_at,
            served_until: served_until.get(&model.version).copied(),
            is_needed: needed(&model.version),
        })
        .collect();
    let keeping = Keeping {
        served_ms: KEPT_MS,
        latest: NEVER_SERVED_KEPT,
    };
    let outlived = keeping.outlived(&registered, now);
    let gone = models
        .iter()
        .filter(|model| outlived.contains(&*model.version));
    records.extend(gone.map(|model| model.tombstone()));
    records
}
