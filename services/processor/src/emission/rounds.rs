//! Points of drift of shoppers who are away: told of everyone as time passes.

use std::collections::VecDeque;

use foretide_events::{EpochMs, ShopperId};
use foretide_features::Profile;
use foretide_ports::ProfileTable;

use super::{
    NEVER, NEVER_TOLD,
    out::Out,
    schedule::{DAY_MS, Schedule},
    teller::{Teller, Telling},
};
use crate::sessions::HISTORY_AFTER_MS;

/// Points are told in rounds of so many milliseconds at least, 10 minutes: each looks at who there is.
const ROUND_MS: i64 = 10 * 60 * 1000;
/// A round is not begun sooner after the last than so many milliseconds, unless it is a day behind.
const PAUSE_MS: i64 = 1_000;
/// So many rounds are begun, and so many shoppers looked at, with one commit at most.
const ROUNDS_AT_ONCE: usize = 4;
const LOOKS_AT_ONCE: usize = 5_000;
/// Of who is further behind what is told than so many milliseconds, points are told once nothing more comes: 1 hour.
pub(super) const BEHIND_MS: i64 = 60 * 60 * 1000;
/// Events of different shoppers come about as far out of order as this, in milliseconds.
const DISORDER_MS: i64 = 2 * 60 * 1000;

/// How far it is, in one partition.
#[derive(Debug)]
pub(super) struct Rounds {
    /// Points up to here are told.
    told_until: EpochMs,
    /// The newest event.
    newest: EpochMs,
    /// Who has a point next, and when; those of the round that goes on.
    listed: VecDeque<(EpochMs, ShopperId)>,
    /// The end of that round.
    listed_until: EpochMs,
    /// When the last round was begun, by the time of day.
    began_at: EpochMs,
}

impl Default for Rounds {
    fn default() -> Self {
        Self {
            told_until: NEVER_TOLD,
            newest: NEVER_TOLD,
            listed: VecDeque::new(),
            listed_until: NEVER_TOLD,
            began_at: NEVER_TOLD,
        }
    }
}

impl Rounds {
    /// Goes on where points up to `told_until` are told.
    pub(super) fn from(told_until: Option<EpochMs>) -> Self {
        let told_until = told_until.unwrap_or(NEVER_TOLD);
        Self {
            told_until,
            listed_until: told_until,
            ..Self::default()
        }
    }

    /// Up to where points are told, if any were.
    pub(super) fn told_until(&self) -> Option<EpochMs> {
        (self.told_until > NEVER_TOLD).then_some(self.told_until)
    }

    /// Up to where points are told or will be in the round that goes on, of whom was there when it began.
    pub(super) fn told_or_listed(&self) -> EpochMs {
        self.told_until.max(self.listed_until)
    }

    /// An event happened at `at`.
    pub(super) fn came(&mut self, at: EpochMs) {
        self.newest = self.newest.max(at);
    }

    /// Whether who was there last at `newest` is so far behind that what follows is told when no more history comes.
    pub(super) fn is_behind(&self, newest: EpochMs) -> bool {
        self.told_until.since(newest) > BEHIND_MS
    }

    /// When there is something to do, in epoch milliseconds.
    pub(super) fn due_at(&self, now: EpochMs) -> i64 {
        if !self.listed.is_empty() {
            return 0;
        }
        match self.behind() {
            behind if behind < ROUND_MS => NEVER,
            behind if behind < DAY_MS => self.began_at.plus(PAUSE_MS).0.min(now.0 + PAUSE_MS),
            _ => 0,
        }
    }

    /// How far points may be told further, in milliseconds.
    fn behind(&self) -> i64 {
        if self.newest == NEVER_TOLD {
            return 0;
        }
        self.newest.plus(-DISORDER_MS).since(self.told_until)
    }

    /// Tells points until there are `enough` records, or all are told that can be.
    pub(super) fn step(
        &mut self,
        teller: &Teller<'_>,
        table: &ProfileTable,
        now: EpochMs,
        enough: usize,
        out: &mut Out,
    ) {
        if self.told_until == NEVER_TOLD && self.newest > NEVER_TOLD {
            // Who was there last a day before that is told as history.
            self.told_until = self.newest.plus(-HISTORY_AFTER_MS);
            self.listed_until = self.told_until;
        }
        let mut looks = LOOKS_AT_ONCE;
        for _ in 0..ROUNDS_AT_ONCE {
            if self.listed.is_empty() && !self.begin(teller, table, now) {
                return;
            }
            self.go_on(teller, table, &mut looks, enough, out);
        }
    }

    /// Begins a round, if it is time for one.
    fn begin(&mut self, teller: &Teller<'_>, table: &ProfileTable, now: EpochMs) -> bool {
        let behind = self.behind();
        let is_soon = now.since(self.began_at).unsigned_abs() < PAUSE_MS.unsigned_abs();
        if behind < ROUND_MS || behind < DAY_MS && is_soon {
            return false;
        }
        self.began_at = now;
        // A shopper has one point in it at most.
        let (from, until) = (
            self.told_until.plus(1),
            self.told_until.plus(behind.min(DAY_MS)),
        );
        let point = |shopper: ShopperId| (Schedule::of(&shopper).next(from), shopper);
        let all = table.shoppers(teller.partition).flatten().map(point);
        let mut listed: Vec<_> = all.filter(|(at, _)| *at <= until).collect();
        listed.sort_unstable();
        self.listed = listed.into();
        self.listed_until = until;
        if self.listed.is_empty() {
            self.told_until = until;
        }
        true
    }

    /// Goes on with a round. Points of one instant are told together.
    fn go_on(
        &mut self,
        teller: &Teller<'_>,
        table: &ProfileTable,
        looks: &mut usize,
        enough: usize,
        out: &mut Out,
    ) {
        while let Some((at, shopper)) = self.listed.front().copied() {
            let is_enough = *looks == 0 || out.records.len() >= enough;
            if is_enough && at > self.told_until {
                return;
            }
            *looks = looks.saturating_sub(1);
            self.listed.pop_front();
            self.told_until = at;
            table.read_in(teller.partition, &shopper, |profile| {
                // Who was there since told it.
                let is_away = Profile::newest_at(profile).is_none_or(|newest| newest <= at);
                if is_away {
                    teller.drift(profile, at, at.plus(1), Telling::Usual, out);
                }
            });
        }
        self.told_until = self.listed_until;
    }
}
