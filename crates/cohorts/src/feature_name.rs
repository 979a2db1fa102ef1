//! Features are written by their names, so that an artefact of another catalogue is noticed rather than misread.

use std::borrow::Cow;

use foretide_features::{CATALOGUE, Feature};
use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// The feature called `name`.
pub(crate) fn find(name: &str) -> Option<Feature> {
    let spec = CATALOGUE.iter().find(|spec| spec.name == name)?;
    Some(spec.feature)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
pub(crate) fn serialize<S: Serializer>(
    feature: &Feature,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(feature.spec().name)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Feature, D::Error> {
    let name = Cow::<str>::deserialize(deserializer)?;
    find(&name).ok_or_else(|| D::Error::custom(format!("there is no feature `{name}`")))
}

/// The same of a list of features.
pub(crate) mod list {
    use super::{Feature, find};
    use serde::{Deserialize, Deserializer, Serialize as _, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(
        features: &[Feature],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let names: Vec<_> = features.iter().map(|feature| feature.spec().name).collect();
        names.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Feature>, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let known = |name: &String| {
            find(name).ok_or_else(|| D::Error::custom(format!("there is no feature `{name}`")))
        };
        names.iter().map(known).collect()
    }
}
