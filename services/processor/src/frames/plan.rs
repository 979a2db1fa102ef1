//! Which instants of which shopper are to be kept, and for what.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use foretide_events::{EpochMs, ShopperId};

use super::{Wanted, links::Links};

/// An instant at which a shopper's profile is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: EpochMs,
    /// Whether there is a row of the shopper's own.
    pub(super) own: bool,
    /// The known shopper with a row at that instant who was linked by then.
    pub(super) for_known: Option<ShopperId>,
}

/// What is wanted, by shopper.
pub(super) struct Plan {
    wanted: ByShopper,
    links: Links,
}

enum ByShopper {
    Everyone(EpochMs),
    /// Instants and row numbers, sorted.
    Rows(HashMap<ShopperId, Vec<(EpochMs, u64)>, RandomState>),
}

/// The latest instant that is asked about.
pub(super) fn latest(wanted: &Wanted) -> EpochMs {
    let none = EpochMs(i64::MIN);
    match wanted {
        Wanted::Everyone(at) => *at,
        Wanted::Rows(rows) => rows.iter().map(|(_, at)| *at).max().unwrap_or(none),
    }
}

impl Plan {
    pub(super) fn of(wanted: Wanted, links: Links) -> Self {
        let wanted = match wanted {
            Wanted::Everyone(at) => ByShopper::Everyone(at),
            Wanted::Rows(rows) => {
                let mut by_shopper = HashMap::<_, Vec<_>, RandomState>::default();
                for ((shopper, at), row) in rows.into_iter().zip(0..) {
                    by_shopper.entry(shopper).or_default().push((at, row));
                }
                for rows in by_shopper.values_mut() {
                    rows.sort_unstable();
                }
                ByShopper::Rows(by_shopper)
            }
        };
        Self { wanted, links }
    }

    /// The instants of `shopper` that are to be kept, the earliest first; none if nothing is wanted of it.
    pub(super) fn moments(&self, shopper: &ShopperId) -> Vec<Moment> {
        let mut moments: Vec<Moment> = Vec::new();
        let own = self.instants(shopper, EpochMs(i64::MIN));
        moments.extend(own.map(|at| Moment {
            at,
            own: true,
            for_known: None,
        }));
        if let Some(link) = self.links.of_source(shopper) {
            let linked = self.instants(&link.known, link.at);
            let counts = linked.filter(|at| {
                let mut sources = self.links.sources(&link.known, *at);
                sources.any(|source| source == *shopper)
            });
            for at in counts {
                match moments.binary_search_by_key(&at, |moment| moment.at) {
                    Ok(place) => moments[place].for_known = Some(link.known),
                    Err(place) => moments.insert(
                        place,
                        Moment {
                            at,
                            own: false,
                            for_known: Some(link.known),
                        },
                    ),
                }
            }
        }
        moments
    }

    /// The rows of `shopper` at `at`; `None` where there is one of everyone, whose number is the next one free.
    pub(super) fn rows(
        &self,
        shopper: &ShopperId,
        at: EpochMs,
    ) -> Option<impl Iterator<Item = u64>> {
        let ByShopper::Rows(rows) = &self.wanted else {
            return None;
        };
        let rows = rows.get(shopper).map(Vec::as_slice).unwrap_or_default();
        let first = rows.partition_point(|(instant, _)| *instant < at);
        let of_instant = rows[first..]
            .iter()
            .take_while(move |(instant, _)| *instant == at);
        Some(of_instant.map(|(_, row)| *row))
    }

    /// How many devices contribute to the row of `known` at `at`.
    pub(super) fn parts(&self, known: &ShopperId, at: EpochMs) -> usize {
        self.links.sources(known, at).count()
    }

    /// Whose parts they are, in the order in which they were linked.
    pub(super) fn sources(
        &self,
        known: &ShopperId,
        at: EpochMs,
    ) -> impl Iterator<Item = ShopperId> {
        self.links.sources(known, at)
    }

    /// The instants from `from` on at which there is a row of `shopper`, each once.
    fn instants(&self, shopper: &ShopperId, from: EpochMs) -> impl Iterator<Item = EpochMs> {
        let (everyone, rows) = match &self.wanted {
            ByShopper::Everyone(at) => (Some(*at), None),
            ByShopper::Rows(rows) => (None, rows.get(shopper)),
        };
        let mut before = None;
        let of_rows = rows.into_iter().flatten().map(|(at, _)| *at);
        everyone
            .into_iter()
            .chain(of_rows)
            .filter(move |at| *at >= from && before.replace(*at) != Some(*at))
    }
}
