//! Lanes: the order of each shopper's events is kept by sending them one batch after another.
//!
//! A shopper's rows all go into one lane. A lane has at most one batch under way and sends the next only when that
//! one is answered, however often it has to be tried again: no batch is ever overtaken by a later one of the same
//! shopper, so the log holds each shopper's events in the order of the file.

use std::sync::Arc;

use tokio::{sync::mpsc, task::JoinSet};

use super::{row::Row, tally::Tally};
use crate::sending::Sender;

/// The most bytes of items in one batch: below the half megabyte that Segment's API allows.
const MAX_BATCH_BYTES: usize = 400 * 1024;

/// Where rows are put in.
pub(crate) struct Lanes {
    into: Vec<mpsc::Sender<Row>>,
}

impl Lanes {
    /// Opens `count` lanes that send up to `batch` events at once, as the list `member` of the body. The set ends when the lanes are closed and all is
    /// answered, or at the first refusal.
    pub(crate) fn open(
        count: usize,
        batch: usize,
        member: &'static str,
        sender: &Sender,
        tally: &Arc<Tally>,
    ) -> (Self, JoinSet<anyhow::Result<()>>) {
        let mut running = JoinSet::new();
        let into = (0..count.max(1))
            .map(|_| {
                let (into, rows) = mpsc::channel(batch.max(1) * 2);
                running.spawn(run(
                    rows,
                    batch.max(1),
                    member,
                    sender.clone(),
                    tally.clone(),
                ));
                into
            })
            .collect();
        (Self { into }, running)
    }

    /// Puts a row into its lane, waiting while the lane is full. `false` when the lane has ended.
    pub(crate) fn put(&self, row: Row) -> bool {
        let lane = usize::try_from(row.shopper % self.into.len() as u64).unwrap_or(0);
        self.into[lane].blocking_send(row).is_ok()
    }
}

async fn run(
    mut rows: mpsc::Receiver<Row>,
    most: usize,
    member: &'static str,
    sender: Sender,
    tally: Arc<Tally>,
) -> anyhow::Result<()> {
    let mut carried = None;
    while let Some(batch) = next_batch(&mut rows, most, &mut carried).await {
        let items: Vec<&str> = batch.iter().map(|row| row.item.as_str()).collect();
        let body = format!("{{\"{member}\":[{}]}}", items.join(","));
        let answered = sender
            .send(body, batch.len(), |cause| tally.retried(cause))
            .await?;
        tally.answered(&answered, &batch);
    }
    Ok(())
}

/// A full batch, or what is left at the end; `None` when nothing is. A row that did not fit is `carried` over.
async fn next_batch(
    rows: &mut mpsc::Receiver<Row>,
    most: usize,
    carried: &mut Option<Row>,
) -> Option<Vec<Row>> {
    let mut bytes = 0;
    let mut batch = Vec::with_capacity(most);
    while batch.len() < most {
        let next = match carried.take() {
            Some(row) => Some(row),
            None => rows.recv().await,
        };
        let Some(row) = next else { break };
        if bytes + row.item.len() > MAX_BATCH_BYTES && !batch.is_empty() {
            *carried = Some(row);
            break;
        }
        bytes += row.item.len() + 1;
        batch.push(row);
    }
    (!batch.is_empty()).then_some(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bytes: usize) -> Row {
        Row {
            shopper: 1,
            item: "x".repeat(bytes),
            line: 1,
        }
    }

    #[tokio::test]
    async fn batches_keep_the_order_and_both_limits() {
        let (into, mut rows) = mpsc::channel(100);
        for bytes in [1, 2, 3, MAX_BATCH_BYTES, 5, MAX_BATCH_BYTES - 6, 7] {
            into.send(row(bytes)).await.unwrap();
        }
        drop(into);
        let mut carried = None;
        let mut sizes = Vec::new();
        while let Some(batch) = next_batch(&mut rows, 3, &mut carried).await {
            sizes.push(batch.iter().map(|row| row.item.len()).collect::<Vec<_>>());
        }
        assert_eq!(
            sizes,
            [
                vec![1, 2, 3],
                vec![MAX_BATCH_BYTES],
                vec![5, MAX_BATCH_BYTES - 6],
                vec![7]
            ]
        );
    }
}
