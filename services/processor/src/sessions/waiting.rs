//! Whose session goes on until when, and whose is to be announced, in one partition.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::FixedState;
use foretide_events::{EpochMs, ShopperId};
use foretide_ports::ProfileWalk;

/// The calendar is exact to this many milliseconds.
const SLOT_MS: i64 = 1_000;

/// What waits. Bounded by the number of shoppers with a session that goes on: about 60 bytes each.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Where all profiles are yet to be looked through.
    look_through: Option<LookThrough>,
    /// As of when that began, until all that was found is announced.
    unannounced: Option<EpochMs>,
    /// Shoppers to be looked at, by slot. A session that went on meanwhile is put down again then.
    calendar: BTreeMap<i64, Vec<ShopperId>>,
    /// When the session began of each shopper in the calendar.
    open: HashMap<ShopperId, EpochMs, FixedState>,
    /// Whose sessions are to be announced: those that ended at this instant or later, and whether these may have changed since
    /// they were announced.
    touched: HashMap<ShopperId, (EpochMs, bool), FixedState>,
    /// When sessions of these began that there are no more.
    gone: HashMap<ShopperId, BTreeSet<EpochMs>, FixedState>,
}

/// That all profiles are to be looked through.
#[derive(Debug)]
pub(super) struct LookThrough {
    /// When the newest record applied was appended, as it began.
    pub(super) as_of: EpochMs,
    /// How far it is.
    pub(super) walk: ProfileWalk,
}

/// Whose sessions are to be announced.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Touched {
    pub(super) shopper: ShopperId,
    /// Those that ended at this instant or later.
    pub(super) from: EpochMs,
    /// When sessions began that there are no more.
    pub(super) gone: Vec<EpochMs>,
    /// Whether they may have changed since they were announced.
    pub(super) is_anew: bool,
}

impl Waiting {
    /// The session of `shopper` that began at `start` would be over at `over_at`. Says whether the calendar changed.
    pub(super) fn wait(&mut self, shopper: ShopperId, start: EpochMs, over_at: EpochMs) -> bool {
        let mut new = false;
        self.open.entry(shopper).or_insert_with(|| {
            new = true;
            start
        });
        if new {
            let slot = over_at.0.div_euclid(SLOT_MS) + 1;
            self.calendar.entry(slot).or_default().push(shopper);
        }
        new
    }

    /// The sessions of `shopper` that ended at `from` or later are to be announced; one that began at `gone` is no more.
    /// `is_anew` says whether they may have changed since they were announced.
    pub(super) fn touch(
        &mut self,
        shopper: ShopperId,
        from: EpochMs,
        gone: Option<EpochMs>,
        is_anew: bool,
    ) {
        let (earliest, anew) = self.touched.entry(shopper).or_insert((from, is_anew));
        *earliest = from.min(*earliest);
        *anew |= is_anew;
        if let Some(start) = gone {
            self.gone.entry(shopper).or_default().insert(start);
        }
    }

    pub(super) fn look_through(&mut self, look: LookThrough) {
        self.unannounced = Some(look.as_of);
        self.look_through = Some(look);
    }

    pub(super) fn take_look_through(&mut self) -> Option<LookThrough> {
        self.look_through.take()
    }

    /// As of when sessions that went on may not have been announced yet: where not all profiles were looked through, or not all
    /// that was found is taken.
    pub(super) fn unannounced(&mut self) -> Option<EpochMs> {
        if self.look_through.is_none() && self.touched.is_empty() {
            self.unannounced = None;
        }
        self.unannounced
    }

    /// Whose moment has come is to be looked at.
    pub(super) fn ring(&mut self, now: EpochMs) {
        let now_slot = now.0.div_euclid(SLOT_MS);
        while let Some(slot) = self
            .calendar
            .first_entry()
            .filter(|slot| *slot.key() <= now_slot)
        {
            for shopper in slot.remove() {
                if let Some(start) = self.open.remove(&shopper) {
                    self.touch(shopper, start, None, false);
                }
            }
        }
    }

