//! Reading request bodies within bounds.
//!
//! A body is bounded twice: as sent, and decompressed. Both are kept while it streams in, so that memory never holds more than
//! the limit, however small a bomb looks when packed. A body that is refused is read on and thrown away for a while: a
//! client that is still sending would otherwise see a broken connection instead of the reason.

use std::{
    io::{self, Write},
    ops::Deref,
    time::Duration,
};

use axum::{
    body::{Body, HttpBody as _},
    extract::Request,
    http::{HeaderMap, header, request::Parts},
};
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::{Lease, MemoryBudget, Problem, ProblemCode};

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
    body: Body,
    encoding: Option<Encoding>,
    /// Whether the client waits for a go-ahead before it sends the body.
    waits: bool,
    received_bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Gzip,
}

/// Reads the body of `request` within `limits`; a refused one is discarded.
pub async fn read_body(
    request: Request,
    limits: BodyLimits,
    budget: &MemoryBudget,
) -> Result<(Parts, HeldBody), Problem> {
    let (parts, mut reader) = BodyReader::of(request);
    match reader.read(limits, budget).await {
        Ok(body) => Ok((parts, body)),
        Err(problem) => {
            reader.discard().await;
            Err(problem)
        }
    }
}

impl BodyReader {
    /// Takes the body off `request`.
    pub fn of(request: Request) -> (Parts, Self) {
        let (parts, body) = request.into_parts();
        let reader = Self {
            body,
            encoding: encoding(&parts.headers),
            waits: parts.headers.contains_key(header::EXPECT),
            received_bytes: 0,
        };
        (parts, reader)
    }

    /// Reads the whole body, decompressing gzip. Bytes beyond `limits` are never held.
    pub async fn read(
        &mut self,
        limits: BodyLimits,
        budget: &MemoryBudget,
    ) -> Result<HeldBody, Problem> {
        let sent = self.body.size_hint();
        if sent.lower() > limits.sent_bytes as u64 {
            return Err(too_large("the body has", limits.sent_bytes));
        }
        match self.encoding {
            Some(Encoding::Plain) => self.read_plain(limits, budget).await,
            Some(Encoding::Gzip) => self.read_gzip(limits, budget).await,
            None => {
                let detail = "the body may be sent plain or as gzip";
                Err(Problem::new(ProblemCode::UnsupportedEncoding, detail).at("Content-Encoding"))
            }
        }
    }

