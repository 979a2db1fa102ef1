//! How many events were rejected, by source and reason, since this process started.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use foretide_events::{Rejection, RejectionReason, SourceId};
use parking_lot::Mutex;

/// How many sources are remembered. Beyond it the one that was quiet longest is forgotten: anyone with the write key can name
/// any number of import runs.
const MAX_SOURCES: usize = 1024;

/// The counts of rejected events by source. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct RejectedCounts(Arc<Mutex<Sources>>);

#[derive(Debug, Default)]
struct Sources {
    by_source: HashMap<SourceId, Counts>,
    /// Rises with every change: the age of `Counts::changed`.
    changes: u64,
}

#[derive(Debug, Default)]
struct Counts {
    by_reason: BTreeMap<RejectionReason, u64>,
    changed: u64,
}

impl RejectedCounts {
    /// What was rejected of `source`; empty when nothing was, or it is forgotten.
    pub fn of(&self, source: &SourceId) -> BTreeMap<RejectionReason, u64> {
        self.0
            .lock()
            .by_source
            .get(source)
            .map(|counts| counts.by_reason.clone())
            .unwrap_or_default()
    }

    /// Counts `rejections` for `source`.
    pub(crate) fn add(&self, source: &SourceId, rejections: &[Rejection]) {
        if rejections.is_empty() {
            return;
        }
        let mut sources = self.0.lock();
        if sources.by_source.len() >= MAX_SOURCES && !sources.by_source.contains_key(source) {
            sources.forget_the_quietest();
        }
        sources.changes += 1;
        let changed = sources.changes;
        let counts = sources.by_source.entry(source.clone()).or_default();
        counts.changed = changed;
        for rejection in rejections {
            *counts.by_reason.entry(rejection.code).or_default() += 1;
        }
    }
}

impl Sources {
    fn forget_the_quietest(&mut self) {
        let quietest = self
            .by_source
            .iter()
            .min_by_key(|(_, counts)| counts.changed);
        if let Some(source) = quietest.map(|(source, _)| source.clone()) {
            self.by_source.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str) -> SourceId {
        SourceId::new(name).unwrap()
    }

    fn rejection(code: RejectionReason) -> Rejection {
        Rejection {
            index: 0,
            id: None,
            code,
            field: None,
            message: String::new(),
        }
    }

    #[test]
    fn each_source_has_its_own_counts_by_reason() {
        let counts = RejectedCounts::default();
        let [missing, large] = [RejectionReason::MissingField, RejectionReason::TooLarge];
        counts.add(
            &source("one"),
            &[rejection(missing), rejection(large), rejection(missing)],
        );
        counts.clone().add(&source("two"), &[rejection(large)]);
        assert_eq!(
            counts.of(&source("one")),
            BTreeMap::from([(missing, 2), (large, 1)])
        );
        assert_eq!(counts.of(&source("two")), BTreeMap::from([(large, 1)]));
        assert!(counts.of(&source("three")).is_empty());
    }

    #[test]
    fn any_number_of_sources_takes_bounded_memory_and_the_busy_are_kept() {
        let counts = RejectedCounts::default();
        let large = [rejection(RejectionReason::TooLarge)];
        for run in 0..3 * MAX_SOURCES {
            counts.add(&source(&format!("import:{run}")), &large);
            counts.add(&source("key:0a1b2c3d"), &large);
        }
        assert_eq!(counts.0.lock().by_source.len(), MAX_SOURCES);
        let busy = counts.of(&source("key:0a1b2c3d"));
        assert_eq!(busy[&RejectionReason::TooLarge], 3 * MAX_SOURCES as u64);
    }
}
