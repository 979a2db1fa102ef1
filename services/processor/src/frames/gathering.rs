//! Putting rows together: most are whole at once; that of a shopper with linked devices waits for the part of each.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use foldhash::fast::RandomState;
use foretide_events::{EpochMs, ShopperId};
use foretide_features::{Contribution, FoldRules, IdHash, Link, Profile, State};
use parking_lot::Mutex;

use super::{
    FramesError, Seen, Take,
    plan::{Moment, Plan},
};

/// What has come of rows that need several parts, and where whole rows go.
pub(super) struct Gathering {
    plan: Arc<Plan>,
    rules: FoldRules,
    take: Take,
    /// The next number where rows have none.
    next_row: AtomicU64,
    rows: Mutex<HashMap<(ShopperId, EpochMs), Parts, RandomState>>,
}

/// What has come of one row. It is kept in its stored form, which is small.
#[derive(Default)]
struct Parts {
    own: Option<Vec<u8>>,
    /// Of each source that has come, what it contributes; nothing, if it was not there yet.
    devices: HashMap<ShopperId, Option<Vec<u8>>, RandomState>,
}

impl Gathering {
    pub(super) fn new(plan: Arc<Plan>, rules: FoldRules, take: Take) -> Self {
        Self {
            plan,
            rules,
            take,
            next_row: AtomicU64::new(0),
            rows: Mutex::default(),
        }
    }

    /// Takes `profile`, which holds what happened up to `moment`.
    pub(super) fn take(&self, moment: &Moment, profile: &Profile) -> Result<(), FramesError> {
        let shopper = profile.shopper();
        if let Some(known) = moment.for_known {
            let part = self.contribution(known, profile);
            self.gather(known, moment.at, |parts| {
                parts.devices.insert(shopper, part);
            })?;
        }
        if !moment.own {
            return Ok(());
        }
        if self.plan.parts(&shopper, moment.at) == 0 {
            return self.hand_over(shopper, moment.at, profile.state());
        }
        let mut own = Vec::new();
        profile.encode(&self.rules, &mut own);
        self.gather(shopper, moment.at, |parts| parts.own = Some(own))
    }

    /// Hands over the rows of which something never came: the log does not hold it any more.
    pub(super) fn finish(&self) -> Result<(), FramesError> {
        let rows = std::mem::take(&mut *self.rows.lock());
        for ((shopper, at), parts) in rows {
            self.put_together(shopper, at, &parts)?;
        }
        Ok(())
    }

    /// What a device contributes that holds what `profile` does.
    fn contribution(&self, known: ShopperId, profile: &Profile) -> Option<Vec<u8>> {
        profile.newest_at()?;
        let mut profile = profile.clone();
        // Only whom it belongs to counts here.
        let _ = profile.learn_link(Link {
            at: EpochMs::EARLIEST,
            id: IdHash::of(""),
            known,
        });
        let contribution = profile.contribution()?;
        let mut stored = Vec::new();
        contribution.encode(&self.rules, &mut stored);
        Some(stored)
    }

    /// Adds to the row of `shopper` at `at`, and hands it over if it is whole.
    fn gather(
        &self,
        shopper: ShopperId,
        at: EpochMs,
        add: impl FnOnce(&mut Parts),
    ) -> Result<(), FramesError> {
        let whole = {
            let mut rows = self.rows.lock();
            let parts = rows.entry((shopper, at)).or_default();
            add(parts);
            let is_whole =
                parts.own.is_some() && parts.devices.len() == self.plan.parts(&shopper, at);
            if !is_whole {
                return Ok(());
            }
            rows.remove(&(shopper, at))
        };
        whole.map_or(Ok(()), |parts| self.put_together(shopper, at, &parts))
    }

    fn put_together(
        &self,
        shopper: ShopperId,
        at: EpochMs,
        parts: &Parts,
    ) -> Result<(), FramesError> {
        let mut profile = match &parts.own {
            Some(own) => Profile::decode(shopper, own, &self.rules).map_err(unreadable)?,
            None => Profile::new(shopper),
        };
        for source in self.plan.sources(&shopper, at) {
            if let Some(Some(stored)) = parts.devices.get(&source) {
                let part = Contribution::decode(source, stored, &self.rules).map_err(unreadable)?;
                let _ = profile.contribute(part, &self.rules);
            }
        }
        self.hand_over(shopper, at, profile.state())
    }

    fn hand_over(&self, shopper: ShopperId, at: EpochMs, state: &State) -> Result<(), FramesError> {
        // Before the first action there was nobody.
        if state.first_seen().is_none() {
            return Ok(());
        }
        let take = |row| {
            (self.take)(&Seen {
                row,
                shopper,
                at,
                state,
            })
        };
        match self.plan.rows(&shopper, at) {
            None => take(self.next_row.fetch_add(1, Ordering::Relaxed))?,
            Some(rows) => {
                for row in rows {
                    take(row)?;
                }
            }
        }
        Ok(())
    }
}

/// What was written a moment ago is read again: that it cannot be is a fault of this program.
fn unreadable(error: foretide_features::DecodeError) -> FramesError {
    FramesError::Take(std::io::Error::other(error.to_string()))
}
