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

/// Whether it is certain that no session of `profile` began at `start`: where its sessions of then are not told apart any more, one
/// may have.
pub(super) fn is_gone(profile: &Profile, start: EpochMs, rules: &FoldRules) -> bool {
    let (mut is_there, mut is_within) = (false, false);
    sessions_from(profile, start, rules, |_, session| {
        is_there |= session.start() == start;
        is_within |= session.start() < start;
    });
    !is_there && (is_within || profile.state_at(start, rules).is_some())
}

/// When the session of `profile` began that an event at `at` belongs to or would go on with, and when its latest action happened, as
/// far as it tells them apart.
pub(super) fn session_around(
    profile: &Profile,
    at: EpochMs,
    rules: &FoldRules,
) -> Option<(EpochMs, EpochMs)> {
    let gap_ms = rules.session_gap_ms;
    let mut found: Option<(EpochMs, EpochMs)> = None;
    sessions_from(profile, at.plus(-gap_ms), rules, |_, session| {
        if session.start().since(at) <= gap_ms {
            found = found.max(Some((session.start(), session.last())));
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
