//! Who turned out to be whom, from the event that says so to the profile that it changes.
//!
//! ```text
//!  owner of the known shopper's partition                owner of the anonymous shopper's
//!  an event names both ──▶ folds under the known
//!                     └──▶ link record ────────────────▶ profile remembers the link   (foretide.actions)
//!                                                                │ whenever it changes
//!  profile takes it in, by source and position ◀──────── contribution                 (foretide.links)
//! ```
//!
//! Each arrow is part of the commit of whoever draws it, so none is lost and each may be drawn again:
//!
//! * An anonymous shopper's link is the smallest (time, id) of all events that named both, folded, late or copies: a
//!   minimum, which neither order nor repetition changes.
//! * A contribution carries how far its source had applied the log; a higher position takes the place of a lower.
//! * The known shopper's owner keeps, beside its counts, how far it has read `foretide.links`, and publishes that with the
//!   profiles it changed.
//!
//! Nothing is ever taken apart again: there is no un-merging of shoppers.

use bytes::Bytes;
use foretide_events::{EventId, Lean, LeanAction, LinkRecord, ShopperId};
use foretide_features::{Contribution, DecodeError, FoldRules, IdHash, Link, Profile};
use foretide_ports::{ACTIONS, LINKS, NewRecord, TopicPartition, partition_for, shopper_key};

/// What stands between the two shoppers in a key of `foretide.links`.
const BETWEEN: u8 = b'/';

/// The links that `event` tells: its own device, and what an alias says its shopper was called before. A known shopper is
/// never linked to another: that would be the merging of two accounts.
pub(crate) fn told_by<'a>(event: &Lean<'a>) -> impl Iterator<Item = LinkRecord> + use<'a> {
    let previous = match event.action {
        LeanAction::Alias {
            previous_anonymous, ..
        } => Some(previous_anonymous),
        _ => None,
    };
    let (known, at, id) = (event.identity.user, event.at, event.id);
    let anonymous = [event.identity.anonymous, previous].into_iter().flatten();
    anonymous.filter_map(move |anonymous| {
        let known = known.filter(|known| *known != anonymous)?;
        Some(LinkRecord {
            // It was checked when the event was read.
            id: EventId::new(id).ok()?,
            at,
            anonymous,
            known,
        })
    })
}

/// What a link record says to the profile of the anonymous shopper.
pub(crate) fn link(record: &LinkRecord) -> Link {
    Link {
        at: record.at,
        id: IdHash::of(record.id.as_str()),
        known: record.known,
    }
}

/// The record by which the owner of the anonymous shopper's partition, one of `partitions`, learns of a link.
pub(crate) fn announcement(record: &LinkRecord, partitions: u32) -> NewRecord {
    let key = shopper_key(&record.anonymous);
    NewRecord {
        at: TopicPartition {
            topic: ACTIONS,
            partition: partition_for(&key, partitions),
        },
        key: Bytes::copy_from_slice(&key),
        value: Some(record.encode().into()),
    }
}

/// What `profile` contributes to its known shopper, as a record; `None` if it is not linked.
pub(crate) fn contribution_of(
    profile: &Profile,
    rules: &FoldRules,
    partitions: u32,
) -> Option<NewRecord> {
    let known = profile.link()?.known;
    let contribution = profile.contribution()?;
    Some(record(&known, &contribution, rules, partitions))
}

/// The record that gives `known`, one of whose partitions there are `partitions`, a contribution.
pub(crate) fn record(
    known: &ShopperId,
    contribution: &Contribution,
    rules: &FoldRules,
    partitions: u32,
) -> NewRecord {
    let known_key = shopper_key(known);
    let mut key = known_key.to_vec();
    key.push(BETWEEN);
    key.extend(shopper_key(&contribution.source()));
    let mut value = Vec::new();
    contribution.encode(rules, &mut value);
    NewRecord {
        at: TopicPartition {
            topic: LINKS,
            partition: partition_for(&known_key, partitions),
        },
        key: key.into(),
        value: Some(value.into()),
    }
}

