//! What is announced of a session, as stored: JSON, for any tool.

use bytes::Bytes;
use foretide_events::{EpochMs, Money, ShopperId};
use foretide_features::{CartItem, Profile, Session, State};
use foretide_ports::{NewRecord, SESSIONS, TopicPartition, shopper_key};
use serde::Serialize;

/// The version of what is stored.
const VERSION: u8 = 1;

/// A session that is over, or none any more.
#[derive(Serialize)]
struct Announcement<'a> {
    v: u8,
    /// The shopper and when the session began: the same however often it is announced.
    id: String,
    kind: &'static str,
    /// Of several with one id the one with the highest revision counts.
    revision: u64,
    shopper_id: ShopperId,
    started_at: EpochMs,
    #[serde(flatten)]
    was: Option<Was<'a>>,
    /// There is no such session: what happened then belongs to another one, which is announced with its own id.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    withdrawn: bool,
}

/// What a session was like.
#[derive(Serialize)]
struct Was<'a> {
    /// When its latest action happened.
    ended_at: EpochMs,
    actions: u32,
    pages: u32,
    product_views: u32,
    searches: u32,
    dwell_ms: u64,
    cart_adds: u32,
    cart_removes: u32,
    coupon_attempts: u32,
    coupon_denials: u32,
    /// Step of the checkout reached since the latest purchase.
    checkout_step: u8,
    payment_entered: bool,
    purchases: u32,
    purchased: bool,
    /// What lay in the cart at the end.
    cart: Cart<'a>,
}

#[derive(Serialize)]
struct Cart<'a> {
    pieces: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Money>,
    products: Vec<&'a str>,
}

/// Writes what is announced of a profile's sessions.
pub(super) struct Writer<'a> {
    pub(super) partition: u32,
    pub(super) profile: &'a Profile,
    /// Up to where the partition's profiles have taken in what others contribute.
    pub(super) next_link: u64,
}

impl Writer<'_> {
    /// Says what the `session` was like that ended in `state`.
    pub(super) fn announcement(&self, state: &State, session: &Session) -> NewRecord {
        let cart = state.cart();
        let was = Was {
            ended_at: session.last(),
            actions: session.actions(),
            pages: session.pages(),
            product_views: session.product_views(),
            searches: session.searches(),
            dwell_ms: session.dwell_ms(),
            cart_adds: session.cart_adds(),
            cart_removes: session.cart_removes(),
            coupon_attempts: session.coupon_attempts(),
            coupon_denials: session.coupon_denials(),
            checkout_step: session.checkout_step(),
            payment_entered: session.payment_entered(),
            purchases: session.purchases(),
            purchased: session.purchases() > 0,
            cart: Cart {
                pieces: cart.pieces(),
                value: cart.value().filter(|_| !cart.is_empty()),
                products: cart.items().iter().map(CartItem::product_id).collect(),
            },
        };
        self.record(session.start(), Some(was))
    }

    /// Says that no session began at `start`, though one was announced.
    pub(super) fn withdrawal(&self, start: EpochMs) -> NewRecord {
        self.record(start, None)
    }

    fn record(&self, started_at: EpochMs, was: Option<Was<'_>>) -> NewRecord {
        let shopper_id = self.profile.shopper();
        let announcement = Announcement {
            v: VERSION,
            id: format!("{shopper_id}/session/{}", started_at.0),
            kind: "session",
            revision: self.profile.next_offset().saturating_add(self.next_link),
            shopper_id,
            started_at,
            withdrawn: was.is_none(),
            was,
        };
        // Numbers and texts in memory have nothing that could fail to be written.
        let value = serde_json::to_vec(&announcement).unwrap_or_default();
        NewRecord {
            at: TopicPartition {
                topic: SESSIONS,
                partition: self.partition,
            },
            key: Bytes::copy_from_slice(&shopper_key(&shopper_id)),
            value: Some(value.into()),
        }
    }
}
