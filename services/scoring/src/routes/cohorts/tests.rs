use foretide_events::{ShopperId, Text};
use foretide_ports::{Report, Transition, TransitionCause};
use serde_json::{Value, json};

use crate::testing::{MINUTE_MS, NOW, Shop, cohorts, view};

fn shop() -> Shop {
    let shop = Shop::new();
    shop.publish(&cohorts("v1", NOW.plus(-10 * MINUTE_MS), false));
    shop
}

fn moved(from: &str, to: &str) -> Transition {
    Transition {
        v: Transition::VERSION,
        id: "t".to_owned(),
        shopper_id: ShopperId([1; 16]),
        at: NOW,
        from: Text::new(from).unwrap(),
        to: Text::new(to).unwrap(),
        cause: TransitionCause::Behaviour,
        cohorts: Text::new("v1").unwrap(),
    }
}

#[tokio::test]
async fn before_any_cohorts_formed_there_is_everyone() {
    let shop = Shop::new();
    for number in 0..60 {
        shop.fold(&format!("u{number}"), MINUTE_MS, view("p1"));
    }
    let listed = shop.get("/v1/cohorts").await.ok();
    assert_eq!(
        (&listed["version"], &listed["formed"], &listed["shoppers"]),
        (&Value::Null, &Value::Null, &json!(60))
    );
    let everyone = &listed["cohorts"][0];
    assert_eq!(
        (&everyone["id"], &everyone["size"]),
        (&json!("everyone"), &json!(60))
    );
    assert_eq!(shop.get("/v1/cohorts/everyone").await.ok(), *everyone);
    let renamed = shop
        .put("/v1/cohorts/everyone", &json!({"name": "All"}))
        .await;
    assert_eq!(renamed.status, 404);
}

#[tokio::test]
async fn cohorts_have_their_centroids_in_real_units_and_say_how_good_they_are() {
    let shop = shop();
    shop.publish(&Report {
        kind: Text::new("cohorts").unwrap(),
        at: NOW,
        outcome: Text::new("refused").unwrap(),
        causes: vec!["a cohort would have 3 shoppers".to_owned()],
        details: Value::Null,
    });
    let listed = shop.get("/v1/cohorts").await.ok();
    assert_eq!(listed["version"], "v1");
    assert_eq!(listed["formed"]["algorithm"], "kmeans");
    assert!(listed["formed"]["quality"]["silhouette"].as_f64().unwrap() > 0.5);
    assert_eq!(listed["last_reforming"]["outcome"], "refused");
    let all = listed["cohorts"].as_array().unwrap();
    assert_eq!(all.len(), 2);
    let views = |cohort: &Value| {
        let centroid = cohort["centroid"].as_array().unwrap();
        let found = centroid
            .iter()
            .find(|value| value["feature"] == "product_views_30d");
        found.unwrap()["value"].as_f64().unwrap()
    };
    let mut typical: Vec<f64> = all.iter().map(views).collect();
    typical.sort_by(f64::total_cmp);
    assert!((0.5..=1.5).contains(&typical[0]), "{typical:?}");
    assert!((60.0..=61.0).contains(&typical[1]), "{typical:?}");
    let sizes: Vec<_> = all
        .iter()
        .map(|cohort| cohort["size"].as_u64().unwrap())
        .collect();
    assert_eq!(sizes.iter().sum::<u64>(), 600);
}

#[tokio::test]
async fn of_a_cohort_with_fewer_than_fifty_shoppers_nothing_is_told_but_its_name() {
    let shop = Shop::new();
    shop.publish(&cohorts("v1", NOW, true));
    let id = cohorts("v1", NOW, true).cohorts.members[0].id.to_string();
    let small = shop.get(&format!("/v1/cohorts/{id}")).await.ok();
    assert_eq!(small["suppressed"], true);
    for member in ["size", "share", "radius", "movement"] {
        assert_eq!(small[member], Value::Null, "{member}");
    }
    for member in ["centroid", "traits"] {
        assert_eq!(small[member], json!([]), "{member}");
    }
}

#[tokio::test]
async fn marketing_names_a_cohort_and_can_take_the_name_back() {
    let shop = shop();
    let before = shop.get("/v1/cohorts/c-1").await.ok();
    let mut named = before.clone();
    named["name"] = "Bargain hunters".into();
    let answer = shop.put("/v1/cohorts/c-1", &named).await.ok();
    assert_eq!(answer["name"], "Bargain hunters");
    assert_eq!(answer["made_name"], before["name"]);
    shop.put("/v1/cohorts/c-2", &json!({"name": "Others"}))
        .await
        .ok();
    assert_eq!(
        shop.get("/v1/cohorts/c-1").await.ok()["name"],
        "Bargain hunters"
    );
    // It is no number of the rule.
    assert_eq!(shop.get("/v1/settings/cohort_names").await.status, 404);
    let settings = shop.get("/v1/settings").await.ok();
    assert_eq!(settings["settings"].as_array().unwrap().len(), 3);
    let reset = shop
        .put("/v1/cohorts/c-1", &json!({"name": null}))
        .await
        .ok();
    assert_eq!(reset["name"], before["name"]);
    assert_eq!(shop.get("/v1/cohorts/c-2").await.ok()["name"], "Others");
}

#[tokio::test]
async fn what_cannot_be_named_is_told_by_its_field() {
    let shop = shop();
    let refused = |path: &'static str, body: Value| {
        let shop = &shop;
        async move { shop.put(path, &body).await.problem() }
    };
    let (status, _, field) = refused("/v1/cohorts/c-99", json!({"name": "x"})).await;
    assert_eq!((status, &*field), (404, "id"));
    for name in ["", "  ", &"x".repeat(81), "a\nb"] {
        let (status, _, field) = refused("/v1/cohorts/c-1", json!({ "name": name })).await;
        assert_eq!((status, &*field), (400, "name"), "{name:?}");
    }
    shop.store.faults().set_away(true);
    let (status, code, _) = refused("/v1/cohorts/c-1", json!({"name": "x"})).await;
    assert_eq!((status, &*code), (503, "database_away"));
}

#[tokio::test]
async fn moves_are_a_matrix_by_cause_and_a_movement_of_each_cohort() {
    let shop = shop();
    {
        let mut movements = shop.movements.write();
        for (from, to) in [
            ("c-1", "c-2"),
            ("c-1", "c-2"),
            ("c-2", "c-1"),
            ("c-9", "c-1"),
        ] {
            movements.take(moved(from, to), NOW);
        }
        movements.complete_since(NOW.plus(-24 * 60 * MINUTE_MS));
    }
    let answer = shop.get("/v1/cohorts/movements?window_min=5").await.ok();
    assert_eq!(
        (&answer["moves"], &answer["others"]),
        (&json!(4), &json!(1))
    );
    assert_eq!(answer["complete"], true);
    assert_eq!(
        answer["flows"],
        json!([
            {"from": "c-1", "to": "c-2", "behaviour": 2, "reforming": 0},
            {"from": "c-2", "to": "c-1", "behaviour": 1, "reforming": 0},
        ])
    );
    let movement = &shop.get("/v1/cohorts/c-1").await.ok()["movement"];
    assert_eq!(*movement, json!({"joined": 2, "left": 2}));
    for bad in ["0", "1441", "soon"] {
        let path = format!("/v1/cohorts/movements?window_min={bad}");
        let (status, _, field) = shop.get(&path).await.problem();
        assert_eq!((status, &*field), (400, "window_min"), "{bad}");
    }
}
