//! Moves of shoppers between cohorts, as `foretide.transitions` holds them: JSON, for any tool.

use bytes::Bytes;
use foretide_events::{EpochMs, ShopperId, Text};
use serde::{Deserialize, Serialize};

use crate::{NewRecord, TRANSITIONS, TopicPartition, shopper_key};

/// The version of what is stored.
const VERSION: u8 = 1;

/// That a shopper moved from one cohort to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// The version of this form: 1.
    pub v: u8,
    /// The same however often the move is told.
    pub id: String,
    /// Who moved.
    pub shopper_id: ShopperId,
    /// When: that of the event, or since when the cohorts serve that moved the shopper.
    pub at: EpochMs,
    /// The cohort left.
    pub from: Text<32>,
    /// The cohort entered.
    pub to: Text<32>,
    /// Why.
    pub cause: TransitionCause,
    /// The version of the cohorts that `to` is one of.
    pub cohorts: Text<64>,
}

/// Why a shopper moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionCause {
    /// By what the shopper did.
    Behaviour,
    /// The cohorts formed anew.
    Reforming,
}

/// Why a record is no transition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransitionRefused {
    /// It is no JSON of one.
    #[error("it is no transition: {0}")]
    Unreadable(String),
    /// It is of a later version.
    #[error("a transition of version {0} is not known here")]
    Version(u8),
}

impl TransitionCause {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Behaviour => "behaviour",
            Self::Reforming => "reforming",
        }
    }
}

impl Transition {
    /// The version of this form, for whoever makes one.
    pub const VERSION: u8 = VERSION;

    /// The record that tells it in `partition`, that of the shopper.
    pub fn record(&self, partition: u32) -> NewRecord {
        // Texts and numbers in memory have nothing that could fail to be written.
        let value = serde_json::to_vec(self).unwrap_or_default();
        NewRecord {
            at: TopicPartition {
                topic: TRANSITIONS,
                partition,
            },
            key: Bytes::copy_from_slice(&shopper_key(&self.shopper_id)),
            value: Some(value.into()),
        }
    }

    /// Reads the value of a record of `foretide.transitions`.
    ///
    /// # Errors
    /// It is none that is known here.
    pub fn decode(value: &[u8]) -> Result<Self, TransitionRefused> {
        let read: Self = serde_json::from_slice(value)
            .map_err(|error| TransitionRefused::Unreadable(error.to_string()))?;
        if read.v == VERSION {
            Ok(read)
        } else {
            Err(TransitionRefused::Version(read.v))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transition() -> Transition {
        Transition {
            v: VERSION,
            id: "s/cohort/7-0".to_owned(),
            shopper_id: ShopperId([0xab; 16]),
            at: EpochMs(1_795_000_000_000),
            from: Text::new("c-1").unwrap(),
            to: Text::new("c-7").unwrap(),
            cause: TransitionCause::Reforming,
            cohorts: Text::new("0a1b").unwrap(),
        }
    }

    #[test]
    fn a_transition_is_stored_as_json_that_says_it_all() {
        let record = transition().record(3);
        let value = record.value.unwrap();
        assert_eq!(Transition::decode(&value), Ok(transition()));
        let text = String::from_utf8(value.to_vec()).unwrap();
        assert!(text.contains(r#""cause":"reforming""#), "{text}");
        assert!(text.contains(r#""from":"c-1","to":"c-7""#), "{text}");
        assert_eq!(record.key[..], shopper_key(&ShopperId([0xab; 16]))[..]);
    }

    #[test]
    fn what_is_none_and_what_is_of_a_later_version_is_refused() {
        let later = Transition {
            v: 2,
            ..transition()
        };
        let value = later.record(0).value.unwrap();
        assert_eq!(
            Transition::decode(&value),
            Err(TransitionRefused::Version(2))
        );
        assert!(Transition::decode(b"{}").is_err());
    }
}
