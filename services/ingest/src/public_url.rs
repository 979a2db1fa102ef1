//! Where browsers reach this service.

use std::{fmt, str::FromStr};

use axum::http::{HeaderMap, HeaderName, Uri, header, uri::Authority};

/// Where browsers reach this service: `https://events.shop.example`, perhaps with a path.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicUrl {
    protocol: &'static str,
    /// Host, port and path, without a slash at the end.
    place: String,
}

/// Why a text is not such a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an address such as https://events.shop.example (http or https, no query)")]
pub struct InvalidPublicUrl;

impl PublicUrl {
    /// `http` or `https`.
    pub fn protocol(&self) -> &'static str {
        self.protocol
    }

    /// What Segment's clients call the host: host, port and path of the routes, without the protocol.
    pub fn api_host(&self) -> String {
        format!("{}/v1", self.place)
    }

    /// Where the request with these `headers` was sent to, as far as it and the proxies before us say.
    pub(crate) fn of_request(headers: &HeaderMap, uri: &Uri) -> Option<Self> {
        let forwarded = |name| first(headers, &HeaderName::from_static(name));
        let host = forwarded("x-forwarded-host")
            .or_else(|| first(headers, &header::HOST))
            .or_else(|| uri.authority().map(Authority::as_str))?;
        let is_https = forwarded("x-forwarded-proto")
            .is_some_and(|protocol| protocol.eq_ignore_ascii_case("https"));
        let protocol = if is_https { "https" } else { "http" };
        let url = format!("{protocol}://{host}").parse::<Self>().ok()?;
        // A host and nothing else: what follows would be put before the path of every route.
        (!url.place.contains('/')).then_some(url)
    }
}

/// The first of the values that `name` lists.
fn first<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?;
    let first = value.split(',').next().unwrap_or(value).trim();
    Some(first).filter(|first| !first.is_empty())
}

impl FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPublicUrl> {
        let uri: Uri = text.trim().parse().map_err(|_| InvalidPublicUrl)?;
        let protocol = match uri.scheme_str() {
            Some("http") => "http",
            Some("https") => "https",
            _ => return Err(InvalidPublicUrl),
        };
        let authority = uri.authority().ok_or(InvalidPublicUrl)?.as_str();
        if uri.query().is_some() || authority.contains('@') || text.contains('#') {
            return Err(InvalidPublicUrl);
        }
        let path = uri.path().trim_end_matches('/');
        Ok(Self {
            protocol,
            place: format!("{authority}{path}"),
        })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.protocol, self.place)
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_request(headers: &[(&'static str, &str)]) -> Option<String> {
        let header = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        let headers = headers.iter().map(header).collect();
        PublicUrl::of_request(&headers, &Uri::from_static("/v1")).map(|url| url.to_string())
    }

    #[test]
    fn a_url_is_a_host_with_or_without_a_path() {
        for (text, host) in [
            ("https://events.shop.example", "events.shop.example/v1"),
            ("http://127.0.0.1:8080/", "127.0.0.1:8080/v1"),
            ("https://shop.example/collect/", "shop.example/collect/v1"),
        ] {
            let url: PublicUrl = text.parse().unwrap();
            assert_eq!(url.api_host(), host);
            assert_eq!(url.to_string(), text.trim_end_matches('/'));
        }
    }

    #[test]
    fn what_is_no_such_url_is_refused() {
        for text in [
            "",
            "shop.example",
            "ftp://shop.example",
            "https://",
            "https://shop.example/?a=1",
            "https://me@shop.example",
            "https://shop.example/#a",
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(InvalidPublicUrl), "{text}");
        }
    }

    #[test]
    fn a_request_says_where_it_was_sent_to_and_its_proxy_says_it_better() {
        assert_eq!(
            of_request(&[("host", "127.0.0.1:8080")]).as_deref(),
            Some("http://127.0.0.1:8080")
        );
        let proxied = [
            ("host", "10.0.0.1:8080"),
            ("x-forwarded-host", "shop.example, inner.example"),
            ("x-forwarded-proto", "https, http"),
        ];
        assert_eq!(
            of_request(&proxied).as_deref(),
            Some("https://shop.example")
        );
        assert_eq!(of_request(&[]), None);
        for hostile in ["shop.example/evil", "a b", "\"><script>", "me@shop.example"] {
            assert_eq!(of_request(&[("host", hostile)]), None, "{hostile}");
        }
    }
}
