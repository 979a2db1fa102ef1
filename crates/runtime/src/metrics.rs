//! Metrics as one struct of typed handles per service, whose doc comments are the HELP texts.
//!
//! ```
//! foretide_runtime::metrics! {
//!     /// What the bakery counts.
//!     pub struct BakeryMetrics {
//!         /// Loaves baked.
//!         pub loaves: IntCounter = "bakery_loaves_total",
//!         /// Customers served, by outcome.
//!         pub customers: IntCounterVec = "bakery_customers_total" by ["outcome"],
//!         /// Time to bake one loaf, in seconds.
//!         pub baking: Histogram = "bakery_baking_seconds" in foretide_runtime::metrics::SECONDS,
//!     }
//! }
//! # fn main() -> Result<(), foretide_runtime::prometheus::Error> {
//! let registry = foretide_runtime::prometheus::Registry::new();
//! let metrics = BakeryMetrics::register(&registry)?;
//! metrics.loaves.inc();
//! metrics.customers.with_label_values(&["happy"]).inc();
//! assert_eq!(registry.gather()[2].help(), "Loaves baked.");
//! # Ok(())
//! # }
//! ```

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, Result, core::Collector,
};

/// Buckets for durations, in seconds: from 100 µs to 10 s.
pub const SECONDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// Buckets for counts of things that come in batches: 1 to 5 000.
pub const COUNTS: &[f64] = &[
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_500.0, 5_000.0,
];

/// How a family of metrics is described.
#[derive(Clone, Copy, Debug)]
pub struct Description<'a> {
    /// Its name, with the unit last.
    pub name: &'a str,
    /// Its HELP text.
    pub help: &'a str,
    /// The names of its labels. Never an id: their values are few.
    pub labels: &'a [&'a str],
    /// The upper bounds of its buckets, for a histogram; empty for anything else.
    pub buckets: &'a [f64],
}

/// A kind of metric that can be made from its description.
pub trait Family: Collector + Clone + Sized + 'static {
    /// Makes it.
    fn make(description: &Description<'_>) -> Result<Self>;

    /// Makes it and shows it on `registry`.
    fn register(registry: &Registry, description: &Description<'_>) -> Result<Self> {
        let family = Self::make(description)?;
        registry.register(Box::new(family.clone()))?;
        Ok(family)
    }
}

macro_rules! families {
    ($($plain:ty),+; $($labelled:ty),+) => {
        $(impl Family for $plain {
            fn make(description: &Description<'_>) -> Result<Self> {
                Self::with_opts(Opts::new(description.name, description.help))
            }
        })+
        $(impl Family for $labelled {
            fn make(description: &Description<'_>) -> Result<Self> {
                Self::new(Opts::new(description.name, description.help), description.labels)
            }
        })+
    };
}

families!(IntCounter, IntGauge, Gauge; IntCounterVec, IntGaugeVec, GaugeVec);

fn histogram(description: &Description<'_>) -> HistogramOpts {
    HistogramOpts::new(description.name, description.help).buckets(description.buckets.to_vec())
}

impl Family for Histogram {
    fn make(description: &Description<'_>) -> Result<Self> {
        Self::with_opts(histogram(description))
    }
}

impl Family for HistogramVec {
    fn make(description: &Description<'_>) -> Result<Self> {
        Self::new(histogram(description), description.labels)
    }
}

/// Defines a struct of metrics and its `register`. See the module's text.
#[macro_export]
macro_rules! metrics {
    (
        $(#[doc = $struct_doc:literal])+
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $help:literal])+
                $field_vis:vis $field:ident: $family:ident = $metric:literal
                    $(by [$($label:literal),+])? $(in $buckets:expr)?
            ),+ $(,)?
        }
    ) => {
        $(#[doc = $struct_doc])+
        #[derive(Clone, Debug)]
        $vis struct $name {
            $(
                $(#[doc = $help])+
                $field_vis $field: $crate::prometheus::$family,
            )+
        }

        impl $name {
            /// Makes the metrics and shows them on `registry`. Fails when one of their names is taken there.
            $vis fn register(
                registry: &$crate::prometheus::Registry,
            ) -> $crate::prometheus::Result<Self> {
                Ok(Self {
                    $(
                        $field: $crate::metrics::Family::register(
                            registry,
                            &$crate::metrics::Description {
                                name: $metric,
                                help: concat!($($help),+).trim(),
                                labels: &[$($($label),+)?],
                                buckets: $crate::metrics!(@buckets $($buckets)?),
                            },
                        )?,
                    )+
                })
            }
        }
    };
    (@buckets) => { &[] };
    (@buckets $buckets:expr) => { $buckets };
}
