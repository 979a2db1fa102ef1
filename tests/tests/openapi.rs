//! What `GET /openapi.json` says is what the server does: two tools that are not ours agree.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{collections::BTreeSet, process::Command};

use foretide_tests::{
    project_root,
    server::{ADMIN_KEY, Server, WRITE_KEY},
};

#[test]
fn schemathesis_finds_nothing() {
    let mut server = Server::embedded();
    server.start();
    for port in [server.url(), server.process("serve").admin_url()] {
        let output = Command::new(project_root().join("tests/openapi/run"))
            .arg(port)
            .env("FORETIDE_WRITE_KEY", WRITE_KEY)
            .env("FORETIDE_ADMIN_KEY", ADMIN_KEY)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    server.stop();
}

#[test]
fn the_document_names_every_route_of_both_services() {
    let mut server = Server::embedded();
    server.start();
    let answer = server.send("GET", "/openapi.json", "", &[], b"");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(answer.body["openapi"], "3.1.0");
    let documented: BTreeSet<&str> = answer.body["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    for path in [
        "/get-online-features",
        "/health",
        "/openapi.json",
        "/v1/actions",
        "/v1/batch",
        "/v1/decisions",
        "/v1/features",
        "/v1/import",
        "/v1/keys",
        "/v1/keys/{id}",
        "/v1/offers",
        "/v1/offers/{id}",
        "/v1/schema/actions",
        "/v1/settings",
        "/v1/settings/{name}",
        "/v1/shoppers",
        "/v1/shoppers/features",
        "/v1/shoppers/{id}",
        "/v1/shoppers/{id}/features",
        "/v1/sources/{source}",
        "/v1/track",
    ] {
        assert!(documented.contains(path), "{path} is not in {documented:?}");
    }
    server.stop();
}
