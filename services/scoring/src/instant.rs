//! The instant a read is about: `?at=`, or now.

use foretide_events::EpochMs;
use foretide_http::{Problem, ProblemCode};

/// Reads the parameter `at`, RFC 3339; `None` when it is absent.
pub(crate) fn parse_at(text: Option<&str>) -> Result<Option<EpochMs>, Problem> {
    let Some(text) = text else { return Ok(None) };
    // In a query a bare plus stands for a blank: `…T10:00:00+01:00` arrives with one.
    let text = text.replace(' ', "+");
    let at = EpochMs::parse(&text).ok_or_else(|| {
        let detail = "is not an RFC 3339 date and time, such as 2026-11-22T10:00:00Z";
        Problem::new(ProblemCode::InvalidField, detail).at("at")
    })?;
    Ok(Some(at))
}

/// The refusal of an instant that the profile does not reach back to.
pub(crate) fn no_longer_remembered() -> Problem {
    let detail = "lies before what the shopper's profile still remembers: the 25 hours before its newest action, and 256 actions \
                  at most. `foretide export --at` tells it from the log";
    Problem::new(ProblemCode::NotRemembered, detail).at("at")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_survives_a_careless_query() {
        let expected = EpochMs::parse("2026-11-22T09:00:00Z");
        for text in [
            "2026-11-22T10:00:00+01:00",
            "2026-11-22T10:00:00 01:00",
            "2026-11-22T09:00:00Z",
        ] {
            assert_eq!(parse_at(Some(text)).unwrap(), expected, "{text}");
        }
        assert_eq!(parse_at(None).unwrap(), None);
        assert_eq!(parse_at(Some("yesterday")).unwrap_err().field(), Some("at"));
    }
}
