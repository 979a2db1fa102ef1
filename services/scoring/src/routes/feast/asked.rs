//! The body of a request for features.

use std::borrow::Cow;

use foretide_events::{ShopperId, Text, limits};
use foretide_features::Feature;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, IgnoredAny},
};
use serde_json::{Map, Value, json};

use crate::served::FEATURE_SERVICE;

/// The most shoppers that may be asked about at once.
pub(super) const MAX_SHOPPERS: usize = 500;

/// The most features that may be asked for at once.
pub(super) const MAX_FEATURES: usize = 256;

const _: () = assert!(
    Feature::COUNT <= MAX_FEATURES,
    "the catalogue can be asked for at once"
);

/// What is asked.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "OnlineFeaturesQuestion", example = example(), transform = features_or_service)]
pub(crate) struct Asked {
    /// Which features: `shopper:NAME` each.
    #[serde(default)]
    #[schemars(schema_with = "references")]
    pub(super) features: Vec<String>,
    /// A set of features in their place: `foretide`, which is all of them.
    #[serde(default)]
    pub(super) feature_service: Option<String>,
    /// Which shoppers: one list of ids.
    pub(super) entities: Entities,
    /// Whether features are named `shopper__NAME` in the answer, and not only `NAME`.
    #[serde(default)]
    pub(super) full_feature_names: bool,
    /// Whether the answer names the feature view.
    #[serde(default)]
    pub(super) include_feature_view_version_metadata: bool,
    /// What features that are worked out from the request would be given. There are none: it is not looked at.
    #[serde(default, rename = "request_context")]
    #[schemars(with = "Option<Map<String, Value>>")]
    _request_context: Option<IgnoredAny>,
}

/// One of the lists.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "they are the names on the wire")]
pub(super) struct Entities {
    #[serde(deserialize_with = "column")]
    pub(super) user_id: Option<Vec<Entity<RawId>>>,
    #[serde(deserialize_with = "column")]
    pub(super) anonymous_id: Option<Vec<Entity<RawId>>>,
    #[serde(deserialize_with = "column")]
    pub(super) shopper_id: Option<Vec<Entity<ShopperId>>>,
}

/// A raw id as the shop knows the shopper by.
pub(super) type RawId = Text<{ limits::MAX_RAW_ID_CHARS }>;

/// An id as it was sent, which the answer to the same caller repeats, and what it was read as; `null` is nobody's.
pub(super) struct Entity<T> {
    pub(super) sent: Value,
    pub(super) id: Option<T>,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Entity<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let sent = Value::deserialize(deserializer)?;
        let id = Option::<T>::deserialize(&sent).map_err(D::Error::custom)?;
        Ok(Self { sent, id })
    }
}

/// A list that may be absent, but is none if it is `null`.
fn column<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl JsonSchema for Entities {
    fn schema_name() -> Cow<'static, str> {
        "Entities".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let column = |description: &str, id: Value| {
            json!({
                "description": description,
                "type": "array",
                "items": { "anyOf": [id, { "type": "null" }] },
                "maxItems": MAX_SHOPPERS,
            })
        };
        let raw = json!({ "type": ["string", "number"], "maxLength": limits::MAX_RAW_ID_CHARS });
        let pseudonym = generator.subschema_for::<ShopperId>().to_value();
        json_schema!({
            "description": "Shoppers, by one kind of id. Raw ids are replaced at once and never stored.",
            "type": "object",
            "properties": {
                "user_id": column("The shop's ids of shoppers who have signed in.", raw.clone()),
                "anonymous_id": column("The shop's ids of devices or browsers.", raw),
                "shopper_id": column("Pseudonyms.", pseudonym),
            },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        })
    }
}

fn references(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": { "type": "string", "pattern": "^shopper:[A-Za-z0-9_.-]{1,128}$" },
        "uniqueItems": true,
        "maxItems": MAX_FEATURES,
    })
}

/// Either of both is needed, and not both.
fn features_or_service(schema: &mut Schema) {
    let either = json!([
        {
            "title": "features", "required": ["features"],
            "properties": { "features": { "minItems": 1 }, "feature_service": { "type": "null" } },
        },
        {
            "title": "service", "required": ["feature_service"],
            "properties": { "features": { "maxItems": 0 }, "feature_service": { "const": FEATURE_SERVICE } },
        },
    ]);
    schema.insert("anyOf".to_owned(), either);
}

fn example() -> Value {
    json!({
        "features": ["shopper:engagement_1d", "shopper:session_actions"],
        "entities": { "user_id": ["ann", "bob"] },
    })
}
