//! Which devices turned out to be whose: what was shown to one before that was known was shown to the shopper.

use std::collections::{BTreeMap, BTreeSet};

use foretide_events::ShopperId;

/// The devices of shoppers of whom points are held.
#[derive(Clone, Debug)]
pub(super) struct Devices {
    most: usize,
    by_shopper: BTreeMap<ShopperId, BTreeSet<ShopperId>>,
    all: BTreeSet<ShopperId>,
}

impl Devices {
    /// Knows of `most` devices at most: of any beyond, what they were shown counts for nobody else.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            by_shopper: BTreeMap::new(),
            all: BTreeSet::new(),
        }
    }

    /// `device` is one of `shopper`. Says whether that is news.
    pub(super) fn note(&mut self, shopper: ShopperId, device: ShopperId) -> bool {
        let is_news = self.all.len() < self.most && self.all.insert(device);
        if is_news {
            self.by_shopper.entry(shopper).or_default().insert(device);
        }
        is_news
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
        assert!(!devices.note(shopper, three));
        assert_eq!(
            devices.names(&shopper).collect::<Vec<_>>(),
            [&shopper, &one, &two]
        );
        assert_eq!(devices.names(&one).collect::<Vec<_>>(), [&one]);
        assert!(devices.is_one(&two) && !devices.is_one(&three) && !devices.is_one(&shopper));
    }
}
