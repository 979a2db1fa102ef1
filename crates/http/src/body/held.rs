//! Bytes under a limit and on a lease.

use std::io::{self, Write};

use bytes::Bytes;

use super::HeldBody;
use crate::{Lease, MemoryBudget};

/// Bytes under a limit and on a lease.
pub(super) struct Held {
    bytes: Vec<u8>,
    limit: usize,
    lease: Lease,
}

/// Why no more bytes are held; travels through the decoder inside an [`io::Error`].
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum Full {
    #[error("over the limit of {0} bytes")]
    Limit(usize),
    #[error("over the budget")]
    Budget,
}

impl Held {
    pub(super) fn new(limit: usize, budget: &MemoryBudget) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
            lease: budget.lease(),
        }
    }

    pub(super) fn take(&mut self, more: &[u8]) -> Result<(), Full> {
        let needed = self.bytes.len() + more.len();
        if needed > self.limit {
            return Err(Full::Limit(self.limit));
        }
        if needed > self.bytes.capacity() {
            // Doubling, but never past the limit.
            let capacity = needed.max(2 * self.bytes.capacity()).min(self.limit);
            if !self.lease.grow_to(capacity) {
                return Err(Full::Budget);
            }
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    pub(super) fn into_body(self) -> HeldBody {
        HeldBody {
            bytes: self.bytes.into(),
            _lease: self.lease,
        }
    }

    /// `bytes`, none of which are held yet, as a body.
    pub(super) fn into_body_of(mut self, bytes: Bytes) -> Result<HeldBody, Full> {
        if !self.lease.grow_to(bytes.len()) {
            return Err(Full::Budget);
        }
        Ok(HeldBody {
            bytes,
            _lease: self.lease,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Lets `fill` write into room for `capacity` bytes, all of which are on the lease meanwhile, and keeps what it wrote.
    pub(super) fn fill<E>(
        mut self,
        capacity: usize,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Result<Self, E>, Full> {
        if capacity > self.limit {
            return Err(Full::Limit(self.limit));
        }
        if !self.lease.grow_to(capacity) {
            return Err(Full::Budget);
        }
        let mut bytes = Vec::with_capacity(capacity);
        if let Err(error) = fill(&mut bytes) {
            return Ok(Err(error));
        }
        bytes.shrink_to_fit();
        self.lease.shrink_to(bytes.len());
        self.bytes = bytes;
        Ok(Ok(self))
    }
}

impl Write for Held {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        self.take(more).map_err(io::Error::other)?;
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holding_never_takes_more_memory_than_the_limit() {
        let mut held = Held::new(50_000, &MemoryBudget::new(100_000));
        while held.write_all(&[0; 700]).is_ok() {
            assert!(held.bytes.capacity() <= 50_000);
        }
    }
}
