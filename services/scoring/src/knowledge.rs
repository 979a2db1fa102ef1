//! What is known of a shopper at an instant.

use std::borrow::Cow;

use foretide_events::{EpochMs, ShopperId};
use foretide_features::{FoldRules, Profile, State};
use foretide_http::{Problem, ProblemCode};
use foretide_ports::ProfileTable;

use crate::{api::Api, freshness::Freshness, instant::no_longer_remembered, parity::Served};

/// After how many seconds profiles may have been restored.
const RETRY_AFTER_S: u32 = 1;

/// What there is to know of a shopper.
#[derive(Clone, Debug)]
pub(crate) enum Found<T> {
    /// Nothing: no action of the shopper had been folded.
    Nobody,
    /// The instant lies before what the profile still remembers.
    NotRemembered,
    /// This.
    Known(T),
}

/// Looks up `shopper` as of `at`, or as of the newest action when `at` is absent. Returns what `read` makes of the shopper's
/// statistics and of the offset after the last event they rest on, in the shopper's partition of the actions. The profile is
/// locked meanwhile: what is read is taken out, and thought about later.
pub(crate) fn look_up<T>(
    table: &ProfileTable,
    shopper: &ShopperId,
    at: Option<EpochMs>,
    rules: &FoldRules,
    read: impl FnOnce(&State, u64) -> T,
) -> Found<T> {
    let found = table.read(shopper, |profile| look_at(profile, at, rules, read));
    found.unwrap_or(Found::Nobody)
}

/// The same where the profile is there already.
pub(crate) fn look_at<T>(
    profile: &Profile,
    at: Option<EpochMs>,
    rules: &FoldRules,
    read: impl FnOnce(&State, u64) -> T,
) -> Found<T> {
    let state = match at {
        None => Some(Cow::Borrowed(profile.state())),
        Some(at) => profile.state_at(at, rules),
    };
    match state {
        None => Found::NotRemembered,
        // Before the first action there was nobody: someone known by a link alone, or by an order's refund, was never seen.
        Some(state) if state.first_seen().is_none() => Found::Nobody,
        Some(state) => Found::Known(read(&state, profile.next_offset())),
    }
}

/// What `read` makes of `shopper` as of `at`, or now when `at` is absent, and how fresh that is; nothing where nothing is known of
/// the shopper. Refused where the instant is no longer remembered, and where a shopper who seems unknown may only not be
/// restored yet.
pub(crate) fn known<T>(
    api: &Api,
    shopper: &ShopperId,
    at: Option<EpochMs>,
    now: EpochMs,
    read: impl FnOnce(&State) -> T,
) -> Result<(Option<T>, Freshness), Problem> {
    // Asked first: what is folded between the two questions may only make an answer better than it says.
    let partition = api.table.partition_of(shopper);
    let freshness = Freshness::of(&api.table, partition, at.unwrap_or(now), now);
    let read = |state: &State, next_offset| {
        let served = Served {
            shopper,
            asked_at: at,
            at: at.unwrap_or(now),
            state,
            next_offset,
        };
        api.parity
            .served(&served, &api.rules, &api.artefacts.references);
        read(state)
    };
    match look_up(&api.table, shopper, at, &api.rules, read) {
        Found::NotRemembered => Err(no_longer_remembered()),
        Found::Nobody if freshness == Freshness::NotReady => Err(not_ready(
            "nothing is known of the shopper, whose profile may still have to be restored",
        )),
        Found::Nobody => Ok((None, freshness)),
        Found::Known(read) => Ok((Some(read), freshness)),
    }
}

/// The refusal to answer before profiles are there.
pub(crate) fn not_ready(detail: &'static str) -> Problem {
    Problem::new(ProblemCode::NotReady, detail).retry_after_s(RETRY_AFTER_S)
}
