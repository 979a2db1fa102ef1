//! One state of several: what one person did under several pseudonyms.

use foretide_events::EpochMs;

use crate::{FoldRules, Observation, SETTLE_AFTER_MS, State, history::History, tally::Tally};

impl State {
    /// The statistics of all `parts` together, as of the latest of them. Each component goes by its own rule, which the
    /// catalogue names; where only one can stay and both are as good, that of the earlier part does.
    pub fn combine(parts: &[&Self]) -> Self {
        let Some(as_of) = parts.iter().map(|part| part.as_of).max() else {
            return Self::default();
        };
        let mut moved = parts.iter().map(|part| {
            let mut part = Self::clone(part);
            part.move_to(as_of);
            part
        });
        let first = moved.next().unwrap_or_default();
        moved.fold(first, |mut all, part| {
            all.merge(part);
            all
        })
    }

    /// Adds `other`, which is as of the same instant.
    fn merge(&mut self, mut other: Self) {
        let other_is_later = other.last_seen() > self.last_seen();
        self.agree_on_currencies(&mut other, other_is_later);
        self.rounded = false;
        self.price_deviations += other.price_deviations + self.prices_apart(&other);
        self.tallies.merge(&other.tallies);
        self.affinity.0.merge(&other.affinity.0);
        self.brands.merge(&other.brands);
        self.responses.merge(&other.responses);
        self.gaps.merge(&other.gaps);
        self.habits.merge(&other.habits);
        self.day.merge(&other.day);
        self.purchases.merge(&other.purchases);
        if self.cart.is_before(&other.cart) {
            std::mem::swap(&mut self.cart, &mut other.cart);
        }
        self.first_seen = match (self.first_seen(), other.first_seen()) {
            (Some(ours), Some(theirs)) => ours.min(theirs),
            (ours, theirs) => ours.or(theirs).unwrap_or_default(),
        };
        self.last_seen = match (self.last_seen(), other.last_seen()) {
            (Some(ours), Some(theirs)) => ours.max(theirs),
            (ours, theirs) => ours.or(theirs).unwrap_or_default(),
        };
        let theirs_is_latest = other.actions > 0
            && (self.actions == 0 || self.latest_session.is_before(&other.latest_session));
        if theirs_is_latest {
            std::mem::swap(&mut self.latest_session, &mut other.latest_session);
            self.seen.end_session();
        } else {
            other.seen.end_session();
        }
        let viewed = crate::recency::Latest::ProductView;
        if other.recency.of(viewed) > self.recency.of(viewed) {
            std::mem::swap(&mut self.seen, &mut other.seen);
        }
        self.seen.put_behind(&other.seen);
        self.recency.merge(&other.recency);
        self.actions = self.actions.saturating_add(other.actions);
        self.sessions = self.sessions.saturating_add(other.sessions);
        self.zone = if other_is_later {
            other.zone.or(self.zone.take())
        } else {
            self.zone.take().or(other.zone)
        };
    }

    /// How much further the prices of categories that both looked at lie from their common means than from those of each.
    fn prices_apart(&self, other: &Self) -> f64 {
        let theirs = other.affinity.0.entries().iter();
        let grown = theirs.filter_map(|theirs| {
            let mut ours = self.affinity.0.entries().iter();
            let ours = ours.find(|ours| ours.name == theirs.name)?;
            let mut viewed = ours.beside.prices.viewed;
            Some(viewed.merge(&theirs.beside.prices.viewed))
        });
        grown.sum()
    }

    /// Money of two currencies cannot be added: prices stay in that of whoever was there last, orders in that of the latest.
    fn agree_on_currencies(&mut self, other: &mut Self, other_is_later: bool) {
        let currency = if other_is_later {
            other.currency.or(self.currency)
        } else {
            self.currency.or(other.currency)
        };
        for part in [&mut *self, &mut *other] {
            if part.currency != currency {
                part.forget_prices();
                part.currency = currency;
            }
        }
        let currencies =
            [&*self, &*other].map(|part| part.purchases.value().map(|value| value.currency));
        if let [Some(ours), Some(theirs)] = currencies
            && ours != theirs
        {
            let ordered_later = other.purchases.last_at() > self.purchases.last_at();
            let earlier = if ordered_later { self } else { other };
            earlier.tallies.clear(Tally::Spend30d);
            earlier.habits.clear_basket();
        }
    }
}

/// The state of several histories together, and how to go on from it.
pub(crate) struct Combined {
    pub(crate) state: State,
    /// The oldest observation that was folded together and not apart.
    pub(crate) oldest_together: Option<EpochMs>,
}

/// Folds several histories together, as far as they were known at `until`: each settles for itself what is older than the newest
/// of all by more than 25 hours, then the states combine, and the other observations follow in canonical order. `visit` sees the
/// state after each instant at which there were any.
pub(crate) fn fold_together(
    histories: &[&History],
    until: EpochMs,
    rules: &FoldRules,
    mut visit: impl FnMut(&State),
) -> Combined {
    let known = |history: &History| history.count_until(until);
    let newest = |history: &&History| {
        let recents = known(history).checked_sub(1);
        let recent = recents.and_then(|last| history.recents().nth(last));
        let recent = recent.map(|observation| observation.key.at);
        recent.or_else(|| history.settled().map(|settled| settled.as_of))
    };
    let newest = histories.iter().filter_map(newest).max();
    let apart_until = newest.map_or(EpochMs(i64::MIN), |newest| {
        newest.plus(-SETTLE_AFTER_MS - 1)
    });
    let (mut apart, mut together): (Vec<State>, Vec<&Observation>) = (Vec::new(), Vec::new());
    for history in histories {
        let count = history.count_until(apart_until);
        if history.settled().is_some() || count > 0 {
            let mut part = history.fold(count, rules);
            // It may have been rounded since it settled, or not yet. Half an hour counts nothing after so long.
            part.round();
            part.tallies.forget_visit();
            apart.push(part);
        }
        together.extend(history.recents().take(known(history)).skip(count));
    }
    leave_out_copies(&mut together);
    let mut state = State::combine(&apart.iter().collect::<Vec<_>>());
    let mut reached = (!apart.is_empty()).then_some(state.as_of);
    let mut coming = together.iter().peekable();
    while let Some(observation) = coming.next() {
        // What settled early may be as of a later time than what another part still has.
        let at = reached.map_or(observation.key.at, |reached| {
            reached.max(observation.key.at)
        });
        state.fold_at(at, observation, rules);
        reached = Some(at);
        if coming.peek().is_none_or(|next| next.key.at > at) {
            visit(&state);
        }
    }
    Combined {
        state,
        oldest_together: together.first().map(|observation| observation.key.at),
    }
}

/// Brings observations into canonical order; of those with one id the one that wins stays.
fn leave_out_copies(observations: &mut Vec<&Observation>) {
    observations.sort_by_key(|observation| (observation.key.id, observation.key.at));
    observations.dedup_by(|later, kept| {
        let copies = later.key.id == kept.key.id;
        if copies && later.wins_over(kept) {
            *kept = later;
        }
        copies
    });
    observations.sort_by_key(|observation| observation.key);
}
