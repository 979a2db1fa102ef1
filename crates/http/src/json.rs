//! JSON bodies whose faults name the field.

use serde::de::DeserializeOwned;

use crate::{Problem, ProblemCode};

/// Reads `body` as a `T`. The refusal names the member at fault by its path, such as `cart.items[2].price`.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            let problem = Problem::new(ProblemCode::InvalidField, inner.to_string());
            if path == "." {
                problem
            } else {
                problem.at(path)
            }
        } else {
            not_json(&inner)
        }
    })?;
    deserializer.end().map_err(|error| not_json(&error))?;
    Ok(value)
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

    #[test]
    fn what_is_right_is_read() {
        let cart: Cart = parse_json(br#"{"items":[{"quantity":3}]}"#).unwrap();
        assert_eq!(cart.items[0].quantity, 3);
    }
}
