//! One suite that every [`Log`] must pass, whichever adapter it is.
//!
//! An adapter writes a [`Harness`], which opens its log and, where it can, breaks it, and generates one test for every
//! check:
//!
//! ```text
//! foretide_ports::conformance::suite!(MyHarness::new());
//! ```
//!
//! A check that the harness cannot play (a memory log has no disk to crash) says aloud that it was skipped and why.
//! Nothing here passes or fails on a time: the long deadlines in `support` only end a test that would hang.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    reason = "a test suite: panicking with what was expected is its way of reporting"
)]

mod compaction;
mod consumer;
mod groups;
mod handover;
mod payloads;
mod reading;
mod support;
mod trouble;
mod writing;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;

pub use compaction::*;
pub use groups::*;
pub use handover::*;
pub use payloads::*;
pub use reading::*;
pub use trouble::*;
pub use writing::*;

use crate::Log;
pub use crate::conformance_suite as suite;

/// Opens the log under test, and breaks it where it can. The switches answer whether this log can be put so; one that
/// cannot keeps the default and the checks that need it are skipped.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The log as the instance named `instance` sees it. Another call with the same name is that instance started
    /// again while its former self may still be alive. All of them see the same topics.
    async fn open(&self, instance: &str) -> Arc<dyn Log>;

    /// A part of the names of topics and groups that no other check, and no other run against the same log, uses.
    fn unique(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        format!(
            "{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        )
    }

    /// Ends every opened log without any goodbye, as a crash would; what is opened next sees only what was durable.
    /// The suite drops all it holds of the log before it calls this.
    async fn crash(&self) -> bool {
        false
    }

    /// Makes the log absent, or lets it come back.
    async fn set_away(&self, _away: bool) -> bool {
        false
    }

    /// Leaves the log no room, or gives it room again.
    async fn set_full(&self, _full: bool) -> bool {
        false
    }

    /// Makes the next commit of a group member report an error, after it took effect or without taking effect.
    async fn fail_next_commit(&self, _takes_effect: bool) -> bool {
        false
    }

    /// Makes the log compact its compacted topics now; returns when that is done.
    async fn compact(&self) -> bool {
        false
    }

    /// Lets the retention time of every record appended so far pass, and makes the log delete them now, except that it
    /// may keep the newest of each partition.
    async fn expire(&self) -> bool {
        false
    }
}

/// What became of a check that did not panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The log behaves.
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

/// Calls the macro `$then` with `$with` and the names of all checks.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_checks {
    ($then:ident, $($with:tt)*) => {
        $crate::$then! { ($($with)*)
            declaring_again_is_harmless,
            another_partition_count_is_refused,
            a_topic_or_partition_that_is_not_there_is_refused,
            offsets_rise_in_the_order_of_appends,
            records_of_one_append_go_to_all_their_partitions,
            records_of_a_key_keep_their_order,
            concurrent_appends_are_all_readable,
            acknowledged_records_survive_a_crash,
            append_times_never_fall_within_a_partition,
            stats_count_what_is_held,
            a_reader_starts_where_it_is_told_and_says_when_it_is_at_the_end,
            a_reader_at_the_end_sees_what_comes_later,
            a_reader_below_the_oldest_offset_goes_on_at_the_oldest,
            an_instant_leads_to_the_oldest_record_appended_since,
            a_reader_of_some_partitions_sees_no_others,
            end_offsets_tell_where_reading_ends,
            large_and_empty_payloads_come_back_whole,
            an_append_of_many_records_comes_back_whole,
            a_record_too_large_is_refused_and_harms_no_other,
            tombstones_come_back_as_tombstones,
            a_compacted_topic_always_has_the_newest_of_each_key,
            compaction_keeps_offsets_and_what_is_appended_meanwhile,
            a_group_that_never_committed_has_no_offsets,
            a_member_gets_every_record_of_its_partitions,
            a_member_resumes_at_the_committed_offsets,
            what_comes_during_a_commit_is_handed_on_or_comes_next,
            committed_offsets_survive_a_crash,
            groups_do_not_see_each_other,
            outputs_and_offsets_become_visible_together,
            two_members_share_the_partitions,
            more_members_than_partitions_leave_some_idle,
            partitions_of_a_member_that_leaves_go_to_the_others,
            a_partition_is_handed_over_only_after_its_release,
            no_record_is_lost_or_folded_twice_over_a_rebalance,
            a_member_of_the_same_name_takes_over,
            a_former_owner_is_fenced_and_nothing_of_its_commit_is_visible,
            after_a_commit_that_failed_a_member_joins_again_and_goes_on,
            an_absent_log_refuses_and_comes_back,
            a_full_log_refuses_and_takes_records_again_when_there_is_room,
        }
    };
}

/// Generates a module's worth of `#[tokio::test]`s, one for each check, each with a harness of its own made by the
/// given expression (which may await).
#[macro_export]
macro_rules! conformance_suite {
    ($harness:expr) => {
        $crate::conformance_checks!(conformance_tests, $harness);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    (($harness:expr) $($check:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                let harness = $harness;
                let outcome = $crate::conformance::$check(&harness).await;
                $crate::conformance::report(stringify!($check), outcome);
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_run {
    (($harness:expr) $($check:ident),* $(,)?) => {
        $( report(stringify!($check), $check($harness).await); )*
    };
}

/// Plays every check, one after the other; panics at the first that fails.
pub async fn run(harness: &dyn Harness) {
    crate::conformance_checks!(conformance_run, harness);
}
