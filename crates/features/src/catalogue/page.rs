//! The catalogue as a page that people read.

use std::fmt::Write as _;

use super::{CATALOGUE, FeatureSpec, Nature, schema_id};

/// `CATALOGUE.md`: what everything means, and every feature with its formula.
pub fn catalogue_page() -> String {
    let mut page = include_str!("preface.md").to_owned();
    let _ = writeln!(
        page,
        "## All {} features\n\nSchema `{}`.\n",
        CATALOGUE.len(),
        schema_id()
    );
    for spec in &CATALOGUE {
        describe(spec, &mut page);
    }
    page
}

fn describe(spec: &FeatureSpec, page: &mut String) {
    let FeatureSpec {
        name,
        meaning,
        unit,
        min,
        max,
        formula,
        nature,
        ..
    } = spec;
    let Nature {
        half_life,
        time_to_live,
        order,
        combine,
        uses_reference,
    } = nature;
    let bound = |bound: f64| {
        if bound.is_finite() {
            let text = format!("{bound:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else if bound > 0.0 {
            "∞".to_owned()
        } else {
            "−∞".to_owned()
        }
    };
    let _ = writeln!(page, "### `{name}`\n\n{meaning}\n\n= {formula}\n");
    let _ = writeln!(
        page,
        "{}, {} to {} · half-life {} · holds for {} · {} · of several pseudonyms: {}{}\n",
        unit.as_str(),
        bound(*min),
        bound(*max),
        half_life.map_or("none", |half_life| half_life.in_words()),
        time_to_live.in_words(),
        order.as_str(),
        combine.as_str(),
        if *uses_reference {
            " · uses the reference"
        } else {
            ""
        }
    );
}
