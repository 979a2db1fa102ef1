//! Profiles as they were at instants of the past, folded from the log: what frames for training are made of.
//!
//! ```text
//!  foretide.actions ── read once for links: who turned out to be whom, and when
//!                  └── read again, by partition: each shopper's profile is folded by the code that serves
//!                        │ an event later than a row's instant: the profile before it is kept for the row
//!                        │ an event at or before that instant that still counts: goes to the kept one as well
//!                        ▼ the shopper's newest event is 24 hours later: nothing can change the row any more
//!                      the row, put together with those of the devices linked by then
//! ```
//!
//! A row holds the events that happened at its instant or before and count: what is late or a copy when it is served is so
//! here. Nothing that was learnt later is in it, not even that a device is the shopper's. Memory is bounded by the number of
//! shoppers and rows, not of events: a shopper whose rows are certain is forgotten, and a profile is kept apart only while a
//! shopper's events may still change a row.

mod followed;
mod gathering;
mod lanes;
mod links;
mod plan;

use std::{io, sync::Arc};

use foretide_events::{EpochMs, ShopperId};
use foretide_features::{FoldRules, State};
use foretide_ports::{ACTIONS, ReadOnlyLog};
use serde::Serialize;

use self::{
    followed::Fold,
    gathering::Gathering,
    lanes::{Lanes, Range},
    plan::Plan,
};
use crate::{Fates, ProcessorError};

/// Which rows are wanted.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// One of every shopper known at the instant.
    Everyone(EpochMs),
    /// These, each of a shopper at an instant; their numbers are their places.
    Rows(Vec<(ShopperId, EpochMs)>),
}

/// What is known of a shopper at an instant.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The number of the row: its place among those wanted, else the next one free.
    pub row: u64,
    /// The shopper.
    pub shopper: ShopperId,
    /// The instant.
    pub at: EpochMs,
    /// What is known. It is what is served for that instant.
    pub state: &'a State,
}

/// Takes rows, from several threads, in no order. A row of a shopper who was not known then never comes.
pub type Take = Arc<dyn Fn(&Seen<'_>) -> io::Result<()> + Send + Sync>;

/// Why there are no rows.
#[derive(Debug, thiserror::Error)]
pub enum FramesError {
    /// The log cannot be read.
    #[error(transparent)]
    Processor(#[from] ProcessorError),
    /// Whoever takes the rows cannot.
    #[error(transparent)]
    Take(#[from] io::Error),
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FramesProgress {
    /// Offsets dealt with: each is read twice.
    pub done: u64,
    /// Twice the offsets there are.
    pub total: u64,
}

/// What was folded for the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Framed {
    /// Actions on the log.
    pub actions: u64,
    /// What became of the events of the shoppers wanted, until their rows were certain.
    #[serde(flatten)]
    pub fates: Fates,
    /// Actions of before that the log has let go of: profiles that rest on them come out otherwise.
    pub missing: u64,
    /// Up to where each partition was read.
    pub ends: Vec<u64>,
}

/// Folds `log`, of so many `partitions`, by `rules` and gives `take` the rows that are `wanted`. What is appended meanwhile is
/// left out. `progress` is told how far it is.
pub async fn frames(
    log: &ReadOnlyLog,
    partitions: u32,
    rules: FoldRules,
    wanted: Wanted,
    take: Take,
    mut progress: impl FnMut(FramesProgress) + Send,
) -> Result<Framed, FramesError> {
    let begins = log.offsets_at(ACTIONS, EpochMs::default()).await;
    let begins = begins.map_err(ProcessorError::from)?;
    let ends = log
        .end_offsets(ACTIONS)
        .await
        .map_err(ProcessorError::from)?;
    let range = Range { begins, ends };
    let total = range.offsets() * 2;
    let mut tell = |done| progress(FramesProgress { done, total });

    let latest = plan::latest(&wanted);
    let lanes = Lanes::start(|| links::Finding::new(partitions, latest));
    let (found, actions) = lanes.read(log, &range, &mut tell).await?;
    let links = links::Links::of(&found);
    drop(found);

    let plan = Arc::new(Plan::of(wanted, links));
    let gathering = Arc::new(Gathering::new(Arc::clone(&plan), rules, take));
    let lanes = Lanes::start(|| Fold::new(partitions, rules, &plan, &gathering));
    let half = range.offsets();
    let (folds, _) = lanes
        .read(log, &range, &mut |done| tell(half + done))
        .await?;
    let mut fates = Fates::default();
    for fold in folds {
        fates.add(fold.finish()?);
    }
    gathering.finish()?;
    Ok(Framed {
        actions,
        fates,
        missing: range.begins.iter().sum(),
        ends: range.ends,
    })
}

#[cfg(test)]
mod tests;
