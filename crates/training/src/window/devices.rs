//! Which devices turned out to be whose: what was shown to one before that was known was shown to the shopper.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use foretide_events::ShopperId;

/// The devices of shoppers of whom points are held.
#[derive(Clone, Debug)]
pub(super) struct Devices {
    most: usize,
    by_shopper: BTreeMap<ShopperId, BTreeSet<ShopperId>>,
    all: BTreeSet<ShopperId>,
    /// Shoppers with their devices, those first that were heard of first.
    order: VecDeque<(ShopperId, ShopperId)>,
}

impl Devices {
    /// Knows of `most` devices at most, those heard of last: what the others were shown counts for nobody else.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            by_shopper: BTreeMap::new(),
            all: BTreeSet::new(),
            order: VecDeque::new(),
        }
    }

    /// `device` is one of `shopper`. Says whether that is news.
    pub(super) fn note(&mut self, shopper: ShopperId, device: ShopperId) -> bool {
        if !self.all.insert(device) {
            return false;
        }
        self.by_shopper.entry(shopper).or_default().insert(device);
        self.order.push_back((shopper, device));
        if self.order.len() > self.most {
            self.forget_first();
        }
        true
    }

    fn forget_first(&mut self) {
        let Some((shopper, device)) = self.order.pop_front() else {
            return;
        };
        self.all.remove(&device);
        if let Some(devices) = self.by_shopper.get_mut(&shopper) {
            devices.remove(&device);
            if devices.is_empty() {
                self.by_shopper.remove(&shopper);
            }
        }
    }

    /// Whether `shopper` is a device that turned out to be someone's.
    pub(super) fn is_one(&self, shopper: &ShopperId) -> bool {
        self.all.contains(shopper)
    }

    /// All names of `shopper`: its own and those of its devices.
    pub(super) fn names<'a>(
        &'a self,
        shopper: &'a ShopperId,
    ) -> impl Iterator<Item = &'a ShopperId> {
        let devices = self.by_shopper.get(shopper);
        std::iter::once(shopper).chain(devices.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_someones_and_news_once_and_no_more_are_known_than_intended() {
        let [shopper, one, two, three] = [1, 2, 3, 4].map(|n| ShopperId([n; 16]));
        let mut devices = Devices::new(2);
        assert!(devices.note(shopper, two) && devices.note(shopper, one));
        assert!(!devices.note(shopper, one));
        assert_eq!(
            devices.names(&shopper).collect::<Vec<_>>(),
            [&shopper, &one, &two]
        );
        assert_eq!(devices.names(&one).collect::<Vec<_>>(), [&one]);
        assert!(devices.is_one(&two) && !devices.is_one(&shopper));
        assert!(devices.note(shopper, three));
        assert!(devices.is_one(&one) && devices.is_one(&three) && !devices.is_one(&two));
        assert_eq!(
            devices.names(&shopper).collect::<Vec<_>>(),
            [&shopper, &one, &three]
        );
    }
}
