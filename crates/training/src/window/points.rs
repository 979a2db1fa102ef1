//! The points of one target: the newest, each in its highest revision.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use foretide_events::{EpochMs, ShopperId, Text};
use foretide_features::{CATALOGUE, Feature};
use foretide_models::example::{Example, Point};

/// What became of an example that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is a point that was not held.
    New,
    /// It took the place of an earlier revision, or took that back.
    Revised,
    /// A revision as high or higher is held, or there is nothing to take back.
    Known,
    /// It is older than what a full window holds.
    TooOld,
}

/// A point, as it is held.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) id: Text<128>,
    revision: u64,
    pub(super) at: EpochMs,
    pub(super) partition: u32,
    pub(super) shopper: ShopperId,
    /// `None`: it was taken back.
    pub(super) point: Option<Told>,
}

/// What is told of a point.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) session_started_at: Option<EpochMs>,
    pub(super) session_ended_at: Option<EpochMs>,
    pub(super) weight: f64,
    pub(super) label: Option<bool>,
    pub(super) certain_at: EpochMs,
    /// A value for each feature, in the order of the catalogue; NaN where it is missing.
    pub(super) features: Arc<[f32]>,
}

#[derive(Clone, Debug)]
pub(super) struct Points {
    most: usize,
    /// By id, in the highest revision.
    held: BTreeMap<Text<128>, Held>,
    order: BTreeSet<(EpochMs, Text<128>)>,
    /// The newest that had to leave.
    left: Option<(EpochMs, Text<128>)>,
    /// The newest point of each partition.
    clocks: BTreeMap<u32, EpochMs>,
}

impl Points {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            held: BTreeMap::new(),
            order: BTreeSet::new(),
            left: None,
            clocks: BTreeMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// The instant of the newest point that had to leave.
    pub(super) fn left_at(&self) -> Option<EpochMs> {
        self.left.as_ref().map(|(at, _)| *at)
    }

    /// Those that are held, by instant and id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Held, &Told)> {
        let held = self.order.iter().filter_map(|(_, id)| self.held.get(id));
        held.filter_map(|held| Some((held, held.point.as_ref()?)))
    }

    /// How far `partition` has told of points.
    pub(super) fn clock(&self, partition: u32) -> EpochMs {
        let clock = self.clocks.get(&partition);
        clock.copied().unwrap_or(EpochMs::EARLIEST)
    }

    pub(super) fn take(&mut self, partition: u32, example: Example) -> Taken {
        let Example {
            id,
            revision,
            shopper_id: shopper,
            point,
            ..
        } = example;
        let former = self.held.get(&id);
        if former.is_some_and(|former| former.revision >= revision) {
            return Taken::Known;
        }
        let Some(at) = point.as_ref().map(|point| point.at) else {
            return self.take_back(&id, revision);
        };
        let clock = self.clocks.entry(partition).or_insert(at);
        *clock = (*clock).max(at);
        let place = (at, id.clone());
        if self.left.as_ref().is_some_and(|left| place <= *left) {
            return Taken::TooOld;
        }
        let former = former.map(|former| (former.at, id.clone()));
        let taken = match former {
            Some(former) => {
                self.order.remove(&former);
                Taken::Revised
            }
            None => Taken::New,
        };
        self.order.insert(place);
        let held = Held {
            id: id.clone(),
            revision,
            at,
            partition,
            shopper,
            point: point.as_ref().map(told),
        };
        self.held.insert(id, held);
        self.make_room();
        taken
    }

    /// The point keeps its place, so that what is told once more of it finds that it was taken back.
    fn take_back(&mut self, id: &Text<128>, revision: u64) -> Taken {
        let Some(held) = self.held.get_mut(id) else {
            return Taken::Known;
        };
        held.revision = revision;
        held.point = None;
        Taken::Revised
    }

    fn make_room(&mut self) {
        while self.held.len() > self.most {
            let Some(oldest) = self.order.pop_first() else {
                return;
            };
            self.held.remove(&oldest.1);
            self.left = self.left.take().max(Some(oldest));
        }
    }
}

fn told(point: &Point) -> Told {
    let mut features = vec![f32::NAN; Feature::COUNT];
    for (feature, value) in point.known.values() {
        features[*feature as usize] = *value;
    }
    debug_assert_eq!(features.len(), CATALOGUE.len());
    Told {
        session_started_at: point.session_started_at,
        session_ended_at: point.session_ended_at,
        weight: point.weight,
        label: point.label,
        certain_at: point.certain_at,
        features: features.into(),
    }
}
