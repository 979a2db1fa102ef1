//! Who sends the events of a request.

use axum::http::HeaderMap;
use foretide_http::{KeyFingerprint, Keys, Problem, ProblemCode, Role, missing_key, presented_key};

/// What is known of the sender before the body is read.
pub(crate) struct Caller<'k> {
    keys: &'k Keys,
    key: Option<KeyFingerprint>,
}

impl<'k> Caller<'k> {
    /// The caller whose key is in the headers, or was found `in_query`; one that has none there may have it in the body.
    pub(crate) fn of(
        keys: &'k Keys,
        headers: &HeaderMap,
        in_query: Option<&str>,
    ) -> Result<Self, Problem> {
        let mut caller = Self { keys, key: None };
        if let Some(key) = presented_key(headers)? {
            caller.key = Some(keys.check(&key, Role::Write)?);
        }
        if let Some(key) = in_query.filter(|key| !key.is_empty()) {
            caller.present(key)?;
        }
        Ok(caller)
    }

    /// Refuses a caller that has shown no key, where there is no other place for one.
    pub(crate) fn needs_key(&self) -> Result<(), Problem> {
        self.key.map(drop).ok_or_else(missing_key)
    }

    /// The key of the caller, whose body holds `in_body`. Where there are several, they must agree.
    pub(crate) fn signed(mut self, in_body: Option<&str>) -> Result<KeyFingerprint, Problem> {
        if let Some(key) = in_body {
            self.present(key)?;
        }
        self.key.ok_or_else(|| {
            let detail = "send the key as the Basic user name (empty password), as a Bearer token, or as `writeKey`";
            Problem::new(ProblemCode::MissingKey, detail)
        })
    }

    fn present(&mut self, key: &str) -> Result<(), Problem> {
        let checked = self
            .keys
            .check(key, Role::Write)
            .map_err(|problem| problem.at("writeKey"))?;
        if self.key.is_some_and(|known| known != checked) {
            let detail = "the request brings two keys that differ";
            return Err(Problem::new(ProblemCode::WrongKey, detail).at("writeKey"));
        }
        self.key = Some(checked);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::AUTHORIZATION;
    use foretide_runtime::Secret;

    use super::*;

    /// What becomes of a request with these keys, of which `one` and `two` are known.
    fn told(header: &str, query: &str, body: &str) -> Result<String, ProblemCode> {
        let keys = Keys::new(&Secret::new("one"), &Secret::new("admin"));
        let two = foretide_http::key_digest("two");
        keys.replace_stored(vec![(Role::Write, two)]);
        let mut headers = HeaderMap::new();
        if !header.is_empty() {
            headers.insert(AUTHORIZATION, format!("Bearer {header}").parse().unwrap());
        }
        let caller = Caller::of(&keys, &headers, Some(query));
        caller
            .and_then(|caller| caller.signed(Some(body).filter(|body| !body.is_empty())))
            .map(|key| key.to_string())
            .map_err(|problem| problem.code())
    }

    #[test]
    fn a_key_counts_wherever_it_is_and_all_must_agree() {
        let one = told("one", "", "").unwrap();
        for (header, query, body) in [("", "one", ""), ("", "", "one"), ("one", "one", "one")] {
            assert_eq!(told(header, query, body), Ok(one.clone()));
        }
        assert_ne!(told("", "", "two"), Ok(one));
        for (header, query, body) in [("one", "two", ""), ("one", "", "two"), ("", "two", "one")] {
            assert_eq!(told(header, query, body), Err(ProblemCode::WrongKey));
        }
        assert_eq!(told("", "", ""), Err(ProblemCode::MissingKey));
        assert_eq!(told("one", "", "admin"), Err(ProblemCode::KeyNotAllowed));
    }
}
