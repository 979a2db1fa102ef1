//! Faults: what happens to a shop in bad days, and what must come of it nevertheless.
//!
//! Events are the simulator's, with shoppers who sign in on one or two devices. They arrive shuffled within the allowed lateness
//! and about a third of them more than once. Whatever is done to the processes meanwhile, in the end the digest is that of the same
//! events sent once, in order, to a server that nothing happened to; and every copy that was stored has one fate.
//!
//! Two variables of the environment: `FORETIDE_TEST_SEED` decides what is drawn (it is printed), `FORETIDE_TEST_LONG=1` asks for
//! the long form, with ten times the events and several times the faults.

mod arrival;
mod dice;
mod exact;
mod sending;

pub use self::{
    arrival::{Arrival, KEY, Shop},
    dice::Dice,
    exact::{Undisturbed, assert_exact, source_counts, undisturbed},
    sending::{Feed, Sent},
};

/// What decides what is drawn, from the environment or the usual one; printed, so that a failure can be had again.
pub fn seed() -> u64 {
    let given = std::env::var("FORETIDE_TEST_SEED").ok();
    let seed = given.and_then(|text| text.parse().ok()).unwrap_or(42);
    eprintln!("FORETIDE_TEST_SEED={seed}");
    seed
}

/// Whether the long form is asked for.
pub fn is_long() -> bool {
    std::env::var("FORETIDE_TEST_LONG").is_ok_and(|text| text == "1")
}

/// `short`, or `long` where the long form is asked for.
pub fn short_or_long<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}
