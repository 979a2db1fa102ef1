//! `GET /pixel/v1/track` and `GET /pixel/v1/page`: an event in the address of a picture, for mails and pages without scripts.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Method, header, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use foretide_events::segment::Call;
use foretide_http::{Problem, ProblemCode, documented, missing_key};
use schemars::JsonSchema;
use serde_json::{Map, Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    document::{ANYONE, describe_as},
    segment::{Reply, WRITE_KEY},
};
use crate::{
    dry_run,
    form::Form,
    intake::{Ingest, Taken},
    query,
};

const TRACK: &str = "/pixel/v1/track";
const PAGE: &str = "/pixel/v1/page";

/// One transparent point.
const GIF: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\
    \x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

/// How deep the name of a parameter may reach into the event, in members.
const MAX_DEPTH: usize = 8;

/// What the address of a picture says. Any other parameter is a member of the event too, where dots lead into members:
/// `properties.product_id`, `context.page.url`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Parameters {
    /// A write key.
    #[schemars(rename = "writeKey")]
    write_key: Option<String>,
    /// The shop's id of the device or browser.
    #[schemars(rename = "anonymousId")]
    anonymous_id: Option<String>,
    /// The shop's id of a shopper who signed in.
    #[schemars(rename = "userId")]
    user_id: Option<String>,
    /// The name of what was done, of a tracked event.
    event: Option<String>,
    /// The name of the page.
    name: Option<String>,
    /// With `1` or `true`, answers what would become of the event instead of a picture, and stores nothing.
    dry_run: Option<String>,
}

documented! {
    query Parameters;
    written Picture = json!({ "description": "A GIF of one transparent point.", "contentMediaType": "image/gif" });
    refused Refusals = ANYONE;
}

pub(super) fn routes() -> OpenApiRouter<Arc<Ingest>> {
    let page = get(
        async |State(ingest): State<Arc<Ingest>>, request: Request| {
            look(&ingest, Call::Page, request).await
        },
    );
    let mut router = OpenApiRouter::default()
        .routes(routes!(track))
        .route("/pixel/v1/track/", get(track))
        .route(PAGE, page.clone())
        .route("/pixel/v1/page/", page);
    let summary = "Tracks the view of a page by a picture.".to_owned();
    let id = "page_by_picture".to_owned();
    describe_as(router.get_openapi_mut(), TRACK, PAGE, id, Some(summary));
    router
}

/// Tracks an event by a picture.
///
/// The answer is a picture of one transparent point whatever becomes of the event: what shows it can do nothing about it.
#[utoipa::path(
    get,
    path = TRACK,
    operation_id = "track_by_picture",
    tag = "segment",
    security(()),
    params(Parameters),
    responses((status = 200, description = "The picture; the reply of a dry run", content(
        (Picture = "image/gif"), (Reply = "application/json"),
    )), Refusals)
)]
async fn track(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    look(&ingest, Call::Track, request).await
}

async fn look(ingest: &Ingest, call: Call, request: Request) -> Response {
    if request.method() == Method::HEAD {
        // Asking what is there is not looking at it.
        return picture();
    }
    match take(ingest, call, request).await {
        Ok(taken) if taken.dry_run.is_some() => Json(Reply::of(taken)).into_response(),
        Ok(taken) => (taken.facts().map(Extension), picture()).into_response(),
        Err(problem) => {
            // For the log of requests. Its headers would only make a picture look broken.
            let mut response = picture();
            response.extensions_mut().insert(problem);
            response
        }
    }
}

fn picture() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "image/gif"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, GIF).into_response()
}

async fn take(ingest: &Ingest, call: Call, request: Request) -> Result<Taken, Problem> {
    let (mut head, _) = request.into_parts();
    let query_key = query::parameter(&head.uri, WRITE_KEY);
    if query_key.is_none() {
        return Err(ingest.refused(missing_key().at(WRITE_KEY)));
    }
    let item = item(&head).map_err(|problem| ingest.refused(problem))?;
    // The body is ours.
    head.headers = HeaderMap::new();
    let request = Request::from_parts(head, Body::from(item.to_string()));
    ingest
        .take(Form::Call(call), request, query_key.as_deref())
        .await
}

/// The item that the query means.
fn item(head: &Parts) -> Result<Value, Problem> {
    let mut item = Map::new();
    for (name, value) in query::pairs(&head.uri) {
        if name == WRITE_KEY || name == dry_run::PARAMETER {
            continue;
        }
        // Pages for AMP put it between quotes.
        let value = match name.as_str() {
            "anonymousId" => value.trim_matches('"').to_owned(),
            _ => value,
        };
        put(&mut item, &name, value)?;
    }
    Ok(Value::Object(item))
}

/// Puts `value` where the dots in `name` lead. What is there already stays.
fn put(item: &mut Map<String, Value>, name: &str, value: String) -> Result<(), Problem> {
    if name.split('.').nth(MAX_DEPTH).is_some() {
        let detail = format!("a parameter leads through more than {MAX_DEPTH} members");
        return Err(Problem::new(ProblemCode::TooDeep, detail));
    }
    let (path, last) = match name.rsplit_once('.') {
        Some((path, last)) => (Some(path), last),
        None => (None, name),
    };
    let mut place = item;
    for member in path.into_iter().flat_map(|path| path.split('.')) {
        let inner = place
            .entry(member)
            .or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(inner) = inner else {
            return Ok(());
        };
        place = inner;
    }
    place.entry(last).or_insert(Value::String(value));
    Ok(())
}

#[cfg(test)]
mod tests;
