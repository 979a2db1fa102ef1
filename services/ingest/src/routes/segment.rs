//! The routes that Segment's SDKs and RudderStack's send events to, and the replies that all of them take.

mod reply;

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::post,
};
use foretide_events::{
    limits::{MAX_BATCH_EVENTS, MAX_BATCH_ITEMS, MAX_EVENT_BYTES},
    segment::Call,
};
use foretide_http::{Problem, documented};
use schemars::JsonSchema;
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::document::{Asked, describe_as};
use crate::{form::Form, intake::Ingest, query};

pub(super) use reply::{Refusal, Refusals, Reply, Responses, refusals, shaped};

/// The parameter that holds the key where a sender cannot set headers.
pub(super) const WRITE_KEY: &str = "writeKey";

/// Other paths of `/v1/batch`.
const BATCHES: [&str; 2] = ["/v1/import", "/v1/b"];

/// The paths of each type of call, the one the document describes first.
const CALLS: [(Call, [&str; 2]); 6] = [
    (Call::Track, [TRACK, "/v1/t"]),
    (Call::Page, ["/v1/page", "/v1/p"]),
    (Call::Screen, ["/v1/screen", "/v1/s"]),
    (Call::Identify, ["/v1/identify", "/v1/i"]),
    (Call::Group, ["/v1/group", "/v1/g"]),
    (Call::Alias, ["/v1/alias", "/v1/a"]),
];

const TRACK: &str = "/v1/track";

documented! {
    written SegmentBatch = batch_schema();
    written SegmentCall = call_schema();
    query BeaconKey;
}

/// How a sender that cannot set headers brings its key.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
pub(super) struct BeaconKey {
    /// A write key.
    #[schemars(rename = "writeKey")]
    write_key: Option<String>,
}

/// Every route of this kind, each also with a slash at its end.
pub(super) fn routes() -> OpenApiRouter<Arc<Ingest>> {
    let mut router = OpenApiRouter::default()
        .routes(routes!(batch))
        .routes(routes!(track))
        .routes(routes!(beacon))
        .route("/v1/batch/", post(batch))
        .route("/beacon/v1/batch/", post(beacon));
    for path in BATCHES {
        router = router
            .route(path, post(batch))
            .route(&format!("{path}/"), post(batch));
        let id = operation_id(path);
        describe_as(router.get_openapi_mut(), "/v1/batch", path, id, None);
    }
    for (kind, paths) in CALLS {
        let handler = post(
            move |State(ingest): State<Arc<Ingest>>, request: Request| async move {
                take(&ingest, Form::Call(kind), request, None).await
            },
        );
        for path in paths {
            router = router.route(&format!("{path}/"), handler.clone());
            if path != TRACK {
                router = router.route(path, handler.clone());
                let summary = format!("Sends one call of type `{}`.", kind.as_str());
                let id = operation_id(path);
                describe_as(router.get_openapi_mut(), TRACK, path, id, Some(summary));
            }
        }
    }
    router
}

/// Sends a batch of calls.
///
/// Plain, gzip or zstd, whatever the content type says (browsers send `text/plain`). The key comes as Basic user name, as
/// Bearer token, or as `writeKey` in the body; where several come they must agree. The reply is 200 with a verdict for each
/// call that was rejected; 400 means that SDKs need not send the batch again, 503 that they should. A call that is not JSON
/// (a raw control byte, `NaN`, bytes that are not UTF-8) is rejected alone where the bounds of the others are beyond doubt.
/// The path may end with a slash.
#[utoipa::path(
    post,
    path = "/v1/batch",
    operation_id = "send_batch",
    tag = "segment",
    security(("write_key" = []), ("write_key_basic" = []), ()),
    params(Asked),
    request_body(content(
        (SegmentBatch = "application/json", example = json!({"batch": [{
            "type": "track", "event": "Product Viewed", "messageId": "m-1", "userId": "ann",
            "timestamp": "2026-11-22T08:00:00Z", "properties": {"product_id": "p-7", "price": 9.5, "currency": "EUR"},
        }]})),
        (SegmentBatch = "text/plain"),
    )),
    responses((status = 200, description = "Taken, but for those rejected", body = Reply), Refusals)
)]
async fn batch(State(ingest): State<Arc<Ingest>>, request: Request) -> Result<Response, Problem> {
    take(&ingest, Form::Batch, request, None).await
}

