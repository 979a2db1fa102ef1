//! Pretend shoppers in a pretend shop, for demonstrations, load and tests that need to know the truth.
//!
//! A [`Simulator`] plays lives: shoppers of several [temperaments](Temperament) come and go by day and week, look at
//! products whose prices change, come back to one they have an eye on to see what it costs now, search, fill carts, try
//! coupons, sign in on one device and another, buy, on the site or in a store, send back, or leave their cart behind until
//! they come again; some drift away from a known instant on. It yields [actions](Action) in order of time, which
//! [`Simulator::write_native`] and [`Simulator::write_segment`] write as JSON, so what it makes passes through the same
//! door as everything else.
//!
//! Where a shop would ask for an offer it raises an [`Ask`], and [`Simulator::respond`] shows the shopper the answer.
//! What the offer then does is known exactly: every draw is named by seed, shopper, visit and purpose, so the same visit
//! is played with and without the offer under the same luck ([`Effect`]).
//!
//! Shop, shoppers and events follow from the [`Settings`] and the answers alone, however time is cut into batches. Lives
//! are derived when they are needed: a shopper outside the shop is one entry of a calendar. It never reads a clock, sends
//! anything or knows what becomes of its actions.
//!
//! ```
//! use foretide_events::EpochMs;
//! use foretide_simulator::{Settings, Simulator};
//!
//! let opening = EpochMs(1_800_000_000_000);
//! let mut simulator = Simulator::new(Settings::new(7, 1_000, opening));
//! let first_day = simulator.next_batch(opening.plus(24 * 60 * 60 * 1000), usize::MAX);
//! let mut json = Vec::new();
//! simulator.write_native(&first_day.actions[0], &mut json);
//! assert!(json.starts_with(b"{\"type\":"));
//! ```

mod act;
mod calendar;
mod draws;
mod offer;
mod pace;
mod prices;
mod render;
mod rhythm;
mod settings;
mod shop;
mod shopper;
mod simulator;
mod temperament;
mod visit;

pub use act::{
    Act, Action, Attention, ContentKind, CouponResult, Interaction, Line, Narrowing, Order, Page,
    Query, total_cents,
};
pub use offer::{Ask, Effect, EffectSum, Moment, Offer, Outcome};
pub use prices::Price;
pub use render::Names;
pub use settings::{Effects, Settings};
pub use shop::{CURRENCY, PriceChange, Product, Shop};
pub use shopper::Identity;
pub use simulator::{Batch, Simulator, Truth};
pub use temperament::Temperament;
