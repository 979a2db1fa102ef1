//! Parts of the description of the routes that several share.

use foretide_events::{
    actions_schema,
    limits::{MAX_BATCH_EVENTS, MAX_BATCH_ITEMS},
};
use foretide_http::{ProblemCode, documented};
use schemars::JsonSchema;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// Why any request, with a key or without, may be refused.
pub(super) const ANYONE: &[ProblemCode] = &[
    ProblemCode::Overloaded,
    ProblemCode::TimedOut,
    ProblemCode::NotReady,
    ProblemCode::Internal,
];

/// What the parts of the schema of actions are called in the document, where other services have parts too.
const PART: &str = "action.";

/// What any request that sends events may ask for.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
pub(super) struct Asked {
    /// Says what would become of each event, and stores and counts nothing.
    #[schemars(extend("enum" = ["1", "true"]))]
    dry_run: Option<String>,
}

documented! {
    query Asked;
}

/// The schema of the body of `POST /v1/actions`: what is answered with 200. Which of its actions are accepted, the schema
/// `Action` says.
pub(super) fn actions_body() -> Value {
    let mut schema = actions_schema();
    let definitions = match schema["$defs"].take() {
        Value::Object(definitions) => definitions,
        _ => Map::new(),
    };
    let named = |(name, schema)| (part(name), schema);
    let definitions: Map<_, _> = definitions.into_iter().map(named).collect();
    let mut body = json!({
        "description": "One action, or a batch of them. Members that are not listed are ignored. An action that is not as the \
            schema `Action` says is rejected alone, in a reply of 200.",
        "type": "object",
        "anyOf": [
            { "$ref": "#/$defs/Action" },
            {
                "title": "Batch",
                "required": ["actions"],
                "properties": { "actions": {
                    "description": format!("At most {MAX_BATCH_EVENTS} are taken; those beyond are rejected. A list of \
                        more than {MAX_BATCH_ITEMS} is refused."),
                    "type": "array",
                    "items": { "anyOf": [{ "$ref": "#/$defs/Action" }, true] },
                } },
            },
            {
                "title": "Anything else",
                "description": "Is taken for an action, and rejected.",
                "properties": { "actions": { "type": "null" } },
            },
        ],
        "$defs": definitions,
    });
    rename_references(&mut body);
    body
}

/// The name of a part of the schema of actions in the document.
fn part(name: String) -> String {
    if name == "Action" || name == "StoredAction" {
        name
    } else {
        format!("{PART}{name}")
    }
}

/// Describes the route at `path` as the one at `known`, under another id and perhaps with another summary.
pub(super) fn describe_as(
    document: &mut OpenApi,
    known: &str,
    path: &str,
    id: String,
    summary: Option<String>,
) {
    let Some(mut item) = document.paths.paths.get(known).cloned() else {
        return;
    };
    if let Some(operation) = item.post.as_mut().or(item.get.as_mut()) {
        operation.operation_id = Some(id);
        if summary.is_some() {
            operation.summary = summary;
        }
    }
    document.paths.paths.insert(path.to_owned(), item);
}

fn rename_references(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref")
                && let Some(name) = target.strip_prefix("#/$defs/")
            {
                *target = format!("#/$defs/{}", part(name.to_owned()));
            }
            members.values_mut().for_each(rename_references);
        }
        Value::Array(items) => items.iter_mut().for_each(rename_references),
        _ => {}
    }
}
