//! The profile of a shopper: a pure fold over that shopper's events, and the features computed from it.
//!
//! ```text
//! Event ──▶ Observation ──▶ recents, sorted by (time, id) ──▶ current state ──▶ features(now)
//!              fate: late,        │ older than newest − 25 h      ▲
//!              duplicate,         ▼                               │ left fold over the recents
//!              folded          settled state ─────────────────────┘
//! ```
//!
//! # Why the same events always give the same profile
//!
//! * A [`State`] changes by one function only, folding one [`Observation`]. It depends on nothing but the state, the
//!   observation and the [`FoldRules`].
//! * A [`Profile`] folds in one canonical order, (time, id hash). The current state is always the left fold of
//!   every observation that counts: an event in order is one more step; one out of order, or a copy that takes the
//!   place of another, folds the recents again from the settled state. Floating point is not associative, but the
//!   same steps in the same order give the same bits; powers come from the pure-Rust `libm`, so machines agree too.
//! * Where the line between settled and recent runs changes what may still be corrected, never the current state.
//! * A profile knows the log offset it has applied: an offset that comes again changes nothing.
//!
//! So duplicates, retries, crashes and arrival order (within 24 hours, below the bound on recents) leave no trace,
//! and [`ProfileDigest`] proves it for a whole run.
//!
//! # What is kept
//!
//! Only the shopper's own statistics. Sums decay by event time and are kept as of the beginning of a period of one
//! half-life, so that time that passes halves them and rounds nothing: they are right to 1e-9 of themselves. Reading
//! decays them to the instant asked for, and closes the session if it has been quiet for too long: no timer ever changes
//! a profile.
//!
//! What a linked anonymous profile contributes will be further (settled, recent) pairs beside the profile's own,
//! keyed by their source: [`Profile`] is built so that a reader can settle each part and fold the rest together.
//!
//! This crate never reads a clock, draws a random number, logs, counts or does I/O.
//!
//! ```
//! use foretide_events::{Action, EpochMs, Event, EventId, Identity, ProductView, ShopperId, SourceId};
//! use foretide_features::{Feature, FoldRules, Profile};
//!
//! let shopper = ShopperId([7; 16]);
//! let at = EpochMs::parse("2026-11-22T10:00:00Z").unwrap();
//! let event = Event {
//!     id: EventId::new("message-1").unwrap(),
//!     at,
//!     received_at: at,
//!     shopper,
//!     identity: Identity { user: Some(shopper), anonymous: None },
//!     session: None,
//!     source: SourceId::new("key:0123abcd").unwrap(),
//!     action: Action::ProductView(ProductView { dwell_ms: Some(30_000), ..ProductView::default() }),
//! };
//! let rules = FoldRules::default();
//! let mut profile = Profile::new(shopper);
//! assert!(profile.apply(&event, 0, &rules).is_some());
//! assert!(profile.apply(&event, 0, &rules).is_none(), "this offset was applied before");
//!
//! let features = profile.state().features(at.plus(7 * 24 * 3_600_000), &rules);
//! assert_eq!(features.get(Feature::ProductViews7d), Some(0.5));
//! assert_eq!(features.get(Feature::SessionActions), None, "the session is over");
//! ```

mod affinity;
mod cart;
mod catalogue;
mod codec;
mod digest;
mod half_life;
mod observation;
mod profile;
mod purchases;
mod rules;
mod session;
mod state;
mod tally;
mod vector;

pub use affinity::{Affinity, CategoryShare};
pub use cart::{Cart, CartItem};
pub use catalogue::{CATALOGUE, Feature, FeatureSpec, Unit, schema_id};
pub use codec::DecodeError;
pub use digest::ProfileDigest;
pub use half_life::HalfLife;
pub use observation::{Deed, IdHash, Key, Line, Lines, Observation, Topic};
pub use profile::{Applied, LATE_AFTER_MS, Profile, RECENT_LIMIT, SETTLE_AFTER_MS, StoredSize};
pub use purchases::Purchases;
pub use rules::FoldRules;
pub use session::Session;
pub use state::State;
pub use vector::FeatureVector;
