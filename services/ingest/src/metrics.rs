//! What ingest counts.

use foretide_runtime::metrics::{COUNTS, SECONDS};

foretide_runtime::metrics! {
    /// What ingest counts. Receipts are counted when they are answered, not when they are made.
    pub struct IngestMetrics {
        /// Receipts answered, by outcome and, for rejected events, reason.
        pub receipts: IntCounterVec = "foretide_ingest_receipts_total" by ["outcome", "reason"],
        /// Requests refused as a whole, by code of the problem.
        pub refusals: IntCounterVec = "foretide_ingest_refusals_total" by ["code"],
        /// Ids made for events that came without one: retries of such events cannot be told apart.
        pub ids_made: IntCounter = "foretide_ingest_ids_made_total",
        /// Members of native actions that mean nothing, by the known name that is nearest to each ("" where none is near). One
        /// request a second is looked at: a misspelt member comes again and again. `?dry_run=1` names them in full.
        pub ignored_members: IntCounterVec = "foretide_ingest_ignored_members_total" by ["meant"],
        /// Events that were sent only to be told what would become of them.
        pub dry_run_events: IntCounter = "foretide_ingest_dry_run_events_total",
        /// Events in one request.
        pub batch_events: Histogram = "foretide_ingest_batch_events" in COUNTS,
        /// Time until the log held the events of one request durably, in seconds.
        pub append: Histogram = "foretide_ingest_append_seconds" in SECONDS,
        /// Requests whose events the log did not take, by cause: `away`, `full` or `broken`.
        pub append_failures: IntCounterVec = "foretide_ingest_append_failures_total" by ["cause"],
        /// Rejected events of which the database never learnt: it was away for too long, or too many sources had some.
        pub rejections_uncounted: IntCounter = "foretide_ingest_rejections_uncounted_total",
    }
}
