//! What is known of a shopper at an instant.

use foretide_events::{EpochMs, ShopperId};
use foretide_features::{FoldRules, Profile, State};
use foretide_ports::ProfileTable;

/// A shopper's statistics at an instant.
#[derive(Clone, Debug)]
pub(crate) struct Knowledge {
    /// The statistics.
    pub(crate) state: State,
    /// The offset after the last event they rest on, in the shopper's partition of the actions.
    pub(crate) next_offset: u64,
}

/// What there is to know of a shopper.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// Nothing: no action of the shopper had been folded.
    Nobody,
    /// The instant lies before what the profile still remembers.
    NotRemembered,
    /// This.
    Known(Box<Knowledge>),
}

/// Looks up `shopper` as of `at`, or as of the newest action when `at` is absent.
pub(crate) fn look_up(
    table: &ProfileTable,
    shopper: &ShopperId,
    at: Option<EpochMs>,
    rules: &FoldRules,
) -> Found {
    let found = table.read(shopper, |profile| match at {
        None => known(profile, profile.state().clone()),
        Some(at) => match profile.state_at(at, rules) {
            None => Found::NotRemembered,
            // Before the first action there was nobody.
            Some(state) if state.first_seen().is_none() => Found::Nobody,
            Some(state) => known(profile, state.into_owned()),
        },
    });
    found.unwrap_or(Found::Nobody)
}

fn known(profile: &Profile, state: State) -> Found {
    Found::Known(Box::new(Knowledge {
        state,
        next_offset: profile.next_offset(),
    }))
}
