//! Reading request bodies within bounds.
//!
//! A body is bounded twice: as sent, and decompressed. Both are kept while it is read, so that memory never holds more than
//! the limits, however small a bomb looks when packed. A body that is refused is read on and thrown away for a while: a
//! client that is still sending would otherwise see a broken connection instead of the reason.

mod asked;
mod encoding;
mod held;
mod zstd;

use std::{
    io::{self, Write as _},
    ops::Deref,
    time::Duration,
};

use axum::{
    body::HttpBody as _,
    http::{Request, header, request::Parts},
};
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::{Lease, MemoryBudget, Problem, ProblemCode};

use encoding::Encoding;
use held::{Full, Held};

pub use asked::RequestBody;

/// How much of a refused body is thrown away before the connection is given up instead, and for how long.
const DISCARD_BYTES: u64 = 64 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// How large a body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// As sent, compressed or not, in bytes.
    pub sent_bytes: usize,
    /// Decompressed, in bytes.
    pub decompressed_bytes: usize,
}

/// A body in memory, with the part of the budget that it takes.
#[derive(Debug)]
pub struct HeldBody {
    bytes: Bytes,
    _lease: Lease,
}

impl Deref for HeldBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A body that has not been read yet, or not to its end.
pub struct BodyReader {
    body: RequestBody,
    encoding: Result<Encoding, Problem>,
    /// Whether the client waits for a go-ahead before it sends the body.
    waits: bool,
    received_bytes: u64,
}

/// Reads the body of `request` within `limits`; a refused one is discarded.
pub async fn read_body<B: Into<RequestBody>>(
    request: Request<B>,
    limits: BodyLimits,
    budget: &MemoryBudget,
) -> Result<(Parts, HeldBody), Problem> {
    let (parts, mut reader) = BodyReader::of(request);
    match reader.read(limits, budget).await {
        Ok(body) => Ok((parts, body)),
        Err(problem) => {
            // In a box, as all that is seldom waited for: a request is moved with the room for everything it may come to.
            Box::pin(reader.discard()).await;
            Err(problem)
        }
    }
}

impl BodyReader {
    /// Takes the body off `request`.
    pub fn of<B: Into<RequestBody>>(request: Request<B>) -> (Parts, Self) {
        let (parts, body) = request.into_parts();
        let reader = Self {
            body: body.into(),
            encoding: Encoding::of(&parts.headers),
            waits: parts.headers.contains_key(header::EXPECT),
            received_bytes: 0,
        };
        (parts, reader)
    }

    /// Reads the whole body, decompressing gzip and zstd. Bytes beyond `limits` are never held.
    pub async fn read(
        &mut self,
        limits: BodyLimits,
        budget: &MemoryBudget,
    ) -> Result<HeldBody, Problem> {
        let sent = self.body.size_hint();
        if sent.lower() > limits.sent_bytes as u64 {
            return Err(too_large("the body has", limits.sent_bytes));
        }
        match self.encoding.clone()? {
            Encoding::Plain => self.read_plain(limits, budget).await,
            Encoding::Gzip => Box::pin(self.read_gzip(limits, budget)).await,
            Encoding::Zstd => Box::pin(self.read_zstd(limits, budget)).await,
        }
    }

    async fn read_zstd(
        &mut self,
        limits: BodyLimits,
        budget: &MemoryBudget,
    ) -> Result<HeldBody, Problem> {
        let packed = Held::new(limits.sent_bytes, budget);
        let packed = self.gather(packed, limits.sent_bytes).await?;
        zstd::unpack(&packed, limits.decompressed_bytes, budget)
    }

    async fn read_plain(
        &mut self,
        limits: BodyLimits,
        budget: &MemoryBudget,
    ) -> Result<HeldBody, Problem> {
        let limit = limits.sent_bytes.min(limits.decompressed_bytes);
        self.gather(Held::new(limit, budget), limits.sent_bytes)
            .await
    }

    /// The body as it was sent.
    async fn gather(&mut self, mut held: Held, limit_bytes: usize) -> Result<HeldBody, Problem> {
        while let Some(chunk) = self.chunk(limit_bytes).await? {
            if held.is_empty() && self.body.is_end_stream() && chunk.len() <= held.limit() {
                // All of it came in one piece, as small bodies do: no need to copy it.
                return held.into_body_of(chunk).map_err(refused);
            }
            held.take(&chunk).map_err(refused)?;
        }
        Ok(held.into_body())
    }

    async fn read_gzip(
        &mut self,
        limits: BodyLimits,
        budget: &MemoryBudget,
    ) -> Result<HeldBody, Problem> {
        let mut decoder = MultiGzDecoder::new(Held::new(limits.decompressed_bytes, budget));
        while let Some(chunk) = self.chunk(limits.sent_bytes).await? {
            decoder.write_all(&chunk).map_err(unpacking)?;
        }
        if self.received_bytes == 0 {
            return Err(unpacking(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(decoder.finish().map_err(unpacking)?.into_body())
    }

    /// The next piece, counted against `limit_bytes`.
    async fn chunk(&mut self, limit_bytes: usize) -> Result<Option<Bytes>, Problem> {
        while let Some(frame) = self.body.frame().await {
            let broken = |_| Problem::new(ProblemCode::UnreadableBody, "the body broke off");
            if let Ok(chunk) = frame.map_err(broken)?.into_data() {
                self.received_bytes += chunk.len() as u64;
                if self.received_bytes > limit_bytes as u64 {
                    return Err(too_large("the body has", limit_bytes));
                }
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    /// Throws away what is left of a refused body, up to a bound in bytes and time.
    pub async fn discard(&mut self) {
        if self.waits && self.received_bytes == 0 {
            return; // It has not been told to go ahead, and will not be.
        }
        let _ = timeout(DISCARD_TIME, async {
            while let Some(Ok(frame)) = self.body.frame().await {
                self.received_bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
                if self.received_bytes > DISCARD_BYTES {
                    return;
                }
            }
        })
        .await;
    }
}

/// Says why unpacking gzip ended.
#[expect(clippy::needless_pass_by_value, reason = "used with `map_err`")]
fn unpacking(error: io::Error) -> Problem {
    let full = error.get_ref().and_then(|inner| inner.downcast_ref());
    full.map_or_else(|| not_whole("gzip", &error), |full| unpacked_is(*full))
}

/// Refuses a body that is not what its encoding says.
fn not_whole(encoding: &str, cause: &dyn std::fmt::Display) -> Problem {
    let detail = format!("the body is not whole {encoding}: {cause}");
    Problem::new(ProblemCode::UnreadableBody, detail).at("Content-Encoding")
}

/// Refuses a body that cannot be held as it was sent.
fn refused(full: Full) -> Problem {
    match full {
        Full::Limit(limit) => too_large("the body has", limit),
        Full::Budget => over_budget(),
    }
}

/// Refuses a body that cannot be held unpacked.
fn unpacked_is(full: Full) -> Problem {
    match full {
        Full::Limit(limit) => too_large("the body decompresses to", limit),
        Full::Budget => over_budget(),
    }
}

fn too_large(what: &str, limit: usize) -> Problem {
    Problem::new(
        ProblemCode::TooLarge,
        format!("{what} more than {limit} bytes"),
    )
}

fn over_budget() -> Problem {
    let detail = "the requests in flight hold as many bytes as may be held: try again";
    Problem::new(ProblemCode::Overloaded, detail).retry_after_s(1)
}

#[cfg(test)]
mod tests;
