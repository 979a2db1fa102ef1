//! The moments of a session at which something could be predicted.

use foretide_events::{EpochMs, ShopperId};
use foretide_features::{FoldRules, Profile, Session, State};

/// Nobody is called idle before, in milliseconds.
const IDLE_AT_LEAST_MS: i64 = 60_000;

/// Which moment of a session a point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The first at which something lay in the cart.
    Cart,
    /// The first at which a checkout had begun.
    Checkout,
    /// So many moments with a cart or a checkout after the first one as are drawn for the session. Not the last of them: which
    /// one that is the future tells, and of who buys it would be the payment.
    Later,
    /// The first at which, with a cart or a checkout, nothing had been done for as long as is drawn for the session. At the moments of
    /// actions idleness is nought: what it says is learnt here. Everyone who leaves comes to it, and of who goes on those who
    /// pause.
    Idle,
}

impl Slot {
    pub(super) const ALL: [Self; 4] = [Self::Cart, Self::Checkout, Self::Later, Self::Idle];

    /// The id of the point of a session of `shopper` that began at `start`.
    pub(super) fn id(self, shopper: ShopperId, start: EpochMs) -> String {
        let slot = match self {
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Later => "later",
            Self::Idle => "idle",
        };
        format!("{shopper}/abandonment/{}/{slot}", start.0)
    }
}

/// A number drawn for the session that began at `start`.
fn drawn(shopper: ShopperId, start: EpochMs) -> u64 {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = shopper.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fold);
    (hash ^ start.0.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// How many moments after the first one [`Slot::Later`] is, 1 to 8.
fn later(drawn: u64) -> u64 {
    1 + (drawn >> 61)
}

/// Which moment of a session is the one of drift: the first, second, fourth or eighth, each as likely, whether the session has one or
/// not. So it follows from nothing that happens later, and short and long visits are there.
fn of_drift(drawn: u64) -> u64 {
    1 << (drawn >> 59 & 3)
}

/// For how long nothing has been done at [`Slot::Idle`], in milliseconds: a minute to the gap that ends a session, each doubling as
/// likely. Drawn beforehand, so that whether a pause is long enough is known when it is, and not by what ends it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "whole and no longer than a session lets pass"
)]
fn idle_ms(drawn: u64, session_gap_ms: i64) -> i64 {
    let least = IDLE_AT_LEAST_MS.min(session_gap_ms);
    let share = (drawn >> 27 & u64::from(u32::MAX)) as f64 / f64::from(u32::MAX);
    let longest = session_gap_ms as f64 / least.max(1) as f64;
    let ms = least as f64 * libm::exp(share * libm::log(longest));
    (libm::round(ms) as i64).clamp(least, session_gap_ms)
}

/// A moment, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) slot: Slot,
    pub(super) at: EpochMs,
    /// When the latest action until then was. What is known is what was known at that one: what came since without the shopper may
    /// come to be known at any time.
    pub(super) acted_at: EpochMs,
    /// Whether nothing was bought in the rest of the session.
    pub(super) is_abandoned: bool,
}

/// The moments of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moments {
    /// At which a purchase could be abandoned: no two at one instant.
    pub(super) of_abandonment: Vec<Moment>,
    /// At which drift is looked at.
    pub(super) of_drift: Option<EpochMs>,
}

/// Whether there was a cart or a checkout in `session`, which ended in `end`; it is quicker to tell that there was none than when.
pub(super) fn may_have_points(end: &State, session: &Session) -> bool {
    !end.cart().is_empty()
        || session.checkout_step() > 0
        || session.purchases() > 0
        || session.cart_adds() > 0
        || session.cart_removes() > 0
}

/// The moments of `session` of `profile`. `None`: the beginning of the session is not told apart any more.
pub(super) fn moments(profile: &Profile, session: &Session, rules: &FoldRules) -> Option<Moments> {
    let mut is_whole = false;
    let mut bought_in_all = 0;
    // Each with what had been bought in the session until then.
    let (mut cart, mut checkout, mut later_on) = (None, None, None);
    // The latest moment from which on nothing may have been done for long enough.
    let mut paused: Option<(EpochMs, u32)> = None;
    let drawn = drawn(profile.shopper(), session.start());
    let (mut to_go, mut to_drift) = (later(drawn), of_drift(drawn));
    let idle_ms = idle_ms(drawn, rules.session_gap_ms);
    let mut drift = None;
    let mut has_begun = false;
    profile.each_state_from(session.start(), rules, |state| {
        let Some(current) = state
            .latest_session()
            .filter(|current| current.start() == session.start())
        else {
            return;
        };
        is_whole |= current.last() == session.start();
        bought_in_all = current.purchases();
        // Not every event is something that the shopper does.
        if current.last() != state.as_of() {
            return;
        }
        to_drift = to_drift.saturating_sub(1);
        if to_drift == 0 {
            drift = drift.or(Some(state.as_of()));
        }
        let moment = (state.as_of(), current.purchases());
        paused = paused.filter(|(since, _)| state.as_of().since(*since) > idle_ms);
        let is_in_checkout = current.checkout_step() > 0;
        if !state.cart().is_empty() {
            cart = cart.or(Some(moment));
        }
        if is_in_checkout {
            checkout = checkout.or(Some(moment));
        }
        if is_in_checkout || !state.cart().is_empty() {
            to_go = to_go.saturating_sub(u64::from(has_begun));
            has_begun = true;
            paused = paused.or(Some(moment));
            if to_go == 0 {
                later_on = later_on.or(Some(moment));
            }
        }
    });
    if !is_whole {
        return None;
    }
    let found = Slot::ALL
        .into_iter()
        .zip([cart, checkout, later_on, paused]);
    let mut moments: Vec<Moment> = Vec::with_capacity(Slot::ALL.len());
    for (slot, (acted_at, bought)) in found.filter_map(|(slot, found)| Some((slot, found?))) {
        let at = match slot {
            Slot::Idle => acted_at.plus(idle_ms),
            Slot::Cart | Slot::Checkout | Slot::Later => acted_at,
        };
        if moments.iter().all(|earlier| earlier.at != at) {
            moments.push(Moment {
                slot,
                at,
                acted_at,
                is_abandoned: bought == bought_in_all,
            });
        }
    }
    Some(Moments {
        of_abandonment: moments,
        of_drift: drift,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_pause_is_no_longer_than_a_session_lets_pass(drawn in any::<u64>(), gap in 1..400_000_000_i64) {
            let idle = idle_ms(drawn, gap);
            prop_assert!((IDLE_AT_LEAST_MS.min(gap)..=gap).contains(&idle), "{idle}");
        }
    }

    #[test]
    fn each_doubling_of_a_pause_is_as_likely() {
        let gap = 32 * IDLE_AT_LEAST_MS;
        let mut doublings = [0_u32; 5];
        for number in 0..5_000_i64 {
            let idle = idle_ms(drawn(ShopperId([7; 16]), EpochMs(number * 977)), gap);
            let doubling = (idle.max(1) / IDLE_AT_LEAST_MS).ilog2().min(4);
            doublings[doubling as usize] += 1;
        }
        assert!(
            doublings.iter().all(|count| (850..1_150).contains(count)),
            "{doublings:?}"
        );
    }
}
