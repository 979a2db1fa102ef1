//! Shoppers of whom history came, and whose last points are to be told once no more comes.

use std::collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry};

use foldhash::fast::FixedState;
use foretide_events::{EpochMs, ShopperId};

/// The calendar is exact to this many milliseconds.
const SLOT_MS: i64 = 1_000;
/// So long nothing more must have come of a shopper, in milliseconds.
pub(super) const QUIET_MS: i64 = 30_000;

/// Who waits, and from which offset on all of them changed: who starts anew finds them by that.
#[derive(Debug, Default)]
pub(super) struct Tails {
    /// In which slot each one's time comes.
    due: HashMap<ShopperId, i64, FixedState>,
    /// By slot: who was put down there, some of whom have a later one now, and the lowest offset.
    slots: BTreeMap<i64, Slot>,
    /// Whose time has come.
    ready: VecDeque<ShopperId>,
    ready_from: Option<u64>,
}

#[derive(Debug)]
struct Slot {
    shoppers: Vec<ShopperId>,
    from: u64,
}

impl Tails {
    /// History of `shopper` came, whose profile has applied everything before `next_offset` now.
    pub(super) fn note(&mut self, shopper: ShopperId, next_offset: u64, now: EpochMs) {
        let number = (now.0 + QUIET_MS).div_euclid(SLOT_MS) + 1;
        let is_new = self.due.insert(shopper, number) != Some(number);
        let slot = self.slots.entry(number).or_insert_with(|| Slot {
            shoppers: Vec::new(),
            from: next_offset,
        });
        slot.from = slot.from.min(next_offset);
        if is_new {
            slot.shoppers.push(shopper);
        }
    }

    /// The points of `shopper` are to be told at once, as nothing is known of what was told.
    pub(super) fn note_ready(&mut self, shopper: ShopperId, next_offset: u64) {
        if let Entry::Vacant(place) = self.due.entry(shopper) {
            place.insert(i64::MIN);
            self.ready.push_back(shopper);
        }
        self.ready_from = Some(
            self.ready_from
                .map_or(next_offset, |from| from.min(next_offset)),
        );
    }

    /// Whether the last points of `shopper` are not told yet.
    pub(super) fn holds(&self, shopper: &ShopperId) -> bool {
        self.due.contains_key(shopper)
    }

    /// Whose time has come is ready.
    pub(super) fn ring(&mut self, now: EpochMs) {
        let now_slot = now.0.div_euclid(SLOT_MS);
        while let Some(first) = self
            .slots
            .first_entry()
            .filter(|slot| *slot.key() <= now_slot)
        {
            let (number, slot) = first.remove_entry();
            let due = slot
                .shoppers
                .into_iter()
                .filter(|shopper| self.due.get(shopper) == Some(&number));
            let before = self.ready.len();
            self.ready.extend(due);
            if self.ready.len() > before {
                let from = self
                    .ready_from
                    .map_or(slot.from, |from| from.min(slot.from));
                self.ready_from = Some(from);
            }
        }
    }

    /// Takes one who is ready.
    pub(super) fn pop(&mut self) -> Option<ShopperId> {
        let shopper = self.ready.pop_front()?;
        // Who was put down again meanwhile waits again.
        let is_due = self
            .due
            .get(&shopper)
            .is_some_and(|slot| !self.slots.contains_key(slot));
        if is_due {
            self.due.remove(&shopper);
        }
        if self.ready.is_empty() {
            self.ready_from = None;
        }
        Some(shopper)
    }

    /// All that wait have applied something at this offset or later; `None` if nobody waits.
    pub(super) fn untold_from(&self) -> Option<u64> {
        let slots = self.slots.values().map(|slot| slot.from);
        slots.chain(self.ready_from).min()
    }

    /// When there may be someone next, in epoch milliseconds.
    pub(super) fn due_at(&self) -> i64 {
        if !self.ready.is_empty() {
            return 0;
        }
        let first = self.slots.first_key_value();
        first.map_or(i64::MAX, |(slot, _)| slot.saturating_mul(SLOT_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shopper(n: u8) -> ShopperId {
        ShopperId([n; 16])
    }

    #[test]
    fn a_shopper_waits_until_nothing_more_came_for_a_while() {
        let mut tails = Tails::default();
        tails.note(shopper(1), 7, EpochMs(0));
        tails.note(shopper(2), 9, EpochMs(20_000));
        tails.note(shopper(1), 12, EpochMs(20_000));
        tails.ring(EpochMs(QUIET_MS + 2_000));
        assert_eq!(tails.pop(), None, "it was put down again");
        assert!(tails.holds(&shopper(1)));
        assert_eq!(tails.untold_from(), Some(9));
        tails.ring(EpochMs(20_000 + QUIET_MS + 2_000));
        assert_eq!(tails.due_at(), 0);
        assert_eq!(tails.untold_from(), Some(9));
        assert_eq!(
            [tails.pop(), tails.pop(), tails.pop()],
            [Some(shopper(2)), Some(shopper(1)), None]
        );
        assert!(!tails.holds(&shopper(1)) && !tails.holds(&shopper(2)));
        assert_eq!((tails.untold_from(), tails.due_at()), (None, i64::MAX));
    }

    #[test]
    fn who_is_ready_and_put_down_again_waits_again() {
        let mut tails = Tails::default();
        tails.note_ready(shopper(1), 3);
        tails.note(shopper(1), 8, EpochMs(0));
        assert_eq!(tails.untold_from(), Some(3));
        assert_eq!(tails.pop(), Some(shopper(1)));
        assert!(tails.holds(&shopper(1)));
        assert_eq!(tails.untold_from(), Some(8));
    }
}
