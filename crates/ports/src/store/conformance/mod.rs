//! One suite that every [`Store`] must pass, whichever adapter it is.
//!
//! An adapter writes a [`Harness`] of a new store and generates one test for every check:
//!
//! ```text
//! foretide_ports::store::conformance::suite!(MyHarness::new());
//! ```
//!
//! A check that the harness cannot play says aloud that it was skipped. Nothing here passes or fails on a time.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    reason = "a test suite: panicking with what was expected is its way of reporting"
)]

mod keys;
mod offers;
mod rejections;
mod settings;
mod trouble;

use std::sync::Arc;

use async_trait::async_trait;
use foretide_decision::{
    OfferId,
    catalogue::{Name, NewOffer, OfferState, OfferTerms},
};
use foretide_events::{EpochMs, ShopId};

pub use keys::*;
pub use offers::*;
pub use rejections::*;
pub use settings::*;
pub use trouble::*;

use super::{Expected, Store};
pub use crate::store_conformance_suite as suite;

/// The store under test: a new one for each harness.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The store, as one more instance sees it.
    async fn open(&self) -> Arc<dyn Store>;

    /// Makes the store absent, or lets it come back; whether that can be done.
    async fn set_away(&self, _away: bool) -> bool {
        false
    }
}

/// What became of a check that did not panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The store behaves.
    Passed,
    /// The harness cannot play it, with what it lacks.
    Skipped(&'static str),
}

/// Says aloud that a check was skipped, and why.
pub fn report(check: &str, outcome: Outcome) {
    if let Outcome::Skipped(why) = outcome {
        eprintln!("skipped: {check}: {why}");
    }
}

/// Generates `#[tokio::test]`s, one for each check, each with a harness of its own made by the given expression (which may
/// await).
#[macro_export]
macro_rules! store_conformance_suite {
    ($harness:expr) => {
        $crate::store_conformance_tests! { ($harness)
            a_new_store_holds_the_default_offers,
            an_offer_is_read_back_as_it_was_put,
            offers_come_by_id,
            versions_rise_and_the_time_of_the_first_stays,
            a_change_of_something_else_than_expected_is_a_conflict,
            of_changes_at_once_of_one_version_one_is_made,
            ids_that_differ_in_case_or_form_are_different,
            any_text_survives,
            any_instant_survives,
            the_revision_rises_with_each_change_and_only_then,
            another_instance_sees_what_changed,
            a_key_is_read_back_as_it_was_added,
            a_key_is_added_once,
            a_key_is_revoked_for_good,
            a_setting_is_read_back_until_it_is_removed,
            versions_of_a_setting_never_repeat,
            a_setting_changed_meanwhile_is_a_conflict,
            rejections_add_up,
            a_batch_of_rejections_is_added_once,
            attempts_at_once_add_a_batch_once,
            rejections_of_instances_at_once_add_up,
            rejections_stop_at_the_most_and_leave_others_alone,
            any_number_of_import_runs_takes_bounded_room,
            any_number_of_starts_takes_bounded_room,
            an_absent_store_answers_so_and_comes_back,
            a_view_outlives_the_absence_of_its_store,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! store_conformance_tests {
    (($harness:expr) $($check:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                let harness = $harness;
                let outcome = $crate::store::conformance::$check(&harness).await;
                $crate::store::conformance::report(stringify!($check), outcome);
            }
        )*
    };
}

/// Some instant of 2023, moved by `seconds`.
fn at(seconds: i64) -> EpochMs {
    EpochMs(1_700_000_000_123 + 1_000 * seconds)
}

/// An offer of that id.
fn offer(id: &str) -> NewOffer {
    NewOffer {
        id: OfferId::new(id.to_owned()).unwrap(),
        name: Name::new("Spring").unwrap(),
        terms: OfferTerms::Content {
            content_id: ShopId::new("spring").unwrap(),
        },
        state: OfferState::Active,
    }
}

/// Puts an offer whatever is there.
async fn put(store: &dyn Store, offer: NewOffer) -> u64 {
    let put = store.put_offer(offer, Expected::Any, at(0)).await;
    put.unwrap().version
}
