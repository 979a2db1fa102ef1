use axum::http::Request;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::testing::Shop;

async fn status_with(shop: &Shop, key: &str) -> u16 {
    shop.send(Request::get("/v1/features"), key, String::new())
        .await
        .status
}

#[tokio::test]
async fn a_key_opens_its_doors_at_once_and_none_when_it_is_revoked() {
    let shop = Shop::new();
    let made = shop
        .post("/v1/keys", &json!({"name": "console", "role": "admin"}))
        .await;
    assert_eq!(
        (made.status, made.header("cache-control")),
        (201, "no-store")
    );
    let made = made.body();
    let key = made["key"].as_str().unwrap();
    assert!(
        key.starts_with("foretide_admin_") && key.len() == 15 + 64,
        "{key}"
    );
    assert_eq!(
        made["source"],
        format!("key:{}", made["id"].as_str().unwrap())
    );
    assert_eq!(status_with(&shop, key).await, 200);

    let path = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    let revoked = shop.delete(&path).await.ok();
    assert_eq!(revoked["revoked_at"], "2026-11-22T10:00:00.000Z");
    assert_eq!(status_with(&shop, key).await, 401);
    assert_eq!(shop.delete(&path).await.ok(), revoked);
}

#[tokio::test]
async fn a_key_is_shown_once_and_kept_only_as_its_hash() {
    let shop = Shop::new();
    let made = shop
        .post("/v1/keys", &json!({"name": "shop", "role": "write"}))
        .await
        .body();
    let key = made["key"].as_str().unwrap();
    assert_eq!(status_with(&shop, key).await, 403);
    let listed = shop.get("/v1/keys").await;
    assert_eq!(listed.ok()["keys"][0]["name"], "shop");
    assert_eq!(
        listed.ok()["keys"][0]["revoked_at"],
        serde_json::Value::Null
    );
    assert!(!listed.text.contains(key));
    let other = shop
        .post("/v1/keys", &json!({"name": "shop", "role": "write"}))
        .await
        .body();
    assert_ne!(other["key"], made["key"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_key_is_named() {
    let shop = Shop::new();
    for (field, body) in [
        ("role", json!({"name": "n", "role": "root"})),
        ("name", json!({"name": "", "role": "write"})),
        ("key", json!({"name": "n", "role": "write", "key": "mine"})),
    ] {
        let refused = shop.post("/v1/keys", &body).await.problem();
        assert_eq!((refused.0, &*refused.2), (400, field), "{body}");
    }
    assert_eq!(shop.delete("/v1/keys/00000000").await.problem().0, 404);
    assert_eq!(shop.delete("/v1/keys/mine").await.problem().2, "id");
}

#[tokio::test]
async fn the_keys_of_the_start_cannot_be_revoked() {
    let shop = Shop::new();
    for key in ["admin", "write"] {
        let id = format!("{:x}", Sha256::digest(key));
        let refused = shop.delete(&format!("/v1/keys/{}", &id[..8])).await;
        assert_eq!(refused.problem().0, 404);
    }
    assert_eq!(status_with(&shop, "admin").await, 200);
}

#[tokio::test]
async fn a_database_that_is_away_makes_and_revokes_no_keys_and_those_known_go_on() {
    let shop = Shop::new();
    let made = shop
        .post("/v1/keys", &json!({"name": "n", "role": "admin"}))
        .await
        .body();
    shop.store.faults().set_away(true);
    let refused = shop
        .post("/v1/keys", &json!({"name": "n", "role": "admin"}))
        .await;
    assert_eq!(refused.problem().1, "database_away");
    let path = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    assert_eq!(shop.delete(&path).await.problem().1, "database_away");
    assert_eq!(status_with(&shop, made["key"].as_str().unwrap()).await, 200);
    assert_eq!(
        shop.get("/v1/keys").await.ok()["keys"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
