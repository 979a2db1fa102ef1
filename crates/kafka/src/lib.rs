//! The log on Apache Kafka, or on anything that speaks its protocol, through librdkafka.
//!
//! # Why each event takes effect exactly once
//!
//! 1. **Append.** One idempotent producer with `acks=all` writes for the whole process. [`append`] answers once the
//!    broker acknowledged every record of the call; a record sent again after a lost answer is stored once, in order.
//! 2. **Read.** Every consumer is `read_committed`: what an aborted transaction wrote is never seen, and nothing is seen
//!    beyond a transaction that is still open. [`end_offsets`] first asks for the end of everything written, then waits
//!    until the open transactions below it are decided. So what was committed before the call lies below the answer,
//!    even while the broker is still writing the markers of that commit: a restore up to it misses nothing.
//! 3. **Own.** A partition is handed over only after its owner released it. The member's thread answers the group (and
//!    so lets the others go on) only then.
//! 4. **Commit.** Outputs and offsets go in one transaction. It carries the group's generation *as it was when the member
//!    was told of its assignment*, not as it is now: a member that lost its partitions and joined again meanwhile is
//!    refused by the broker for what it folded before. The transactional id is stable per group and member name, so a
//!    restarted instance ends the open transaction of its former self at once and locks it out.
//! 5. **Resume.** [`committed`] waits for a transaction of a former owner that is still open, so the next owner never
//!    starts before an offset that is about to be committed.
//!
//! [`append`]: foretide_ports::Log::append
//! [`end_offsets`]: foretide_ports::Log::end_offsets
//! [`committed`]: foretide_ports::Log::committed
//!
//! # Threads
//!
//! librdkafka blocks; nothing here blocks a thread of the async runtime. A reader and a member have a thread each that
//! polls their consumer and feeds a bounded channel; when the channel is full the thread waits, and librdkafka stops
//! fetching at its own bound. Questions (ends, health, joining, committing) run on a thread of their own, so that no
//! broker that stays silent can hold up the end of the process. Dropping a reader, a member or the log ends its threads.

mod append;
mod batches;
mod blocking;
mod config;
mod context;
mod errors;
mod log;
mod member;
mod queries;
mod reader;
mod refusals;
mod topics;

pub use config::KafkaOptions;
pub use log::KafkaLog;
