//! Who is due when. What is kept of a shopper who is not in the shop is one entry here.

use std::{cmp::Reverse, collections::BinaryHeap};

use foretide_events::EpochMs;

/// Something that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    pub(crate) at: EpochMs,
    pub(crate) shopper: u32,
    pub(crate) what: What,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum What {
    /// A visit of this number begins; the one before ended so many seconds after the opening.
    Visit { number: u32, left_s: u32 },
    /// The visit under way goes on.
    Step,
    /// Something that was bought on the visit of this number is sent back.
    Refund(u32),
    /// The shopper who made the visit of this number comes to a store.
    Store(u32),
}

/// All that is due, the earliest first; at the same instant by the shopper's number.
#[derive(Debug, Default)]
pub(crate) struct Calendar {
    /// One entry for each shopper outside, so possibly millions: kept apart from the few who are inside.
    coming: BinaryHeap<Reverse<Due>>,
    inside: BinaryHeap<Reverse<Due>>,
}

impl Calendar {
    pub(crate) fn of(coming: impl Iterator<Item = Due>) -> Self {
        let coming: Vec<_> = coming.map(Reverse).collect();
        Self {
            coming: coming.into(),
            inside: BinaryHeap::new(),
        }
    }

    pub(crate) fn put(&mut self, due: Due) {
        match due.what {
            What::Visit { .. } => self.coming.push(Reverse(due)),
            What::Step | What::Refund(_) | What::Store(_) => self.inside.push(Reverse(due)),
        }
    }

    /// Takes what is due first, unless that is after `until`.
    pub(crate) fn take(&mut self, until: EpochMs) -> Option<Due> {
        let heap = match (self.coming.peek(), self.inside.peek()) {
            (Some(coming), Some(inside)) if coming.0 < inside.0 => &mut self.coming,
            (_, Some(_)) => &mut self.inside,
            (Some(_), None) => &mut self.coming,
            (None, None) => return None,
        };
        let Reverse(first) = *heap.peek()?;
        if first.at > until {
            return None;
        }
        heap.pop();
        Some(first)
    }

    /// Takes out all visits to come, to have them set anew.
    pub(crate) fn take_coming(&mut self) -> Vec<Due> {
        let mut coming: Vec<_> = std::mem::take(&mut self.coming)
            .into_iter()
            .map(|Reverse(due)| due)
            .collect();
        coming.sort_unstable();
        coming
    }

    pub(crate) fn put_coming(&mut self, coming: Vec<Due>) {
        self.coming = coming.into_iter().map(Reverse).collect();
    }
}