/// The known shopper and the source that a key of `foretide.links` names; `None` if it is none.
pub fn parse_key(key: &[u8]) -> Option<(ShopperId, ShopperId)> {
    let (known, source) = std::str::from_utf8(key)
        .ok()?
        .split_once(char::from(BETWEEN))?;
    Some((known.parse().ok()?, source.parse().ok()?))
}

/// Reads the contribution stored for `source`, which was folded by `rules`.
///
/// # Errors
/// It cannot be read, or is another source's than the key says.
pub fn decode(
    source: &ShopperId,
    value: &[u8],
    rules: &FoldRules,
) -> Result<Contribution, DecodeError> {
    Contribution::decode(*source, value, rules)
}

#[cfg(test)]
mod tests {
    use foretide_events::{Action, Alias, EpochMs, Event, EventId, Identity, SourceId};

    use super::*;

    const KNOWN: ShopperId = ShopperId([1; 16]);
    const DEVICE: ShopperId = ShopperId([2; 16]);

    fn event(identity: Identity, action: Action) -> Event {
        Event {
            id: EventId::new("e-1").unwrap(),
            at: EpochMs(5),
            received_at: EpochMs(6),
            shopper: identity.shopper().unwrap(),
            identity,
            session: None,
            source: SourceId::new("import:a").unwrap(),
            action,
        }
    }

    fn search() -> Action {
        Action::Search(foretide_events::Search::default())
    }

    #[test]
    fn only_an_event_that_names_both_tells_a_link() {
        let identity = |user, anonymous| Identity { user, anonymous };
        let told = |identity, action| {
            let all: Vec<_> = told_by(&Lean::of(&event(identity, action))).collect();
            all.into_iter()
                .map(|link| (link.anonymous, link.known))
                .collect::<Vec<_>>()
        };
        let both = identity(Some(KNOWN), Some(DEVICE));
        assert_eq!(told(both, search()), [(DEVICE, KNOWN)]);
        assert_eq!(told(identity(Some(KNOWN), None), search()), []);
        assert_eq!(told(identity(None, Some(DEVICE)), search()), []);
        assert_eq!(told(identity(Some(KNOWN), Some(KNOWN)), search()), []);
        let alias = || {
            Action::Alias(Alias {
                previous_user: ShopperId([3; 16]),
                previous_anonymous: ShopperId([4; 16]),
            })
        };
        let previous = (ShopperId([4; 16]), KNOWN);
        assert_eq!(told(identity(Some(KNOWN), None), alias()), [previous]);
        assert_eq!(told(both, alias()), [(DEVICE, KNOWN), previous]);
        assert_eq!(told(identity(None, Some(DEVICE)), alias()), []);
    }

    #[test]
    fn an_announcement_lies_among_the_anonymous_shoppers_actions() {
        let both = Identity {
            user: Some(KNOWN),
            anonymous: Some(DEVICE),
        };
        let told = told_by(&Lean::of(&event(both, search()))).next().unwrap();
        let record = announcement(&told, 7);
        assert_eq!(&record.key[..], &shopper_key(&DEVICE)[..]);
        assert_eq!(record.at.partition, partition_for(&record.key, 7));
        assert_eq!(LinkRecord::decode(&record.value.unwrap()), Ok(told));
    }

    #[test]
    fn a_contribution_lies_in_the_partition_of_the_known_shopper_and_names_both() {
        let rules = FoldRules::default();
        let withdrawn = Contribution::withdrawn(DEVICE, 9);
        let record = record(&KNOWN, &withdrawn, &rules, 7);
        assert_eq!(record.at.partition, partition_for(&shopper_key(&KNOWN), 7));
        assert_eq!(parse_key(&record.key), Some((KNOWN, DEVICE)));
        let stored = record.value.unwrap();
        assert_eq!(decode(&DEVICE, &stored, &rules), Ok(withdrawn));
        assert!(decode(&KNOWN, &stored, &rules).is_err());
        for foreign in [&b""[..], b"x/y", b"\xff", &shopper_key(&KNOWN)] {
            assert_eq!(parse_key(foreign), None);
        }
    }
}
