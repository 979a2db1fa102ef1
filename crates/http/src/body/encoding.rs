//! How a body is encoded.

use axum::http::{HeaderMap, header::CONTENT_ENCODING};

use crate::{Problem, ProblemCode};

/// The encodings that are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Gzip,
    Zstd,
}

impl Encoding {
    /// The encoding that the headers name.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let values = headers.get_all(CONTENT_ENCODING).iter();
        let names = values.flat_map(|value| value.to_str().unwrap_or("?").split(','));
        let mut names = names
            .map(str::trim)
            .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"));
        let Some(name) = names.next() else {
            return Ok(Self::Plain);
        };
        if names.next().is_some() {
            return Err(unsupported(
                "the body is encoded more than once: encode it once, as gzip or zstd",
            ));
        }
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("gzip") || is("x-gzip") {
            Ok(Self::Gzip)
        } else if is("zstd") {
            Ok(Self::Zstd)
        } else {
            Err(unsupported(
                "the body may be sent plain, as gzip or as zstd",
            ))
        }
    }
}

fn unsupported(detail: &'static str) -> Problem {
    Problem::new(ProblemCode::UnsupportedEncoding, detail).at("Content-Encoding")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Result<Encoding, ProblemCode> {
        let header = |value: &&str| (CONTENT_ENCODING, value.parse().unwrap());
        let headers = values.iter().map(header).collect();
        Encoding::of(&headers).map_err(|problem| problem.code())
    }

    #[test]
    fn one_encoding_is_taken_by_its_name_whatever_the_case() {
        for plain in [&[][..], &[""], &["identity"], &["identity, identity"]] {
            assert_eq!(of(plain), Ok(Encoding::Plain), "{plain:?}");
        }
        for gzip in ["gzip", "GZIP", "x-gzip", " gzip ", "identity, gzip"] {
            assert_eq!(of(&[gzip]), Ok(Encoding::Gzip), "{gzip}");
        }
        assert_eq!(of(&["Zstd"]), Ok(Encoding::Zstd));
    }

    #[test]
    fn others_and_chains_are_refused() {
        let refused = [
            &["br"][..],
            &["deflate"],
            &["gzip, zstd"],
            &["gzip, gzip"],
            &["gzip", "gzip"],
            &["gzip", "br"],
        ];
        for values in refused {
            assert_eq!(
                of(values),
                Err(ProblemCode::UnsupportedEncoding),
                "{values:?}"
            );
        }
    }
}
