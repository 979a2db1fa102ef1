//! What a decision says of the examples around it: whether an offer was served, and how likely none was.
//!
//! Only that is read. A decision that rests on a model which is not kept any more tells it as well as any other.

use std::borrow::Cow;

use foretide_events::{EpochMs, ShopperId, Text};
use foretide_training::window::Decided;
use memchr::memmem;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny},
};

/// The arm of no offer, and the cause that masks all others where a shopper is left without offers, as records name them.
const NOTHING: &str = "nothing";
const UNTREATED: &str = "untreated";

/// What is read of a record.
#[derive(Deserialize)]
struct Lean<'a> {
    decision_id: Text<64>,
    at: EpochMs,
    shopper: ShopperId,
    /// Whom the examples are of that the decision bears on, where that is another.
    known: Option<ShopperId>,
    #[serde(borrow, default)]
    arms: Vec<LeanArm<'a>>,
    chosen: Option<IgnoredAny>,
    #[serde(default)]
    served: Served,
    /// Absent in records before version 5: then everyone could be shown offers.
    untreated_share: Option<f64>,
    policy: Option<LeanPolicy>,
}

#[derive(Deserialize)]
struct LeanPolicy {
    untreated_share: Option<f64>,
}

#[derive(Deserialize)]
struct LeanArm<'a> {
    #[serde(borrow)]
    arm: Cow<'a, str>,
    propensity: f64,
    #[serde(borrow, default)]
    masked: Option<Cow<'a, str>>,
}

/// What the shopper got, as a record says it.
#[derive(Default)]
enum Served {
    /// It says nothing.
    #[default]
    AsChosen,
    /// Whether something.
    Otherwise(bool),
}

impl<'de> Deserialize<'de> for Served {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let served = Option::<IgnoredAny>::deserialize(deserializer)?;
        Ok(Self::Otherwise(served.is_some()))
    }
}

/// What stands in a record by which nothing was due to be offered, as the product writes it. No text in a record can hold it: its quotes
/// would be escaped.
const NOTHING_DUE: &[u8] = br#""arms":[{"arm":"nothing","propensity":1}],"reasons":"#;

/// Whether a record bears on no example, told without reading it: so it is with most, and each decision comes this way. The others may
/// bear on some or not.
pub(super) fn bears_on_nothing(value: &[u8]) -> bool {
    memmem::find(value, NOTHING_DUE).is_some()
}

/// Reads a record of `foretide.decisions`, of any version.
pub(super) fn read(value: &[u8]) -> Result<Decided, serde_json::Error> {
    let lean: Lean<'_> = serde_json::from_slice(value)?;
    let of_policy = lean.policy.and_then(|policy| policy.untreated_share);
    let share = lean.untreated_share.or(of_policy).unwrap_or(0.0);
    let no_offer = no_offer(&lean.arms);
    for number in [share, no_offer] {
        if !(0.0..=1.0).contains(&number) {
            return Err(Error::custom(
                "a share or a propensity lies between 0 and 1",
            ));
        }
    }
    Ok(Decided {
        decision_id: lean.decision_id,
        shopper: lean.known.unwrap_or(lean.shopper),
        at: lean.at,
        served: match lean.served {
            Served::AsChosen => lean.chosen.is_some(),
            Served::Otherwise(served) => served,
        },
        no_offer,
        share,
    })
}

