//! What an import says at its end, and whether its sums hold.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::{fates::Fates, tally::Totals};

/// The summary of one import. The fates are unknown without the admin key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    /// Whom the server counts the events for: `import:<run>`.
    pub(crate) source: String,
    /// Rows of the file.
    pub(crate) sent: u64,
    /// Events that the server says are stored.
    pub(crate) accepted: u64,
    /// Rows and events refused, by reason.
    pub(crate) rejected: BTreeMap<String, u64>,
    /// Copies on the log beyond the accepted: stored, but the reply was lost, so sent again.
    pub(crate) resent: Option<i64>,
    /// Events that became part of a profile.
    pub(crate) folded: Option<u64>,
    /// Events that were there already.
    pub(crate) duplicate: Option<u64>,
    /// Events older than the profiles reach back.
    pub(crate) late: Option<u64>,
}

/// Sums that do not hold. Each would be a fault of Foretide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{sent} rows were read, but {accepted} accepted and {rejected} rejected")]
    Receipts {
        sent: u64,
        accepted: u64,
        rejected: u64,
    },
    #[error("{accepted} events were accepted, but only {on_the_log} are on the log")]
    Lost { accepted: u64, on_the_log: u64 },
    #[error(
        "{resent} more events are on the log than were accepted, though nothing was sent twice"
    )]
    Unexplained { resent: i64 },
}

impl Summary {
    pub(crate) fn new(source: String, totals: &Totals, fates: Option<Fates>) -> Self {
        let difference =
            |fates: Fates| fates.on_the_log().cast_signed() - totals.accepted.cast_signed();
        Self {
            source,
            sent: totals.rows,
            accepted: totals.accepted,
            rejected: totals.rejected.clone(),
            resent: fates.map(difference),
            folded: fates.map(|fates| fates.folded),
            duplicate: fates.map(|fates| fates.duplicate),
            late: fates.map(|fates| fates.late),
        }
    }

    /// Checks the sums, of an import that tried again `retries` times.
    pub(crate) fn check(&self, retries: u64) -> Result<(), Fault> {
        let (sent, accepted, rejected) = (self.sent, self.accepted, self.rejected.values().sum());
        if sent != accepted + rejected {
            return Err(Fault::Receipts {
                sent,
                accepted,
                rejected,
            });
        }
        match self.resent {
            Some(resent) if resent < 0 => Err(Fault::Lost {
                accepted,
                on_the_log: accepted.saturating_add_signed(resent),
            }),
            Some(resent) if resent > 0 && retries == 0 => Err(Fault::Unexplained { resent }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} rows, {} accepted",
            self.source, self.sent, self.accepted
        )?;
        for (reason, count) in &self.rejected {
            write!(f, ", {count} rejected ({reason})")?;
        }
        if let (Some(folded), Some(duplicate), Some(late), Some(resent)) =
            (self.folded, self.duplicate, self.late, self.resent)
        {
            write!(f, "; {folded} folded, {duplicate} duplicate, {late} late")?;
            if resent > 0 {
                write!(f, " ({resent} of them copies sent again)")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(rows: u64, accepted: u64, rejected: u64) -> Totals {
        let rejected = BTreeMap::from([("unreadable_row".to_owned(), rejected)]);
        Totals {
            rows,
            accepted,
            rejected,
            retries: 0,
        }
    }

    fn summary(totals: &Totals, folded: u64, duplicate: u64) -> Summary {
        Summary::new(
            "import:x".to_owned(),
            totals,
            Some(Fates {
                folded,
                duplicate,
                late: 0,
            }),
        )
    }

    #[test]
    fn every_row_has_a_receipt_and_every_stored_event_a_fate() {
        let summary = summary(&totals(10, 8, 2), 8, 0);
        assert_eq!(summary.resent, Some(0));
        assert_eq!(summary.check(0), Ok(()));
    }

    #[test]
    fn copies_on_the_log_are_explained_by_retries_alone() {
        let summary = summary(&totals(8, 8, 0), 8, 3);
        assert_eq!(summary.resent, Some(3));
        assert_eq!(summary.check(1), Ok(()));
        assert_eq!(summary.check(0), Err(Fault::Unexplained { resent: 3 }));
    }

    #[test]
    fn accepted_events_that_are_not_on_the_log_are_an_error() {
        let fault = summary(&totals(8, 8, 0), 7, 0).check(5).unwrap_err();
        assert_eq!(
            fault,
            Fault::Lost {
                accepted: 8,
                on_the_log: 7
            }
        );
    }

    #[test]
    fn a_row_without_a_receipt_is_an_error() {
        assert!(matches!(
            summary(&totals(10, 8, 1), 8, 0).check(9),
            Err(Fault::Receipts { .. })
        ));
    }

    #[test]
    fn without_fates_they_are_null() {
        let summary = Summary::new("import:x".to_owned(), &totals(1, 1, 0), None);
        assert_eq!(
            serde_json::to_string(&summary).unwrap(),
            r#"{"source":"import:x","sent":1,"accepted":1,"rejected":{"unreadable_row":0},"resent":null,"folded":null,"duplicate":null,"late":null}"#
        );
        assert_eq!(summary.check(0), Ok(()));
    }
}
