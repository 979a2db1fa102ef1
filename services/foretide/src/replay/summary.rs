//! What a replay says in the end.

use std::{fmt, time::Duration};

use foretide_events::ShopperId;
use foretide_processor::{
    DigestReport,
    replay::{Differences, Replay, Replayed, Stretch},
};
use serde::Serialize;

/// What a replay came to.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    digest: String,
    shoppers: u64,
    /// Events folded again, whatever their fate.
    events: u64,
    folded: u64,
    duplicate: u64,
    late: u64,
    /// Records in the range that are no events.
    dead_letters: u64,
    /// Whether all of the range was folded.
    complete: bool,
    group: String,
    /// What was folded here of each partition.
    partitions: Vec<PartitionLine>,
    seconds: f64,
    events_per_second: f64,
    /// The comparison with what is published, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<Check>,
}

#[derive(Debug, Serialize)]
struct PartitionLine {
    partition: u32,
    #[serde(flatten)]
    stretch: Stretch,
}

/// The comparison with what is published.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    compared: u64,
    differ: u64,
    /// The first of those that differ.
    shoppers: Vec<ShopperId>,
}

impl Check {
    pub(super) fn of(found: Differences) -> Self {
        Self {
            compared: found.compared,
            differ: found.differ,
            shoppers: found.first,
        }
    }
}

/// Why a replay that ended is no success.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failed {
    #[error(
        "asked to end with {left} actions of the range still to fold; what is above covers the others. A replay cannot go on \
         where another stopped: run it again, or a smaller range (--from, --to)"
    )]
    Interrupted {
        /// Offsets left.
        left: u64,
    },
    #[error(
        "{differ} of {compared} shoppers have another profile than what is published. If retention has taken actions that \
         profiles rest on, that is why; else look at `foretide topics tail profiles --shopper ID` and its actions"
    )]
    Differ {
        /// Shoppers that differ.
        differ: u64,
        /// Of how many.
        compared: u64,
    },
}

impl Summary {
    pub(super) fn of(
        replay: &Replay,
        replayed: &Replayed,
        check: Option<Check>,
        took: Duration,
    ) -> Self {
        let DigestReport {
            digest, shoppers, ..
        } = replayed.folded.digest();
        let fates = replayed.folded.counts.total();
        let seconds = took.as_secs_f64();
        let line = |(partition, stretch): (&u32, &Stretch)| PartitionLine {
            partition: *partition,
            stretch: *stretch,
        };
        Self {
            digest,
            shoppers,
            events: fates.total(),
            folded: fates.folded,
            duplicate: fates.duplicate,
            late: fates.late,
            dead_letters: replayed.folded.counts.dead_letters(),
            complete: replayed.is_complete,
            group: replay.group.as_str().to_owned(),
            partitions: replayed.stretches.iter().map(line).collect(),
            seconds,
            events_per_second: (fates.total() as f64 / seconds.max(1e-3)).round(),
            check,
        }
    }

    /// Whether the command succeeded.
    pub(super) fn verdict(&self) -> Result<(), Failed> {
        if !self.complete {
            let left = |line: &PartitionLine| line.stretch.to - line.stretch.reached;
            let left = self.partitions.iter().map(left).sum();
            return Err(Failed::Interrupted { left });
        }
        match &self.check {
            Some(Check {
                differ, compared, ..
            }) if *differ > 0 => Err(Failed::Differ {
                differ: *differ,
                compared: *compared,
            }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}  {} shoppers, {} events folded",
            self.digest, self.shoppers, self.folded
        )?;
        write!(
            f,
            "{} events in {:.1} s ({} a second): {} folded, {} duplicate, {} late",
            self.events,
            self.seconds,
            self.events_per_second,
            self.folded,
            self.duplicate,
            self.late
        )?;
        if self.dead_letters > 0 {
            write!(f, "; {} records were no events", self.dead_letters)?;
        }
        if !self.complete {
            for PartitionLine { partition, stretch } in &self.partitions {
                let Stretch { from, to, reached } = stretch;
                write!(
                    f,
                    "\n  partition {partition}: {reached} reached of {from} to {to}"
                )?;
            }
        }
        if let Some(check) = &self.check {
            write!(
                f,
                "\n{} shoppers compared with what is published, {} differ",
                check.compared, check.differ
            )?;
            for shopper in &check.shoppers {
                write!(f, "\n  {shopper}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(reached: u64, differ: u64) -> Summary {
        let stretch = Stretch {
            from: 0,
            to: 10,
            reached,
        };
        Summary {
            digest: "d1".to_owned(),
            shoppers: 3,
            events: 10,
            folded: 9,
            duplicate: 1,
            late: 0,
            dead_letters: 0,
            complete: reached == 10,
            group: "g".to_owned(),
            partitions: vec![PartitionLine {
                partition: 0,
                stretch,
            }],
            seconds: 0.5,
            events_per_second: 20.0,
            check: Some(Check {
                compared: 3,
                differ,
                shoppers: vec![ShopperId([7; 16]); usize::from(differ > 0)],
            }),
        }
    }

    #[test]
    fn a_replay_fails_when_it_was_cut_short_or_profiles_differ() {
        assert_eq!(summary(10, 0).verdict(), Ok(()));
        assert_eq!(
            summary(4, 0).verdict(),
            Err(Failed::Interrupted { left: 6 })
        );
        let differ = Failed::Differ {
            differ: 2,
            compared: 3,
        };
        assert_eq!(summary(10, 2).verdict(), Err(differ));
    }

    #[test]
    fn what_differs_and_what_is_left_is_named() {
        assert!(summary(4, 0).to_string().contains("4 reached of 0 to 10"));
        assert!(summary(10, 1).to_string().contains(&"07".repeat(16)));
    }
}
