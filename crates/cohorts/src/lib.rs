//! Cohorts: groups of shoppers who behave alike, which re-form every few minutes and keep their identity.
//!
//! ```text
//! features of a sample ──▶ Space: scaling ──▶ k-means, or DBSCAN ──▶ identity: ids, births, deaths, splits, merges
//!                                                                          │ names
//!  serving Cohorts ─────── warm, damped start, comparison ──▶ verdict ◀── candidate
//!                                                               │ accepted
//! features of any shopper ──▶ Cohorts::assign ◀── since ── the artefact
//! ```
//!
//! # A cohort is a function
//!
//! Which cohort a shopper is in follows from the shopper's features and from one version of [`Cohorts`], so nothing is
//! stored of it: each event moves its shopper at once, and a new version moves shoppers from the instant on from which it
//! serves. [`Cohorts::assign`] answers for one shopper, [`Cohorts::assign_rows`] for a million, and both give what the
//! nearest centroid in 64-bit arithmetic is, to the last label.
//!
//! # Forming
//!
//! * A [`Space`] says in which features shoppers are compared and how each is scaled: heavy tails are taken to
//!   logarithms, what is far out is drawn in to the 1st and 99th percentile, and the spread is robust. A value that is
//!   missing never counts as zero: it has a stand-in, and where some have it and others do not, having it is a dimension
//!   of its own. The scaling is part of the artefact and stays as it is until shoppers have left it.
//! * [`Reformer::reform`] forms a candidate from a sample: k-means, which starts from the serving centroids and is damped,
//!   with fresh starts and swaps against getting stuck, and with k chosen by the variance ratio and by gaps between cohorts,
//!   on other shoppers than those it was fit to, where another k must be clearly better; or DBSCAN, with a cohort of those who are like nobody.
//! * The candidate's cohorts are matched with those that serve, by where their centroids lie and by which shoppers they
//!   share. What is matched keeps its id; what happened to the others has a [`Change`]: born, died, split or merged.
//! * The candidate is compared with what serves on shoppers whom neither has seen, in one scale, and [refused](Refusal)
//!   if it is worse, collapsed, or holds a cohort that is so small that it would say something of single shoppers.
//!
//! The same samples, settings and seed give the same cohorts to the bit, on any number of threads.
//!
//! This crate never reads a clock, draws a random number that is not named by its seed, logs, counts or does I/O.
//!
//! ```
//! use foretide_cohorts::{Counts, Reformer, Sample, Settings};
//! use foretide_events::{EpochMs, Text};
//! use foretide_features::Feature;
//!
//! let sample = |offset: u32| {
//!     let mut sample = Sample::new(&[Feature::Engagement30d, Feature::CouponAttempts30d]);
//!     for number in 0..600_u32 {
//!         let jitter = f64::from((number + offset) * 37 % 101) / 101.0;
//!         let (engagement, coupons) = if number % 3 == 0 { (40.0, 9.0) } else { (5.0, 0.0) };
//!         sample.push(|feature| match feature {
//!             Feature::Engagement30d => Some(engagement + jitter),
//!             _ => Some(coupons + jitter / 2.0),
//!         });
//!     }
//!     sample
//! };
//! let features = vec![Feature::Engagement30d, Feature::CouponAttempts30d];
//! let settings = Settings { features, cohorts: Counts::Fixed(2), ..Settings::default() };
//! let reformer = Reformer::new(settings, 7).unwrap();
//! let reforming = reformer.reform(&sample(0), &sample(11), None, EpochMs(0), &Text::new("prior").unwrap());
//! let cohorts = reforming.accepted().unwrap();
//! assert_eq!(cohorts.members.len(), 2);
//!
//! let heavy = cohorts.assign(|feature| (feature == Feature::Engagement30d).then_some(40.0).or(Some(9.0)));
//! assert_eq!(cohorts.get(heavy.index).unwrap().share.round(), 0.0, "a third of all");
//! ```

mod artefact;
pub mod assign;
mod candidate;
mod check;
mod choose;
mod dbscan;
mod draws;
mod feature_name;
mod gap;
mod hungarian;
mod identity;
mod kmeans;
mod names;
mod quality;
mod reform;
mod sample;
mod scaling;
mod settings;
mod space;
mod verdict;

pub use artefact::{
    Change, Cohort, Cohorts, Form, Membership, Method, Point, Quality, Refused, Trait, Typical,
};
pub use reform::Reformer;
pub use sample::{Rows, Sample};
pub use settings::{Algorithm, Counts, Settings, SettingsError};
pub use space::{Dimension, Kind, MAX_DIMENSIONS, Space, Transform};
pub use verdict::{Comparison, Measured, Reforming, Refusal, Trial, Verdict};
