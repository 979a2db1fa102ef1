//! The page that describes the features is that of the catalogue.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail it")]
#![allow(clippy::disallowed_methods, reason = "the page is written on demand")]

use foretide_features::catalogue_page;

#[test]
fn the_page_is_that_of_the_catalogue() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/CATALOGUE.md");
    let page = catalogue_page();
    if std::env::var_os("UPDATE_CATALOGUE").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == page,
        "CATALOGUE.md is not that of the catalogue: write it anew with \
         UPDATE_CATALOGUE=1 cargo test -p foretide-features --test catalogue"
    );
}
