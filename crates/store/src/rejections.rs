//! Counts of rejected events.

use std::collections::BTreeMap;

use foretide_events::{RejectionReason, SourceId};
use foretide_ports::{
    BatchId, RejectionCount, StoreError,
    store::{MOST_IMPORT_RUNS, MOST_WRITERS},
};

use crate::{connection::Value, session::Session};

/// Adds to the counts, unless the batch was added before. Rows are taken in one order, so that two instances never wait for
/// each other.
pub(crate) async fn add(
    session: &mut Session,
    batch: BatchId,
    counts: &[RejectionCount],
) -> Result<(), StoreError> {
    bound(session).await?;
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

/// What is there in numbers, and those that may be. Writers that are no UUIDs of version 7 are of no order and left alone.
const HELD: &str = "SELECT \
    (SELECT COUNT(DISTINCT source) FROM foretide_rejections WHERE source LIKE 'import:%'), \
    (SELECT COUNT(*) FROM foretide_rejection_batches WHERE SUBSTR(writer, 15, 1) = '7')";

/// Forgets import runs and writers beyond their numbers, before the batch at hand is added.
async fn bound(session: &mut Session) -> Result<(), StoreError> {
    let held = session.row(HELD).await?;
    let surplus_runs = held.count(0)? > MOST_IMPORT_RUNS as u64;
    let surplus_writers = held.count(1)? > MOST_WRITERS as u64;
    if !surplus_runs && !surplus_writers {
        return Ok(());
    }
    // Rows are deleted in any order. Both tables are locked in the order in which they are written, before either is, so that
    // instances do not wait for each other; reading goes on. In SQLite there is one who writes anyway.
    if session.is_postgres() {
        let lock = "LOCK TABLE foretide_rejection_batches, foretide_rejections IN EXCLUSIVE MODE";
        session.script(lock).await?;
    }
    // One wants a LIMIT before an OFFSET, the other does not know -1.
    if surplus_runs {
        let sql = "DELETE FROM foretide_rejections WHERE source IN (SELECT source FROM foretide_rejections \
            WHERE source LIKE 'import:%' GROUP BY source ORDER BY MAX(events) DESC, source \
            LIMIT 1000000000 OFFSET $1)";
        let most = Value::count(MOST_IMPORT_RUNS as u64);
        session.execute(sql, &[most]).await?;
    }
    if surplus_writers {
        let sql = "DELETE FROM foretide_rejection_batches WHERE writer IN (SELECT writer FROM foretide_rejection_batches \
            WHERE SUBSTR(writer, 15, 1) = '7' ORDER BY writer DESC LIMIT 1000000000 OFFSET $1)";
        let most = Value::count(MOST_WRITERS as u64);
        session.execute(sql, &[most]).await?;
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
