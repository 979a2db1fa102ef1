//! `GET /v1/schema/actions`

use std::sync::LazyLock;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use foretide_events::actions_schema;

static SCHEMA: LazyLock<Bytes> = LazyLock::new(|| format!("{:#}", actions_schema()).into());

/// Answers the JSON Schema (2020-12) of what `POST /v1/actions` takes.
#[utoipa::path(
    get,
    path = "/v1/schema/actions",
    operation_id = "get_actions_schema",
    tag = "actions",
    security(()),
    responses((status = 200, description = "The schema", content_type = "application/schema+json", body = Object))
)]
pub(super) async fn get() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/schema+json"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, SCHEMA.clone()).into_response()
}

#[cfg(test)]
mod tests {
    use crate::testing::Shop;

    #[tokio::test]
    async fn anyone_may_read_the_schema() {
        let answer = Shop::open().await.get("/v1/schema/actions").await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, "application/schema+json")
        );
        assert_eq!(answer.json, foretide_events::actions_schema());
    }
}