/// Sends one call of this type.
///
/// As a batch of one: the body is the item itself. Its type is that of the path, whatever it says itself. The path may end
/// with a slash.
#[utoipa::path(
    post,
    path = "/v1/track",
    operation_id = "send_track",
    tag = "segment",
    security(("write_key" = []), ("write_key_basic" = []), ()),
    params(Asked),
    request_body(content(
        (SegmentCall = "application/json", example = json!({
            "event": "Product Viewed", "messageId": "m-1", "userId": "ann", "groupId": "club", "previousId": "device-7",
            "timestamp": "2026-11-22T08:00:00Z", "properties": {"product_id": "p-7", "price": 9.5, "currency": "EUR"},
        })),
        (SegmentCall = "text/plain"),
    )),
    responses((status = 200, description = "Taken, or rejected for cause", body = Reply), Refusals)
)]
async fn track(State(ingest): State<Arc<Ingest>>, request: Request) -> Result<Response, Problem> {
    take(&ingest, Form::Call(Call::Track), request, None).await
}

/// Sends a batch of calls from a page that is left.
///
/// As `/v1/batch`, by senders that cannot set headers: the key is in the query.
#[utoipa::path(
    post,
    path = "/beacon/v1/batch",
    operation_id = "send_beacon",
    tag = "segment",
    security(("write_key" = []), ("write_key_basic" = []), ()),
    params(Asked, BeaconKey),
    request_body(content((SegmentBatch = "application/json"), (SegmentBatch = "text/plain"))),
    responses((status = 200, description = "Taken, but for those rejected", body = Reply), Refusals)
)]
async fn beacon(State(ingest): State<Arc<Ingest>>, request: Request) -> Result<Response, Problem> {
    let key = query::parameter(request.uri(), WRITE_KEY);
    take(&ingest, Form::Batch, request, key.as_deref()).await
}

async fn take(
    ingest: &Ingest,
    form: Form,
    request: Request,
    query_key: Option<&str>,
) -> Result<Response, Problem> {
    let taken = ingest.take(form, request, query_key).await?;
    let facts = taken.facts().map(Extension);
    Ok((facts, Json(Reply::of(taken))).into_response())
}

/// What the route at `path` is called in the document.
fn operation_id(path: &str) -> String {
    let name = path.trim_start_matches('/').replace('/', "_");
    format!("send_{name}")
}

/// The schema of a batch: what is answered with 200.
fn batch_schema() -> Value {
    json!({
        "type": "object",
        "required": ["batch"],
        "properties": {
            "batch": {
                "description": format!("The calls: `track`, `page`, `screen`, `identify`, `group` and `alias`, each with its \
                    `type`, at most {MAX_EVENT_BYTES} bytes long. At most {MAX_BATCH_EVENTS} are taken; those beyond, and \
                    those that are not as they should be, are rejected alone. A list of more than {MAX_BATCH_ITEMS} is \
                    refused."),
                "type": "array",
                "items": true,
            },
            "sentAt": {
                "description": "When it was sent, by the sender's clock (ISO 8601): corrects that clock. What cannot be read is ignored.",
                "examples": ["2026-11-22T08:00:00Z"],
            },
            "writeKey": key_schema(),
            "context": { "description": "What each call says in its `context`, where it does not itself." },
        },
    })
}

/// The schema of one call: what is answered with 200.
fn call_schema() -> Value {
    json!({
        "description": "A call, at most 32 KiB long. One that is not as it should be is rejected, in a reply of 200.",
        "type": "object",
        "properties": { "writeKey": key_schema() },
    })
}

fn key_schema() -> Value {
    json!({
        "description": "A write key, of senders that do not send it in a header.",
        "type": ["string", "null"],
    })
}

#[cfg(test)]
mod tests;
