//! The routes: one file each, with what they take, what they answer, and their tests.

mod cohorts;
mod decisions;
mod feast;
mod features;
mod keys;
mod models;
mod offers;
mod settings;
mod shoppers;
mod sources;
mod versions;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Query, Request, rejection::PathRejection},
    http::{Method, StatusCode, Uri},
    response::{IntoResponse as _, Response},
    routing::Route,
};
use foretide_http::{
    BodyLimits, BodyReader, DirectRoute, Problem, ProblemCode, Protection, Role, answered, around,
};
use serde::de::DeserializeOwned;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::Api;

/// How large the body of a request may be: a cart of 500 products with room to spare.
const BODY_LIMITS: BodyLimits = BodyLimits {
    sent_bytes: 256 * 1024,
    decompressed_bytes: 256 * 1024,
};

/// Why a change of what the store holds may be refused.
const DATABASE: &[ProblemCode] = &[
    ProblemCode::DatabaseAway,
    ProblemCode::DatabaseFull,
    ProblemCode::DatabaseRefuses,
];

/// The table of routes, with their description. All but the question after health need the admin key.
pub(crate) fn table(api: Arc<Api>) -> (Router, OpenApi) {
    let (open, open_document) = OpenApiRouter::default()
        .routes(routes!(feast::health))
        .split_for_parts();
    let (router, mut document) = OpenApiRouter::default()
        .routes(routes!(decisions::decide))
        .routes(routes!(shoppers::find))
        .routes(routes!(shoppers::show))
        .routes(routes!(shoppers::features::find))
        .routes(routes!(shoppers::features::show))
        .routes(routes!(sources::show))
        .routes(routes!(features::list))
        .routes(routes!(feast::read))
        .routes(routes!(offers::list, offers::make))
        .routes(routes!(
            offers::show,
            offers::change,
            offers::patch,
            offers::archive
        ))
        .routes(routes!(cohorts::list))
        .routes(routes!(cohorts::movements::list))
        .routes(routes!(cohorts::show, cohorts::name))
        .routes(routes!(models::list))
        .routes(routes!(models::show))
        .routes(routes!(models::promote))
        .routes(routes!(models::roll_back))
        .routes(routes!(settings::list))
        .routes(routes!(settings::show, settings::change, settings::reset))
        .routes(routes!(keys::list, keys::make))
        .routes(routes!(keys::revoke))
        .split_for_parts();
    let asked = Arc::clone(&api);
    let keyed = around(move |request, route| with_admin_key(&asked, request, route));
    document.merge(open_document);
    let router = router.route_layer(keyed).merge(open);
    (router.with_state(api), document)
}

/// Those of the routes that are asked most, to be answered in front of the router.
pub(crate) fn direct(api: &Arc<Api>, protection: &Protection) -> Vec<DirectRoute> {
    vec![decisions::direct(api, protection.clone())]
}

fn with_admin_key(
    api: &Api,
    request: Request,
    route: &mut Route,
) -> impl Future<Output = Response> + use<> {
    let begun = match api.keys.require(request.headers(), Role::Admin) {
        Ok(key) => {
            let (method, uri) = (request.method().clone(), request.uri().clone());
            Ok((key, method, uri, answered(route, request)))
        }
        Err(problem) => Err((problem, request)),
    };
    async move {
        let (key, method, uri, answer) = match begun {
            Ok(begun) => begun,
            Err((problem, request)) => {
                BodyReader::of(request).1.discard().await;
                return problem.into_response();
            }
        };
        let response = answer.await;
        let status = response.status();
        let changes = matches!(method, Method::PUT | Method::PATCH | Method::DELETE);
        let is_change = changes && status.is_success();
        if is_change || status == StatusCode::CREATED {
            tracing::info!(http.method = %method, http.path = uri.path(), admin_key.id = %key, "changed by an admin key");
        }
        response
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::testing::Shop;

    #[test]
    fn every_route_is_described_with_an_id_of_its_own_and_what_may_be_wrong() {
        let document = serde_json::to_value(Shop::new().document).unwrap();
        let mut ids = HashSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let told = format!("{method} {path}: {operation}");
                assert!(ids.insert(operation["operationId"].to_string()), "{told}");
                assert!(
                    operation["summary"]
                        .as_str()
                        .is_some_and(|text| !text.is_empty()),
                    "{told}"
                );
                // Open to anyone is only what says so.
                let keyed: &[&str] = if operation["security"].is_null() {
                    &["401", "403"]
                } else {
                    &[]
                };
                for status in keyed.iter().chain(&["500", "503"]) {
                    assert!(
                        operation["responses"][status].is_object(),
                        "{status} of {told}"
                    );
                }
            }
        }
        assert_eq!(ids.len(), 30);
    }
}
