//! Refusals: RFC 9457 problem documents with a closed set of codes.

use std::borrow::Cow;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// The media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Defines the closed set: variant, name on the wire, status, title.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:ident, $title:literal;)+) => {
        /// What kind of problem it is. The names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemCode {
            $($(#[$doc])* $variant,)+
        }

        impl ProblemCode {
            /// Every code, for documents and tests.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its stable name, as in answers, metrics and logs.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The status it is answered with.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// What it means, in a few words that never change with the request.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// The URI that names it.
            pub fn uri(self) -> &'static str {
                match self { $(Self::$variant => concat!("urn:foretide:problem:", $name),)+ }
            }
        }
    };
}

codes! {
    /// The body is not UTF-8.
    NotUtf8 = "not_utf8", BAD_REQUEST, "The body is not UTF-8";
    /// The body is not JSON.
    NotJson = "not_json", BAD_REQUEST, "The body is not JSON";
    /// The body nests deeper than the limit.
    TooDeep = "too_deep", BAD_REQUEST, "The body nests too deeply";
    /// The body is JSON of another shape.
    InvalidBody = "invalid_body", BAD_REQUEST, "The body has another shape than it should";
    /// The body broke off, or is not what its `Content-Encoding` says.
    UnreadableBody = "unreadable_body", BAD_REQUEST, "The body cannot be read";
    /// A field, parameter or header holds something else than it should.
    InvalidField = "invalid_field", BAD_REQUEST, "A field is not valid";
    /// A needed field, parameter or header is absent.
    MissingField = "missing_field", BAD_REQUEST, "A field is missing";
    /// The body, as sent or decompressed, is over its limit.
    TooLarge = "too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body's `Content-Encoding` is not one that is taken.
    UnsupportedEncoding = "unsupported_encoding", UNSUPPORTED_MEDIA_TYPE, "This encoding is not supported";
    /// No key came with the request.
    MissingKey = "missing_key", UNAUTHORIZED, "A key is needed";
    /// The key is not one of ours, or two keys came that disagree.
    WrongKey = "wrong_key", UNAUTHORIZED, "The key is wrong";
    /// The key is one of ours but is not for this.
    KeyNotAllowed = "key_not_allowed", FORBIDDEN, "The key is not for this";
    /// There is no such thing.
    NotFound = "not_found", NOT_FOUND, "There is no such thing";
    /// The instant asked for lies before what is still known.
    NotRemembered = "not_remembered", UNPROCESSABLE_ENTITY, "That is no longer remembered";
    /// A number is well formed, but not one that this thing can have.
    OutOfRange = "out_of_range", UNPROCESSABLE_ENTITY, "The value is out of range";
    /// The route does not take this method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed";
    /// More is in flight than the process takes.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Too much is in flight";
    /// The request took longer than it may.
    TimedOut = "timed_out", SERVICE_UNAVAILABLE, "The time is over";
    /// Something of that name is there already.
    AlreadyExists = "already_exists", CONFLICT, "It exists already";
    /// What is there is not what the change was made for.
    VersionConflict = "version_conflict", PRECONDITION_FAILED, "It has been changed meanwhile";
    /// The database does not answer.
    DatabaseAway = "database_away", SERVICE_UNAVAILABLE, "The database is away";
    /// The database has no room.
    DatabaseFull = "database_full", SERVICE_UNAVAILABLE, "The database is full";
    /// The database answers and will not do it: wrong password, missing right, other schema.
    DatabaseRefuses = "database_refuses", SERVICE_UNAVAILABLE, "The database refuses";
    /// The log cannot store now.
    LogAway = "log_away", SERVICE_UNAVAILABLE, "The log is away";
    /// The log has no room.
    LogFull = "log_full", SERVICE_UNAVAILABLE, "The log is full";
    /// The process is not ready for this yet.
    NotReady = "not_ready", SERVICE_UNAVAILABLE, "Not ready yet";
    /// A fault of ours.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something is broken here";
}

/// Why a request was refused. Nothing of it was done.
///
/// As a response it is a problem document, and it travels along as a response extension, so that an outer layer can log its
/// code or show it in another shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    code: ProblemCode,
    detail: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    retry_after_s: Option<u32>,
}

/// A problem document.
#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl Problem {
    /// A problem of kind `code`; `detail` tells a person what is wrong with this request. It must not repeat personal data.
    pub fn new(code: ProblemCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            field: None,
            retry_after_s: None,
        }
    }

    /// Names the member, parameter or header at fault.
    #[must_use]
    pub fn at(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Says after how many seconds trying again may help.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// What kind of problem it is.
    pub fn code(&self) -> ProblemCode {
        self.code
    }

    /// What is wrong with this request, for a person.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The member, parameter or header at fault.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Puts on `response` the headers that belong to this problem whatever its body looks like, and the problem itself as an
    /// extension.
    pub fn attach_to(self, response: &mut Response) {
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            // Not `Basic`: a browser would ask the shopper for a password.
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"foretide\""),
            );
        }
        response.extensions_mut().insert(self);
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Document {
            r#type: self.code.uri(),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            code: self.code.as_str(),
            detail: &self.detail,
            field: self.field.as_deref(),
        };
        let mut response = (self.code.status(), Json(document)).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        self.attach_to(&mut response);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_problem_is_a_document_of_rfc_9457() {
        let problem =
            Problem::new(ProblemCode::LogAway, "the broker does not answer").retry_after_s(2);
        let response = problem.clone().into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.extensions().get::<Problem>(), Some(&problem));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&body).unwrap(),
            serde_json::json!({
                "type": "urn:foretide:problem:log_away",
                "title": "The log is away",
                "status": 503,
                "code": "log_away",
                "detail": "the broker does not answer",
            })
        );
    }

    #[test]
    fn a_wrong_key_never_makes_a_browser_ask_for_a_password() {
        let response = Problem::new(ProblemCode::WrongKey, "unknown key").into_response();
        assert_eq!(response.status(), 401);
        assert!(
            response.headers()["www-authenticate"]
                .to_str()
                .unwrap()
                .starts_with("Bearer")
        );
    }

    #[test]
    fn every_code_has_a_name_of_its_own_and_an_error_status() {
        let names: HashSet<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), ProblemCode::ALL.len());
        assert!(
            ProblemCode::ALL
                .iter()
                .all(|code| code.status().as_u16() >= 400)
        );
    }
}