/// How likely it was that a shopper who may get offers would have got none. Where a shopper gets none whatever happens, the arm
/// that was due is masked for that, and nothing else is left to chance.
fn no_offer(arms: &[LeanArm<'_>]) -> f64 {
    if arms
        .iter()
        .any(|report| report.masked.as_deref() == Some(UNTREATED))
    {
        return 0.0;
    }
    let nothing = arms.iter().find(|report| report.arm == NOTHING);
    nothing.map_or(0.0, |report| report.propensity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(rest: &str) -> Decided {
        let text = format!(
            r#"{{"v":9,"decision_id":"d1","at":"2026-11-22T08:00:00Z","shopper":"abababababababababababababababab","predictions":{{"source":"drift-gone"}},{rest}}}"#
        );
        read(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_was_served_is_what_was_chosen_unless_it_is_said() {
        let served = |rest: &str| {
            let decided = read_text(rest);
            (decided.served, decided.no_offer)
        };
        let discount = r#""arms":[{"arm":"discount","propensity":1}],"chosen":{"id":"x"}"#;
        assert_eq!(served(discount), (true, 0.0));
        assert_eq!(
            served(&format!(r#"{discount},"served":null"#)),
            (false, 0.0)
        );
        assert_eq!(
            served(&format!(r#"{discount},"served":{{"id":"y"}}"#)),
            (true, 0.0)
        );
        let nothing = r#""arms":[{"arm":"nothing","propensity":0.25}]"#;
        assert_eq!(served(nothing), (false, 0.25));
    }

    #[test]
    fn a_shopper_without_offers_stands_for_those_who_would_have_got_one() {
        let arms = r#""arms":[{"arm":"discount","propensity":0,"masked":"untreated"},{"arm":"nothing","propensity":1}]"#;
        let spared = read_text(&format!(r#"{arms},"untreated_share":0.05"#));
        assert_eq!(
            (spared.served, spared.no_offer, spared.share),
            (false, 0.0, 0.05)
        );
        let by_policy = read_text(&format!(
            r#"{arms},"policy":{{"name":"rule","untreated_share":0.1}}"#
        ));
        assert_eq!((by_policy.no_offer, by_policy.share), (0.0, 0.1));
        let not_due =
            read_text(r#""arms":[{"arm":"nothing","propensity":1}],"untreated_share":0.05"#);
        assert_eq!((not_due.no_offer, not_due.share), (1.0, 0.05));
    }

    #[test]
    fn most_records_need_not_be_read() {
        let head = r#"{"v":6,"page":"\"arms\":[","#;
        let nothing = r#""arms":[{"arm":"nothing","propensity":1}]"#;
        let bears = |rest: &str| !bears_on_nothing([head, rest].concat().as_bytes());
        assert!(!bears(&format!(r#"{nothing},"reasons":["rule"]}}"#)));
        for rest in [
            format!(r#"{nothing},"chosen":{{"id":"x"}},"reasons":[]}}"#),
            r#""arms":[{"arm":"nothing","propensity":0.5}],"reasons":[]}"#.to_owned(),
            r#""arms":[{"arm":"discount","propensity":0,"masked":"untreated"},{"arm":"nothing","propensity":1}],"reasons":[]}"#.to_owned(),
        ] {
            assert!(bears(&rest), "{rest}");
        }
    }

    #[test]
    fn what_was_shown_on_a_device_counts_for_the_known_shopper() {
        let decided = read_text(r#""known":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd""#);
        assert_eq!(decided.shopper, ShopperId([0xcd; 16]));
    }

    #[test]
    fn what_a_device_was_shown_whose_shopper_is_known_that_shopper_was_shown() {
        let known = r#""known":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd","arms":[]"#;
        assert_eq!(read_text(known).shopper, ShopperId([0xcd; 16]));
        assert_eq!(read_text(r#""arms":[]"#).shopper, ShopperId([0xab; 16]));
    }

    #[test]
    fn what_the_product_wrote_is_read() {
        for version in 1..=5 {
            let file = format!(
                "{}/../../crates/decision/golden/decision-v{version}.json",
                env!("CARGO_MANIFEST_DIR")
            );
            let decided = read(&std::fs::read(file).unwrap()).unwrap();
            assert_eq!(decided.shopper, ShopperId([0xab; 16]), "{version}");
            assert!(decided.served, "{version}");
        }
    }

    #[test]
    fn what_is_no_decision_is_refused() {
        for wrong in [
            "",
            "{}",
            r#"{"decision_id":"d","at":"2026-11-22T08:00:00Z","shopper":"abababababababababababababababab","arms":[{"arm":"nothing","propensity":2}]}"#,
        ] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
