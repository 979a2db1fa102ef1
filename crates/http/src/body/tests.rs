use axum::body::Body;
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

fn zstd(content: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(zstd_safe::compress_bound(content.len()));
    zstd_safe::compress(&mut packed, content, 3).unwrap();
    packed
}

/// A frame that does not say how long its content is, and asks for a window of 2^`window_log` bytes.
fn zstd_of_unknown_length(content: &[u8], window_log: u32) -> Vec<u8> {
    use zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer};
    let mut encoder = CCtx::create();
    for parameter in [
        CParameter::ContentSizeFlag(false),
        CParameter::WindowLog(window_log),
    ] {
        encoder.set_parameter(parameter).unwrap();
    }
    let mut packed = Vec::with_capacity(zstd_safe::compress_bound(content.len()) + 100);
    let mut out = OutBuffer::around(&mut packed);
    encoder
        .compress_stream(&mut out, &mut InBuffer::around(content))
        .unwrap();
    while encoder.end_stream(&mut out).unwrap() > 0 {}
    packed
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
        for (packed, encoding) in [(gzip(&content), "gzip"), (zstd(&content), "zstd")] {
            assert_eq!(
                read(in_pieces(&packed, size), encoding).await.as_ref(),
                Ok(&content),
                "{encoding}"
            );
        }
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
async fn zstd_of_any_form_is_unpacked() {
    let content = b"some text that is long enough, some text".repeat(20);
    let frames = [zstd(&content), zstd_of_unknown_length(&content, 10)];
    for frame in &frames {
        assert_eq!(
            read(Body::from(frame.clone()), "ZSTD").await.as_ref(),
            Ok(&content)
        );
    }
    assert_eq!(
        read(Body::from(frames.concat()), "zstd").await,
        Ok(content.repeat(2)),
        "two frames are one body"
    );
    assert_eq!(read(Body::from(zstd(b"")), "zstd").await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_bomb_of_zstd_is_refused_whether_it_says_its_size_or_not() {
    let zeros = vec![0; 1_000_000];
    let room = vec![0; 50_000];
    for (bomb, allowed) in [
        (zstd(&zeros), zstd(&room)),
        (
            zstd_of_unknown_length(&zeros, 20),
            zstd_of_unknown_length(&room, 20),
        ),
        (zstd(&room).repeat(20), zstd(&room[..2_500]).repeat(20)),
    ] {
        assert!(bomb.len() < LIMITS.sent_bytes);
        let refused = read(Body::from(bomb), "zstd").await;
        assert_eq!(refused, Err(ProblemCode::TooLarge));
        assert_eq!(read(Body::from(allowed), "zstd").await, Ok(room.clone()));
    }
}

#[tokio::test]
async fn a_frame_may_ask_for_any_window() {
    // 128 MB, the most that a decoder makes unless it is told to: ours makes none, whatever the frame says.
    let frame = zstd_of_unknown_length(b"small", 27);
    assert_eq!(read(Body::from(frame), "zstd").await, Ok(b"small".to_vec()));
}

#[tokio::test]
async fn what_is_not_whole_zstd_is_refused() {
    let whole = zstd(&b"some text that is long enough".repeat(9));
    let mut lying = whole.clone();
    lying[5] = 7; // It says that its content is shorter than it is.
    for broken in [&whole[..whole.len() - 5], b"plain", b"", &lying] {
        assert_eq!(
            read(Body::from(broken.to_vec()), "zstd").await,
            Err(ProblemCode::UnreadableBody)
        );
    }
}

#[tokio::test]
async fn zstd_over_the_budget_is_refused_as_overload() {
    let budget = MemoryBudget::new(30_000);
    let request = Request::post("/")
        .header("content-encoding", "zstd")
        .body(Body::from(zstd(&vec![0; 40_000])))
        .unwrap();
    let refusal = read_body(request, LIMITS, &budget).await.unwrap_err();
    assert_eq!(refusal.code(), ProblemCode::Overloaded);
    assert_eq!(budget.held_bytes(), 0);
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
