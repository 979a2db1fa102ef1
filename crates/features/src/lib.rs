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
//! Only the shopper's own statistics. What is usual among shoppers is a [`Reference`], applied when features are read.
//! Sums decay by event time and are kept as of the beginning of a period of one half-life, so that time that passes
//! halves them and rounds nothing; only the end of a session rounds them, to 34 bits of their fraction. They are right
//! to 1e-9 of themselves. Reading decays them to the instant asked for, and closes the session if it has been quiet for
//! too long: no timer ever changes a profile.
//!
//! # One person, several pseudonyms
//!
//! A linked anonymous profile [contributes](Profile::contribution) its own (settled, recent) pair to that of its known shopper, which
//! keeps the latest of each source. Each part settles for itself, the settled states [combine](State::combine), and the recent
//! observations of all follow in canonical order: so neither the order in which contributions come nor how often leaves a trace.
//!
//! This crate never reads a clock, draws a random number, logs, counts or does I/O.
//!
//! ```
//! use foretide_events::{Action, EpochMs, Event, EventId, Identity, ProductView, ShopperId, SourceId};
//! use foretide_features::{Feature, FoldRules, Profile, Reference};
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
//! let features = profile.state().features(at.plus(7 * 24 * 3_600_000), &rules, &Reference::prior());
//! assert_eq!(features.get(Feature::ProductViews7d), Some(0.5));
//! assert_eq!(features.get(Feature::SessionActions), None, "the session is over");
//! ```

mod affinity;
mod baseline;
mod brands;
mod cart;
mod catalogue;
mod codec;
mod combine;
mod contribution;
mod day;
mod digest;
mod half_life;
mod history;
mod moments;
mod observation;
mod prices;
mod profile;
mod purchases;
mod ranking;
mod recency;
mod reference;
mod responses;
mod rules;
mod seen;
mod session;
mod state;
mod tally;
mod vector;
mod visits;
mod zone;

pub use affinity::{Affinity, CategoryShare};
pub use brands::Brand;
pub use cart::{Cart, CartItem};
pub use catalogue::{
    CATALOGUE, Combine, Feature, FeatureSpec, Nature, Order, Reading, TimeToLive, Unit,
    catalogue_page, schema_id,
};
pub use codec::DecodeError;
pub use contribution::{Contributed, Contribution, Link, Linked, SOURCE_LIMIT};
pub use digest::ProfileDigest;
pub use half_life::HalfLife;
pub use observation::{
    Bought, BoughtLine, Deed, IdHash, Key, Line, Lines, Observation, Scroll, Texts, Topic, View,
};
pub use profile::{Applied, LATE_AFTER_MS, Profile, RECENT_LIMIT, SETTLE_AFTER_MS, StoredSize};
pub use purchases::Purchases;
pub use reference::{PriceLevel, Reference, ReferenceError, ReferenceLearner, Spread};
pub use rules::FoldRules;
pub use session::Session;
pub use state::State;
pub use vector::FeatureVector;
pub use zone::Zone;
