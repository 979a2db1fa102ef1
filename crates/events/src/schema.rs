//! The JSON Schema (2020-12) of actions, generated from the types that parse them.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

use crate::{
    ActionType,
    limits::MAX_BATCH_EVENTS,
    native::{Envelope, sent_fields_schema},
    wire::Head,
};

/// JSON Schema (2020-12) of what `POST /v1/actions` takes: one action, or a batch of them.
///
/// `$defs` holds the parts, among them `Action` (as it is sent) and `StoredAction` (the value of a record on
/// `foretide.actions`).
pub fn actions_schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let sent = one_of(&mut generator, Form::Sent);
    let stored = one_of(&mut generator, Form::Stored);
    let mut definitions = generator.take_definitions(true);
    definitions.insert("Action".to_owned(), sent);
    definitions.insert("StoredAction".to_owned(), stored);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Foretide actions, version 1",
        "description": "One action, or a batch of them. Members that are not listed are ignored.",
        "oneOf": [
            { "$ref": "#/$defs/Action" },
            {
                "type": "object",
                "required": ["actions"],
                "properties": {
                    "actions": {
                        "type": "array",
                        "maxItems": MAX_BATCH_EVENTS,
                        "items": { "$ref": "#/$defs/Action" },
                    },
                },
            },
        ],
        "$defs": definitions,
    })
}

#[derive(Clone, Copy)]
enum Form {
    /// As `POST /v1/actions` takes it.
    Sent,
    /// As the topic holds it.
    Stored,
}

/// An action of any type, in one of its forms.
fn one_of(generator: &mut SchemaGenerator, form: Form) -> Value {
    let types: Vec<Value> = ActionType::ALL
        .iter()
        .map(|&kind| of_type(generator, form, kind))
        .collect();
    json!({ "oneOf": types })
}

fn of_type(generator: &mut SchemaGenerator, form: Form, kind: ActionType) -> Value {
    let (head, fields) = match form {
        Form::Sent => (
            generator.subschema_for::<Envelope<'_>>(),
            sent_fields_schema(kind, generator),
        ),
        Form::Stored => (
            generator.subschema_for::<Head<'_>>(),
            kind.fields_schema(generator),
        ),
    };
    let mut all_of = vec![head.to_value(), fields.to_value()];
    if kind.needs_product() {
        let product = json!({ "type": "object", "required": ["product_id"] });
        all_of.push(json!({ "required": ["product"], "properties": { "product": product } }));
    }
    json!({
        "title": kind.as_str(),
        "description": kind.description(),
        "type": "object",
        "required": ["type", "shopper"],
        "properties": { "type": { "const": kind.as_str() } },
        "allOf": all_of,
    })
}
