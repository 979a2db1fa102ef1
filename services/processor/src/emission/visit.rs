//! The moments of a session at which a purchase could be abandoned.

use foretide_events::{EpochMs, ShopperId};
use foretide_features::{FoldRules, Profile, Session, State};

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
}

impl Slot {
    pub(super) const ALL: [Self; 3] = [Self::Cart, Self::Checkout, Self::Later];

    /// The id of the point of a session of `shopper` that began at `start`.
    pub(super) fn id(self, shopper: ShopperId, start: EpochMs) -> String {
        let slot = match self {
            Self::Cart => "cart",
            Self::Checkout => "checkout",
            Self::Later => "later",
        };
        format!("{shopper}/abandonment/{}/{slot}", start.0)
    }
}

/// How many moments after the first one [`Slot::Later`] is, 1 to 8: drawn for the session that began at `start`.
fn later(shopper: ShopperId, start: EpochMs) -> u64 {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = shopper.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fold);
    let hash = (hash ^ start.0.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    1 + (hash >> 61)
}

/// A moment, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) slot: Slot,
    pub(super) at: EpochMs,
    /// Whether nothing was bought in the rest of the session.
    pub(super) is_abandoned: bool,
}

/// Whether there was a cart or a checkout in `session`, which ended in `end`; it is quicker to tell that there was none than when.
pub(super) fn may_have_points(end: &State, session: &Session) -> bool {
    !end.cart().is_empty()
        || session.checkout_step() > 0
        || session.purchases() > 0
        || session.cart_adds() > 0
        || session.cart_removes() > 0
}

/// The moments of `session` of `profile`, no two at one instant. `None`: the beginning of the session is not told apart any more.
pub(super) fn moments(
    profile: &Profile,
    session: &Session,
    rules: &FoldRules,
) -> Option<Vec<Moment>> {
    let mut is_whole = false;
    let mut bought_in_all = 0;
    // Each with what had been bought in the session until then.
    let (mut cart, mut checkout, mut later_on) = (None, None, None);
    let mut to_go = later(profile.shopper(), session.start());
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
        let moment = (state.as_of(), current.purchases());
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
            if to_go == 0 {
                later_on = later_on.or(Some(moment));
            }
        }
    });
    if !is_whole {
        return None;
    }
    let found = Slot::ALL.into_iter().zip([cart, checkout, later_on]);
    let mut moments: Vec<Moment> = Vec::with_capacity(Slot::ALL.len());
    for (slot, (at, bought)) in found.filter_map(|(slot, found)| Some((slot, found?))) {
        if moments.iter().all(|earlier| earlier.at != at) {
            moments.push(Moment {
                slot,
                at,
                is_abandoned: bought == bought_in_all,
            });
        }
    }
    Some(moments)
}
