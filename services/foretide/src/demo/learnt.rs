//! What the server has learnt, as its API tells: the cohorts, who moved between them, and the models.

use serde::Serialize;
use serde_json::Value;

use super::api::Api;

/// How many things are predicted: drift and abandonment.
const TARGETS: usize = 2;

/// All of it, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Learnt {
    /// Which cohorts serve; none before the first formed.
    pub(super) version: Option<String>,
    /// The largest first.
    pub(super) cohorts: Vec<Cohort>,
    /// From one to another, the most first.
    pub(super) moves: Vec<Move>,
    /// The one that serves, else the newest, of each target.
    pub(super) models: Vec<Model>,
}

/// A cohort.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Cohort {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) size: u64,
}

/// Shoppers that moved.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Move {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) shoppers: u64,
}

/// A model and how well it does on later data.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Model {
    pub(super) target: String,
    pub(super) version: String,
    /// Whether it makes the predictions; the prior does otherwise.
    pub(super) is_serving: bool,
    /// How many models of the target there are.
    pub(super) kept: usize,
    pub(super) auc: Option<Figure>,
    pub(super) log_loss: Option<Figure>,
    pub(super) calibration_error: Option<Figure>,
}

/// A held-out figure with its interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Figure {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Learnt {
    /// Asks for all of it. What cannot be had is as if nothing were learnt.
    pub(super) async fn look(api: &Api) -> Self {
        let cohorts = api.get("/v1/cohorts").await.unwrap_or_default();
        let path = "/v1/cohorts/movements?window_min=1440";
        let movements = api.get(path).await.unwrap_or_default();
        let models = api.get("/v1/models").await.unwrap_or_default();
        Self::of(&cohorts, &movements, &models)
    }

    /// Whether there are cohorts and a model of each target.
    pub(super) fn is_complete(&self) -> bool {
        self.cohorts.len() > 1 && self.models.len() == TARGETS
    }

    fn of(cohorts: &Value, movements: &Value, models: &Value) -> Self {
        let mut learnt = Self {
            version: cohorts["version"].as_str().map(str::to_owned),
            cohorts: list(&cohorts["cohorts"]).map(Cohort::of).collect(),
            moves: list(&movements["flows"]).map(Move::of).collect(),
            models: list(&models["targets"]).filter_map(Model::of).collect(),
        };
        learnt.cohorts.sort_by_key(|cohort| u64::MAX - cohort.size);
        learnt.moves.retain(|one| one.shoppers > 0);
        learnt.moves.sort_by_key(|one| u64::MAX - one.shoppers);
        learnt
    }

    /// The name of the cohort `id`.
    pub(super) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        let found = self.cohorts.iter().find(|cohort| cohort.id == id);
        found.map_or(id, |cohort| cohort.name.as_str())
    }
}

impl Cohort {
    fn of(value: &Value) -> Self {
        Self {
            id: text(&value["id"]),
            name: text(&value["name"]),
            size: value["size"].as_u64().unwrap_or(0),
        }
    }
}

impl Move {
    fn of(value: &Value) -> Self {
        Self {
            from: text(&value["from"]),
            to: text(&value["to"]),
            shoppers: ["behaviour", "reforming"]
                .iter()
                .filter_map(|cause| value[*cause].as_u64())
                .sum(),
        }
    }
}

impl Model {
    /// Of the models of `target` the one that serves, else the newest, which comes first.
    fn of(target: &Value) -> Option<Self> {
        let mut models = list(&target["models"]);
        let serving = list(&target["models"]).find(|model| model["serving"] == true);
        let model = serving.or_else(|| models.next())?;
        let figure = |name: &str| {
            let figure = &model[name];
            Some(Figure {
                value: figure["value"].as_f64()?,
                low: figure["low"].as_f64()?,
                high: figure["high"].as_f64()?,
            })
        };
        Some(Self {
            target: text(&target["target"]),
            version: text(&model["id"]),
            is_serving: serving.is_some(),
            kept: list(&target["models"]).count(),
            auc: figure("auc"),
            log_loss: figure("log_loss"),
            calibration_error: figure("calibration_error"),
        })
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_learnt_yet_is_nothing() {
        let learnt = Learnt::of(&Value::Null, &Value::Null, &Value::Null);
        assert_eq!(learnt, Learnt::default());
        assert!(!learnt.is_complete());
    }

    #[test]
    fn of_each_target_the_serving_model_is_shown_and_else_the_newest() {
        let figure = json!({ "value": 0.7, "low": 0.6, "high": 0.8 });
        let model =
            |id: &str, serving: bool| json!({ "id": id, "serving": serving, "auc": figure });
        let models = json!({ "targets": [
            { "target": "drift", "models": [model("drift-2", false), model("drift-1", true)] },
            { "target": "abandonment", "models": [model("abandonment-2", false), model("abandonment-1", false)] },
        ] });
        let cohorts = json!({ "version": "cohorts-1", "cohorts": [
            { "id": "c-1", "name": "a few", "size": 60 }, { "id": "c-2", "name": "many", "size": 600 },
        ] });
        let flows = json!({ "flows": [
            { "from": "c-1", "to": "c-2", "behaviour": 2, "reforming": 3 },
            { "from": "c-2", "to": "c-1", "behaviour": 9, "reforming": 0 },
        ] });
        let learnt = Learnt::of(&cohorts, &flows, &models);
        assert_eq!((learnt.moves[0].shoppers, learnt.moves[1].shoppers), (9, 5));
        assert!(learnt.is_complete());
        assert_eq!(learnt.cohorts[0].name, "many");
        assert_eq!(learnt.name("c-1"), "a few");
        assert_eq!(learnt.models[0].version, "drift-1");
        assert!(learnt.models[0].is_serving && learnt.models[0].auc.is_some());
        assert_eq!(learnt.models[1].version, "abandonment-2");
        assert_eq!(
            (learnt.models[1].is_serving, learnt.models[1].kept),
            (false, 2)
        );
    }
}
