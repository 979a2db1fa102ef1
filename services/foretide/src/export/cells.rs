//! What the columns of a list hold that are carried through.

use foretide_frame::{Cell, Kind};

/// Finds out what a column holds, field by field. A field that is empty says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Guess(Option<Kind>);

impl Guess {
    /// Takes a field into account.
    pub(super) fn see(&mut self, field: &str) {
        if field.is_empty() || self.0 == Some(Kind::Text) {
            return;
        }
        let one = kind_of(field);
        self.0 = Some(match (self.0, one) {
            (None, one) => one,
            (Some(known), one) if known == one => one,
            (Some(Kind::Integer), Kind::Number) | (Some(Kind::Number), Kind::Integer) => {
                Kind::Number
            }
            _ => Kind::Text,
        });
    }

    /// What it is.
    pub(super) fn kind(self) -> Kind {
        self.0.unwrap_or(Kind::Text)
    }
}

/// What a field is that is not empty.
fn kind_of(field: &str) -> Kind {
    if flag(field).is_some() {
        Kind::Flag
    } else if integer(field).is_some() {
        Kind::Integer
    } else if number(field).is_some() {
        Kind::Number
    } else {
        Kind::Text
    }
}

fn flag(field: &str) -> Option<bool> {
    match field {
        "true" | "True" => Some(true),
        "false" | "False" => Some(false),
        _ => None,
    }
}

/// A whole number as one is written: an id with zeros in front or a plus is none.
fn integer(field: &str) -> Option<i64> {
    let number: i64 = field.parse().ok()?;
    (number.to_string() == field).then_some(number)
}

/// A number with digits: neither a word for one that is none, nor an id with zeros in front.
fn number(field: &str) -> Option<f64> {
    let digits = field.strip_prefix('-').unwrap_or(field);
    let mut first = digits.bytes();
    let plain = match (first.next(), first.next()) {
        (Some(b'0'), Some(second)) => !second.is_ascii_digit(),
        (Some(first), _) => first.is_ascii_digit() || first == b'.',
        (None, _) => false,
    };
    let number: f64 = field.parse().ok()?;
    // Whole numbers that are too large for one would lose digits.
    let is_exact = field.contains(['.', 'e', 'E']);
    (plain && is_exact && number.is_finite()).then_some(number)
}

/// The cell of a column of `kind` whose field this is.
pub(super) fn cell(kind: Kind, field: &str) -> Cell<'_> {
    if field.is_empty() {
        return Cell::Missing;
    }
    match kind {
        Kind::Flag => flag(field).map_or(Cell::Missing, Cell::Flag),
        Kind::Integer => integer(field).map_or(Cell::Missing, Cell::Integer),
        Kind::Number => {
            let whole = || integer(field).map(|number| number as f64);
            number(field)
                .or_else(whole)
                .map_or(Cell::Missing, Cell::Number)
        }
        Kind::Text | Kind::Instant => Cell::Text(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(fields: &[&str]) -> Kind {
        let mut guess = Guess::default();
        for field in fields {
            guess.see(field);
        }
        guess.kind()
    }

    #[test]
    fn labels_are_numbers_and_ids_stay_text() {
        assert_eq!(kind(&["1", "0", ""]), Kind::Integer);
        assert_eq!(kind(&["1", "0.5", "-2e-3"]), Kind::Number);
        assert_eq!(kind(&["true", "False"]), Kind::Flag);
        for text in [
            "007",
            "+1",
            "NaN",
            "inf",
            "12345678901234567890",
            "-",
            "1 2",
            "00.5",
        ] {
            assert_eq!(kind(&[text]), Kind::Text, "{text}");
        }
        assert_eq!(kind(&["true", "1"]), Kind::Text);
        assert_eq!(kind(&["1", "a", "2"]), Kind::Text);
        assert_eq!(kind(&["", ""]), Kind::Text);
    }

    #[test]
    fn every_field_becomes_the_cell_of_its_column() {
        assert_eq!(cell(Kind::Number, "3"), Cell::Number(3.0));
        assert_eq!(cell(Kind::Number, ".5"), Cell::Number(0.5));
        assert_eq!(cell(Kind::Integer, "-7"), Cell::Integer(-7));
        assert_eq!(cell(Kind::Flag, "True"), Cell::Flag(true));
        assert_eq!(cell(Kind::Text, "007"), Cell::Text("007"));
        assert_eq!(cell(Kind::Text, ""), Cell::Missing);
    }
}