    /// Whether a session of `shopper` that was there at the last commit may not have been announced.
    pub(super) fn awaits(&self, shopper: &ShopperId) -> bool {
        self.look_through.is_some()
            || self.open.contains_key(shopper)
            || self.touched.contains_key(shopper)
    }

    /// Takes at most `most` of the shoppers with something to announce.
    pub(super) fn take_touched(&mut self, most: usize) -> Vec<Touched> {
        let shoppers: Vec<ShopperId> = self.touched.keys().take(most).copied().collect();
        let take = |shopper: ShopperId| {
            let (from, is_anew) = self.touched.remove(&shopper)?;
            let gone = self.gone.remove(&shopper).unwrap_or_default();
            Some(Touched {
                shopper,
                from,
                gone: gone.into_iter().collect(),
                is_anew,
            })
        };
        shoppers.into_iter().filter_map(take).collect()
    }

    /// When there may be something to announce next, in epoch milliseconds.
    pub(super) fn due_at(&self) -> i64 {
        if self.look_through.is_some() || !self.touched.is_empty() {
            return 0;
        }
        let first = self.calendar.first_key_value();
        first.map_or(i64::MAX, |(slot, _)| slot.saturating_mul(SLOT_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shopper(n: u8) -> ShopperId {
        ShopperId([n; 16])
    }

    fn touched(n: u8, from: i64, gone: &[i64], is_anew: bool) -> Touched {
        Touched {
            shopper: shopper(n),
            from: EpochMs(from),
            gone: gone.iter().copied().map(EpochMs).collect(),
            is_anew,
        }
    }

    #[test]
    fn a_shopper_is_put_down_once_and_looked_at_when_the_moment_has_come() {
        let mut waiting = Waiting::default();
        assert!(waiting.wait(shopper(1), EpochMs(500), EpochMs(10_000)));
        assert!(!waiting.wait(shopper(1), EpochMs(500), EpochMs(12_000)));
        assert!(waiting.due_at() > 10_000 && waiting.due_at() <= 11_000);
        waiting.ring(EpochMs(10_000));
        assert!(waiting.take_touched(9).is_empty());
        waiting.ring(EpochMs(11_000));
        assert_eq!(waiting.take_touched(9), [touched(1, 500, &[], false)]);
        assert_eq!(waiting.due_at(), i64::MAX);
        assert!(waiting.wait(shopper(1), EpochMs(500), EpochMs(12_000)));
    }

    #[test]
    fn a_start_is_done_when_all_was_looked_through_and_what_was_found_is_taken() {
        let mut waiting = Waiting::default();
        assert_eq!(waiting.unannounced(), None);
        let (as_of, walk) = (EpochMs(700), ProfileWalk::over(0));
        waiting.look_through(LookThrough { as_of, walk });
        assert_eq!(waiting.unannounced(), Some(as_of));
        let look = waiting.take_look_through().unwrap();
        for n in 1..3 {
            waiting.touch(shopper(n), EpochMs(500), None, false);
        }
        waiting.look_through(look);
        assert_eq!(waiting.take_touched(1).len(), 1);
        assert!(waiting.take_look_through().is_some());
        assert_eq!(waiting.unannounced(), Some(as_of));
        assert_eq!(waiting.take_touched(1).len(), 1);
        assert_eq!(waiting.unannounced(), None);
    }

    #[test]
    fn what_is_touched_more_than_once_is_taken_once_from_the_earliest_on_and_no_more_than_asked_for()
     {
        let mut waiting = Waiting::default();
        for (n, from, gone, is_anew) in [
            (1, 70, None, false),
            (1, 50, Some(90), true),
            (1, 60, Some(90), false),
            (2, 5, Some(1), false),
        ] {
            waiting.touch(shopper(n), EpochMs(from), gone.map(EpochMs), is_anew);
        }
        let mut all = waiting.take_touched(1);
        assert_eq!((all.len(), waiting.due_at()), (1, 0));
        all.extend(waiting.take_touched(9));
        all.sort();
        let expected = [touched(1, 50, &[90], true), touched(2, 5, &[1], false)];
        assert_eq!((&all[..], waiting.due_at()), (&expected[..], i64::MAX));
    }
}
