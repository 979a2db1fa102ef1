//! Members of native actions that say nothing: a newer sender's, or misspelt ones.

use std::{collections::BTreeSet, sync::LazyLock};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{AnyBody, lines, taken_apart};
use crate::{actions_schema, body, flat, native::Envelope};

/// The most members that are told of one action.
const MAX_TOLD: usize = 20;

/// For how many members of a body it is found out what was meant: it costs far more than reading them, and anyone with a
/// write key may ask.
const MAX_GUESSES: usize = 1000;

/// A member that says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ignored {
    /// Its path in the action, such as `product.prise`.
    pub member: String,
    /// The name of a member that there is, where one is near.
    pub did_you_mean: Option<&'static str>,
}

/// Every name that a member of an action of some type may have, with its letters alone.
static NAMES: LazyLock<Vec<(String, Vec<char>)>> = LazyLock::new(|| {
    let mut names = BTreeSet::new();
    gather(&actions_schema(), &mut names);
    let with_letters = |name: String| {
        let letters = letters(&name);
        (name, letters)
    };
    names.into_iter().map(with_letters).collect()
});

/// The ignored members of each action of `body`, in the order of their receipts: one action or `{"actions":[…]}`, or one
/// action a line.
pub fn ignored_members(body: &[u8], is_lines: bool) -> Vec<Vec<Ignored>> {
    let mut guesses = MAX_GUESSES;
    if is_lines {
        return lines(body)
            .map(|line| of_part(line, &mut guesses))
            .collect();
    }
    let text = std::str::from_utf8(body).unwrap_or_default();
    match serde_json::from_str::<AnyBody<'_>>(text) {
        Ok(AnyBody {
            actions: Some(actions),
        }) => {
            let actions = actions.iter();
            actions
                .map(|action| of_action(action.get(), &mut guesses))
                .collect()
        }
        Ok(_) => vec![of_action(text, &mut guesses)],
        Err(_) => {
            let actions = taken_apart(body).unwrap_or_default().into_iter();
            actions
                .map(|action| of_part(action, &mut guesses))
                .collect()
        }
    }
}

fn of_part(part: &[u8], guesses: &mut usize) -> Vec<Ignored> {
    std::str::from_utf8(part).map_or_else(|_| Vec::new(), |action| of_action(action, guesses))
}

fn of_action(action: &str, guesses: &mut usize) -> Vec<Ignored> {
    if !body::item_nests_within_limit(action) {
        return Vec::new();
    }
    let paths = flat::ignored::<Envelope<'_>>(action).into_iter();
    let told = paths.take(MAX_TOLD).map(|member| {
        let is_guessed = *guesses > 0;
        *guesses = guesses.saturating_sub(1);
        let name = member.rsplit('.').next().unwrap_or(&member);
        Ignored {
            did_you_mean: is_guessed.then(|| nearest(name)).flatten(),
            member,
        }
    });
    told.collect()
}

/// The names of all properties anywhere in a schema.
fn gather(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                names.extend(properties.keys().cloned());
            }
            members.values().for_each(|value| gather(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| gather(value, names)),
        _ => {}
    }
}

/// The name nearest to `name`, if it is near enough for a slip: written in another case, or up to two letters off.
fn nearest(name: &str) -> Option<&'static str> {
    let sent = letters(name);
    let allowed = match sent.len() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    let distances = NAMES
        .iter()
        // Each letter more or less is one off.
        .filter(|(_, known)| known.len().abs_diff(sent.len()) <= allowed)
        .map(|(name, known)| (distance(&sent, known), name.as_str()));
    let (distance, known) = distances.min()?;
    (distance <= allowed).then_some(known)
}

/// The letters of `name`, without what tells `product_id`, `productId` and `Product-ID` apart.
fn letters(name: &str) -> Vec<char> {
    let letters = name.chars().filter(|letter| !"_- ".contains(*letter));
    letters.take(64).flat_map(char::to_lowercase).collect()
}

/// How many letters must be put in, taken out or changed to make `one` of `other` (Levenshtein).
fn distance(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, known) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != known);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> Vec<(String, Option<&'static str>)> {
        let of_each = ignored_members(body.as_bytes(), false);
        assert_eq!(of_each.len(), 1);
        let told = of_each.into_iter().flatten();
        told.map(|ignored| (ignored.member, ignored.did_you_mean))
            .collect()
    }

    #[test]
    fn misspelt_members_are_told_at_any_depth_with_what_was_meant() {
        let action = r#"{"shopper":{"userId":"a"},"type":"cart_add","quantitty":1,"colour_of_sky":7,
            "product":{"product_id":"p","prise":{"minor_units":1,"currency":"EUR","x":0}}}"#;
        assert_eq!(
            told(action),
            [
                ("shopper.userId".to_owned(), Some("user_id")),
                ("quantitty".to_owned(), Some("quantity")),
                ("colour_of_sky".to_owned(), None),
                ("product.prise".to_owned(), Some("price")),
            ]
        );
    }

    #[test]
    fn items_of_lists_are_named_by_their_place() {
        let action =
            r#"{"type":"purchase","shopper":{},"order_id":"o","products":[{},{"skuu":"s"}]}"#;
        assert_eq!(told(action), [("products[1].skuu".to_owned(), Some("sku"))]);
    }

    #[test]
    fn what_is_known_is_not_told() {
        let action = r#"{"type":"cart_view","id":"e","shopper":{"user_id":"a"},"session":"s",
            "at":"2026-11-22T08:00:00Z"}"#;
        assert_eq!(told(action), []);
    }

    #[test]
    fn every_action_of_a_body_is_looked_at_in_order_whatever_it_is() {
        let batch =
            br#"{"actions":[{"type":"cart_view","x":1},7,{"type":"?"},{"type":"cart_view"}]}"#;
        let counts = |told: Vec<Vec<Ignored>>| told.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(counts(ignored_members(batch, false)), [1, 0, 0, 0]);
        let lines = b"{\"type\":\"cart_view\",\"x\":1}\n\n\xff\n{";
        assert_eq!(counts(ignored_members(lines, true)), [1, 0, 0]);
        assert_eq!(counts(ignored_members(b"\xff", false)), [0; 0]);
        let broken = br#"{"actions":[{"type":"cart_view","x":1},{"type":"cart_view","x":NaN}]}"#;
        assert_eq!(counts(ignored_members(broken, false)), [1, 0]);
    }

    #[test]
    fn a_body_full_of_unknown_members_costs_a_bounded_number_of_guesses() {
        let action = r#"{"type":"cart_view","cart_idd":1}"#;
        let body = format!(
            r#"{{"actions":[{action}{}]}}"#,
            format!(",{action}").repeat(2 * MAX_GUESSES)
        );
        let told = ignored_members(body.as_bytes(), false);
        let guessed = |ignored: &&Ignored| ignored.did_you_mean == Some("cart_id");
        assert_eq!(told.len(), 2 * MAX_GUESSES + 1);
        assert!(told.iter().all(|ignored| ignored.len() == 1));
        assert_eq!(told.iter().flatten().filter(guessed).count(), MAX_GUESSES);
    }
}
