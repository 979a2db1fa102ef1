//! Lanes: each shopper's actions go into one, which has at most one batch under way, so they are never overtaken.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use foretide_runtime::CancellationToken;
use tokio::{
    sync::mpsc::{
        self,
        error::{TryRecvError, TrySendError},
    },
    task::JoinSet,
};

use super::{args::Format, tally::Tally};
use crate::sending::Sender;

/// For so long a batch is added to before it is sent.
const LINGER: Duration = Duration::from_millis(5);
/// The most bytes of items in one batch: below the half megabyte that Segment's API allows.
const MAX_BATCH_BYTES: usize = 400 * 1024;
/// How many actions may wait in a lane.
const WAITING: usize = 20_000;

/// An action on its way.
pub(super) struct Item {
    pub(super) due: Instant,
    pub(super) json: Vec<u8>,
}

/// Where actions are put in.
pub(super) struct Lanes {
    into: Vec<mpsc::Sender<Item>>,
}

impl Lanes {
    /// Opens `count` lanes that send up to `batch` actions at once. The set ends when the lanes are closed and all is
    /// answered, or at the first refusal of a whole batch.
    pub(super) fn open(
        count: u16,
        batch: u16,
        format: Format,
        sender: &Sender,
        tally: &Arc<Tally>,
    ) -> (Self, JoinSet<anyhow::Result<()>>) {
        let mut running = JoinSet::new();
        let into = (0..count)
            .map(|_| {
                let (into, items) = mpsc::channel(WAITING);
                let lane = Lane {
                    items,
                    most: batch.into(),
                    format,
                    carried: None,
                };
                running.spawn(lane.run(sender.clone(), tally.clone()));
                into
            })
            .collect();
        (Self { into }, running)
    }

    /// Puts an action of `shopper` into the shopper's lane, waiting while it is full. `false` when the lane has ended, or when
    /// it is full and `stop` was called for.
    pub(super) fn put(&self, shopper: u32, mut item: Item, stop: &CancellationToken) -> bool {
        let lane = &self.into[shopper as usize % self.into.len()];
        loop {
            match lane.try_send(item) {
                Ok(()) => return true,
                Err(TrySendError::Full(back)) if !stop.is_cancelled() => item = back,
                Err(_) => return false,
            }
            std::thread::sleep(LINGER);
        }
    }
}

struct Lane {
    items: mpsc::Receiver<Item>,
    most: usize,
    format: Format,
    /// What did not fit into the last batch.
    carried: Option<Item>,
}

impl Lane {
    async fn run(mut self, sender: Sender, tally: Arc<Tally>) -> anyhow::Result<()> {
        while let Some((body, dues)) = self.next_batch().await {
            let answered = sender
                .send(body, dues.len(), |cause| tally.retried(cause))
                .await?;
            tally.answered(&answered, &dues);
        }
        Ok(())
    }

    /// The body of the next batch, and when its actions were due; `None` when there are no more.
    async fn next_batch(&mut self) -> Option<(Vec<u8>, Vec<Instant>)> {
        let first = match self.carried.take() {
            Some(item) => item,
            None => self.items.recv().await?,
        };
        let mut body = self.format.route().1.to_vec();
        let mut dues = Vec::new();
        append(&first, &mut body, &mut dues);
        let mut lingered = false;
        while dues.len() < self.most {
            match self.items.try_recv() {
                Ok(item) if body.len() + item.json.len() > MAX_BATCH_BYTES => {
                    self.carried = Some(item);
                    break;
                }
                Ok(item) => append(&item, &mut body, &mut dues),
                Err(TryRecvError::Empty) if !lingered => {
                    lingered = true;
                    tokio::time::sleep(LINGER).await;
                }
                Err(_) => break,
            }
        }
        body.extend_from_slice(b"]}");
        Some((body, dues))
    }
}

fn append(item: &Item, body: &mut Vec<u8>, dues: &mut Vec<Instant>) {
    if !dues.is_empty() {
        body.push(b',');
    }
    body.extend_from_slice(&item.json);
    dues.push(item.due);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lane_holds_nobody_up_who_was_asked_to_stop() {
        let (into, _items) = mpsc::channel(1);
        let lanes = Lanes { into: vec![into] };
        let item = || Item {
            due: Instant::now(),
            json: Vec::new(),
        };
        let stop = CancellationToken::new();
        assert!(lanes.put(7, item(), &stop));
        stop.cancel();
        assert!(!lanes.put(7, item(), &stop));
    }

    #[tokio::test]
    async fn batches_keep_the_order_and_both_limits() {
        let (into, items) = mpsc::channel(100);
        for bytes in [1, 2, 3, MAX_BATCH_BYTES, 5] {
            let json = vec![b'1'; bytes];
            into.send(Item {
                due: Instant::now(),
                json,
            })
            .await
            .unwrap();
        }
        drop(into);
        let mut lane = Lane {
            items,
            most: 2,
            format: Format::Segment,
            carried: None,
        };
        let mut sizes = Vec::new();
        while let Some((body, dues)) = lane.next_batch().await {
            assert!(body.starts_with(b"{\"batch\":[1") && body.ends_with(b"1]}"));
            sizes.push(dues.len());
        }
        assert_eq!(sizes, [2, 1, 1, 1]);
    }
}
