//! What is known of a shopper at an instant.

use foretide_events::{EpochMs, ShopperId};
use foretide_features::{FoldRules, State};
use foretide_ports::ProfileTable;

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
    let found = table.read(shopper, |profile| {
        let next_offset = profile.next_offset();
        let Some(at) = at else {
            return Found::Known(read(profile.state(), next_offset));
        };
        match profile.state_at(at, rules) {
            None => Found::NotRemembered,
            // Before the first action there was nobody.
            Some(state) if state.first_seen().is_none() => Found::Nobody,
            Some(state) => Found::Known(read(&state, next_offset)),
        }
    });
    found.unwrap_or(Found::Nobody)
}
