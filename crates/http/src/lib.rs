//! What all HTTP services of the product share: who calls, how large a body may be, how a refusal looks, how a request is
//! logged, counted and bounded, and the admin port.
//!
//! A service's router is a table of routes, wrapped twice:
//!
//! ```text
//!   observe ( merge of all services            one log event and two metrics per request; 404 and 405 as problems
//!     protect ( routes of one service ) )      panics → 500, time limit, bound on requests in flight
//! ```
//!
//! The few routes that are asked most are answered in [`Front`] of the router, within the same bounds. Bodies are read by
//! a [`BodyReader`] under [`BodyLimits`] and a process-wide [`MemoryBudget`], so that memory stays flat whatever is sent.
//! It never logs an id, a key or a query string, and knows nothing of shoppers.

mod admin;
mod around;
mod body;
mod budget;
mod config;
mod cors;
mod direct;
mod json;
mod keys;
mod observe;
pub mod openapi;
mod problem;
mod protect;
mod serve;

pub use admin::admin_router;
pub use around::{Around, AroundLayer, answered, around};
pub use body::{BodyLimits, BodyReader, HeldBody, RequestBody, read_body};
pub use budget::{Lease, MemoryBudget};
pub use config::{AdminConfig, HttpConfig, KeysConfig};
pub use cors::open_to_pages;
pub use direct::{Answer, AnswerBody, DirectRoute, Front, FrontFuture, routed};
pub use json::{direct_answer, json_answer, parse_json};
pub use keys::{KeyFingerprint, Keys, Role, key_digest, missing_key, presented_key};
pub use observe::{BatchFacts, HttpMetrics, observe};
pub use problem::{PROBLEM_JSON, Problem, ProblemCode};
pub use protect::{Protection, protect};
pub use serve::{Answering, serve};
