//! Writing examples: what was known of a shopper at an instant, and what came of it.

use bytes::Bytes;
use foretide_events::{EpochMs, Text};
use foretide_features::{Feature, FoldRules, LATE_AFTER_MS, Profile, Session, State};
use foretide_models::{
    Target,
    example::{Example, Point, Snapshot},
};
use foretide_ports::{EXAMPLES, NewRecord, References, TopicPartition, shopper_key};

use super::{
    out::Out,
    schedule::{DAY_MS, Schedule},
    visit::{self, Moment, Slot},
};

const HOUR_MS: i64 = 60 * 60 * 1000;
/// After so long every session is taken to be over, in milliseconds: a point is certain that much later whatever its label, or
/// those of short sessions would come first.
const SESSION_AT_MOST_MS: i64 = 2 * HOUR_MS;
/// Commits take a moment.
const GRACE_MS: i64 = 10 * 60 * 1000;
/// When a point of drift is certain: events until then may still be told of the time before it.
const DRIFT_CERTAIN_AFTER_MS: i64 = LATE_AFTER_MS + HOUR_MS;
/// Who was away for longer has no points of drift: 45 days.
const AWAY_AT_MOST_MS: i64 = 45 * DAY_MS;
/// So many sessions make a habit that can be given up.
const SESSIONS_AT_LEAST: u32 = 3;
/// So many actions of the last 30 days, decayed, must be left.
const ACTIONS_AT_LEAST: f64 = 1.0;

/// Tells of the shoppers of one partition.
#[derive(Clone, Copy)]
pub(crate) struct Teller<'a> {
    pub(super) partition: u32,
    pub(super) rules: &'a FoldRules,
    pub(super) references: &'a References,
    /// Up to where the partition's profiles have taken in what others contribute.
    pub(super) next_link: u64,
}

/// What is known of how something was told before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// It was not, or it went on since.
    Usual,
    /// An event out of order came since: what was told may be wrong, or be told of what is not there any more.
    Anew,
}

