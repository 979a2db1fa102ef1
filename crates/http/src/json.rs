//! JSON bodies whose faults name the field, and JSON answers.

use axum::{
    http::{HeaderMap, HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http_body_util::{Either, Full};
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::{Answer, Problem, ProblemCode};

/// Reads `body` as a `T`. The refusal names the member at fault by its path, such as `cart.items[2].price`.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Keeping track of the path takes longer than the reading: it is done only where there is a fault to be named.
    serde_json::from_slice(body).or_else(|_| parse_with_path(body))
}

/// Answers with `value`, of which about `expected_bytes` are expected. What [`axum::Json`] does, into memory that need not
/// grow: for the routes that are asked most.
pub fn json_answer<T: Serialize>(value: &T, expected_bytes: usize) -> Result<Response, Problem> {
    let body = written(value, expected_bytes)?;
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// Answers a [`DirectRoute`](crate::DirectRoute) with `text`, which is JSON. The map of the request's `headers` becomes that of the
/// answer's: a connection reads its next request into it, and so no request makes one.
pub fn direct_answer(mut headers: HeaderMap, text: impl Into<Bytes>) -> Answer {
    let mut answer = Answer::new(Either::Left(Full::new(text.into())));
    headers.clear();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *answer.headers_mut() = headers;
    answer
}

fn written<T: Serialize>(value: &T, expected_bytes: usize) -> Result<Vec<u8>, Problem> {
    let mut text = Vec::with_capacity(expected_bytes);
    serde_json::to_writer(&mut text, value).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written as JSON");
        Problem::new(ProblemCode::Internal, "the answer cannot be written")
    })?;
    Ok(text)
}

fn parse_with_path<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        // An enum that finds a number or `null` complains as if that were no JSON.
        let is_data = inner.is_data() || serde_json::from_slice::<IgnoredAny>(body).is_ok();
        if !is_data {
            return not_json(&inner);
        }
        let detail = inner.to_string();
        if let Some(missing) = missing_member(&detail) {
            let field = match &*path {
                "." => missing.to_owned(),
                _ => format!("{path}.{missing}"),
            };
            return Problem::new(ProblemCode::MissingField, "is needed").at(field);
        }
        let detail = if inner.is_data() {
            detail
        } else {
            "is of another type than it should be".to_owned()
        };
        let problem = Problem::new(ProblemCode::InvalidField, detail);
        if path == "." {
            problem
        } else {
            problem.at(path)
        }
    })?;
    deserializer.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

/// The name in serde's complaint that a member is missing.
fn missing_member(complaint: &str) -> Option<&str> {
    let (name, _) = complaint.strip_prefix("missing field `")?.split_once('`')?;
    Some(name)
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::new(
        ProblemCode::NotJson,
        format!("the body is not JSON: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Cart {
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    struct Item {
        quantity: u32,
    }

    #[test]
    fn a_fault_is_named_by_its_path() {
        let refusal =
            parse_json::<Cart>(br#"{"items":[{"quantity":1},{"quantity":-1}]}"#).unwrap_err();
        assert_eq!(refusal.code(), ProblemCode::InvalidField);
        assert_eq!(refusal.field(), Some("items[1].quantity"));
    }

    #[test]
    fn what_is_missing_is_named_by_its_path() {
        for (body, field) in [
            (&b"{}"[..], "items"),
            (br#"{"items":[{"quantity":1},{}]}"#, "items[1].quantity"),
        ] {
            let refusal = parse_json::<Cart>(body).unwrap_err();
            assert_eq!(refusal.code(), ProblemCode::MissingField);
            assert_eq!(refusal.field(), Some(field));
        }
    }

    #[test]
    fn a_number_where_a_name_should_be_is_a_fault_of_its_field() {
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Colour {
            Red,
        }
        #[derive(Debug, Deserialize)]
        struct Hat {
            colour: Colour,
        }
        let hat: Hat = parse_json(br#"{"colour":"red"}"#).unwrap();
        assert!(matches!(hat.colour, Colour::Red));
        for body in [r#"{"colour":5}"#, r#"{"colour":null}"#] {
            let refusal = parse_json::<Hat>(body.as_bytes()).unwrap_err();
            assert_eq!(refusal.code(), ProblemCode::InvalidField, "{body}");
            assert_eq!(refusal.field(), Some("colour"), "{body}");
        }
    }

    #[test]
    fn what_is_not_json_is_told_so() {
        for body in [&b"{"[..], b"{\"items\":[]} x", b"\xff", b""] {
            assert_eq!(
                parse_json::<Cart>(body).unwrap_err().code(),
                ProblemCode::NotJson
            );
        }
        let deep = b"[".repeat(100_000);
        assert_eq!(
            parse_json::<serde_json::Value>(&deep).unwrap_err().code(),
            ProblemCode::NotJson
        );
    }

    #[tokio::test]
    async fn an_answer_is_json_whatever_was_expected_of_its_size() {
        for expected_bytes in [0, 100] {
            let response = json_answer(&["a"], expected_bytes).unwrap();
            assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
            assert_eq!(response.headers().get_all(CONTENT_TYPE).iter().count(), 1);
            let body = axum::body::to_bytes(response.into_body(), 100).await;
            assert_eq!(&*body.unwrap(), br#"["a"]"#);
        }
    }

    #[test]
    fn what_is_right_is_read() {
        let cart: Cart = parse_json(br#"{"items":[{"quantity":3}]}"#).unwrap();
        assert_eq!(cart.items[0].quantity, 3);
    }
}
