//! The JSON Schema of actions says what the parsers do.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail tests"
)]

mod common;

use common::{assert_golden, golden, native};
use foretide_events::{ActionType, actions_schema};
use serde_json::{Value, json};

/// Whether `value` is what `schema` (a part of `root`) allows. Knows the keywords that the schema of actions uses, and
/// refuses any other, so that none goes unchecked.
fn allows(root: &Value, schema: &Value, value: &Value) -> bool {
    let Value::Object(keywords) = schema else {
        return schema == &Value::Bool(true);
    };
    keywords.iter().all(|(keyword, wanted)| {
        let list = || wanted.as_array().expect("a list").iter();
        let members = || wanted.as_object().expect("an object").iter();
        let limit = || wanted.as_f64().expect("a number");
        match keyword.as_str() {
            "title" | "description" | "$schema" | "$defs" | "format" | "default" | "pattern" => {
                true
            }
            "$ref" => {
                let pointer = wanted
                    .as_str()
                    .expect("text")
                    .strip_prefix('#')
                    .expect("within the schema");
                allows(root, root.pointer(pointer).expect("a definition"), value)
            }
            "oneOf" => list().filter(|one| allows(root, one, value)).count() == 1,
            "anyOf" => list().any(|one| allows(root, one, value)),
            "allOf" => list().all(|one| allows(root, one, value)),
            "const" => wanted == value,
            "enum" => list().any(|one| one == value),
            "type" => match wanted {
                Value::Array(types) => types.iter().any(|one| is_of_type(value, one)),
                one => is_of_type(value, one),
            },
            "required" => {
                !value.is_object()
                    || list().all(|name| value.get(name.as_str().expect("text")).is_some())
            }
            "properties" => members()
                .all(|(name, of)| value.get(name).is_none_or(|value| allows(root, of, value))),
            "items" => value
                .as_array()
                .is_none_or(|items| items.iter().all(|item| allows(root, wanted, item))),
            "maxItems" => value
                .as_array()
                .is_none_or(|items| items.len() as f64 <= limit()),
            "maxLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() as f64 <= limit()),
            "minLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() as f64 >= limit()),
            "minimum" => value.as_f64().is_none_or(|number| number >= limit()),
            "maximum" => value.as_f64().is_none_or(|number| number <= limit()),
            other => panic!("the check does not know the keyword {other}"),
        }
    })
}

fn is_of_type(value: &Value, name: &Value) -> bool {
    match name.as_str().expect("text") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}

fn example(form: &str, kind: ActionType) -> Value {
    serde_json::from_str(&golden(&format!("{form}/{}.json", kind.as_str()))).expect("JSON")
}

#[test]
fn the_schema_is_as_published() {
    let schema = serde_json::to_string_pretty(&actions_schema()).expect("JSON");
    assert_golden("actions.schema.json", &format!("{schema}\n"));
}

#[test]
fn every_example_is_what_the_schema_allows() {
    let schema = actions_schema();
    for &kind in ActionType::ALL {
        let sent = example("sent", kind);
        assert!(allows(&schema, &schema, &sent), "{sent}");
        assert!(
            allows(&schema, &schema, &json!({ "actions": [sent, sent] })),
            "{sent}"
        );
        let stored = example("stored", kind);
        assert!(
            allows(&schema, &schema["$defs"]["StoredAction"], &stored),
            "{stored}"
        );
    }
}

#[test]
fn what_the_schema_forbids_the_parser_refuses() {
    let schema = actions_schema();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut action = example("sent", ActionType::CartAdd);
        change(&mut action);
        action
    };
    for action in [
        changed(&|action| action["type"] = json!("teleport")),
        changed(&|action| action["shopper"] = json!("ann")),
        changed(&|action| action["product"] = Value::Null),
        changed(&|action| action["product"] = json!({ "name": "nameless" })),
        changed(&|action| action["product"]["price"] = json!(129.9)),
        changed(&|action| action["product"]["price"]["minor_units"] = json!(1.5)),
        changed(&|action| action["product"]["quantity"] = json!(-1)),
        changed(&|action| action["cart_id"] = json!("x".repeat(129))),
        changed(&|action| action["at"] = json!(5)),
        changed(&|action| drop(action.as_object_mut().expect("an object").remove("shopper"))),
        json!({ "type": "coupon_attempt", "shopper": { "user_id": 1 }, "outcome": "lost" }),
        json!({ "type": "group", "shopper": { "user_id": 1 } }),
    ] {
        assert!(
            !allows(&schema, &schema, &action),
            "the schema allows {action}"
        );
        assert!(native(&action)[0].is_err(), "the parser takes {action}");
    }
}
