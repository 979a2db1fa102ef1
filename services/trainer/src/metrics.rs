//! What the trainer shows at `/metrics`.

foretide_runtime::metrics! {
    /// The trainer's metrics. Which reference serves, since when and on how many shoppers it rests, every process shows that
    /// applies it.
    pub struct TrainerMetrics {
        /// Times that a reference was to be learnt, by outcome: published, unchanged (hardly different from the newest) or failed.
        pub learnt: IntCounterVec = "foretide_reference_learnt_total" by ["outcome"],
        /// Time to learn a reference from all profiles, in seconds.
        pub learning: Histogram = "foretide_reference_learning_seconds" in foretide_runtime::metrics::SECONDS,
    }
}
