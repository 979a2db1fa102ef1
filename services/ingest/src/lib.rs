//! Ingest: takes actions in, over the native API and Segment's, and answers once the log holds them.
//!
//! ```text
//!   request ─▶ who calls ─▶ is the log there ─▶ body within bounds ─▶ a receipt for every event ─▶ append ─▶ reply
//!              401, 403      503                 400, 413, 415, 503    raw ids end here             503
//! ```
//!
//! * A reply of success is sent only after one append of all accepted events returned: they are durable then.
//! * Every event of a readable batch gets its own receipt; a bad one never harms its neighbours.
//! * Raw ids of shoppers live in the body and in the parsers, nowhere else: what is stored or logged holds pseudonyms.
//! * While the log is away everything is refused at once, with `Retry-After`.
//! * With `?dry_run=1` a request goes the same way as far as the receipts, and answers them explained instead of an append:
//!   nothing is stored, and nothing is counted as taken.
//!
//! It never reads the log, and never judges whether an event is a duplicate: only the fold knows.

mod alone;
mod append;
mod caller;
mod config;
mod dry_run;
mod form;
mod intake;
mod metrics;
mod public_url;
mod query;
mod records;
mod rejected;
mod routes;
mod source;
mod start;
mod state;
#[cfg(test)]
mod testing;

pub use alone::IngestAlone;
pub use config::IngestConfig;
pub use metrics::IngestMetrics;
pub use public_url::PublicUrl;
pub use rejected::RejectedCounts;
pub use routes::router;
pub use source::IMPORT_HEADER;
pub use start::{Started, start};
pub use state::IngestState;
