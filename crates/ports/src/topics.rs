//! The topics of the product.

use crate::{Cleanup, TopicName, TopicSpec};

/// Every accepted event, keyed by shopper, JSON.
pub const ACTIONS: TopicName = "foretide.actions";
/// Each shopper's profile after its last applied event, and the counts of each partition.
pub const PROFILES: TopicName = "foretide.profiles";
/// What each linked anonymous shopper contributes to the profile of the known one, keyed by both, in the partition of the
/// known one.
pub const LINKS: TopicName = "foretide.links";
/// What all instances agree on: the log's own id, the pseudonym key's fingerprint, each version of the reference.
pub const ARTEFACTS: TopicName = "foretide.artefacts";
/// Each session that is over, keyed by shopper, JSON.
pub const SESSIONS: TopicName = "foretide.sessions";
/// What models learn from: features at instants of the past, with what came of it, keyed by shopper, JSON.
pub const EXAMPLES: TopicName = "foretide.examples";
/// Each move of a shopper from one cohort to another, keyed by shopper, JSON.
pub const TRANSITIONS: TopicName = "foretide.transitions";
/// Every decision, complete.
pub const DECISIONS: TopicName = "foretide.decisions";
/// Records that could not be processed, with the cause.
pub const DEAD_LETTERS: TopicName = "foretide.dead-letters";

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The declaration of every topic; the shopper-keyed ones have `partitions` partitions each.
pub fn foretide_topics(partitions: u32) -> Vec<TopicSpec> {
    let delete = |days| Cleanup::Delete {
        retention_ms: days * DAY_MS,
    };
    let compact = Cleanup::Compact {
        delete_retention_ms: DAY_MS,
    };
    vec![
        TopicSpec {
            name: ACTIONS,
            partitions,
            cleanup: delete(30),
        },
        TopicSpec {
            name: PROFILES,
            partitions,
            cleanup: compact,
        },
        TopicSpec {
            name: LINKS,
            partitions,
            cleanup: compact,
        },
        TopicSpec {
            name: ARTEFACTS,
            partitions: 1,
            cleanup: compact,
        },
        TopicSpec {
            name: SESSIONS,
            partitions,
            cleanup: delete(30),
        },
        TopicSpec {
            name: EXAMPLES,
            partitions,
            cleanup: delete(90),
        },
        TopicSpec {
            name: TRANSITIONS,
            partitions,
            cleanup: delete(90),
        },
        TopicSpec {
            name: DECISIONS,
            partitions,
            cleanup: delete(90),
        },
        TopicSpec {
            name: DEAD_LETTERS,
            partitions: 1,
            cleanup: delete(90),
        },
    ]
}
