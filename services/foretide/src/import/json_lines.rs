//! Files of one JSON object a line: native actions, and Segment calls.

use foretide_events::limits::MAX_DEPTH;
use serde_json::{Map, Value};

use super::{
    ids::RowIds,
    row::{Reader, Row, Unusable},
};

/// Which members of an object mean what.
#[derive(Debug)]
struct Shape {
    format: &'static str,
    id: &'static str,
    /// The times that say when it happened; one is needed.
    times: &'static [&'static str],
    /// When the client sent it: dropped, because it corrects the clock of a client that sends at once, not history.
    sent_at: &'static str,
    shopper: fn(&Map<String, Value>) -> Option<String>,
}

/// Reads native actions or Segment calls.
#[derive(Debug)]
pub(crate) struct JsonLines {
    shape: Shape,
    ids: RowIds,
}

impl JsonLines {
    /// Lines as `POST /v1/actions` takes them.
    pub(crate) fn native() -> Self {
        Self::new(Shape {
            format: "ndjson",
            id: "id",
            times: &["at"],
            sent_at: "sent_at",
            shopper: native_shopper,
        })
    }

    /// Lines as the items of a Segment batch.
    pub(crate) fn segment() -> Self {
        Self::new(Shape {
            format: "segment",
            id: "messageId",
            times: &["timestamp", "originalTimestamp"],
            sent_at: "sentAt",
            shopper: segment_shopper,
        })
    }

    fn new(shape: Shape) -> Self {
        Self {
            ids: RowIds::new(shape.format),
            shape,
        }
    }
}

impl Reader for JsonLines {
    fn has_heading(&self) -> bool {
        false
    }

    fn heading(&mut self, _: &str) -> anyhow::Result<()> {
        Ok(())
    }

    fn row(&mut self, line: &str) -> Result<Row, Unusable> {
        let mut value: Value = serde_json::from_str(line).map_err(|error| {
            Unusable::unreadable(format!("is not JSON from column {}", error.column()))
        })?;
        // Two levels are for the batch around it.
        if !is_shallow(&value, MAX_DEPTH - 2) {
            return Err(Unusable::unreadable(format!(
                "nests deeper than {} levels",
                MAX_DEPTH - 2
            )));
        }
        let Some(object) = value.as_object_mut() else {
            return Err(Unusable {
                reason: "not_an_object",
                cause: "is not a JSON object".to_owned(),
            });
        };
        // Without a time of its own it would get a new one each time it is sent.
        if !self
            .shape
            .times
            .iter()
            .any(|name| object.get(*name).is_some_and(Value::is_string))
        {
            return Err(Unusable::missing(self.shape.times[0]));
        }
        object.remove(self.shape.sent_at);
        // The occurrence is counted for rows with an id as well, so that a row's id never depends on its
        // neighbours' fields.
        let id = self.ids.next(line.trim().as_bytes());
        if object
            .get(self.shape.id)
            .is_none_or(|id| id.is_null() || id.as_str() == Some(""))
        {
            object.insert(self.shape.id.to_owned(), Value::String(id));
        }
        let shopper = (self.shape.shopper)(object).unwrap_or_default();
        Ok(Row::new(&shopper, &value))
    }
}

fn native_shopper(action: &Map<String, Value>) -> Option<String> {
    let shopper = action.get("shopper")?.as_object()?;
    ["user_id", "shopper_id", "anonymous_id"]
        .iter()
        .find_map(|name| text(shopper.get(*name)))
}

fn segment_shopper(item: &Map<String, Value>) -> Option<String> {
    text(item.get("userId")).or_else(|| text(item.get("anonymousId")))
}

fn text(id: Option<&Value>) -> Option<String> {
    match id? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn is_shallow(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_shallow(item, levels - 1)),
        Value::Object(members) => {
            levels > 0
                && members
                    .values()
                    .all(|member| is_shallow(member, levels - 1))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(row: &Row) -> Value {
        serde_json::from_str(&row.item).unwrap()
    }

    #[test]
    fn an_id_is_kept_and_a_missing_one_made() {
        let mut reader = JsonLines::native();
        let with = reader.row(r#"{"type":"search","id":"mine","at":"2024-01-01T00:00:00Z","shopper":{"user_id":"ann"}}"#);
        assert_eq!(parsed(&with.unwrap())["id"], "mine");
        let line = r#"{"type":"search","at":"2024-01-01T00:00:00Z","shopper":{"user_id":"ann"}}"#;
        let (first, second) = (reader.row(line).unwrap(), reader.row(line).unwrap());
        assert_ne!(parsed(&first)["id"], parsed(&second)["id"]);
        assert_eq!(first.shopper, second.shopper);
    }

    #[test]
    fn the_time_of_sending_is_dropped_and_the_time_of_happening_needed() {
        let mut reader = JsonLines::segment();
        let line = r#"{"type":"track","event":"Product Viewed","userId":7,"sentAt":"2020-01-01T00:00:00Z",
            "originalTimestamp":"2020-01-01T00:00:00Z"}"#;
        let item = parsed(&reader.row(line).unwrap());
        assert!(item.get("sentAt").is_none());
        assert!(item["messageId"].is_string());
        let unusable = reader.row(r#"{"type":"track","userId":7}"#).unwrap_err();
        assert_eq!(
            (unusable.reason, unusable.cause.as_str()),
            ("missing_field", "timestamp is missing")
        );
    }

    #[test]
    fn what_is_no_flat_enough_object_is_named() {
        let mut reader = JsonLines::native();
        assert_eq!(reader.row("{").unwrap_err().reason, "unreadable_row");
        assert_eq!(reader.row("[1]").unwrap_err().reason, "not_an_object");
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(30), "]".repeat(30));
        assert_eq!(reader.row(&deep).unwrap_err().reason, "unreadable_row");
    }
}
