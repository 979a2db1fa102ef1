//! The document of a process, and the route that serves it.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use utoipa::openapi::{
    Components, ComponentsBuilder, Info, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
    SecurityRequirement, ServerBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::{Tag, TagBuilder},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{refusals::ProblemDocument, schema::answered};

const DESCRIPTION: &str = "\
Takes in what the shoppers of an online shop do, and answers what each should be offered.\n\n\
A key comes with every request, as the user name of HTTP Basic (with an empty password) or as a Bearer token: a *write key* \
sends actions, an *admin key* does everything else.\n\n\
A refusal is a problem document (RFC 9457) with one of a closed set of codes; where it names a `field`, that is the member, \
parameter or header at fault. 503 says in `Retry-After` when to try again. Members that a request holds beyond those \
described are ignored, unless the schema forbids them. Times are RFC 3339.";

const TAGS: &[(&str, &str)] = &[
    ("actions", "What shoppers do, in our own form."),
    ("segment", "What shoppers do, as Segment's clients send it."),
    ("decisions", "What to offer a shopper now."),
    ("shoppers", "What is known of a shopper."),
    (
        "sources",
        "What became of the events of a key or an import.",
    ),
    ("cohorts", "Groups of shoppers who behave alike."),
    ("models", "What predicts, and how well."),
    ("offers", "What can be offered."),
    ("settings", "The numbers of the rule that decides."),
    ("keys", "Who may call."),
    ("meta", "What describes all this."),
];

const ADMIN_DESCRIPTION: &str = "\
Is the process alive, is it ready, and what has it counted. No route needs a key: keep the port away from the public. What \
shops call is described by the document of the public port.";

const ADMIN_TAGS: &[(&str, &str)] = &[
    ("health", "How the process is."),
    ("meta", "What describes all this."),
];

/// The ways to send a key: what the document calls the way, how the key is sent, and which key it is.
const KEYS: &[(&str, HttpAuthScheme, &str)] = &[
    (
        "admin_key",
        HttpAuthScheme::Bearer,
        "An admin key as the token.",
    ),
    (
        "admin_key_basic",
        HttpAuthScheme::Basic,
        "An admin key as the user name, the password empty.",
    ),
    (
        "write_key",
        HttpAuthScheme::Bearer,
        "A write key as the token.",
    ),
    (
        "write_key_basic",
        HttpAuthScheme::Basic,
        "A write key as the user name, the password empty.",
    ),
];

/// The documents of `services`, as one, served at `GET /openapi.json` to anyone.
///
/// A route is taken for one that needs an admin key unless it says otherwise by `security(("write_key" = []),
/// ("write_key_basic" = []))`, or `security(())` for none.
pub fn route(services: Vec<OpenApi>) -> Router {
    let mut document = base();
    for service in services {
        document.merge(service);
    }
    shown(document)
}

/// The document of the admin port, `admin`, served there at `GET /openapi.json`. None of its routes needs a key.
pub(crate) fn admin_route(admin: OpenApi) -> Router {
    let info = info("Foretide, admin port", ADMIN_DESCRIPTION);
    let mut document = OpenApiBuilder::new()
        .info(info)
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .components(Some(problems().build()))
        .tags(Some(tags(ADMIN_TAGS)))
        .build();
    document.merge(admin);
    shown(document)
}

fn shown(document: OpenApi) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(document)
        .routes(routes!(show))
        .split_for_parts();
    router.with_state(Arc::new(Served::of(&document)))
}

/// What belongs to no service.
fn base() -> OpenApi {
    let admin = ["admin_key", "admin_key_basic"];
    OpenApiBuilder::new()
        .info(info("Foretide", DESCRIPTION))
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .components(Some(components()))
        .security(Some(admin.map(|name| {
            SecurityRequirement::new::<_, [&str; 0], &str>(name, [])
        })))
        .tags(Some(tags(TAGS)))
        .build()
}

fn info(title: &str, description: &str) -> Info {
    let license = LicenseBuilder::new()
        .name("Apache License 2.0")
        .identifier(Some("Apache-2.0"));
    InfoBuilder::new()
        .title(title)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(description))
        .license(Some(license.build()))
        .build()
}

