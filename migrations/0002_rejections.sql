-- How many events ingest rejected, by whom they were sent and why.
CREATE TABLE foretide_rejections (
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    events BIGINT NOT NULL CHECK (events >= 0),
    PRIMARY KEY (source, reason)
);

-- The last batch that each start of ingest has added, so that one whose answer was lost is not added twice.
CREATE TABLE foretide_rejection_batches (
    writer TEXT NOT NULL PRIMARY KEY,
    batch BIGINT NOT NULL CHECK (batch >= 0)
);
