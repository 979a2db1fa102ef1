//! The parameters of a query.

use axum::{extract::Query, http::Uri};

/// The parameters of the query of `uri`, decoded, in order.
pub(crate) fn pairs(uri: &Uri) -> Vec<(String, String)> {
    Query::try_from_uri(uri).map_or_else(|_| Vec::new(), |Query(pairs)| pairs)
}

/// The first parameter of that name, unless it is blank.
pub(crate) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let mut pairs = pairs(uri).into_iter();
    let (_, value) = pairs.find(|(known, value)| known == name && !value.trim().is_empty())?;
    Some(value)
}