/// Tags, each with its name and meaning.
fn tags(of: &[(&str, &str)]) -> Vec<Tag> {
    let tag = |(name, meaning): &(&str, &str)| {
        let tag = TagBuilder::new().name(*name);
        tag.description(Some(*meaning)).build()
    };
    of.iter().map(tag).collect()
}

fn problems() -> ComponentsBuilder {
    let problem = answered::<ProblemDocument>();
    ComponentsBuilder::new().schema("Problem", problem.schema)
}

fn components() -> Components {
    let mut components = problems();
    for (name, scheme, meaning) in KEYS {
        let scheme = HttpBuilder::new()
            .scheme(scheme.clone())
            .description(Some(*meaning))
            .build();
        components = components.security_scheme(*name, SecurityScheme::Http(scheme));
    }
    components.build()
}

/// The document as it is sent.
struct Served {
    json: Bytes,
    etag: HeaderValue,
}

impl Served {
    fn of(document: &OpenApi) -> Self {
        // Sorted by way of a `Value`, so that every instance of a version serves the same bytes. A document is text, numbers
        // and lists: there is nothing in it that JSON cannot hold.
        let sorted = serde_json::to_value(document).unwrap_or_default();
        let json = sorted.to_string();
        let digest = Sha256::digest(json.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        let tag = format!("\"{:016x}\"", u64::from_be_bytes(first));
        Self {
            json: json.into(),
            etag: HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("*")),
        }
    }
}

/// Shows this document.
///
/// It changes only with the version of the server: ask with `If-None-Match` and get 304 as long as it is the same.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "get_document",
    tag = "meta",
    security(()),
    params(("If-None-Match" = Option<String>, Header, description = "The tag of the document that is known already.")),
    responses(
        (status = 200, description = "The document", content_type = "application/json", body = Object,
            headers(("ETag" = String, description = "Names this document."))),
        (status = 304, description = "The document is the one that is known already"),
    )
)]
async fn show(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response {
    let common = [
        (header::ETAG, served.etag.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (
            // Tools that show documents run in browsers, on pages of others.
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        ),
    ];
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut tags = known
        .filter_map(|known| known.to_str().ok())
        .flat_map(|tags| tags.split(','));
    if tags.any(|tag| served.etag == tag.trim().trim_start_matches("W/") || tag.trim() == "*") {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let json = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    )];
    (common, json, served.json.clone()).into_response()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use http_body_util::BodyExt as _;
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::*;

    #[utoipa::path(get, path = "/v1/hats", tag = "meta", responses((status = 200, description = "Hats", body = String)))]
    async fn hats() -> &'static str {
        "hats"
    }

    async fn ask(known: Option<&str>) -> Response {
        let (_, document) = OpenApiRouter::<()>::default()
            .routes(routes!(hats))
            .split_for_parts();
        let mut request = Request::get("/openapi.json");
        if let Some(known) = known {
            request = request.header(header::IF_NONE_MATCH, known);
        }
        let request = request.body(Body::empty()).unwrap();
        route(vec![document]).oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn anyone_may_read_the_whole_document() {
        let response = ask(None).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["info"]["license"]["identifier"], "Apache-2.0");
        assert_eq!(document["paths"]["/v1/hats"]["get"]["operationId"], "hats");
        assert_eq!(
            document["paths"]["/openapi.json"]["get"]["security"][0],
            serde_json::json!({})
        );
        assert_eq!(
            document["components"]["securitySchemes"]["write_key"]["scheme"],
            "bearer"
        );
        assert_eq!(
            document["components"]["schemas"]["Problem"]["type"],
            "object"
        );
    }

    #[tokio::test]
    async fn who_knows_the_document_is_not_sent_it_again() {
        let etag = ask(None).await.headers()[header::ETAG]
            .to_str()
            .unwrap()
            .to_owned();
        for known in [etag.clone(), format!("\"other\", W/{etag}"), "*".to_owned()] {
            let response = ask(Some(&known)).await;
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(response.headers()[header::ETAG], etag.as_str());
        }
        assert_eq!(ask(Some("\"other\"")).await.status(), StatusCode::OK);
    }
}
