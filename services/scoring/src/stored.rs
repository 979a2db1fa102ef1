//! Changes of what the store holds, on behalf of a request.

use std::{future::Future, sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderValue, header};
use foretide_host::valid_keys;
use foretide_http::{Problem, ProblemCode};
use foretide_ports::store::{Expected, Snapshot, StoreError, StoreView};
use tokio::time::timeout;

use crate::api::Api;

/// How long a change may take. Beyond, the database is taken for away.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a read waits for the newest snapshot before it shows the last one.
const READ_PATIENCE: Duration = Duration::from_secs(1);

/// What is told of a change whose answer did not come.
const MAYBE_CHANGED: &str =
    ". Whether the change has been made is not known: read before trying again";

/// Makes a change and lets it take effect here at once, keys included. Other instances see it within about a second.
pub(crate) async fn change<T>(
    api: &Api,
    change: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Problem> {
    let changed = within(PATIENCE, change).await;
    let changed = changed.map_err(|error| refused(&error, MAYBE_CHANGED))?;
    // It is done; should it not be seen at once, the regular look at the store will show it.
    if let Err(error) = within(READ_PATIENCE, api.store.refresh()).await {
        tracing::warn!(%error, "a change is stored and not yet in effect");
    }
    api.keys
        .replace_stored_with(|| valid_keys(&api.store.current()));
    Ok(changed)
}

/// What the store answers to a question, or why it does not.
pub(crate) async fn answered<T>(
    asked: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Problem> {
    let answer = within(PATIENCE, asked).await;
    answer.map_err(|error| refused(&error, ""))
}

/// The newest snapshot that can be had soon.
pub(crate) async fn newest(view: &StoreView) -> Arc<Snapshot> {
    if let Err(error) = within(READ_PATIENCE, view.refresh()).await {
        tracing::debug!(%error, "showing the last snapshot of the store");
    }
    view.current()
}

async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    timeout(patience, work).await.unwrap_or_else(|_| {
        Err(StoreError::Away(format!(
            "no answer for {} s",
            patience.as_secs()
        )))
    })
}

/// `when_away` is what to tell besides when there was no answer.
fn refused(error: &StoreError, when_away: &str) -> Problem {
    let code = match error {
        StoreError::Away(_) => ProblemCode::DatabaseAway,
        StoreError::Conflict { .. } => ProblemCode::VersionConflict,
        StoreError::Full(_) => ProblemCode::DatabaseFull,
        StoreError::Refused(_) => ProblemCode::DatabaseRefuses,
        StoreError::Damaged(_) => {
            tracing::error!(%error, "the database is damaged");
            return Problem::new(
                ProblemCode::Internal,
                "the database is damaged; the log tells more",
            );
        }
    };
    let mut detail = error.to_string();
    if code == ProblemCode::DatabaseAway {
        detail.push_str(when_away);
    }
    let problem = Problem::new(code, detail);
    if code.status().is_server_error() {
        problem.retry_after_s(1)
    } else {
        problem
    }
}

/// The version that no change makes.
const NO_VERSION: u64 = 0;

/// What `If-Match` looks like.
pub(crate) const IF_MATCH_PATTERN: &str = r#"^(\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*)?$"#;

/// What a change takes to be there, by `If-Match`: whatever is there for `*` and without the header.
///
/// Of several versions the latest counts: versions never repeat, so the others are gone for sure. A tag that is weak or none
/// of ours matches nothing, and neither does an empty header.
pub(crate) fn expected(headers: &HeaderMap) -> Result<Expected, Problem> {
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
pub(crate) fn etag(version: u64) -> [(header::HeaderName, HeaderValue); 1] {
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
