use axum::body::Body;
use axum::http::Request;

use crate::{
    IngestConfig,
    testing::{ADMIN_KEY, Answer, Shop, WRITE_KEY, basic},
};

const PATH: &str = "/v1/projects/the%20write%20key/settings";

async fn ask(shop: &Shop, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    shop.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_browser_is_told_to_send_everything_back_to_where_it_asked() {
    let shop = Shop::open().await;
    let proxied = [
        ("host", "10.0.0.1:8080"),
        ("x-forwarded-host", "events.shop.example"),
        ("x-forwarded-proto", "https"),
    ];
    for (headers, protocol, host) in [
        (
            &[("host", "127.0.0.1:8080")][..],
            "http",
            "127.0.0.1:8080/v1",
        ),
        (&proxied, "https", "events.shop.example/v1"),
    ] {
        for path in [PATH.to_owned(), format!("{PATH}/")] {
            let answer = ask(&shop, &path, headers).await;
            assert_eq!(answer.status, 200);
            let to_us = &answer.json["integrations"]["Segment.io"];
            assert_eq!(to_us["apiKey"], WRITE_KEY);
            assert_eq!(
                (&to_us["protocol"], &to_us["apiHost"]),
                (&protocol.into(), &host.into())
            );
            assert_eq!(to_us["versionSettings"]["componentTypes"][0], "browser");
            for kind in ["track", "identify", "group"] {
                assert_eq!(answer.json["plan"][kind]["__default"]["enabled"], true);
            }
            assert_eq!(answer.json["analyticsNextEnabled"], true);
            assert_eq!(
                answer.json["metrics"]["sampleRate"], 0,
                "nothing goes to others"
            );
            // It says what the request said of itself: no cache may give it to another.
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    }
}

#[tokio::test]
async fn a_public_url_counts_more_than_what_a_request_says() {
    let shop = Shop::with(IngestConfig {
        public_url: Some("https://shop.example/collect/".parse().unwrap()),
        ..IngestConfig::default()
    })
    .await;
    let answer = ask(&shop, PATH, &[("x-forwarded-host", "evil.example")]).await;
    let to_us = &answer.json["integrations"]["Segment.io"];
    assert_eq!(
        (&to_us["protocol"], &to_us["apiHost"]),
        (&"https".into(), &"shop.example/collect/v1".into())
    );
    assert!(answer.header("cache-control").starts_with("public"));
}

#[tokio::test]
async fn a_key_that_does_not_send_events_has_no_settings() {
    let shop = Shop::open().await;
    let admin = ADMIN_KEY.replace(' ', "%20");
    for key in ["wrong", &admin, "%ff", "%00"] {
        let path = format!("/v1/projects/{key}/settings");
        let answer = ask(&shop, &path, &[("host", "shop.example")]).await;
        assert_eq!(
            (answer.status, answer.json["code"].as_str()),
            (404, Some("not_found"))
        );
        assert_eq!(answer.json["success"], false);
    }
}

#[tokio::test]
async fn where_the_request_was_sent_to_must_be_known() {
    let shop = Shop::open().await;
    for headers in [&[][..], &[("host", "evil.example/path")]] {
        let answer = ask(&shop, PATH, headers).await;
        assert_eq!(
            (answer.status, &answer.json["field"]),
            (400, &"Host".into())
        );
        assert!(
            answer.json["message"]
                .as_str()
                .unwrap()
                .contains("--public-url")
        );
    }
}

#[tokio::test]
async fn the_configuration_of_rudderstacks_sdk_is_one_of_an_enabled_source_without_destinations() {
    let shop = Shop::open().await;
    let key = basic(WRITE_KEY);
    let asked = [
        (
            "/sourceConfig/?p=cdn&v=3.0.0&writeKey=the%20write%20key&lockPluginsVersion=true",
            &[][..],
        ),
        ("/sourceConfig", &[("authorization", &*key)]),
    ];
    for (path, headers) in asked {
        let answer = ask(&shop, path, headers).await;
        let source = &answer.json["source"];
        assert_eq!((answer.status, &source["enabled"]), (200, &true.into()));
        assert!(source["id"].is_string() && source["config"].is_object());
        assert_eq!(source["destinations"].as_array().map(Vec::len), Some(0));
        assert!(!answer.json.to_string().contains(WRITE_KEY));
    }
    for path in ["/sourceConfig/", "/sourceConfig/?writeKey=wrong"] {
        assert_eq!(ask(&shop, path, &[]).await.status, 401);
    }
}
