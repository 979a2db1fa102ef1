//! That the numbers in the text are those of the code: whoever works a feature out by hand has nothing else.

use foretide_events::EpochMs;

use super::{CATALOGUE, Feature, FeatureSpec, Reading, Unit};
use crate::{
    Brand, FoldRules, LATE_AFTER_MS, RECENT_LIMIT, Reference, SETTLE_AFTER_MS, Spread, State,
    Topic, baseline, cart, half_life, prices, ranking, ranking::Name, responses, seen,
    tally::Tally,
};

const HOUR_MS: i64 = 3_600_000;

/// `1e-3` as `10⁻³`.
fn power_of_ten(number: f64) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let text = format!("{number:e}");
    let exponent = text.strip_prefix("1e-").unwrap();
    let digits = exponent
        .chars()
        .map(|digit| DIGITS[digit.to_digit(10).unwrap() as usize]);
    format!("10⁻{}", digits.collect::<String>())
}

/// The text of the preface, on one line.
fn preface() -> String {
    let words: Vec<_> = include_str!("preface.md").split_whitespace().collect();
    words.join(" ")
}

#[track_caller]
fn stated(text: &str, part: &str) {
    assert!(text.contains(part), "“{part}” is not in: {text}");
}

#[test]
fn the_preface_states_the_limits_and_rules_of_the_code() {
    let (preface, rules) = (preface(), FoldRules::default());
    for part in [
        format!(
            "more than {} hours older than the newest",
            LATE_AFTER_MS / HOUR_MS
        ),
        format!(
            "Of more than {RECENT_LIMIT} events within {} hours",
            SETTLE_AFTER_MS / HOUR_MS
        ),
        format!(
            "a gap of more than {} minutes",
            rules.session_gap_ms / 60_000
        ),
        format!(
            "It holds {} products, and fewer if they take more than {} bytes",
            cart::ITEM_LIMIT,
            cart::BYTE_LIMIT
        ),
        format!("at most {} s (`dwell_cap_ms`)", rules.dwell_cap_ms / 1000),
        format!("`engagement_per_minute` ({})", rules.engagement_per_minute),
        format!(
            "`engagement_per_product_view` ({})",
            rules.engagement_per_product_view
        ),
        format!("`engagement_per_search` ({})", rules.engagement_per_search),
        format!("`relevance_product` ({})", rules.relevance_product),
        format!("`relevance_list` ({})", rules.relevance_list),
        format!("`relevance_search` ({})", rules.relevance_search),
        format!(
            "`relevance_category_page` ({})",
            rules.relevance_category_page
        ),
        format!("`relevance_other_page` ({})", rules.relevance_other_page),
        format!("`attention_per_view_s` ({})", rules.attention_per_view_s),
        format!("half-life {}", ranking::HALF_LIFE.in_words()),
        format!(
            "the {} categories ({} brands) with the most",
            Topic::LIMIT,
            Brand::LIMIT
        ),
        format!("more than {} bytes together", Topic::TEXT_LIMIT),
        format!("less than {} · Σ attention", ranking::LEAST_SHARE),
        format!("among the {} different products viewed last", seen::LIMIT),
        format!("while it is among the {}.", seen::LIMIT),
        format!("If |x| < {} it is", responses::SAME),
        format!(
            "share or mean of is below {}",
            power_of_ten(prices::HARDLY_ANY)
        ),
    ] {
        stated(&preface, &part);
    }
}

#[test]
fn the_preface_states_when_a_sum_is_nothing() {
    let (sums, numbers) = (
        power_of_ten(half_life::NEGLIGIBLE),
        power_of_ten(half_life::VERY_LITTLE),
    );
    stated(
        &preface(),
        &format!("less than {sums} at the beginning of a period"),
    );
    let small = "Of price changes and of views at the same price, of gaps between visits, and of the prices of a category it is the \
                 number, sum(…: 1), that decides, and";
    stated(&preface(), &format!("{small} {numbers} is the least"));
}

