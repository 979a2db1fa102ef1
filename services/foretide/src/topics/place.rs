//! Places in a topic, as a person names them.

use std::{fmt, str::FromStr};

use foretide_events::EpochMs;
use foretide_ports::{LogError, ReadOnlyLog, TopicName};

/// A place in every partition of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before the oldest record that is kept.
    Beginning,
    /// Behind the newest record, as it is now.
    End,
    /// This offset.
    Offset(u64),
    /// This many offsets before the end.
    BeforeEnd(u64),
    /// The first record appended at this instant or later.
    Time(EpochMs),
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "beginning" => return Ok(Self::Beginning),
            "end" => return Ok(Self::End),
            _ => {}
        }
        if let Some(offset) = text.strip_prefix('-') {
            return offset.parse().map(Self::BeforeEnd).map_err(|_| WHAT);
        }
        if let Ok(offset) = text.parse() {
            return Ok(Self::Offset(offset));
        }
        EpochMs::parse(text).map(Self::Time).ok_or(WHAT)
    }
}

const WHAT: &str = "a place is `beginning`, `end`, an offset such as 1200, an offset before the end such as -10, or a \
     time such as 2026-11-22T10:00:00Z";

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beginning => f.write_str("beginning"),
            Self::End => f.write_str("end"),
            Self::Offset(offset) => write!(f, "{offset}"),
            Self::BeforeEnd(offsets) => write!(f, "-{offsets}"),
            Self::Time(at) => write!(f, "{at}"),
        }
    }
}

impl Place {
    /// What is wrong if a stretch were to begin here and to stop at `to`: nothing can lie between.
    pub(crate) fn is_behind(&self, to: &Self) -> Option<String> {
        let is_behind = match (self, to) {
            (Self::Offset(from), Self::Offset(to)) => from > to,
            (Self::BeforeEnd(from), Self::BeforeEnd(to)) => from < to,
            (Self::Time(from), Self::Time(to)) => from > to,
            _ => false,
        };
        is_behind.then(|| format!("--from {self} is behind --to {to}: exchange the two"))
    }

    /// The offset of the place in each partition of `topic`, which is never beyond its end in `ends`, except where an offset
    /// was asked for.
    pub(crate) async fn in_each(
        self,
        log: &ReadOnlyLog,
        topic: TopicName,
        ends: &[u64],
    ) -> Result<Vec<u64>, LogError> {
        Ok(match self {
            // The oldest record has some age: an offset says where it is, though nothing before it is kept.
            Self::Beginning => log.offsets_at(topic, EpochMs::default()).await?,
            Self::End => ends.to_vec(),
            Self::Offset(offset) => vec![offset; ends.len()],
            Self::BeforeEnd(offsets) => {
                let before = |end: &u64| end.saturating_sub(offsets);
                ends.iter().map(before).collect()
            }
            Self::Time(at) => log.offsets_at(topic, at).await?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_that_ends_before_it_begins_is_found() {
        let is_behind = |from: &str, to: &str| {
            let place = |text: &str| text.parse::<Place>().unwrap();
            place(from).is_behind(&place(to)).is_some()
        };
        assert!(is_behind("5", "4") && is_behind("-3", "-4"));
        assert!(is_behind("2026-11-22T10:00:00Z", "2026-11-22T09:00:00Z"));
        for (from, to) in [("4", "4"), ("-4", "-3"), ("end", "5"), ("beginning", "end")] {
            assert!(!is_behind(from, to), "{from} {to}");
        }
    }

    #[test]
    fn places_are_read_as_they_are_written() {
        let at = EpochMs::parse("2026-11-22T10:00:00Z").unwrap();
        for (text, place) in [
            ("beginning", Place::Beginning),
            ("end", Place::End),
            ("1200", Place::Offset(1200)),
            ("-10", Place::BeforeEnd(10)),
            ("2026-11-22T10:00:00.000Z", Place::Time(at)),
        ] {
            assert_eq!(text.parse(), Ok(place));
            assert_eq!(place.to_string(), text);
        }
        for text in ["", "start", "-", "-x", "12.5", "2026-11-22"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
