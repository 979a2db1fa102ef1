//! The routes: one file each, with what they take, what they answer, and their tests.

mod decisions;
mod features;
mod shoppers;
mod sources;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Query, Request, State, rejection::PathRejection},
    http::Uri,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use foretide_http::{BodyLimits, BodyReader, Problem, ProblemCode, Role};
use serde::de::DeserializeOwned;

use crate::api::Api;

/// How large the body of a request may be: a cart of 500 products with room to spare.
const BODY_LIMITS: BodyLimits = BodyLimits {
    sent_bytes: 256 * 1024,
    decompressed_bytes: 256 * 1024,
};

/// The table of routes. All need the admin key.
pub(crate) fn table(api: Arc<Api>) -> Router {
    Router::new()
        .route("/v1/decisions", post(decisions::decide))
        .route("/v1/shoppers", get(shoppers::find))
        .route("/v1/shoppers/{id}", get(shoppers::show))
        .route("/v1/sources/{source}", get(sources::show))
        .route("/v1/features", get(features::list))
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(&api),
            with_admin_key,
        ))
        .with_state(api)
}

async fn with_admin_key(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    match api.keys.require(request.headers(), Role::Admin) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            BodyReader::of(request).1.discard().await;
            problem.into_response()
        }
    }
}

/// The parameters in the query of `uri`. Each is optional text, to be read by the handler, which can name it.
fn parameters<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let Query(parameters) = Query::try_from_uri(uri).map_err(|_| {
        Problem::new(
            ProblemCode::InvalidField,
            "a parameter of the query cannot be read, or comes twice",
        )
    })?;
    Ok(parameters)
}

/// The one variable part of a path; `name` is what the route calls it.
fn variable(
    path: Result<Path<String>, PathRejection>,
    name: &'static str,
) -> Result<String, Problem> {
    let Path(text) =
        path.map_err(|_| Problem::new(ProblemCode::InvalidField, "is not text in UTF-8").at(name))?;
    Ok(text)
}