impl Teller<'_> {
    /// Tells the points of drift of `profile` from `from` on and before `until`, as far as they are known and there are any.
    pub(crate) fn drift(
        &self,
        profile: &Profile,
        from: EpochMs,
        until: EpochMs,
        telling: Telling,
        out: &mut Out,
    ) {
        let is_anew = telling == Telling::Anew;
        if from >= until
            || profile.state().sessions() < SESSIONS_AT_LEAST && !is_anew
            || profile.link().is_some()
        {
            return;
        }
        let newest = profile.newest_at();
        for at in Schedule::of(&profile.shopper()).between(from, until) {
            let Some(state) = profile.state_at(at, self.rules) else {
                continue;
            };
            let id = drift_id(profile, at);
            let is_told = self.drift_at(profile, &state, at, &id, out);
            if is_told {
                out.emitted.drift += 1;
            } else if is_anew {
                self.write(profile, Target::Drift, &id, None, out);
                out.emitted.withdrawn += 1;
            } else if newest.is_none_or(|newest| newest <= at) {
                // Nothing happens after the newest event but that time passes.
                return;
            }
        }
    }

    /// Tells the point `id` at `at`, when `profile` was in `state`. Says whether there is one.
    fn drift_at(
        &self,
        profile: &Profile,
        state: &State,
        at: EpochMs,
        id: &str,
        out: &mut Out,
    ) -> bool {
        let is_there = state.sessions() >= SESSIONS_AT_LEAST
            && state
                .last_seen()
                .is_some_and(|last| at.since(last) <= AWAY_AT_MOST_MS);
        if !is_there {
            return false;
        }
        let reference = self.references.at(at);
        let actions = state
            .reading(at, self.rules, &reference)
            .get(Feature::Actions30d);
        if actions.is_none_or(|actions| actions < ACTIONS_AT_LEAST) {
            return false;
        }
        let Ok(known) = Snapshot::take(state, at, self.rules, &reference) else {
            return false;
        };
        let point = Point {
            at,
            session_started_at: None,
            session_ended_at: None,
            weight: 1.0,
            label: None,
            certain_at: at.plus(DRIFT_CERTAIN_AFTER_MS),
            devices: profile.sources().collect(),
            known,
        };
        self.write(profile, Target::Drift, id, Some(point), out);
        true
    }

    /// Tells the points of `session` of `profile`, which is over and ended in `end`: those of abandonment, and withdraws the other ones
    /// that it might have had when it was shorter; and that of drift. Of a session whose beginning is not told apart any more nothing
    /// is told.
    pub(crate) fn session(
        &self,
        profile: &Profile,
        end: &State,
        session: &Session,
        telling: Telling,
        out: &mut Out,
    ) {
        let is_anew = telling == Telling::Anew;
        let has_abandonment = is_anew || visit::may_have_points(end, session);
        let has_drift = is_anew || end.sessions() >= SESSIONS_AT_LEAST;
        if profile.link().is_some() || !has_abandonment && !has_drift {
            return;
        }
        let Some(moments) = visit::moments(profile, session, self.rules) else {
            return;
        };
        if has_abandonment {
            self.abandonment(profile, session, &moments.of_abandonment, out);
        }
        if has_drift {
            self.drift_within(profile, session, moments.of_drift, telling, out);
        }
    }

    fn abandonment(&self, profile: &Profile, session: &Session, moments: &[Moment], out: &mut Out) {
        let points: Vec<(Slot, Point)> = moments
            .iter()
            .filter_map(|moment| Some((moment.slot, self.point(profile, session, moment)?)))
            .collect();
        // The same however many there are: that is known only at the end, and goes with how it ends.
        let weight = 1.0 / Slot::ALL.len() as f64;
        let mut told = Vec::with_capacity(points.len());
        for (slot, point) in points {
            let id = slot.id(profile.shopper(), session.start());
            let point = Point { weight, ..point };
            self.write(profile, Target::Abandonment, &id, Some(point), out);
            out.emitted.abandonment += 1;
            told.push(slot);
        }
        let others = Slot::ALL.iter().filter(|slot| !told.contains(slot));
        others.for_each(|slot| self.withdraw(profile, *slot, session.start(), out));
    }

    fn point(&self, profile: &Profile, session: &Session, moment: &Moment) -> Option<Point> {
        let at = moment.at;
        let state = profile.state_at(moment.acted_at, self.rules)?;
        let known = Snapshot::take(&state, at, self.rules, &self.references.at(at)).ok()?;
        let certain_after = SESSION_AT_MOST_MS + self.rules.session_gap_ms + GRACE_MS;
        Some(Point {
            at,
            session_started_at: Some(session.start()),
            session_ended_at: Some(session.last()),
            weight: 1.0,
            label: Some(moment.is_abandoned),
            certain_at: at.plus(certain_after),
            devices: profile.sources().collect(),
            known,
        })
    }

    /// Tells the point of drift within `session`, which lies at `at` if there is one: what is predicted while someone is there is
    /// learnt from what was known while someone was there.
    fn drift_within(
        &self,
        profile: &Profile,
        session: &Session,
        at: Option<EpochMs>,
        telling: Telling,
        out: &mut Out,
    ) {
        let id = visit_id(profile, session.start());
        let mut is_told = false;
        if let Some(at) = at {
            let Some(state) = profile.state_at(at, self.rules) else {
                return;
            };
            is_told = self.drift_at(profile, &state, at, &id, out);
        }
        if is_told {
            out.emitted.drift += 1;
        } else if telling == Telling::Anew {
            self.write(profile, Target::Drift, &id, None, out);
            out.emitted.withdrawn += 1;
        }
    }

    /// Takes back whatever was told of a session that began at `start`, of which there is none any more.
    pub(crate) fn gone(&self, profile: &Profile, start: EpochMs, out: &mut Out) {
        for slot in Slot::ALL {
            self.withdraw(profile, slot, start, out);
        }
        let id = visit_id(profile, start);
        self.write(profile, Target::Drift, &id, None, out);
        out.emitted.withdrawn += 1;
    }

    fn withdraw(&self, profile: &Profile, slot: Slot, start: EpochMs, out: &mut Out) {
        let id = slot.id(profile.shopper(), start);
        self.write(profile, Target::Abandonment, &id, None, out);
        out.emitted.withdrawn += 1;
    }

    fn write(
        &self,
        profile: &Profile,
        kind: Target,
        id: &str,
        point: Option<Point>,
        out: &mut Out,
    ) {
        let shopper_id = profile.shopper();
        // An id is much shorter than a text may be.
        let Some(id) = Text::new(id) else {
            return;
        };
        let example = Example {
            id,
            kind,
            revision: self.revision(profile),
            shopper_id,
            point,
        };
        out.records.push(NewRecord {
            at: TopicPartition {
                topic: EXAMPLES,
                partition: self.partition,
            },
            key: Bytes::copy_from_slice(&shopper_key(&shopper_id)),
            value: Some(example.encode().into()),
        });
    }

    /// What `profile` has applied, events and contributions: the more, the later it is told.
    fn revision(&self, profile: &Profile) -> u64 {
        profile.next_offset().saturating_add(self.next_link)
    }
}

/// The id of the point of drift at `at`.
fn drift_id(profile: &Profile, at: EpochMs) -> String {
    format!("{}/drift/{}", profile.shopper(), at.0)
}

/// The id of the point of drift within the session that began at `start`.
fn visit_id(profile: &Profile, start: EpochMs) -> String {
    format!("{}/drift/{}/visit", profile.shopper(), start.0)
}
