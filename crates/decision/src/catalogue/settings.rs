//! What may change while the services run: the rule's numbers, and what people call the cohorts.

use std::{collections::BTreeMap, fmt, sync::Arc};

use foretide_events::{EpochMs, Text};
use foretide_models::Probability;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The largest limit on the age of features: a day, in milliseconds.
pub const MAX_FEATURES_AGE_LIMIT_MS: i64 = 86_400_000;

/// The most cohorts that have a name of their own.
pub const MOST_COHORT_NAMES: usize = 1024;

/// What people call cohorts, by the cohort's id; those that are not here have the name that was made for them.
pub type CohortNames = Arc<BTreeMap<Text<32>, Text<80>>>;

/// A text that names no setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no setting: there are discount_threshold, drift_threshold and max_features_age_ms")]
pub struct UnknownSetting;

/// Why a value is not one of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSetting {
    /// A probability is wanted.
    #[error("is not a number between 0 and 1")]
    NotAProbability,
    /// A time is wanted.
    #[error("is not a whole number of milliseconds between 0 and {MAX_FEATURES_AGE_LIMIT_MS}")]
    NotAnAge,
    /// Names are wanted.
    #[error(
        "is not an object of at most {MOST_COHORT_NAMES} names by the ids of cohorts, each of 1 to 80 characters"
    )]
    NotNames,
}

/// Which setting. Where the store holds no number of the rule, the flag of the same name says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingName {
    /// What people call the cohorts.
    CohortNames,
    /// A probability of abandonment above this gets a discount.
    DiscountThreshold,
    /// Otherwise, a probability of drift above this gets recommendations.
    DriftThreshold,
    /// Answers that rest on features older than this say that they are degraded.
    MaxFeaturesAgeMs,
}

impl SettingName {
    /// Every setting.
    pub const ALL: [Self; 4] = [
        Self::CohortNames,
        Self::DiscountThreshold,
        Self::DriftThreshold,
        Self::MaxFeaturesAgeMs,
    ];

    /// The numbers of the rule.
    pub const NUMBERS: [Self; 3] = [
        Self::DiscountThreshold,
        Self::DriftThreshold,
        Self::MaxFeaturesAgeMs,
    ];

    /// Its stable name, as in the store and in the admin API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DiscountThreshold => "discount_threshold",
            Self::DriftThreshold => "drift_threshold",
            Self::MaxFeaturesAgeMs => "max_features_age_ms",
            Self::CohortNames => "cohort_names",
        }
    }

    /// The setting of that name.
    pub fn parse(name: &str) -> Result<Self, UnknownSetting> {
        let found = Self::ALL
            .into_iter()
            .find(|setting| setting.as_str() == name);
        found.ok_or(UnknownSetting)
    }

    /// Takes `value` for this setting, if it is in its range.
    pub fn check(self, value: &Value) -> Result<SettingValue, InvalidSetting> {
        match self {
            Self::DiscountThreshold => probability(value).map(SettingValue::DiscountThreshold),
            Self::DriftThreshold => probability(value).map(SettingValue::DriftThreshold),
            Self::MaxFeaturesAgeMs => age_ms(value).map(SettingValue::MaxFeaturesAgeMs),
            Self::CohortNames => cohort_names(value).map(SettingValue::CohortNames),
        }
    }
}

impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn probability(value: &Value) -> Result<Probability, InvalidSetting> {
    let number = value.as_f64().ok_or(InvalidSetting::NotAProbability)?;
    Probability::new(number).map_err(|_| InvalidSetting::NotAProbability)
}

fn age_ms(value: &Value) -> Result<i64, InvalidSetting> {
    // `5.0` is a whole number in JSON, too.
    let number = value.as_f64().filter(|number| number.fract() == 0.0);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole, and cut off far beyond the limit"
    )]
    let age = number.map(|number| number as i64);
    age.filter(|age| (0..=MAX_FEATURES_AGE_LIMIT_MS).contains(age))
        .ok_or(InvalidSetting::NotAnAge)
}

fn cohort_names(value: &Value) -> Result<CohortNames, InvalidSetting> {
    let names = CohortNames::deserialize(value).map_err(|_| InvalidSetting::NotNames)?;
    let sound = names.len() <= MOST_COHORT_NAMES && names.values().all(|name| !name.is_empty());
    sound.then_some(names).ok_or(InvalidSetting::NotNames)
}

/// A setting's value, which knows whose it is. Written bare.
#[derive(Clone, Debug, PartialEq)]
pub enum SettingValue {
    /// Of [`SettingName::DiscountThreshold`].
    DiscountThreshold(Probability),
    /// Of [`SettingName::DriftThreshold`].
    DriftThreshold(Probability),
    /// Of [`SettingName::MaxFeaturesAgeMs`], 0 to [`MAX_FEATURES_AGE_LIMIT_MS`].
    MaxFeaturesAgeMs(i64),
    /// Of [`SettingName::CohortNames`].
    CohortNames(CohortNames),
}

