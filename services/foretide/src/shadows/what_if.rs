//! Fold rules that a shadow has otherwise than the live profiles: `--what-if session-gap-s=600`.

use std::{collections::BTreeMap, str::FromStr};

use clap::Parser;
use foretide_features::FoldRules;
use foretide_host::FoldRulesArgs;

/// One setting of the fold rules with another number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WhatIf {
    name: String,
    value: f64,
}

/// The settings of the fold rules, by themselves.
#[derive(Parser)]
#[command(no_binary_name = true)]
struct Settings {
    #[command(flatten)]
    rules: FoldRulesArgs,
}

/// How a rule is set: its setting's name, and where its number goes. What `--what-if` knows is what is here.
type Setter = (&'static str, fn(&mut FoldRules, &FoldRules));

const SETTERS: [Setter; 11] = [
    ("session-gap-s", |to, from| {
        to.session_gap_ms = from.session_gap_ms;
    }),
    ("dwell-cap-s", |to, from| {
        to.dwell_cap_ms = from.dwell_cap_ms;
    }),
    ("engagement-per-minute", |to, from| {
        to.engagement_per_minute = from.engagement_per_minute;
    }),
    ("engagement-per-product-view", |to, from| {
        to.engagement_per_product_view = from.engagement_per_product_view;
    }),
    ("engagement-per-search", |to, from| {
        to.engagement_per_search = from.engagement_per_search;
    }),
    ("attention-per-view-s", |to, from| {
        to.attention_per_view_s = from.attention_per_view_s;
    }),
    ("relevance-product", |to, from| {
        to.relevance_product = from.relevance_product;
    }),
    ("relevance-list", |to, from| {
        to.relevance_list = from.relevance_list;
    }),
    ("relevance-search", |to, from| {
        to.relevance_search = from.relevance_search;
    }),
    ("relevance-category-page", |to, from| {
        to.relevance_category_page = from.relevance_category_page;
    }),
    ("relevance-other-page", |to, from| {
        to.relevance_other_page = from.relevance_other_page;
    }),
];

impl FromStr for WhatIf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, number) = text.split_once('=').ok_or_else(known)?;
        let what_if = Self {
            // As in the environment of a server, or as a flag.
            name: name.trim().to_ascii_lowercase().replace('_', "-"),
            value: number.trim().parse().map_err(|_| known())?,
        };
        what_if.apply(&mut FoldRules::default())?;
        Ok(what_if)
    }
}

fn known() -> String {
    let names: Vec<_> = SETTERS.iter().map(|(name, _)| *name).collect();
    format!(
        "it is written SETTING=NUMBER, with one of the settings {}",
        names.join(", ")
    )
}

impl WhatIf {
    /// Changes `rules`, as the flag of the same name does.
    fn apply(&self, rules: &mut FoldRules) -> Result<(), String> {
        let found = SETTERS.iter().find(|(name, _)| *name == self.name);
        let (name, set) = found.ok_or_else(known)?;
        let words = [format!("--{name}"), self.value.to_string()];
        let settings = Settings::try_parse_from(words).map_err(|error| {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        })?;
        set(rules, &settings.rules.rules());
        Ok(())
    }
}

/// What `--what-if` says, by name.
pub(crate) fn by_name(all: &[WhatIf]) -> BTreeMap<String, f64> {
    all.iter()
        .map(|one| (one.name.clone(), one.value))
        .collect()
}

/// The rules of a shadow: those of the live profiles but for `what_if`.
pub(crate) fn rules(live: FoldRules, what_if: &BTreeMap<String, f64>) -> Result<FoldRules, String> {
    let mut rules = live;
    for (name, value) in what_if {
        let one = WhatIf {
            name: name.clone(),
            value: *value,
        };
        one.apply(&mut rules)?;
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_can_be_asked_about_and_changes_its_own_number_alone() {
        let usual = FoldRules::default();
        let mut versions = std::collections::BTreeSet::from([usual.version()]);
        for (name, _) in SETTERS {
            let value = if name.ends_with("-s") { 60.0 } else { 0.5 };
            let given: WhatIf = format!("{name}={value}").parse().unwrap();
            let changed = rules(usual, &by_name(&[given])).unwrap();
            assert!(versions.insert(changed.version()), "{name}");
        }
        let gap: WhatIf = "FORETIDE".parse::<WhatIf>().err().map_or_else(
            || panic!("it names nothing"),
            |error| {
                assert!(error.contains("session-gap-s"), "{error}");
                "SESSION_GAP_S=600".parse().unwrap()
            },
        );
        let changed = rules(usual, &by_name(&[gap])).unwrap();
        assert_eq!(changed.session_gap_ms, 600_000);
    }

    #[test]
    fn a_number_that_the_flag_refuses_is_refused() {
        for odd in [
            "session-gap-s=0",
            "session-gap-s=x",
            "relevance-list=2",
            "gap=1",
            "x",
        ] {
            assert!(odd.parse::<WhatIf>().is_err(), "{odd}");
        }
    }
}
