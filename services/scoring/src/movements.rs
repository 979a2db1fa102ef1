//! Who moved between cohorts lately, as `foretide.transitions` tells: sums, and no shoppers.

mod follower;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use foretide_events::{EpochMs, Text};
use foretide_ports::{Transition, TransitionCause};
use parking_lot::RwLock;

pub(crate) use self::follower::{MovementFollower, MovementMetrics};

/// The longest time that can be looked back, in minutes: a day.
pub(crate) const LONGEST_WINDOW_MIN: u32 = 24 * 60;
/// How many versions of the cohorts have their own sums: those that served last.
const VERSIONS: usize = 8;
const MINUTE_MS: i64 = 60_000;

/// What is known of movements, shared by the follower and the answers.
pub(crate) type SharedMovements = Arc<RwLock<Movements>>;

/// From which cohort into which, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Way {
    pub(crate) from: Text<32>,
    pub(crate) to: Text<32>,
    pub(crate) cause: TransitionCause,
}

/// How many moves on each way.
pub(crate) type Flows = HashMap<Way, u64>;

/// Sums of moves.
#[derive(Debug, Default)]
pub(crate) struct Movements {
    /// By the minute, since 1970, that they happened in.
    minutes: BTreeMap<i64, Flows>,
    /// By the version of the cohorts that they belong to, the one that was first heard of last at the end.
    versions: Vec<(Text<64>, Flows)>,
    /// From when on all moves are known; `None` as long as what the log holds has not been read.
    since: Option<EpochMs>,
}

/// The moves of a stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moved {
    /// From when on they are known.
    pub(crate) since: EpochMs,
    /// Whether all of the time that was asked for is covered.
    pub(crate) complete: bool,
    pub(crate) flows: Flows,
}

impl Movements {
    /// Takes in a move. Those longer ago than can be looked back are for nobody.
    pub(crate) fn take(&mut self, moved: Transition, now: EpochMs) {
        let way = Way {
            from: moved.from,
            to: moved.to,
            cause: moved.cause,
        };
        *self
            .of_version(moved.cohorts)
            .entry(way.clone())
            .or_default() += 1;
        let minute = minute_of(moved.at);
        if minute >= earliest(now) {
            let flows = self.minutes.entry(minute).or_default();
            *flows.entry(way).or_default() += 1;
        }
        while let Some(first) = self.minutes.first_entry()
            && *first.key() < earliest(now)
        {
            first.remove();
        }
    }

    /// Says from when on all moves have been taken in.
    pub(crate) fn complete_since(&mut self, since: EpochMs) {
        self.since.get_or_insert(since);
    }

    fn of_version(&mut self, version: Text<64>) -> &mut Flows {
        let known = self.versions.iter().position(|(name, _)| *name == version);
        let place = known.unwrap_or_else(|| {
            if self.versions.len() == VERSIONS {
                self.versions.remove(0);
            }
            self.versions.push((version, Flows::new()));
            self.versions.len() - 1
        });
        &mut self.versions[place].1
    }

    /// The moves of the last `minutes`, that of `now` included.
    pub(crate) fn lately(&self, minutes: u32, now: EpochMs) -> Moved {
        let first = minute_of(now) - i64::from(minutes) + 1;
        let mut flows = Flows::new();
        for lot in self.minutes.range(first..).map(|(_, lot)| lot) {
            for (way, count) in lot {
                *flows.entry(way.clone()).or_default() += count;
            }
        }
        let asked = EpochMs(first * MINUTE_MS);
        let known = self.since.unwrap_or(now);
        Moved {
            since: asked.max(known),
            complete: known <= asked,
            flows,
        }
    }

    /// The moves since version `cohorts` of the cohorts serves, those into it included.
    pub(crate) fn of(&self, cohorts: &str) -> Option<&Flows> {
        let found = self.versions.iter().find(|(name, _)| &**name == cohorts);
        found.map(|(_, flows)| flows)
    }
}

fn minute_of(at: EpochMs) -> i64 {
    at.0.div_euclid(MINUTE_MS)
}

fn earliest(now: EpochMs) -> i64 {
    minute_of(now) - i64::from(LONGEST_WINDOW_MIN) + 1
}

#[cfg(test)]
mod tests {
    use foretide_events::ShopperId;

    use super::*;

    const NOW: EpochMs = EpochMs(1_795_341_600_000);

    fn moved(from: &str, to: &str, before_ms: i64, cohorts: &str) -> Transition {
        Transition {
            v: Transition::VERSION,
            id: "t".to_owned(),
            shopper_id: ShopperId([1; 16]),
            at: NOW.plus(-before_ms),
            from: Text::new(from).unwrap(),
            to: Text::new(to).unwrap(),
            cause: TransitionCause::Behaviour,
            cohorts: Text::new(cohorts).unwrap(),
        }
    }

    fn count(flows: &Flows, from: &str, to: &str) -> u64 {
        let ways = flows.iter();
        let fits = ways.filter(|(way, _)| &*way.from == from && &*way.to == to);
        fits.map(|(_, count)| count).sum()
    }

    #[test]
    fn moves_count_in_the_time_asked_for_and_are_forgotten_after_a_day() {
        let mut movements = Movements::default();
        let hour = 60 * MINUTE_MS;
        for before_ms in [0, MINUTE_MS, 2 * hour, 30 * hour] {
            movements.take(moved("c-1", "c-2", before_ms, "v1"), NOW);
        }
        let lately = |movements: &Movements, minutes, now| {
            count(&movements.lately(minutes, now).flows, "c-1", "c-2")
        };
        assert_eq!(lately(&movements, 1, NOW), 1);
        assert_eq!(lately(&movements, 2, NOW), 2);
        assert_eq!(lately(&movements, LONGEST_WINDOW_MIN, NOW), 3);
        let later = NOW.plus(23 * hour);
        movements.take(moved("c-1", "c-2", -23 * hour, "v1"), later);
        assert_eq!(lately(&movements, LONGEST_WINDOW_MIN, later), 3);
        assert_eq!(movements.minutes.len(), 3);
    }

    #[test]
    fn each_version_has_its_moves_and_old_versions_are_forgotten() {
        let mut movements = Movements::default();
        for number in 0..20 {
            movements.take(moved("c-1", "c-2", 0, &format!("v{number}")), NOW);
        }
        movements.take(moved("c-2", "c-1", 0, "v19"), NOW);
        assert!(movements.of("v0").is_none());
        let last = movements.of("v19").unwrap();
        assert_eq!(
            (count(last, "c-1", "c-2"), count(last, "c-2", "c-1")),
            (1, 1)
        );
    }

    #[test]
    fn what_is_not_known_of_the_time_asked_for_is_said() {
        let mut movements = Movements::default();
        assert!(!movements.lately(10, NOW).complete);
        let since = NOW.plus(-5 * MINUTE_MS);
        movements.complete_since(since);
        movements.complete_since(NOW);
        assert!(movements.lately(5, NOW).complete);
        let longer = movements.lately(10, NOW);
        assert_eq!((longer.complete, longer.since), (false, since));
    }
}
