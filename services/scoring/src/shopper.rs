//! Who is meant: a raw id of the shop, replaced at once, or the pseudonym.

use std::borrow::Cow;

use foretide_events::{ShopperId, Text, limits};
use foretide_http::{Problem, ProblemCode};
use foretide_privacy::{IdKind, Pseudonymiser};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::json;

/// A raw id as the shop knows the shopper by. Never echoed: it has no `Debug`.
type RawId = Text<{ limits::MAX_RAW_ID_CHARS }>;

/// A shopper as a request names one: by `user_id`, else `anonymous_id` (as events do), or by the pseudonym, `shopper_id`.
#[derive(Default, Deserialize)]
#[expect(clippy::struct_field_names, reason = "they are the names on the wire")]
pub(crate) struct NamedShopper {
    pub(crate) user_id: Option<RawId>,
    pub(crate) anonymous_id: Option<RawId>,
    pub(crate) shopper_id: Option<ShopperId>,
}

impl JsonSchema for NamedShopper {
    fn schema_name() -> Cow<'static, str> {
        "NamedShopper".into()
    }

    /// One of the ids is needed; the pseudonym beside a raw id must be that of it, which no schema can say.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let raw = |description: &str| {
            json!({
                "description": description,
                "anyOf": [
                    { "type": "string", "pattern": r"\S", "maxLength": limits::MAX_RAW_ID_CHARS },
                    { "type": "number" },
                ],
            })
        };
        let user =
            raw("The shop's id of a shopper who has signed in. It counts before `anonymous_id`.");
        let anonymous = raw("The shop's id of a device or browser.");
        let mut beside = anonymous.clone();
        beside["anyOf"] = json!([
            { "type": ["string", "null"], "maxLength": limits::MAX_RAW_ID_CHARS },
            { "type": "number" },
        ]);
        // Blank ids are none.
        let nothing = json!({ "type": ["string", "null"], "pattern": r"^\s*$", "maxLength": limits::MAX_RAW_ID_CHARS });
        let pseudonym = generator.subschema_for::<ShopperId>();
        json_schema!({
            "description": "A shopper, by one of the ids. Raw ids are replaced at once and never stored.",
            "anyOf": [
                {
                    "type": "object", "title": "signed in", "required": ["user_id"],
                    "properties": { "user_id": user, "anonymous_id": beside },
                },
                {
                    "type": "object", "title": "anonymous", "required": ["anonymous_id"],
                    "properties": { "anonymous_id": anonymous, "user_id": nothing },
                },
                {
                    "type": "object", "title": "pseudonymous", "required": ["shopper_id"],
                    "properties": { "shopper_id": pseudonym, "anonymous_id": beside, "user_id": nothing },
                },
            ],
        })
    }
}

impl NamedShopper {
    /// The shopper's pseudonym. `field` is what the request calls the shopper.
    pub(crate) fn resolve(
        &self,
        pseudonymiser: &Pseudonymiser,
        field: &'static str,
    ) -> Result<ShopperId, Problem> {
        let pseudonym = |kind, id: &Option<RawId>| {
            // Blank ids are none, as in events.
            let id = id.as_ref().filter(|id| !id.trim().is_empty())?;
            Some(ShopperId(pseudonymiser.pseudonym(kind, id)))
        };
        let user = pseudonym(IdKind::User, &self.user_id);
        let anonymous = pseudonym(IdKind::Anonymous, &self.anonymous_id);
        match (self.shopper_id, user) {
            (Some(given), Some(user)) if given != user => {
                let detail = "shopper_id is not the pseudonym of the user_id beside it";
                Err(Problem::new(ProblemCode::InvalidField, detail).at(field))
            }
            (given, user) => given.or(user).or(anonymous).ok_or_else(|| {
                let detail = "name the shopper by user_id, anonymous_id or shopper_id";
                Problem::new(ProblemCode::MissingField, detail).at(field)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use foretide_privacy::PseudonymKey;

    use super::*;

    fn resolved(json: &str) -> Result<ShopperId, ProblemCode> {
        let pseudonymiser = Pseudonymiser::new(&PseudonymKey::from_bytes([1; 32]));
        let named: NamedShopper = serde_json::from_str(json).unwrap();
        named
            .resolve(&pseudonymiser, "shopper")
            .map_err(|problem| problem.code())
    }

    #[test]
    fn the_known_id_comes_before_the_anonymous_one() {
        let user = resolved(r#"{"user_id":"ann"}"#).unwrap();
        assert_eq!(
            resolved(r#"{"user_id":"ann","anonymous_id":"x"}"#),
            Ok(user)
        );
        assert_ne!(resolved(r#"{"anonymous_id":"ann"}"#), Ok(user));
        assert_eq!(
            resolved(r#"{"user_id":"","anonymous_id":"x"}"#),
            resolved(r#"{"anonymous_id":"x"}"#)
        );
        assert_eq!(resolved(&format!(r#"{{"shopper_id":"{user}"}}"#)), Ok(user));
        assert_eq!(
            resolved(r#"{"user_id":17}"#),
            resolved(r#"{"user_id":"17"}"#)
        );
    }

    #[test]
    fn nobody_and_two_shoppers_at_once_are_refused() {
        assert_eq!(resolved("{}"), Err(ProblemCode::MissingField));
        assert_eq!(
            resolved(r#"{"user_id":" "}"#),
            Err(ProblemCode::MissingField)
        );
        let both = |id: &str| format!(r#"{{"user_id":"ann","shopper_id":"{id}"}}"#);
        assert_eq!(
            resolved(&both(&"0".repeat(32))),
            Err(ProblemCode::InvalidField)
        );
        let user = resolved(r#"{"user_id":"ann"}"#).unwrap();
        assert_eq!(resolved(&both(&user.to_string())), Ok(user));
    }
}
