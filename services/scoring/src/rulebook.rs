//! What decisions go by: the offers and settings that the store last told of, and the flags for what it does not hold.

use std::sync::Arc;

use foretide_decision::{
    RulePolicy, RuleSettings, Thresholds,
    catalogue::{CohortNames, SettingName, SettingValue},
};
use foretide_events::Text;
use foretide_ports::store::{Snapshot, StoreView};
use parking_lot::RwLock;

use crate::ScoringConfig;

/// The rules of one snapshot of the store.
#[derive(Debug)]
pub(crate) struct Rules {
    snapshot: Arc<Snapshot>,
    pub(crate) policy: RulePolicy,
    /// Answers that rest on features older than this say that they are degraded.
    pub(crate) max_features_age_ms: i64,
    /// What people call the cohorts.
    pub(crate) cohort_names: CohortNames,
}

/// The rules of the newest snapshot. A database that is away leaves those of the last one.
#[derive(Debug)]
pub(crate) struct Rulebook {
    store: Arc<StoreView>,
    config: ScoringConfig,
    current: RwLock<Arc<Rules>>,
}

impl Rules {
    fn of(snapshot: Arc<Snapshot>, config: &ScoringConfig) -> Self {
        let mut thresholds = config.thresholds();
        let mut max_features_age_ms = config.max_features_age_ms;
        let mut cohort_names = CohortNames::default();
        for setting in &snapshot.settings {
            match &setting.value {
                SettingValue::DiscountThreshold(value) => thresholds.abandonment = *value,
                SettingValue::DriftThreshold(value) => thresholds.drift = *value,
                SettingValue::MaxFeaturesAgeMs(value) => max_features_age_ms = *value,
                SettingValue::CohortNames(names) => cohort_names = Arc::clone(names),
            }
        }
        let settings = RuleSettings {
            untreated_share: config.untreated_share,
            ..RuleSettings::of(thresholds, &snapshot.offers, snapshot.revision)
        };
        Self {
            cohort_names,
            snapshot,
            policy: RulePolicy::new(settings),
            max_features_age_ms,
        }
    }
}

impl Rules {
    /// What people call the cohort `id`, if they gave it a name.
    pub(crate) fn cohort_name(&self, id: &str) -> Option<&str> {
        if self.cohort_names.is_empty() {
            return None;
        }
        let name = self.cohort_names.get(&Text::new(id)?)?;
        Some(name)
    }
}

impl Rulebook {
    pub(crate) fn new(store: Arc<StoreView>, config: ScoringConfig) -> Self {
        let rules = Rules::of(store.current(), &config);
        Self {
            store,
            config,
            current: RwLock::new(Arc::new(rules)),
        }
    }

    /// The rules as of now. They are made anew only when there is another snapshot.
    pub(crate) fn current(&self) -> Arc<Rules> {
        let snapshot = self.store.current();
        let rules = Arc::clone(&self.current.read());
        if Arc::ptr_eq(&rules.snapshot, &snapshot) {
            return rules;
        }
        let rules = Arc::new(Rules::of(snapshot, &self.config));
        *self.current.write() = Arc::clone(&rules);
        rules
    }

    /// What a setting is as long as the store does not hold it: the flag's value, and no names of cohorts.
    pub(crate) fn flag(&self, name: SettingName) -> SettingValue {
        let Thresholds { abandonment, drift } = self.config.thresholds();
        match name {
            SettingName::DiscountThreshold => SettingValue::DiscountThreshold(abandonment),
            SettingName::DriftThreshold => SettingValue::DriftThreshold(drift),
            SettingName::MaxFeaturesAgeMs => {
                SettingValue::MaxFeaturesAgeMs(self.config.max_features_age_ms)
            }
            SettingName::CohortNames => SettingValue::CohortNames(CohortNames::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use foretide_events::EpochMs;
    use foretide_ports::store::{Expected, MemoryStore, Store};

    use super::*;
    use crate::testing::config;

    #[tokio::test]
    async fn the_store_counts_before_the_flags_and_its_last_word_stays() {
        let store = Arc::new(MemoryStore::new());
        let view = StoreView::load(Arc::clone(&store) as Arc<dyn Store>)
            .await
            .unwrap();
        let rulebook = Rulebook::new(Arc::clone(&view), config());
        let first = rulebook.current();
        assert_eq!(first.max_features_age_ms, 10_000);
        assert!(Arc::ptr_eq(&first, &rulebook.current()));

        let value = SettingValue::MaxFeaturesAgeMs(5);
        store
            .put_setting(value, Expected::Any, EpochMs(0))
            .await
            .unwrap();
        view.refresh().await.unwrap();
        assert_eq!(rulebook.current().max_features_age_ms, 5);
        store.faults().set_away(true);
        assert!(view.refresh().await.is_err());
        assert_eq!(rulebook.current().max_features_age_ms, 5);
    }
}
