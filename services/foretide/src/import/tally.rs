//! What an import has come to so far, counted by many lanes at once.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::row::Row;
use crate::sending::Answered;

/// The most causes that are named one by one; beyond that only their number is told.
const NAMED: usize = 5;

/// The sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Rows of the file, blank lines and the heading left out.
    pub(crate) rows: u64,
    /// Events the server has stored.
    pub(crate) accepted: u64,
    /// Rows and events refused, by reason.
    pub(crate) rejected: BTreeMap<String, u64>,
    /// Tries that were not answered and made again.
    pub(crate) retries: u64,
}

impl Totals {
    /// All refused.
    pub(crate) fn rejected(&self) -> u64 {
        self.rejected.values().sum()
    }
}

/// The running count. Refusals and failures are told through the function it was made with, the first few of each.
pub(crate) struct Tally {
    totals: Mutex<Totals>,
    tell: Box<dyn Fn(String) + Send + Sync>,
}

impl Tally {
    pub(crate) fn new(tell: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self {
            totals: Mutex::default(),
            tell: Box::new(tell),
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals.lock().clone()
    }

    /// Another row was read.
    pub(crate) fn row(&self) {
        self.totals.lock().rows += 1;
    }

    /// A row or event was refused; `cause` says which and why.
    pub(crate) fn refused(&self, reason: &str, cause: impl FnOnce() -> String) {
        let told = {
            let mut totals = self.totals.lock();
            *totals.rejected.entry(reason.to_owned()).or_default() += 1;
            totals.rejected()
        };
        if told <= NAMED as u64 {
            (self.tell)(format!("refused ({reason}): {}", cause()));
        } else if told == NAMED as u64 + 1 {
            (self.tell)("more refusals follow; the summary counts them".to_owned());
        }
    }

    /// A try to send was not answered.
    pub(crate) fn retried(&self, cause: &str) {
        let retries = {
            let mut totals = self.totals.lock();
            totals.retries += 1;
            totals.retries
        };
        if retries == 1 {
            (self.tell)(format!("{cause}; trying again until it is answered"));
        }
    }

    /// A batch was answered.
    pub(crate) fn answered(&self, answered: &Answered, rows: &[Row]) {
        self.totals.lock().accepted += answered.receipts.accepted;
        for refused in &answered.receipts.rejected {
            // The row itself is not shown: what is told may end in a log, and rows hold ids of people.
            self.refused(&refused.code, || {
                let row = usize::try_from(refused.index)
                    .ok()
                    .and_then(|at| rows.get(at));
                let line = row.map_or(0, |row| row.line);
                let field = refused.field.as_deref().unwrap_or_default();
                format!("line {line}: {field} {}", refused.message)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sending::{Receipts, Refused};

    #[test]
    fn the_first_refusals_are_named_and_all_are_counted() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tally = Tally::new({
            let told = told.clone();
            move |text| told.lock().push(text)
        });
        let refused = |index| Refused {
            code: "invalid_field".to_owned(),
            index,
            field: Some("at".to_owned()),
            message: "is no time".to_owned(),
        };
        let receipts = Receipts {
            accepted: 3,
            rejected: (0..20).map(refused).collect(),
        };
        tally.answered(
            &Answered {
                receipts,
                retries: 0,
            },
            &[Row {
                shopper: 1,
                item: "{}".to_owned(),
                line: 17,
            }],
        );
        assert_eq!(
            told.lock()[0],
            "refused (invalid_field): line 17: at is no time"
        );
        assert_eq!(
            tally.totals().rejected,
            BTreeMap::from([("invalid_field".to_owned(), 20)])
        );
        assert_eq!(tally.totals().accepted, 3);
        assert_eq!(told.lock().len(), NAMED + 1);
    }
}