impl SettingValue {
    /// Whose it is.
    pub fn name(&self) -> SettingName {
        match self {
            Self::DiscountThreshold(_) => SettingName::DiscountThreshold,
            Self::DriftThreshold(_) => SettingName::DriftThreshold,
            Self::MaxFeaturesAgeMs(_) => SettingName::MaxFeaturesAgeMs,
            Self::CohortNames(_) => SettingName::CohortNames,
        }
    }

    /// The bare value.
    pub fn json(&self) -> Value {
        match self {
            Self::DiscountThreshold(share) | Self::DriftThreshold(share) => share.get().into(),
            Self::MaxFeaturesAgeMs(age) => (*age).into(),
            Self::CohortNames(names) => {
                let member =
                    |(id, name): (&Text<32>, &Text<80>)| (id.to_string(), name.to_string().into());
                Value::Object(names.iter().map(member).collect())
            }
        }
    }
}

impl Serialize for SettingValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}

/// A setting as it is kept: an object of `name`, `value`, `version` and `updated_at`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// Which one.
    pub name: SettingName,
    /// Its value; of the same name.
    pub value: SettingValue,
    /// How often it was written or removed: 1 at first, one more with each change.
    pub version: u64,
    /// When it was last written.
    pub updated_at: EpochMs,
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Read {
            name: SettingName,
            value: Value,
            version: u64,
            updated_at: EpochMs,
        }
        let read = Read::deserialize(deserializer)?;
        let value = read.name.check(&read.value);
        Ok(Self {
            name: read.name,
            value: value.map_err(serde::de::Error::custom)?,
            version: read.version,
            updated_at: read.updated_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_setting_takes_only_its_range() {
        use SettingName::{CohortNames, DiscountThreshold, DriftThreshold, MaxFeaturesAgeMs};
        let cases = [
            (DiscountThreshold, json!(0.7), true),
            (DiscountThreshold, json!(0), true),
            (DiscountThreshold, json!(1), true),
            (DiscountThreshold, json!(1.01), false),
            (DriftThreshold, json!(-0.1), false),
            (DriftThreshold, json!("0.5"), false),
            (DriftThreshold, json!(null), false),
            (MaxFeaturesAgeMs, json!(0), true),
            (MaxFeaturesAgeMs, json!(5.0), true),
            (MaxFeaturesAgeMs, json!(1e300), false),
            (MaxFeaturesAgeMs, json!(MAX_FEATURES_AGE_LIMIT_MS), true),
            (
                MaxFeaturesAgeMs,
                json!(MAX_FEATURES_AGE_LIMIT_MS + 1),
                false,
            ),
            (MaxFeaturesAgeMs, json!(-1), false),
            (MaxFeaturesAgeMs, json!(1.5), false),
            (CohortNames, json!({}), true),
            (CohortNames, json!({"c-1": "Hat people"}), true),
            (CohortNames, json!({"c-1": ""}), false),
            (CohortNames, json!({"c-1": []}), false),
            (CohortNames, json!(["Hat people"]), false),
        ];
        for (name, value, fits) in cases {
            let taken = name.check(&value);
            assert_eq!(taken.is_ok(), fits, "{name} {value}");
            assert!(taken.is_ok_and(|taken| taken.name() == name) == fits);
        }
    }

    #[test]
    fn a_setting_survives_its_json() {
        for (name, value) in [
            (SettingName::DriftThreshold, json!(0.123_456_789_012_345)),
            (SettingName::MaxFeaturesAgeMs, json!(10_000)),
            (
                SettingName::CohortNames,
                json!({"c-1": "Hat people", "c-12": "\"Others\""}),
            ),
        ] {
            let setting = Setting {
                name,
                value: name.check(&value).unwrap(),
                version: 3,
                updated_at: EpochMs(5),
            };
            let text = serde_json::to_string(&setting).unwrap();
            assert_eq!(serde_json::from_str::<Setting>(&text).unwrap(), setting);
        }
        let odd = r#"{"name":"drift_threshold","value":2,"version":1,"updated_at":"1970-01-01T00:00:00Z"}"#;
        assert!(serde_json::from_str::<Setting>(odd).is_err());
    }

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for name in SettingName::ALL {
            assert_eq!(SettingName::parse(name.as_str()), Ok(name));
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        }
        for name in SettingName::NUMBERS {
            assert!(UnknownSetting.to_string().contains(name.as_str()));
        }
        assert_eq!(SettingName::parse("colour"), Err(UnknownSetting));
    }
}
