//! The page a shopper is on, as a decision keeps it.

use std::fmt;

use foretide_events::Text;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IntoDeserializer as _, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// A page as a request names it.
#[derive(JsonSchema)]
#[schemars(untagged)]
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

#[derive(Deserialize)]
struct Described {
    path: Option<Text<4096>>,
    url: Option<Text<4096>>,
    name: Option<Text<256>>,
}

/// By hand, because what serde makes for an enum without tags puts every page into a buffer first.
impl<'de> Deserialize<'de> for NamedPage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Page;

        impl<'de> Visitor<'de> for Page {
            type Value = NamedPage;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path or URL, or an object with `path`, `url` or `name`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<NamedPage, E> {
                Text::deserialize(text.into_deserializer()).map(NamedPage::Address)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<NamedPage, E> {
                Text::deserialize(number.into_deserializer()).map(NamedPage::Address)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<NamedPage, E> {
                Text::deserialize(number.into_deserializer()).map(NamedPage::Address)
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<NamedPage, E> {
                Text::deserialize(number.into_deserializer()).map(NamedPage::Address)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NamedPage, A::Error> {
                let Described { path, url, name } =
                    Described::deserialize(MapAccessDeserializer::new(map))?;
                Ok(NamedPage::Described { path, url, name })
            }
        }

        deserializer.deserialize_any(Page)
    }
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