#[test]
fn the_preface_states_baselines_and_the_prior_reference() {
    use baseline::{CUT, LEAST_SCALE, LEAST_SHRUNK_SCALE, MEMORY, PRIOR};
    let (preface, prior) = (preface(), Reference::prior());
    let ln = |Spread { location, scale }| {
        let whole = libm::exp(location).round();
        assert!((libm::log(whole) - location).abs() < 1e-12);
        format!("ln({whole}), {scale}")
    };
    for part in [
        format!("a = 1/min(n + 1, {MEMORY})"),
        format!("from −{CUT}·scale to {CUT}·scale"),
        format!("− scale), {LEAST_SCALE})"),
        format!("(x − l) / max(s, {LEAST_SHRUNK_SCALE}), from −10 to 10"),
        format!("l = (n·location + {PRIOR}·l0) / (n + {PRIOR})"),
        format!("`ln_daily_engagement` {}", ln(prior.day)),
        format!("`ln_session_seconds` {}", ln(prior.session)),
        format!("`ln_basket` {}", ln(prior.basket)),
        format!("`ln_visit_gap_hours` {}", ln(prior.visit_gap)),
        format!(
            "`category_mix_divergence` {}, {}",
            prior.mix.location, prior.mix.scale
        ),
        format!("`review_cart_share` {}", prior.review_cart_share),
    ] {
        stated(&preface, &part);
    }
}

#[test]
fn formulas_state_the_numbers_of_the_code() {
    let states = |feature: Feature, part: &str| stated(feature.spec().formula, part);
    states(
        Feature::SessionRepeatViews,
        &format!("among the {} different ones viewed last", seen::LIMIT),
    );
    for (feature, scale) in [
        Feature::EngagementDeviation,
        Feature::SessionLengthDeviation,
        Feature::BasketDeviation,
    ]
    .into_iter()
    .zip(baseline::FIRST_SCALES)
    {
        states(feature, &format!("s0 = {scale},"));
    }
    let prior = baseline::PRIOR;
    states(
        Feature::VisitOverdue,
        &format!("+ {prior}·μ0) / (n + {prior})"),
    );
    states(
        Feature::VisitOverdue,
        &format!("max(σ, {})", baseline::LEAST_SHRUNK_SCALE),
    );
    let elasticity = Feature::PriceElasticity;
    states(elasticity, &format!("(Sxx + {})", responses::RIDGE));
    states(
        elasticity,
        &format!("{}·review_cart_share", responses::PRIOR_VIEWS),
    );
    let hardly_any = format!("{:e}", prices::HARDLY_ANY);
    states(elasticity, &format!("≥ {hardly_any}"));
    states(Feature::ViewedPriceLevel, &format!("≥ {hardly_any}"));
    states(
        Feature::PriceDropsSeen30d,
        &format!("x ≤ −{}", responses::SAME),
    );
    states(
        Feature::PriceRisesSeen30d,
        &format!("x ≥ {}", responses::SAME),
    );
    for (feature, limit) in [
        (Feature::Categories, Topic::LIMIT),
        (Feature::Brands, Brand::LIMIT),
        (Feature::CartItems, cart::ITEM_LIMIT),
    ] {
        assert!(
            (feature.spec().max - limit as f64).abs() < 1e-9,
            "{feature:?}"
        );
    }
}

/// A sum and what it is a part of are rounded apart, so one may come out larger by a little; the code says 1 then.
#[test]
fn shares_of_sums_are_at_most_one_in_the_text_as_in_the_code() {
    assert_eq!(Reading::share(1.000_04, 1.0), Some(1.0));
    let of_sums = |spec: &&FeatureSpec| {
        spec.unit == Unit::Share && spec.nature.half_life == Some(Tally::Searches30d.half_life())
    };
    let shares: Vec<_> = CATALOGUE.iter().filter(of_sums).collect();
    assert_eq!(shares.len(), 5);
    for spec in shares {
        assert!(
            spec.formula.starts_with("min(1, ") && spec.formula.ends_with(')'),
            "{}",
            spec.name
        );
    }
}

#[test]
fn what_holds_for_a_time_is_missing_after_it_and_nothing_else_is() {
    let (rules, reference, state) = (FoldRules::default(), Reference::prior(), State::default());
    for spec in &CATALOGUE {
        let expired = |ms| {
            let reading = state.reading(EpochMs(ms), &rules, &reference);
            reading.is_expired(spec.feature)
        };
        match spec.nature.time_to_live.ms(&rules) {
            Some(most) => assert!(!expired(most) && expired(most + 1), "{}", spec.name),
            None => assert!(!expired(1 << 50), "{}", spec.name),
        }
    }
}