    async fn read_plain(
        &mut self,
        limits: BodyLimits,
        budget: &MemoryBudget,
    ) -> Result<HeldBody, Problem> {
        let limit = limits.sent_bytes.min(limits.decompressed_bytes);
        let mut held = Held::new(limit, budget);
        while let Some(chunk) = self.chunk(limits.sent_bytes).await? {
            if held.bytes.is_empty() && self.body.is_end_stream() && chunk.len() <= limit {
                // All of it came in one piece, as small bodies do: no need to copy it.
                return held.into_body_of(chunk);
            }
            held.write_all(&chunk).map_err(unpacking)?;
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

/// How the body is encoded; `None` when in a way that is not taken.
fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else {
        return Some(Encoding::Plain);
    };
    match value.to_str().ok()?.trim() {
        name if name.is_empty() || name.eq_ignore_ascii_case("identity") => Some(Encoding::Plain),
        name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
            Some(Encoding::Gzip)
        }
        _ => None,
    }
}

/// Bytes under a limit and on a lease.
struct Held {
    bytes: Vec<u8>,
    limit: usize,
    lease: Lease,
}

/// Why no more bytes are held; travels through the decoder inside an [`io::Error`].
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Full {
    #[error("over the limit of {0} bytes")]
    Limit(usize),
    #[error("over the budget")]
    Budget,
}

impl Held {
    fn new(limit: usize, budget: &MemoryBudget) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
            lease: budget.lease(),
        }
    }

    fn take(&mut self, more: &[u8]) -> Result<(), Full> {
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

    fn into_body(self) -> HeldBody {
        HeldBody {
            bytes: self.bytes.into(),
            _lease: self.lease,
        }
    }

    fn into_body_of(mut self, bytes: Bytes) -> Result<HeldBody, Problem> {
        if !self.lease.grow_to(bytes.len()) {
            return Err(over_budget());
        }
        Ok(HeldBody {
            bytes,
            _lease: self.lease,
        })
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

/// Says why unpacking ended.
#[expect(clippy::needless_pass_by_value, reason = "used with `map_err`")]
fn unpacking(error: io::Error) -> Problem {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Full>())
    {
        Some(Full::Limit(limit)) => too_large("the body decompresses to", *limit),
        Some(Full::Budget) => over_budget(),
        None => Problem::new(
            ProblemCode::UnreadableBody,
            format!("the body is not whole gzip: {error}"),
        )
        .at("Content-Encoding"),
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
mod tests {
    use flate2::{Compression, write::GzEncoder};
    use futures_util::stream;

    use super::*;

    const LIMITS: BodyLimits = BodyLimits {
        sent_bytes: 10_000,
        decompressed_bytes: 50_000,
    };

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn in_pieces(bytes: &[u8], size: usize) -> Body {
        let pieces: Vec<_> = bytes
            .chunks(size)
            .map(|piece| Ok::<_, io::Error>(Bytes::copy_from_slice(piece)))
            .collect();
        Body::from_stream(stream::iter(pieces))
    }

    async fn read(body: Body, encoding: &str) -> Result<Vec<u8>, ProblemCode> {
        let budget = MemoryBudget::new(100_000);
        let request = Request::post("/")
            .header("content-encoding", encoding)
            .body(body)
            .unwrap();
        let read = read_body(request, LIMITS, &budget).await;
        let read = read
            .map(|(_, body)| body.to_vec())
            .map_err(|problem| problem.code());
        assert_eq!(budget.held_bytes(), 0, "the lease is given back");
        read
    }

    #[tokio::test]
    async fn a_body_is_read_whole_however_it_is_cut() {
        let content: Vec<u8> = (0..9_000_u32)
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect();
        for size in [1, 100, 9_000] {
            assert_eq!(
                read(in_pieces(&content, size), "").await.as_ref(),
                Ok(&content)
            );
            assert_eq!(
                read(in_pieces(&gzip(&content), size), "gzip")
                    .await
                    .as_ref(),
                Ok(&content)
            );
        }
        assert_eq!(
            read(Body::from(content.clone()), "identity").await,
            Ok(content)
        );
        assert_eq!(read(Body::empty(), "").await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn two_gzip_members_are_one_body() {
        let both = [gzip(b"one"), gzip(b"two")].concat();
        assert_eq!(read(Body::from(both), "GZIP").await, Ok(b"onetwo".to_vec()));
    }

    #[tokio::test]
    async fn an_oversized_body_is_refused_with_or_without_its_length() {
        assert_eq!(
            read(Body::from(vec![0; 10_001]), "").await,
            Err(ProblemCode::TooLarge)
        );
        assert_eq!(
            read(in_pieces(&vec![0; 10_001], 1_000), "").await,
            Err(ProblemCode::TooLarge)
        );
        assert!(read(Body::from(vec![0; 10_000]), "").await.is_ok());
    }

    #[tokio::test]
    async fn a_bomb_is_refused_by_what_it_unpacks_to() {
        let bomb = gzip(&vec![0; 1_000_000]);
        assert!(bomb.len() < LIMITS.sent_bytes);
        assert_eq!(
            read(Body::from(bomb), "gzip").await,
            Err(ProblemCode::TooLarge)
        );
        assert!(
            read(Body::from(gzip(&vec![0; 50_000])), "gzip")
                .await
                .is_ok()
        );
    }

    #[test]
    fn holding_never_takes_more_memory_than_the_limit() {
        let mut held = Held::new(50_000, &MemoryBudget::new(100_000));
        while held.write_all(&[0; 700]).is_ok() {
            assert!(held.bytes.capacity() <= 50_000);
        }
    }

    #[tokio::test]
    async fn what_is_not_whole_gzip_is_refused() {
        let whole = gzip(b"some text that is long enough");
        for broken in [&whole[..whole.len() - 5], b"plain", b""] {
            assert_eq!(
                read(Body::from(broken.to_vec()), "gzip").await,
                Err(ProblemCode::UnreadableBody)
            );
        }
    }

    #[tokio::test]
    async fn another_encoding_is_refused() {
        assert_eq!(
            read(Body::from("x"), "br").await,
            Err(ProblemCode::UnsupportedEncoding)
        );
    }

    #[tokio::test]
    async fn a_body_over_the_budget_is_refused_as_overload() {
        let budget = MemoryBudget::new(100);
        let request = Request::post("/").body(in_pieces(&[0; 200], 50)).unwrap();
        let refusal = read_body(request, LIMITS, &budget).await.unwrap_err();
        assert_eq!(refusal.code(), ProblemCode::Overloaded);
        assert_eq!(budget.held_bytes(), 0);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_told_so() {
        let pieces = vec![Ok(Bytes::from_static(b"{")), Err(io::Error::other("reset"))];
        let request = Request::post("/")
            .body(Body::from_stream(stream::iter(pieces)))
            .unwrap();
        let refusal = read_body(request, LIMITS, &MemoryBudget::new(100))
            .await
            .unwrap_err();
        assert_eq!(refusal.code(), ProblemCode::UnreadableBody);
    }
}
