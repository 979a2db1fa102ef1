//! Pretend shoppers in a small pretend shop, for demonstrations and load.
//!
//! A [`Simulator`] plays visits: shoppers land, search, look at products, fill carts, try coupons, buy, or leave
//! their cart behind. It yields their actions as the JSON that `POST /v1/actions` takes, each with its id and time,
//! so what it makes passes through the same door as everything else. Shop and shoppers follow from the seed alone,
//! and what happens from the seed and the instants asked for: the same calls give the same actions.
//!
//! It never reads a clock, sends anything or knows what becomes of its actions.
//!
//! ```
//! use foretide_simulator::{Settings, Simulator};
//!
//! let start_ms = 1_800_000_000_000;
//! let mut simulator = Simulator::new(Settings::default(), start_ms);
//! let first_minute = simulator.advance(start_ms + 60_000);
//! assert!(first_minute.iter().all(|action| action["type"].is_string()));
//! ```

mod plan;
mod render;
mod shop;
mod shopper;
mod simulator;
mod visit;

pub use shop::{Article, Shop};
pub use simulator::{CartSighting, Settings, Simulator};
