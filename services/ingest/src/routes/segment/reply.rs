//! Replies that every SDK takes, so that nothing is sent twice.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    http::{StatusCode, header::ALLOW},
    middleware,
    response::{IntoResponse as _, Response},
};
use foretide_events::{Rejection, RejectionReason};
use foretide_http::{
    Problem, ProblemCode, documented,
    openapi::{BODY, KEYED},
};
use schemars::JsonSchema;
use serde::Serialize;
use utoipa::{
    IntoResponses,
    openapi::{ContentBuilder, HeaderBuilder, Object, Ref, RefOr, ResponseBuilder, Type},
};

use crate::{dry_run::DryRun, intake::Taken};

/// What became of the calls of a request. The status is 200 exactly, and it is a JSON object with `success`: anything else
/// makes one SDK or another send the batch again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SegmentReply")]
pub(in crate::routes) struct Reply {
    /// Always true: the request was taken.
    success: bool,
    /// How many calls were accepted: the log holds them durably.
    accepted: usize,
    /// Each that was not, by its place in the batch, with the cause.
    rejected: Vec<Verdict>,
    #[serde(flatten)]
    dry_run: Option<DryRun>,
}

/// Why one call of a batch was rejected.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SegmentVerdict")]
struct Verdict {
    /// Its place in the batch, from 0.
    index: usize,
    /// Its id, where it has one that can be read.
    message_id: Option<String>,
    /// Why.
    code: RejectionReason,
    /// The path of the field at fault; null when it is the call as a whole.
    field: Option<String>,
    /// What is wrong, for a person.
    message: String,
}

/// Why a request was refused as a whole. Nothing of it was stored.
// The Python SDK needs `code` and `message`, the Ruby one reads `error`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SegmentRefusal")]
pub(in crate::routes) struct Refusal<'a> {
    /// Always false.
    success: bool,
    /// What is wrong, for a person.
    error: &'a str,
    /// The kind of problem.
    code: &'static str,
    /// The same as `error`: SDKs differ in where they look.
    message: &'a str,
    /// The member, parameter or header at fault, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

documented! {
    answered Reply;
    answered Refusal<'_>;
}

impl Reply {
    pub(in crate::routes) fn of(taken: Taken) -> Self {
        Self {
            success: true,
            accepted: taken.accepted,
            rejected: taken.rejected.into_iter().map(Verdict::of).collect(),
            dry_run: taken.dry_run,
        }
    }
}

impl Verdict {
    fn of(rejection: Rejection) -> Self {
        Self {
            index: rejection.index,
            message_id: rejection.id,
            code: rejection.code,
            field: rejection.field,
            message: rejection.message,
        }
    }
}

/// Gives every problem that comes out of `routes` the shape and the status that Segment's SDKs need.
pub(in crate::routes) fn shaped(routes: Router) -> Router {
    routes.layer(middleware::map_response(shape))
}

async fn shape(mut response: Response) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    let refusal = Refusal {
        success: false,
        error: problem.detail(),
        code: problem.code().as_str(),
        message: problem.detail(),
        field: problem.field(),
    };
    let mut shaped = (status(problem.code()), Json(refusal)).into_response();
    if let Some(allow) = response.headers_mut().remove(ALLOW) {
        shaped.headers_mut().insert(ALLOW, allow);
    }
    problem.attach_to(&mut shaped);
    shaped
}

/// Segment knows fewer statuses: SDKs decide by them whether to send again.
fn status(code: ProblemCode) -> StatusCode {
    match code.status() {
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            StatusCode::BAD_REQUEST
        }
        StatusCode::FORBIDDEN => StatusCode::UNAUTHORIZED,
        other => other,
    }
}

/// Responses of the document, by status.
pub(in crate::routes) type Responses = BTreeMap<String, RefOr<utoipa::openapi::Response>>;

/// Names the refusals of these routes in the document.
pub(in crate::routes) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> Responses {
        refusals(&[KEYED, BODY, &[ProblemCode::LogAway, ProblemCode::LogFull]].concat())
    }
}

/// The responses that refuse with these codes in the shape of these routes, by status.
pub(in crate::routes) fn refusals(codes: &[ProblemCode]) -> Responses {
    let mut by_status: BTreeMap<StatusCode, Vec<&str>> = BTreeMap::new();
    for code in codes {
        let same = by_status.entry(status(*code)).or_default();
        same.push(code.as_str());
    }
    let one = |(status, codes): (StatusCode, Vec<&str>)| {
        let response = described(status, &codes);
        (status.as_str().to_owned(), RefOr::T(response))
    };
    by_status.into_iter().map(one).collect()
}

fn described(status: StatusCode, codes: &[&str]) -> utoipa::openapi::Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("SegmentRefusal")));
    let mut response = ResponseBuilder::new()
        .description(format!("Refused: `{}`", codes.join("`, `")))
        .content("application/json", content.build());
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let mut seconds = Object::new();
        seconds.schema_type = Type::Integer.into();
        let wait = HeaderBuilder::new()
            .schema(Some(seconds))
            .description(Some("After how many seconds trying again may help."));
        response = response.header("Retry-After", wait.build());
    }
    response.build()
}
