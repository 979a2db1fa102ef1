//! The numbers that profiles are folded by, as settings: all that fold or read profiles of one log need the same.

use clap::Args;
use foretide_features::FoldRules;

/// What a profile counts.
///
/// Profiles name the numbers they were folded by, and others refuse them rather than mix two definitions of the features.
#[derive(Args, Clone, Copy, Debug, PartialEq)]
#[command(next_help_heading = "Profile")]
pub struct FoldRulesArgs {
    /// A session ends when this many seconds pass without an action. All settings of this section are the same wherever
    /// profiles of one log are folded or read; after a change of one stop all services and run `foretide refold`
    #[arg(long, env = "FORETIDE_SESSION_GAP_S", value_name = "S",
        default_value_t = FoldRules::default().session_gap_ms / 1000,
        value_parser = clap::value_parser!(i64).range(1..=86_400))]
    session_gap_s: i64,

    /// Dwell on one page counts up to this many seconds: a tab left open is not attention
    #[arg(long, env = "FORETIDE_DWELL_CAP_S", value_name = "S",
        default_value_t = FoldRules::default().dwell_cap_ms / 1000,
        value_parser = clap::value_parser!(u32).range(1..=86_400))]
    dwell_cap_s: u32,

    /// Engagement of one minute of dwell on a page that is relevant altogether
    #[arg(long, env = "FORETIDE_ENGAGEMENT_PER_MINUTE", value_name = "X",
        default_value_t = FoldRules::default().engagement_per_minute, value_parser = weight)]
    engagement_per_minute: f64,

    /// Engagement of one product view
    #[arg(long, env = "FORETIDE_ENGAGEMENT_PER_PRODUCT_VIEW", value_name = "X",
        default_value_t = FoldRules::default().engagement_per_product_view, value_parser = weight)]
    engagement_per_product_view: f64,

    /// Engagement of one search
    #[arg(long, env = "FORETIDE_ENGAGEMENT_PER_SEARCH", value_name = "X",
        default_value_t = FoldRules::default().engagement_per_search, value_parser = weight)]
    engagement_per_search: f64,

    /// Attention to a category that one view is worth beside its dwell, in seconds: many shops send no dwell times
    #[arg(long, env = "FORETIDE_ATTENTION_PER_VIEW_S", value_name = "S",
        default_value_t = FoldRules::default().attention_per_view_s, value_parser = weight)]
    attention_per_view_s: f64,

    /// How relevant a minute on a product's page is: 1 for all of it, 0 for nothing
    #[arg(long, env = "FORETIDE_RELEVANCE_PRODUCT", value_name = "SHARE",
        default_value_t = FoldRules::default().relevance_product, value_parser = share)]
    relevance_product: f64,

    /// How relevant a minute on a list of products is
    #[arg(long, env = "FORETIDE_RELEVANCE_LIST", value_name = "SHARE",
        default_value_t = FoldRules::default().relevance_list, value_parser = share)]
    relevance_list: f64,

    /// How relevant a minute on the results of a search is
    #[arg(long, env = "FORETIDE_RELEVANCE_SEARCH", value_name = "SHARE",
        default_value_t = FoldRules::default().relevance_search, value_parser = share)]
    relevance_search: f64,

    /// How relevant a minute on another page with a category is, such as a guide
    #[arg(long, env = "FORETIDE_RELEVANCE_CATEGORY_PAGE", value_name = "SHARE",
        default_value_t = FoldRules::default().relevance_category_page, value_parser = share)]
    relevance_category_page: f64,

    /// How relevant a minute on any other page is, such as the terms of delivery
    #[arg(long, env = "FORETIDE_RELEVANCE_OTHER_PAGE", value_name = "SHARE",
        default_value_t = FoldRules::default().relevance_other_page, value_parser = share)]
    relevance_other_page: f64,
}

impl FoldRulesArgs {
    /// The rules that these settings are.
    pub fn rules(&self) -> FoldRules {
        FoldRules {
            session_gap_ms: self.session_gap_s * 1000,
            dwell_cap_ms: self.dwell_cap_s * 1000,
            engagement_per_minute: self.engagement_per_minute,
            engagement_per_product_view: self.engagement_per_product_view,
            engagement_per_search: self.engagement_per_search,
            attention_per_view_s: self.attention_per_view_s,
            relevance_product: self.relevance_product,
            relevance_list: self.relevance_list,
            relevance_search: self.relevance_search,
            relevance_category_page: self.relevance_category_page,
            relevance_other_page: self.relevance_other_page,
        }
    }
}

fn weight(text: &str) -> Result<f64, String> {
    between(text, 1000.0)
}

fn share(text: &str) -> Result<f64, String> {
    between(text, 1.0)
}

fn between(text: &str, most: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if !(0.0..=most).contains(&number) {
        return Err(format!("it must lie between 0 and {most}"));
    }
    // Minus zero folds as zero and would be another version.
    Ok(number + 0.0)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        rules: FoldRulesArgs,
    }

    fn rules(words: &[&str]) -> Result<FoldRules, clap::Error> {
        let words = ["x"].iter().chain(words);
        Cli::try_parse_from(words).map(|cli| cli.rules.rules())
    }

    #[test]
    fn the_defaults_of_the_command_line_are_the_default_rules() {
        assert_eq!(rules(&[]).unwrap(), FoldRules::default());
    }

    #[test]
    fn every_setting_makes_other_rules() {
        let usual = FoldRules::default().version();
        for arg in Cli::command().get_arguments() {
            let Some(flag) = arg.get_long().filter(|flag| *flag != "help") else {
                continue;
            };
            let (flag, value) = (format!("--{flag}"), "0.25");
            let value = if flag.ends_with("gap-s") || flag.ends_with("cap-s") {
                "25"
            } else {
                value
            };
            assert_ne!(rules(&[&flag, value]).unwrap().version(), usual, "{flag}");
            let variable = flag
                .trim_start_matches("--")
                .to_uppercase()
                .replace('-', "_");
            assert_eq!(
                arg.get_env().unwrap().to_str().unwrap(),
                format!("FORETIDE_{variable}")
            );
        }
    }

    #[test]
    fn a_number_that_makes_no_sense_is_refused() {
        for wrong in [
            "--session-gap-s=0",
            "--dwell-cap-s=86401",
            "--engagement-per-minute=-1",
            "--engagement-per-search=NaN",
            "--attention-per-view-s=inf",
            "--relevance-list=1.1",
            "--relevance-product=much",
        ] {
            assert!(rules(&[wrong]).is_err(), "{wrong}");
        }
        let zero = rules(&["--relevance-product=-0"]).unwrap();
        assert_eq!(
            zero.version(),
            rules(&["--relevance-product=0"]).unwrap().version()
        );
    }
}
