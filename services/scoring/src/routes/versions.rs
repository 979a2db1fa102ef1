//! Changes that rest on a version: `If-Match` and `ETag`, for every route that changes what is stored.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
};
use foretide_http::{HeldBody, Problem, ProblemCode, documented, read_body};
use foretide_ports::store::Expected;
use schemars::JsonSchema;

use super::BODY_LIMITS;
use crate::api::Api;

/// What a change may rest on.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "documents the headers")]
pub(super) struct Precondition {
    /// The change is made only if the version is still this one: the `ETag` of an earlier answer, quotes included, or `*`.
    #[schemars(rename = "If-Match", regex(pattern = IF_MATCH_PATTERN), example = "\"1\"")]
    if_match: Option<String>,
}

documented! {
    header Precondition;
}

/// The body of a change, and what it takes to be there.
pub(super) async fn read_change(
    api: &Api,
    request: Request,
) -> Result<(HeldBody, Expected), Problem> {
    let (parts, body) = read_body(request, BODY_LIMITS, &api.budget).await?;
    Ok((body, expected(&parts.headers)?))
}

/// The version that no change makes.
const NO_VERSION: u64 = 0;

/// What `If-Match` looks like.
const IF_MATCH_PATTERN: &str = r#"^(\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*)?$"#;

/// What a change takes to be there, by `If-Match`: whatever is there for `*` and without the header.
///
/// Of several versions the latest counts: versions never repeat, so the others are gone for sure. A tag that is weak or none
/// of ours matches nothing, and neither does an empty header.
pub(super) fn expected(headers: &HeaderMap) -> Result<Expected, Problem> {
    let mut latest = None;
    for value in headers.get_all(header::IF_MATCH) {
        let value = value.to_str().ok().map(str::trim);
        if value == Some("*") {
            return Ok(Expected::Any);
        }
        let version = match value {
            Some("") => Some(NO_VERSION),
            value => value.and_then(latest_version),
        };
        let version = version.ok_or_else(|| {
            let detail =
                "is neither * nor the ETag of an earlier answer, quotes included, such as \"3\"";
            Problem::new(ProblemCode::InvalidField, detail).at("If-Match")
        })?;
        latest = latest.max(Some(version));
    }
    Ok(latest.map_or(Expected::Any, Expected::Version))
}

/// The latest version in a list of tags; `None` where it is no such list.
fn latest_version(list: &str) -> Option<u64> {
    let (mut rest, mut latest) = (list, None);
    loop {
        let quoted = rest.strip_prefix("W/").unwrap_or(rest);
        let is_weak = quoted.len() < rest.len();
        let (tag, after) = quoted.strip_prefix('"')?.split_once('"')?;
        let version = tag.parse().ok();
        let ours = version.filter(|version: &u64| !is_weak && version.to_string() == tag);
        latest = latest.max(Some(ours.unwrap_or(NO_VERSION)));
        rest = match after.trim_start() {
            "" => return latest,
            more => more.strip_prefix(',')?.trim_start(),
        };
    }
}

/// The version as a tag, for `If-Match`.
pub(super) fn etag(version: u64) -> [(header::HeaderName, HeaderValue); 1] {
    let tag = HeaderValue::try_from(format!("\"{version}\""));
    [(header::ETAG, tag.unwrap_or(HeaderValue::from_static("*")))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::IF_MATCH, value.parse().unwrap())])
    }

    #[test]
    fn if_match_is_the_latest_of_its_versions_or_any() {
        assert_eq!(expected(&HeaderMap::new()), Ok(Expected::Any));
        let [(_, round)] = etag(17);
        for (value, version) in [
            (round.to_str().unwrap(), 17),
            ("\"17\"", 17),
            ("\"1\", \"12\",\"3\"", 12),
            ("\"x\",\"3\"", 3),
            ("W/\"17\"", NO_VERSION),
            ("\"x\"", NO_VERSION),
            ("\"017\"", NO_VERSION),
            ("\"+17\"", NO_VERSION),
            ("\"a,b\"", NO_VERSION),
            ("\"\"", NO_VERSION),
            ("", NO_VERSION),
        ] {
            assert_eq!(
                expected(&with(value)),
                Ok(Expected::Version(version)),
                "{value}"
            );
        }
        assert_eq!(expected(&with("*")), Ok(Expected::Any));
        let mut twice = with("\"1\"");
        twice.append(header::IF_MATCH, round);
        assert_eq!(expected(&twice), Ok(Expected::Version(17)));
    }

    #[test]
    fn an_if_match_without_quotes_is_told_how_it_should_be() {
        for bad in [
            "17",
            "\"17",
            "w/\"17\"",
            "\"1\" \"2\"",
            "\"1\",",
            "*, \"1\"",
        ] {
            let refused = expected(&with(bad)).unwrap_err();
            assert_eq!(refused.code(), ProblemCode::InvalidField, "{bad}");
            assert_eq!(refused.field(), Some("If-Match"));
        }
    }
}
