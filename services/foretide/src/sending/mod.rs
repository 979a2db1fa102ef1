//! Sending batches of events to a server until they are answered: what every command that sends shares.

mod backoff;
mod sender;

#[cfg(test)]
pub(crate) use self::sender::Refused;
pub(crate) use self::{
    backoff::Backoff,
    sender::{Answered, Receipts, Sender, cause_of, client, server_url, what_to_do},
};
