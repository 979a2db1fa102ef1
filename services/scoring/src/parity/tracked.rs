//! The profile of a sampled shopper, folded from the log by nobody else.

use std::collections::VecDeque;

use foretide_events::{Event, LinkRecord, ShopperId, wire};
use foretide_features::{FoldRules, IdHash, Link, Profile};

/// Events that are kept apart for a profile to be brought to any position among them.
const KEPT_APART: usize = 512;

/// What the log tells of a shopper.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// An event.
    Event(Box<Event>),
    /// That it turned out to be another.
    Link(Link),
}

impl Told {
    /// What `value` tells, and of whom; `None` if it is neither.
    pub(super) fn read(value: &[u8]) -> Option<(ShopperId, Self)> {
        if let Ok(event) = wire::decode(value) {
            return Some((event.shopper, Self::Event(Box::new(event))));
        }
        let link = LinkRecord::decode(value).ok()?;
        let told = Link {
            at: link.at,
            id: IdHash::of(link.id.as_str()),
            known: link.known,
        };
        Some((link.anonymous, Self::Link(told)))
    }
}

/// A recomputed profile, and what comes after it.
#[derive(Debug)]
pub(super) struct Tracked {
    profile: Profile,
    /// By offset.
    ahead: VecDeque<(u64, Told)>,
}

impl Tracked {
    /// Nothing yet of `shopper`.
    pub(super) fn new(shopper: ShopperId) -> Self {
        Self {
            profile: Profile::new(shopper),
            ahead: VecDeque::new(),
        }
    }

    /// Takes what lies at `offset`, after all so far.
    pub(super) fn push(&mut self, offset: u64, told: Told, rules: &FoldRules) {
        self.ahead.push_back((offset, told));
        if self.ahead.len() > KEPT_APART {
            // What is served is near the end of the log.
            let oldest = self.ahead.drain(..KEPT_APART / 2);
            oldest.for_each(|(offset, told)| apply(&mut self.profile, offset, &told, rules));
        }
    }

    /// The profile after everything before `position`; `None` where it is further already.
    pub(super) fn at_position(&mut self, position: u64, rules: &FoldRules) -> Option<&Profile> {
        while self
            .ahead
            .front()
            .is_some_and(|(offset, _)| *offset < position)
        {
            if let Some((offset, told)) = self.ahead.pop_front() {
                apply(&mut self.profile, offset, &told, rules);
            }
        }
        (self.profile.next_offset() <= position).then_some(&self.profile)
    }
}

fn apply(profile: &mut Profile, offset: u64, told: &Told, rules: &FoldRules) {
    match told {
        Told::Event(event) => drop(profile.apply(event, offset, rules).map(|done| done.fate)),
        Told::Link(link) => drop(profile.apply_link(*link, offset).map(|_| ())),
    }
}
