//! The page a shopper is on, as a decision keeps it.

use foretide_events::Text;
use schemars::JsonSchema;
use serde::Deserialize;

/// A page as a request names it.
#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "is neither a path or URL nor an object with `path`, `url` or `name`"
)]
pub(crate) enum NamedPage {
    /// By its path or URL.
    Address(Text<4096>),
    /// By several things at once.
    Described {
        path: Option<Text<4096>>,
        url: Option<Text<4096>>,
        name: Option<Text<256>>,
    },
}

impl NamedPage {
    /// The page without query and fragment, which may hold what is personal; cut to 1024 characters.
    pub(crate) fn kept(&self) -> Option<Text<1024>> {
        let address = match self {
            Self::Address(address) => &**address,
            Self::Described { path, url, name } => {
                path.as_deref().or(url.as_deref()).or(name.as_deref())?
            }
        };
        let bare = address.split(['?', '#']).next().unwrap_or_default();
        let end = bare.char_indices().nth(1024);
        let kept = &bare[..end.map_or(bare.len(), |(end, _)| end)];
        Text::new(kept).filter(|page| !page.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(json: &str) -> Option<String> {
        let page: NamedPage = serde_json::from_str(json).unwrap();
        page.kept().map(|page| page.to_string())
    }

    #[test]
    fn query_and_fragment_are_never_kept() {
        assert_eq!(
            kept(r#""/cart?email=ann@example.com#x""#).as_deref(),
            Some("/cart")
        );
        let described = r#"{"url":"https://shop.example/p/1?u=ann","title":"Hat"}"#;
        assert_eq!(kept(described).as_deref(), Some("https://shop.example/p/1"));
        assert_eq!(kept(r#"{"name":"Cart"}"#).as_deref(), Some("Cart"));
        assert_eq!(kept("{}"), None);
        assert_eq!(kept(r#""""#), None);
    }

    #[test]
    fn a_long_address_is_cut() {
        let long = format!("\"/{}\"", "ü".repeat(2000));
        assert_eq!(kept(&long).unwrap().chars().count(), 1024);
    }
}
