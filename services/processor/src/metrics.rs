//! What the processor shows at `/metrics`.

use foretide_ports::TransitionCause;

use crate::emission::Emitted;

foretide_runtime::metrics! {
    /// The processor's metrics.
    pub struct ProcessorMetrics {
        /// Events folded, by the fate they met.
        pub events: IntCounterVec = "foretide_processor_events_total" by ["fate"],
        /// Records of foretide.actions that are no events and went to foretide.dead-letters, by cause.
        pub dead_letters: IntCounterVec = "foretide_processor_dead_letters_total" by ["cause"],
        /// Observations that settled early because their shopper had more than 256 recent ones, or more than 160 KiB of them.
        pub settled_early: IntCounter = "foretide_processor_settled_early_total",
        /// Events passed over because their profile had applied them already.
        pub applied_before: IntCounter = "foretide_processor_applied_before_total",
        /// Links of anonymous shoppers to known ones that were announced to the anonymous ones' partitions. After a start, or when
        /// nothing was heard of a pair for long, one is announced again, which changes nothing.
        pub links_announced: IntCounter = "foretide_links_announced_total",
        /// Contributions of anonymous shoppers that changed the profile of their known one.
        pub links_applied: IntCounter = "foretide_links_applied_total",
        /// Contributions that were not taken in because four other anonymous shoppers contribute to the same profile already.
        pub links_refused: IntCounter = "foretide_links_refused_total",
        /// Offsets of foretide.actions without a record, passed over: gaps of the log, from retention or transaction markers.
        pub offsets_skipped: IntCounter = "foretide_processor_offsets_skipped_total",
        /// Events on the log that are not folded yet, over the partitions owned.
        pub lag: IntGauge = "foretide_processor_lag_events",
        /// Profiles of the partitions owned.
        pub profiles: IntGauge = "foretide_processor_profiles",
        /// Of them, those that have no place in memory and wait on disk.
        pub cold_profiles: IntGauge = "foretide_processor_profiles_on_disk",
        /// Partitions owned.
        pub partitions: IntGauge = "foretide_processor_partitions",
        /// Time to commit one batch of outputs, profiles and offsets, in seconds.
        pub commit: Histogram = "foretide_processor_commit_seconds" in foretide_runtime::metrics::SECONDS,
        /// Profiles published in one commit.
        pub published: Histogram = "foretide_processor_commit_profiles" in foretide_runtime::metrics::COUNTS,
        /// Times that the group was joined again, by cause: fenced (another owner took over, all state was dropped at once)
        /// or log (something is wrong with it, profiles stayed for readers until they were restored).
        pub rejoins: IntCounterVec = "foretide_processor_rejoins_total" by ["cause"],
        /// Time to restore the partitions of one assignment, in seconds.
        pub restore: Histogram = "foretide_processor_restore_seconds" in foretide_runtime::metrics::SECONDS,
        /// Share of the partitions being restored that is there, from 0 to 1; 1 while none is.
        pub restored: Gauge = "foretide_processor_restore_share",
        /// Sessions announced on foretide.sessions, again and withdrawn ones included.
        pub sessions: IntCounter = "foretide_processor_sessions_total",
        /// Examples told on foretide.examples, again included, by kind: abandonment, drift, or withdrawn of those that are none any more.
        pub examples: IntCounterVec = "foretide_processor_examples_total" by ["kind"],
        /// Moves between cohorts told on foretide.transitions, by cause: behaviour or reforming.
        pub transitions: IntCounterVec = "foretide_processor_transitions_total" by ["cause"],
        /// Checkpoints, by outcome.
        pub checkpoints: IntCounterVec = "foretide_processor_checkpoints_total" by ["outcome"],
    }
}

impl ProcessorMetrics {
    /// Counts what was told with a commit.
    pub(crate) fn emitted(&self, emitted: Emitted) {
        for (kind, count) in [
            ("abandonment", emitted.abandonment),
            ("drift", emitted.drift),
            ("withdrawn", emitted.withdrawn),
        ] {
            self.examples.with_label_values(&[kind]).inc_by(count);
        }
        for (cause, count) in [
            (TransitionCause::Behaviour, emitted.behaviour),
            (TransitionCause::Reforming, emitted.reforming),
        ] {
            let cause = cause.as_str();
            self.transitions.with_label_values(&[cause]).inc_by(count);
        }
    }
}
