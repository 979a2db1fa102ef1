//! Learning the reference from a table of profiles.

use foretide_events::Text;
use foretide_features::{Reference, ReferenceLearner};
use foretide_ports::ProfileTable;
use foretide_runtime::CancellationToken;

/// After how many shoppers to look whether to stop.
const LOOK_EVERY: usize = 4096;

/// A reference without a name, and what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Learnt {
    pub(crate) reference: Reference,
    pub(crate) shoppers: u64,
}

/// Learns from every profile of `table`, each locked only while it is looked at; `None` if `stop` came first.
///
/// Shoppers are taken in their order, so that the same profiles teach the same to the last bit. An anonymous shopper who has
/// become known is passed over: what is known of the person is part of the known shopper's profile.
pub(crate) fn learn(table: &ProfileTable, stop: &CancellationToken) -> Option<Learnt> {
    let (mut learner, mut shoppers) = (ReferenceLearner::default(), 0);
    for partition in 0..table.partitions() {
        let mut of_partition: Vec<_> = table.shoppers(partition).flatten().collect();
        of_partition.sort_unstable();
        for some in of_partition.chunks(LOOK_EVERY) {
            if stop.is_cancelled() {
                return None;
            }
            for shopper in some {
                let learnt = table.read(shopper, |profile| {
                    let counts = profile.link().is_none();
                    if counts {
                        learner.add(profile.state());
                    }
                    counts
                });
                shoppers += u64::from(learnt.unwrap_or(false));
            }
        }
    }
    Some(Learnt {
        reference: learner.finish(Text::default()),
        shoppers,
    })
}
