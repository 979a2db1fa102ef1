//! What the trainer shows at `/metrics`.

foretide_runtime::metrics! {
    /// The trainer's metrics. What serves, since when and on what it rests, every process shows that applies it.
    pub struct TrainerMetrics {
        /// Times that a reference was to be learnt, by outcome: published, unchanged (hardly different from the newest) or failed.
        pub learnt: IntCounterVec = "foretide_reference_learnt_total" by ["outcome"],
        /// Time to learn a reference from all profiles, in seconds.
        pub learning: Histogram = "foretide_reference_learning_seconds" in foretide_runtime::metrics::SECONDS,
        /// Re-formings of the cohorts, by outcome: published, unchanged (hardly anyone would move), refused, too_little (too few shoppers) or failed.
        pub reformed: IntCounterVec = "foretide_reforming_total" by ["outcome"],
        /// Time to re-form the cohorts, from looking at profiles to publishing, in seconds.
        pub reforming: Histogram = "foretide_reforming_seconds" in LONG_SECONDS,
        /// The silhouette of the cohorts that were formed last, served or not, -1 to 1, on shoppers whom they were not formed from.
        pub reforming_silhouette: Gauge = "foretide_reforming_silhouette",
        /// The part of the variance among shoppers that is between the cohorts that were formed last, 0 to 1.
        pub reforming_explained: Gauge = "foretide_reforming_explained",
        /// The share of shoppers who would be in another cohort by the cohorts that were formed last.
        pub reforming_moved: Gauge = "foretide_reforming_moved_share",
        /// Attempts at a better model, by target and outcome: promoted, rolled_back, trained (a challenger), kept (nothing new), too_little (too few examples, or of one label) or failed.
        pub trained: IntCounterVec = "foretide_training_total" by ["target", "outcome"],
        /// Time to train a model and to look at all of them, in seconds.
        pub training: HistogramVec = "foretide_training_seconds" by ["target"] in LONG_SECONDS,
        /// Changes of the model that serves, by target and cause: promoted or rolled_back.
        pub changed: IntCounterVec = "foretide_training_changes_total" by ["target", "cause"],
        /// Records of examples and decisions that cannot be learnt from, by cause.
        pub refused: IntCounterVec = "foretide_training_refused_total" by ["cause"],
        /// Examples that are held to learn from, by target.
        pub window: IntGaugeVec = "foretide_training_examples" by ["target"],
        /// Population stability index of a feature between the last week of points that may be learnt from and those that the model that serves was
        /// trained on: below 0.1 is no shift, from 0.25 on a large one. Absent while there are too few of them.
        pub shift_psi: GaugeVec = "foretide_model_input_shift_psi" by ["target", "feature"],
        /// 1 for a feature that has shifted at three looks running, each with newer points, and by more than chance does, until it is steady again.
        pub shift_alarm: IntGaugeVec = "foretide_model_input_shift_alarm" by ["target", "feature"],
        /// Points that the indices rest on.
        pub shift_examples: IntGaugeVec = "foretide_model_input_shift_examples" by ["target"],
    }
}

/// Buckets for what takes long, in seconds: from 10 ms to 10 min.
const LONG_SECONDS: &[f64] = &[
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 150.0, 300.0, 600.0,
];
