//! Whom events are counted for.

use axum::http::HeaderMap;
use foretide_events::SourceId;
use foretide_http::{KeyFingerprint, Problem, ProblemCode};

/// The header by which an import names its run.
pub const IMPORT_HEADER: &str = "Foretide-Import";

const MAX_RUN_CHARS: usize = 64;

/// The source of the events of one request: the import run that `headers` name as `import:<run>`, else the `key` that was
/// presented, as `key:` and 8 hexadecimal digits of its hash.
pub(crate) fn of_request(headers: &HeaderMap, key: KeyFingerprint) -> Result<SourceId, Problem> {
    let run = of_import(headers)?;
    Ok(run.unwrap_or_else(|| SourceId::of_key(&key.to_string())))
}

/// The import run that `headers` name, as a source: `import:<run>`.
fn of_import(headers: &HeaderMap) -> Result<Option<SourceId>, Problem> {
    let Some(run) = headers.get(IMPORT_HEADER) else {
        return Ok(None);
    };
    let is_name = |run: &&str| {
        (1..=MAX_RUN_CHARS).contains(&run.len())
            && run
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    run.to_str()
        .ok()
        .filter(is_name)
        .and_then(|run| SourceId::new(&format!("import:{run}")).ok())
        .map(Some)
        .ok_or_else(|| {
            let detail = format!("an import run is 1 to {MAX_RUN_CHARS} of A-Z, a-z, 0-9, _ and -");
            Problem::new(ProblemCode::InvalidField, detail).at(IMPORT_HEADER)
        })
}

#[cfg(test)]
mod tests {
    use foretide_http::{Keys, Role};
    use foretide_runtime::Secret;

    use super::*;

    fn import(run: &str) -> Result<Option<String>, ProblemCode> {
        let mut headers = HeaderMap::new();
        headers.insert(IMPORT_HEADER, run.parse().unwrap());
        of_import(&headers)
            .map(|source| source.map(|source| source.to_string()))
            .map_err(|problem| problem.code())
    }

    #[test]
    fn an_import_names_its_run() {
        assert_eq!(
            import("rees46_2019-10"),
            Ok(Some("import:rees46_2019-10".to_owned()))
        );
        assert_eq!(
            import(&"x".repeat(64)),
            Ok(Some(format!("import:{}", "x".repeat(64))))
        );
        assert_eq!(of_import(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn a_run_is_a_short_plain_name() {
        for run in ["", "a b", "a/b", "ü", &"x".repeat(65)] {
            assert_eq!(import(run), Err(ProblemCode::InvalidField), "{run}");
        }
    }

    #[test]
    fn a_request_is_counted_for_the_key_that_it_presents_unless_it_names_a_run() {
        let keys = Keys::new(&Secret::new("w"), &Secret::new("a"));
        let key = keys.check("w", Role::Write).unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(of_request(&headers, key).unwrap().as_str(), "key:50e721e4");
        headers.insert(IMPORT_HEADER, "2019".parse().unwrap());
        assert_eq!(of_request(&headers, key).unwrap().as_str(), "import:2019");
    }
}
