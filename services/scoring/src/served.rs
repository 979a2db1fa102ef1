//! Features as they are served: the value with what may be made of it.

use foretide_events::EpochMs;
use foretide_features::{FeatureSpec, FeatureVector, FoldRules, Reference, State};
use schemars::JsonSchema;
use serde::Serialize;

/// The feature view that every feature of the catalogue belongs to.
pub(crate) const FEATURE_VIEW: &str = "shopper";

/// The feature service that stands for the whole catalogue.
pub(crate) const FEATURE_SERVICE: &str = "foretide";

/// What a value is worth. The words are those of Feast's `FieldStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schemars(rename = "FeatureStatus")]
pub enum Status {
    /// It is there.
    Present,
    /// The shopper is known, and has no such value.
    NullValue,
    /// Nothing is known of the shopper.
    NotFound,
    /// The shopper's newest event is older than the feature's greatest age: what it told counts no more.
    OutsideMaxAge,
    /// There is no such feature.
    Invalid,
}

impl Status {
    /// Every status, in the order of its declaration.
    pub(crate) const ALL: [Self; 5] = [
        Self::Present,
        Self::NullValue,
        Self::NotFound,
        Self::OutsideMaxAge,
        Self::Invalid,
    ];

    /// What metrics call it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::NullValue => "null_value",
            Self::NotFound => "not_found",
            Self::OutsideMaxAge => "outside_max_age",
            Self::Invalid => "invalid",
        }
    }
}

/// How old a shopper's newest event may be for the feature to be served, in milliseconds; `None` where any age will do.
pub(crate) fn max_age_ms(spec: &FeatureSpec, rules: &FoldRules) -> Option<i64> {
    spec.nature.time_to_live.ms(rules)
}

/// The features of a shopper as they are served at an instant.
#[derive(Clone, Debug)]
pub struct Served {
    /// When the newest event that they rest on happened.
    pub(crate) as_of: EpochMs,
    /// How long before the instant that was, in milliseconds.
    age_ms: i64,
    values: FeatureVector,
    rules: FoldRules,
}

impl Served {
    /// Those of `state` at `at`.
    pub fn of(state: &State, at: EpochMs, rules: &FoldRules, reference: &Reference) -> Self {
        let as_of = state.as_of();
        Self {
            as_of,
            age_ms: at.since(as_of),
            values: state.features(at, rules, reference),
            rules: *rules,
        }
    }

    /// When the newest event that they rest on happened.
    pub fn as_of(&self) -> EpochMs {
        self.as_of
    }

    /// What they were folded by.
    pub(crate) fn rules(&self) -> &FoldRules {
        &self.rules
    }

    /// The value of one feature, unless it is missing or too old, and which of these.
    pub fn get(&self, spec: &FeatureSpec) -> (Option<f64>, Status) {
        // Its value is missing then, too: this tells why.
        if max_age_ms(spec, &self.rules).is_some_and(|max| self.age_ms > max) {
            return (None, Status::OutsideMaxAge);
        }
        match self.values.get(spec.feature) {
            Some(value) => (Some(value), Status::Present),
            None => (None, Status::NullValue),
        }
    }
}

#[cfg(test)]
mod tests {
    use foretide_features::{CATALOGUE, Feature};

    use super::*;

    #[test]
    fn what_is_said_of_a_session_holds_as_long_as_a_session_stays_open() {
        let rules = FoldRules::default();
        let of_session = CATALOGUE
            .iter()
            .filter(|spec| spec.name.starts_with("session_"));
        for spec in of_session {
            assert_eq!(
                max_age_ms(spec, &rules),
                Some(rules.session_gap_ms),
                "{}",
                spec.name
            );
        }
        let day = Feature::EngagementDeviation.spec();
        assert_eq!(max_age_ms(day, &rules), Some(86_400_000));
    }

    #[test]
    fn missing_and_expired_are_told_apart() {
        let (rules, reference) = (FoldRules::default(), Reference::prior());
        let served = |age_ms| Served::of(&State::default(), EpochMs(age_ms), &rules, &reference);
        let session = Feature::SessionActions.spec();
        let since_purchase = Feature::DaysSincePurchase.spec();
        let gap_ms = rules.session_gap_ms;
        assert_eq!(served(gap_ms).get(session), (None, Status::NullValue));
        assert_eq!(
            served(gap_ms + 1).get(session),
            (None, Status::OutsideMaxAge)
        );
        assert_eq!(
            served(gap_ms + 1).get(since_purchase),
            (None, Status::NullValue)
        );
        assert_eq!(
            served(gap_ms + 1).get(Feature::ActionsTotal.spec()),
            (Some(0.0), Status::Present)
        );
    }
}
