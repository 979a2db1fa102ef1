//! `GET /v1/features`: the catalogue of features, with their meanings, units, ranges and greatest ages.

use std::sync::Arc;

use axum::{Json, extract::State};
use foretide_events::EpochMs;
use foretide_features::{CATALOGUE, FeatureSpec, HalfLife};
use foretide_http::{documented, openapi::KEYED};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    api::Api,
    reference::ShownReference,
    served::{FEATURE_SERVICE, FEATURE_VIEW, max_age_ms},
};

/// What a shopper may be called in `/get-online-features`.
const ENTITIES: [&str; 3] = ["shopper_id", "user_id", "anonymous_id"];

/// What is answered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FeatureCatalogue")]
pub(crate) struct Answer {
    /// Names this catalogue: another one has another name.
    schema: String,
    /// What is usual among shoppers now: features that use it are told against it.
    reference: ShownReference,
    /// The feature view that they belong to in `/get-online-features`: there each is called `shopper:NAME`.
    feature_view: &'static str,
    /// The feature service that stands for all of them there.
    feature_service: &'static str,
    /// The kinds of ids by which shoppers are named there.
    entities: [&'static str; 3],
    /// The features, in the order of vectors.
    features: Vec<Described>,
}

/// One feature.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Feature")]
struct Described {
    /// Its name.
    name: &'static str,
    /// What it tells.
    meaning: &'static str,
    /// What it is counted in.
    unit: &'static str,
    /// The type of its values, always `float64`.
    r#type: &'static str,
    /// The least value; absent where nothing bounds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    /// The largest value; absent where nothing bounds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    /// How old a shopper's newest event may be for it to be served, in milliseconds; absent where any age will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age_ms: Option<i64>,
    /// How it is worked out of the fields of events, in the notation of the catalogue's page.
    formula: &'static str,
    /// The half-life of its sums; absent where nothing decays.
    #[serde(skip_serializing_if = "Option::is_none")]
    half_life: Option<&'static str>,
    /// `order-free`: it follows from the set of events alone; `canonical`: from their order by time and id as well.
    order: &'static str,
    /// How those of one person's devices become one.
    combine: &'static str,
    /// Whether it is relative to what is usual among shoppers.
    uses_reference: bool,
}

documented! {
    answered Answer;
    refused Refusals = KEYED;
}

/// Lists the features that are known of a shopper.
///
/// Each with its `name`, `meaning`, `unit`, `type`, `formula` and how it combines, and `min`, `max`, `half_life` and `max_age_ms`
/// where there is one.
#[utoipa::path(get, path = "/v1/features", operation_id = "list_features", tag = "shoppers",
    responses((status = 200, description = "The catalogue", body = Answer), Refusals))]
pub(crate) async fn list(State(api): State<Arc<Api>>) -> Json<Answer> {
    let described = |spec: &FeatureSpec| Described {
        name: spec.name,
        meaning: spec.meaning,
        unit: spec.unit.as_str(),
        r#type: "float64",
        min: spec.min.is_finite().then_some(spec.min),
        max: spec.max.is_finite().then_some(spec.max),
        max_age_ms: max_age_ms(spec, &api.rules),
        formula: spec.formula,
        half_life: spec.nature.half_life.map(HalfLife::in_words),
        order: spec.nature.order.as_str(),
        combine: spec.nature.combine.as_str(),
        uses_reference: spec.nature.uses_reference,
    };
    let serving = api
        .artefacts
        .references
        .serving(EpochMs(api.clock.now_ms()));
    let features = CATALOGUE.iter().map(described).collect();
    Json(Answer {
        schema: api.catalogue.to_string(),
        reference: ShownReference::of(&serving),
        feature_view: FEATURE_VIEW,
        feature_service: FEATURE_SERVICE,
        entities: ENTITIES,
        features,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::Shop;

    #[tokio::test]
    async fn every_feature_is_described() {
        let answer = Shop::new().get("/v1/features").await.ok();
        assert_eq!(
            (&answer["feature_view"], &answer["feature_service"]),
            (&"shopper".into(), &"foretide".into())
        );
        assert_eq!(
            answer["reference"],
            serde_json::json!({"version": "prior-1", "since": null})
        );
        let features = answer["features"].as_array().unwrap();
        assert_eq!(features.len(), foretide_features::Feature::COUNT);
        assert_eq!(
            answer["schema"].as_str().unwrap(),
            foretide_features::schema_id()
        );
        for feature in features {
            for member in [
                "name", "meaning", "unit", "type", "formula", "order", "combine",
            ] {
                assert!(!feature[member].as_str().unwrap().is_empty());
            }
        }
        let of = |name: &str| features.iter().find(|feature| feature["name"] == name);
        assert_eq!(of("session_actions").unwrap()["max_age_ms"], 1_800_000);
        assert_eq!(of("actions_total").unwrap().get("max_age_ms"), None);
        assert_eq!(of("actions_total").unwrap()["min"], 0.0);
        assert_eq!(of("price_elasticity").unwrap()["uses_reference"], true);
        assert_eq!(of("engagement_7d").unwrap()["half_life"], "7 days");
    }
}
