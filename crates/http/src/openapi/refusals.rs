//! Refusals as the document shows them.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use schemars::{JsonSchema, json_schema};
use serde::Serialize;
use serde_json::json;
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, Object, Ref, RefOr, Response, ResponseBuilder, Type,
    header::Header,
};

use crate::{PROBLEM_JSON, ProblemCode};

/// Why any request to a route that needs a key may be refused.
pub const KEYED: &[ProblemCode] = &[
    ProblemCode::MissingKey,
    ProblemCode::WrongKey,
    ProblemCode::KeyNotAllowed,
    ProblemCode::Overloaded,
    ProblemCode::TimedOut,
    ProblemCode::NotReady,
    ProblemCode::Internal,
];

/// Why a request with a JSON body may be refused.
pub const BODY: &[ProblemCode] = &[
    ProblemCode::NotUtf8,
    ProblemCode::NotJson,
    ProblemCode::TooDeep,
    ProblemCode::InvalidBody,
    ProblemCode::UnreadableBody,
    ProblemCode::InvalidField,
    ProblemCode::MissingField,
    ProblemCode::TooLarge,
    ProblemCode::UnsupportedEncoding,
];

/// A problem document (RFC 9457): why a request was refused. Nothing of it was done, unless `detail` says that this is not
/// known.
#[derive(Serialize, JsonSchema)]
#[schemars(example = json!({
    "type": "urn:foretide:problem:invalid_field",
    "title": "A field is not valid",
    "status": 400,
    "code": "invalid_field",
    "detail": "is not a whole number of milliseconds",
    "field": "wait_ms",
}))]
#[schemars(rename = "Problem")]
pub(super) struct ProblemDocument {
    /// Names the kind of problem.
    #[schemars(regex(pattern = r"^urn:foretide:problem:[a-z0-9_]+$"))]
    r#type: String,
    /// What that kind means, in a few words that never change.
    title: String,
    /// The status of the response.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// The kind, by its short name.
    #[schemars(schema_with = "codes")]
    code: String,
    /// What is wrong with this request, for a person.
    detail: String,
    /// The member, parameter or header at fault, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

fn codes(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let names: Vec<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
    json_schema!({ "type": "string", "enum": names })
}

/// The responses that refuse with these codes, by status.
pub fn refusals(codes: &[ProblemCode]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<ProblemCode>> = BTreeMap::new();
    for code in codes {
        let same = by_status.entry(code.status().as_u16()).or_default();
        if !same.contains(code) {
            same.push(*code);
        }
    }
    by_status
        .into_iter()
        .map(|(status, codes)| (status.to_string(), RefOr::T(refusal(&codes))))
        .collect()
}

/// A response that refuses with one of `codes`, which share a status.
fn refusal(codes: &[ProblemCode]) -> Response {
    let lines: Vec<String> = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.as_str(), code.title()))
        .collect();
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    let mut response = ResponseBuilder::new()
        .description(lines.join("; "))
        .content(PROBLEM_JSON, content.build());
    match codes.first().map(|code| code.status()) {
        Some(StatusCode::UNAUTHORIZED) => {
            let challenge = header(Type::String, "How a key is sent.");
            response = response.header("WWW-Authenticate", challenge);
        }
        Some(StatusCode::SERVICE_UNAVAILABLE) => {
            let wait = header(
                Type::Integer,
                "After how many seconds trying again may help.",
            );
            response = response.header("Retry-After", wait);
        }
        _ => {}
    }
    response.build()
}

fn header(kind: Type, description: &str) -> Header {
    let mut schema = Object::new();
    schema.schema_type = kind.into();
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some(description))
        .build()
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use http_body_util::BodyExt as _;
    use serde_json::Value;

    use super::*;
    use crate::{Problem, openapi::answered};

    #[test]
    fn codes_of_one_status_share_a_response() {
        let shown = refusals(&[KEYED, BODY, KEYED].concat());
        let statuses: Vec<&str> = shown.keys().map(String::as_str).collect();
        assert_eq!(statuses, ["400", "401", "403", "413", "415", "500", "503"]);
        let shown = serde_json::to_value(shown).unwrap();
        let busy = &shown["503"];
        assert_eq!(
            busy["description"],
            "`overloaded`: Too much is in flight; `timed_out`: The time is over; `not_ready`: Not ready yet"
        );
        assert_eq!(busy["headers"]["Retry-After"]["schema"]["type"], "integer");
        assert_eq!(
            busy["content"][PROBLEM_JSON]["schema"]["$ref"],
            "#/components/schemas/Problem"
        );
    }

    #[tokio::test]
    async fn the_schema_of_problems_names_what_problems_hold() {
        let schema = serde_json::to_value(answered::<ProblemDocument>().schema).unwrap();
        let known = schema["properties"].as_object().unwrap();
        let problem = Problem::new(ProblemCode::InvalidField, "is odd").at("cart");
        let body = problem.into_response().into_body().collect().await.unwrap();
        let body: Value = serde_json::from_slice(&body.to_bytes()).unwrap();
        let held: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(held, known.keys().collect::<Vec<_>>());
        let codes = known["code"]["enum"].as_array().unwrap();
        assert_eq!(codes.len(), ProblemCode::ALL.len());
    }
}
