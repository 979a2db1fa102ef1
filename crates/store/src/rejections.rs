//! Counts of rejected events.

use std::collections::BTreeMap;

use foretide_events::{RejectionReason, SourceId};
use foretide_ports::{BatchId, RejectionCount, StoreError};

use crate::{connection::Value, session::Session};

/// Adds to the counts, unless the batch was added before. Rows are taken in one order, so that two instances never wait for
/// each other.
pub(crate) async fn add(
    session: &mut Session,
    batch: BatchId,
    counts: &[RejectionCount],
) -> Result<(), StoreError> {
    if !is_new(session, batch).await? {
        return Ok(());
    }
    // A sum beyond what a database holds stops at the most.
    let sql = "INSERT INTO foretide_rejections (source, reason, events) VALUES ($1, $2, $3) \
        ON CONFLICT (source, reason) DO UPDATE SET events = CASE \
        WHEN foretide_rejections.events > 9223372036854775807 - excluded.events THEN 9223372036854775807 \
        ELSE foretide_rejections.events + excluded.events END";
    for ((source, reason), count) in summed(counts) {
        let values = [
            Value::text(source.as_str()),
            Value::text(reason.as_str()),
            Value::count(count),
        ];
        session.execute(sql, &values).await?;
    }
    Ok(())
}

/// Writes down that the batch was added. Whether it is the first time; an earlier attempt that the database is still busy
/// with is waited for.
async fn is_new(session: &mut Session, batch: BatchId) -> Result<bool, StoreError> {
    let sql = "INSERT INTO foretide_rejection_batches (writer, batch) VALUES ($1, $2) \
        ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch \
        WHERE foretide_rejection_batches.batch < excluded.batch";
    let values = [
        Value::Text(batch.writer.to_string()),
        Value::count(batch.number),
    ];
    Ok(session.execute(sql, &values).await? > 0)
}

fn summed(counts: &[RejectionCount]) -> BTreeMap<(&SourceId, RejectionReason), u64> {
    let mut summed = BTreeMap::<_, u64>::new();
    for (source, reason, count) in counts.iter().filter(|(_, _, count)| *count > 0) {
        let sum = summed.entry((source, *reason)).or_default();
        *sum = sum.saturating_add(*count);
    }
    summed
}

/// Those of a source. Reasons that only a newer binary knows are passed over.
pub(crate) async fn of(
    session: &mut Session,
    source: &SourceId,
) -> Result<BTreeMap<RejectionReason, u64>, StoreError> {
    let sql = "SELECT reason, events FROM foretide_rejections WHERE source = $1";
    let rows = session.rows(sql, &[Value::text(source.as_str())]).await?;
    let mut counts = BTreeMap::new();
    for row in rows {
        let name = row.text(0)?;
        let known = RejectionReason::ALL.into_iter();
        if let Some(reason) = known.into_iter().find(|reason| reason.as_str() == name) {
            counts.insert(reason, row.count(1)?);
        }
    }
    Ok(counts)
}
