//! JSON Schemas (2020-12) as parts of the document.
//!
//! `utoipa` has a model of schemas that knows only some of the words of JSON Schema. What is written here goes around the
//! model: a schema's members are put into the document as they are.

use std::borrow::Cow;

use schemars::{
    JsonSchema,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value};
use utoipa::openapi::{
    Object, RefOr, Required, Schema,
    extensions::Extensions,
    path::{Parameter, ParameterBuilder, ParameterIn},
    schema::SchemaType,
};

/// Where a JSON Schema keeps its parts, and where the document does.
const OWN_PARTS: &str = "#/$defs/";
const PARTS: &str = "#/components/schemas/";

/// A schema that is part of the document.
pub struct Written {
    /// Under what name.
    pub name: Cow<'static, str>,
    /// The schema.
    pub schema: RefOr<Schema>,
    /// The schemas that it refers to, by name.
    pub parts: Vec<(String, RefOr<Schema>)>,
}

impl Written {
    /// A JSON Schema; the `$defs` become parts of the document.
    pub fn new(name: impl Into<Cow<'static, str>>, schema: Value) -> Self {
        let Value::Object(mut members) = schema else {
            // `true` and `false` are schemas too.
            return Self {
                name: name.into(),
                schema: verbatim(Map::from_iter([(
                    "allOf".to_owned(),
                    Value::from(vec![schema]),
                )])),
                parts: Vec::new(),
            };
        };
        members.remove("$schema");
        let parts = match members.remove("$defs") {
            Some(Value::Object(parts)) => parts,
            _ => Map::new(),
        };
        let part = |(name, schema): (String, Value)| {
            let Self { name, schema, .. } = Self::new(name, schema);
            (name.into_owned(), schema)
        };
        Self {
            name: name.into(),
            parts: parts.into_iter().map(part).collect(),
            schema: verbatim(members),
        }
    }
}

/// The schema of what a request sends as a `T`.
pub fn asked<T: JsonSchema>() -> Written {
    of::<T>(Contract::Deserialize)
}

/// The schema of what is answered as a `T`.
pub fn answered<T: JsonSchema>() -> Written {
    of::<T>(Contract::Serialize)
}

fn of<T: JsonSchema>(contract: Contract) -> Written {
    Written::new(T::schema_name(), json_schema::<T>(contract, false))
}

fn json_schema<T: JsonSchema>(contract: Contract, inline: bool) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.contract = contract;
    settings.inline_subschemas = inline;
    settings.into_generator().into_root_schema_for::<T>().into()
}

/// One parameter for each member of what a `T` is read from.
pub fn parameters<T: JsonSchema>(place: &ParameterIn) -> Vec<Parameter> {
    let schema = json_schema::<T>(Contract::Deserialize, true);
    let required: Vec<&str> = schema["required"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let Some(Value::Object(members)) = schema.get("properties") else {
        return Vec::new();
    };
    members
        .iter()
        .map(|(name, schema)| parameter(name, schema, required.contains(&name.as_str()), place))
        .collect()
}

fn parameter(name: &str, schema: &Value, required: bool, place: &ParameterIn) -> Parameter {
    let mut members = schema.as_object().cloned().unwrap_or_default();
    let description = members.remove("description");
    without_null(&mut members);
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place.clone())
        .required(if required {
            Required::True
        } else {
            Required::False
        })
        .description(description.as_ref().and_then(Value::as_str))
        .schema(Some(verbatim(members)))
        .build()
}

/// A parameter is there or not: it is never `null`.
fn without_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|of| of != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
}

/// A schema with these members, and references into the document.
fn verbatim(members: Map<String, Value>) -> RefOr<Schema> {
    let mut schema = Value::Object(members);
    refer_to_parts(&mut schema);
    let mut object = Object::default();
    object.schema_type = SchemaType::AnyValue;
    if let Value::Object(members) = schema {
        object.extensions = Some(Extensions::from_iter(members));
    }
    RefOr::T(Schema::Object(object))
}

fn refer_to_parts(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref")
                && let Some(name) = target.strip_prefix(OWN_PARTS)
            {
                *target = format!("{PARTS}{name}");
            }
            members.values_mut().for_each(refer_to_parts);
        }
        Value::Array(items) => items.iter_mut().for_each(refer_to_parts),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Whole {
        #[serde(default)]
        part: Option<Part>,
    }

    /// A piece.
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Part {
        #[schemars(range(min = 1, max = 100))]
        percent: u8,
    }

    #[test]
    fn parts_become_parts_of_the_document() {
        let Written {
            name,
            schema,
            parts,
        } = asked::<Whole>();
        assert_eq!(name, "Whole");
        let schema = serde_json::to_value(schema).unwrap();
        assert_eq!(
            schema["properties"]["part"]["anyOf"][0]["$ref"],
            "#/components/schemas/Part"
        );
        assert_eq!(schema.get("$defs"), None);
        assert_eq!(parts[0].0, "Part");
        let part = serde_json::to_value(&parts[0].1).unwrap();
        assert_eq!(part["properties"]["percent"]["maximum"], 100);
        assert_eq!(part["description"], "A piece.");
    }

    #[test]
    fn a_member_with_a_default_is_optional_when_asked_and_certain_when_answered() {
        let required =
            |written: Written| serde_json::to_value(written.schema).unwrap()["required"].clone();
        assert_eq!(required(asked::<Whole>()), Value::Null);
        assert_eq!(required(answered::<Whole>()), json!(["part"]));
    }

    #[test]
    fn parameters_are_the_members_and_never_null() {
        /// What the query may hold.
        #[derive(Deserialize, JsonSchema)]
        #[expect(dead_code, reason = "only its schema is looked at")]
        struct Parameters {
            /// How many.
            #[serde(default)]
            #[schemars(range(max = 20))]
            limit: Option<u32>,
            id: String,
        }
        let shown = serde_json::to_value(parameters::<Parameters>(&ParameterIn::Query)).unwrap();
        let limit = json!({"name": "limit", "in": "query", "required": false, "description": "How many.",
            "schema": {"type": "integer", "format": "uint32", "minimum": 0, "maximum": 20}});
        assert_eq!(shown[1], limit);
        assert_eq!(
            (&shown[0]["name"], &shown[0]["required"]),
            (&json!("id"), &json!(true))
        );
    }
}
