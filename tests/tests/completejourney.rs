//! A year of real purchases becomes drift models whose held-out figures can be looked at.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use foretide_tests::{
    data,
    learning::{in_time, models, sensible},
    server::{Server, assert_adds_up, summary},
};
use serde_json::json;

#[test]
fn a_year_of_purchases_leads_to_drift_models_with_held_out_figures() {
    let Some(folder) = data::shared("completejourney") else {
        return;
    };
    let mut server = Server::embedded().with_env("FORETIDE_TRAINING_INTERVAL_S", "1");
    server.start();
    let imported = summary(server.import("completejourney", &folder));
    assert_adds_up(&imported);
    assert_eq!(imported["rejected"], json!({}));
    assert_eq!(imported["folded"], imported["sent"]);

    let figure = || {
        let id = models(&server, "drift").into_iter().next()?;
        let told = server.get(&format!("/v1/models/{id}")).body;
        told["card"]["metrics"]["auc"]["value"].as_f64()
    };
    assert!(in_time(|| figure().is_some()), "{}", server.log_tail());
    let auc = figure().unwrap();
    assert!((0.55..0.9).contains(&auc), "{auc}");
    let ask = json!({ "shopper": { "user_id": "900" } });
    sensible(&server.post("/v1/decisions", &ask)).unwrap();
}
