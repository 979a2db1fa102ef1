//! `GET /v1/features`: the catalogue of features, with their meanings, units and ranges.

use std::sync::Arc;

use axum::{Json, extract::State};
use foretide_features::CATALOGUE;
use foretide_http::{documented, openapi::KEYED};
use schemars::JsonSchema;
use serde::Serialize;

use crate::api::Api;

/// What is answered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FeatureCatalogue")]
pub(crate) struct Answer {
    /// Names this catalogue: another one has another name.
    schema: String,
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
    /// The least value, always 0.
    min: f64,
    /// The largest value; absent where nothing bounds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
}

documented! {
    answered Answer;
    refused Refusals = KEYED;
}

/// Lists the features that are known of a shopper.
///
/// Each with its `name`, `meaning`, `unit`, `min`, and `max` where there is one.
#[utoipa::path(get, path = "/v1/features", operation_id = "list_features", tag = "shoppers",
    responses((status = 200, description = "The catalogue", body = Answer), Refusals))]
pub(crate) async fn list(State(api): State<Arc<Api>>) -> Json<Answer> {
    let described = |spec: &foretide_features::FeatureSpec| Described {
        name: spec.name,
        meaning: spec.meaning,
        unit: spec.unit.as_str(),
        min: 0.0,
        max: spec.max.is_finite().then_some(spec.max),
    };
    let features = CATALOGUE.iter().map(described).collect();
    Json(Answer {
        schema: api.catalogue.to_string(),
        features,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::Shop;

    #[tokio::test]
    async fn every_feature_is_described() {
        let answer = Shop::new().get("/v1/features").await.ok();
        let features = answer["features"].as_array().unwrap();
        assert_eq!(features.len(), foretide_features::Feature::COUNT);
        assert_eq!(
            answer["schema"].as_str().unwrap(),
            foretide_features::schema_id()
        );
        for feature in features {
            for member in ["name", "meaning", "unit"] {
                assert!(!feature[member].as_str().unwrap().is_empty());
            }
        }
    }
}
