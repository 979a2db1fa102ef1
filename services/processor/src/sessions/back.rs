//! Going back over the sessions of a profile, as far as it tells them apart.

use foretide_events::EpochMs;
use foretide_features::{FoldRules, Profile, Session, State};

/// Shows `visit` the sessions of `profile` that ended at `from` or later, the latest first, each with the state in which it ended.
/// Those that have settled are not told apart any more.
pub(crate) fn sessions_from(
    profile: &Profile,
    from: EpochMs,
    rules: &FoldRules,
    mut visit: impl FnMut(&State, &Session),
) {
    let Some(mut state) = profile
        .newest_at()
        .and_then(|newest| profile.state_at(newest, rules))
    else {
        return;
    };
    loop {
        let Some(session) = state
            .latest_session()
            .filter(|session| session.last() >= from)
        else {
            return;
        };
        visit(&state, session);
        let before = session.start().plus(-1);
        match profile.state_at(before, rules) {
            Some(earlier) => state = earlier,
            None => return,
        }
    }
}

/// When the latest session of `profile` began.
pub(crate) fn latest_start(profile: &Profile) -> Option<EpochMs> {
    profile.state().latest_session().map(Session::start)
}

/// Whether a session of `profile` began at `start`, as far as it tells them apart.
pub(super) fn is_there(profile: &Profile, start: EpochMs, rules: &FoldRules) -> bool {
    let mut is_there = false;
    sessions_from(profile, start, rules, |_, session| {
        is_there |= session.start() == start;
    });
    is_there
}

/// When the session of `profile` began that an event at `at` belongs to or would go on with, as far as it tells them apart.
pub(super) fn start_around(profile: &Profile, at: EpochMs, rules: &FoldRules) -> Option<EpochMs> {
    let gap_ms = rules.session_gap_ms;
    let mut found = None;
    sessions_from(profile, at.plus(-gap_ms), rules, |_, session| {
        if session.start().since(at) <= gap_ms {
            found = found.max(Some(session.start()));
        }
    });
    found
}

/// When the first session after `at` began; `None` if the latest one began no later than `at`.
pub(super) fn next_start(profile: &Profile, at: EpochMs, rules: &FoldRules) -> Option<EpochMs> {
    let mut next = latest_start(profile).filter(|start| *start > at)?;
    while let Some(state) = profile.state_at(next.plus(-1), rules) {
        match state.latest_session().map(Session::start) {
            Some(start) if start > at => next = start,
            _ => break,
        }
    }
    Some(next)
}
