//! Names that say what sets a cohort apart: an adjective for what is most unlike other shoppers, and a noun for how much they
//! look around and buy. "price-sensitive browsers".

use std::collections::BTreeSet;

use foretide_events::Text;
use foretide_features::Feature;

use crate::Trait;

/// A difference below this sets nobody apart, in standard deviations.
const NOTABLE: f64 = 0.35;
/// A name stays while what it was given for is still this part of the difference it was.
const STILL: f64 = 0.5;

/// A cohort that is to be named.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unnamed<'a> {
    /// What sets it apart, the most first.
    pub(crate) traits: &'a [Trait],
    /// What it was called, and what set it apart then, if it lives on.
    pub(crate) before: Option<(&'a str, &'a [Trait])>,
}

/// Names for cohorts; all differ. A cohort that lives on keeps its name while that is still true of it.
pub(crate) fn name_all(cohorts: &[Unnamed<'_>]) -> Vec<Text<80>> {
    let mut taken = BTreeSet::new();
    let mut names: Vec<Option<String>> = Vec::new();
    for cohort in cohorts {
        let before = cohort.before;
        let kept = before.filter(|(_, before)| is_still(cohort.traits, before));
        let kept = kept.map(|(name, _)| name.to_owned());
        names.push(kept.filter(|name| taken.insert(name.clone())));
    }
    for (cohort, name) in cohorts.iter().zip(&mut names) {
        if name.is_none() {
            let free = candidates(cohort.traits).find(|name| taken.insert(name.clone()));
            *name = free;
        }
    }
    let name = |name: Option<String>| Text::new(&name.unwrap_or_default()).unwrap_or_default();
    names.into_iter().map(name).collect()
}

/// Whether what set the cohort apart most still does.
fn is_still(traits: &[Trait], before: &[Trait]) -> bool {
    let Some(first) = before.first() else {
        return traits.is_empty();
    };
    let now = traits.iter().find(|own| own.feature == first.feature);
    now.is_some_and(|now| now.difference / first.difference >= STILL)
}

/// Names in the order in which they are wished for: with one adjective, with two, then with numbers.
fn candidates(traits: &[Trait]) -> impl Iterator<Item = String> {
    let noun = noun(traits);
    let mut adjectives = Vec::new();
    for own in traits.iter().filter(|own| own.difference.abs() >= NOTABLE) {
        let adjective = adjective(own, noun);
        let adjective = adjective.filter(|adjective| !adjectives.contains(adjective));
        adjectives.extend(adjective);
    }
    let first = adjectives.first().cloned();
    let plain = first.map_or_else(
        || format!("typical {noun}"),
        |first| format!("{first} {noun}"),
    );
    let mut names = vec![plain.clone()];
    for (place, second) in adjectives.iter().enumerate().skip(1).take(4) {
        names.push(format!("{}, {second} {noun}", adjectives[0]));
        if place > 1 {
            names.push(format!("{}, {second} {noun}", adjectives[1]));
        }
    }
    names
        .into_iter()
        .chain((2..).map(move |number: u32| format!("{plain} {number}")))
}

/// What shoppers do most, beside others.
fn noun(traits: &[Trait]) -> &'static str {
    let of = |features: &[Feature]| {
        let own = traits.iter().filter(|own| features.contains(&own.feature));
        own.map(|own| own.difference).fold(
            0.0,
            |most: f64, next| if next.abs() > most.abs() { next } else { most },
        )
    };
    let bought = of(&[
        Feature::Purchases30d,
        Feature::Spend30d,
        Feature::PurchasesTotal,
    ]);
    let looked = of(&[
        Feature::ProductViews30d,
        Feature::DwellSeconds30d,
        Feature::Engagement30d,
        Feature::Sessions30d,
        Feature::Actions30d,
    ]);
    if bought >= NOTABLE {
        "buyers"
    } else if looked >= NOTABLE {
        "browsers"
    } else if looked <= -NOTABLE {
        "passers-by"
    } else {
        "shoppers"
    }
}

/// What having more, or less, of a feature is called. `None` where the noun says it already, or it says nothing.
fn adjective(own: &Trait, noun: &str) -> Option<String> {
    let (more, less) = words(own.feature).unwrap_or((None, None));
    let known = if own.difference > 0.0 { more } else { less };
    if known.is_some() || words(own.feature).is_some() {
        let known = known.filter(|word| !is_said(word, noun));
        return known.map(str::to_owned);
    }
    let words = own.feature.spec().name.replace('_', " ");
    let how = if own.difference > 0.0 { "high" } else { "low" };
    Some(format!("{how}-{}", words.replace(' ', "-")))
}

/// Whether a noun says the same as a word.
fn is_said(word: &str, noun: &str) -> bool {
    matches!(
        (word, noun),
        ("often-buying" | "not-buying", "buyers")
            | ("much-looking" | "engaged", "browsers")
            | ("little-looking" | "quiet", "passers-by")
    )
}

/// Words for more and for less of a feature; `None` if it has none of its own.
fn words(feature: Feature) -> Option<(Option<&'static str>, Option<&'static str>)> {
    let words = match feature {
        Feature::DiscountedViewShare30d
        | Feature::PriceFilterShare30d
        | Feature::PriceFilters30d
        | Feature::PriceElasticity => (Some("price-sensitive"), None),
        Feature::PriceDropsSeen30d => (Some("price-watching"), None),
        Feature::CouponAttempts30d | Feature::CouponsApplied7d => (Some("coupon-hunting"), None),
        Feature::Sessions30d | Feature::Actions30d => (Some("frequent"), Some("rare")),
        Feature::VisitGapHours => (Some("seldom-seen"), Some("often-returning")),
        Feature::Searches30d => (Some("searching"), None),
        Feature::SearchFollowShare30d => (Some("purposeful"), None),
        Feature::ProductViews30d => (Some("much-looking"), Some("little-looking")),
        Feature::DwellSeconds30d => (Some("lingering"), Some("hasty")),
        Feature::Engagement30d => (Some("engaged"), Some("quiet")),
        Feature::EngagementTrend7d => (Some("warming"), Some("fading")),
        Feature::CartAdds30d => (Some("cart-filling"), None),
        Feature::WishlistAdds30d => (Some("wishing"), None),
        Feature::ContentClicks30d | Feature::ContentClickShare30d => (Some("inspired"), None),
        Feature::Purchases30d | Feature::PurchasesTotal => {
            (Some("often-buying"), Some("not-buying"))
        }
        Feature::Spend30d => (Some("big-spending"), Some("not-buying")),
        Feature::MeanOrderValue30d => (Some("big-basket"), Some("small-basket")),
        Feature::DaysSincePurchase => (Some("long-lapsed"), Some("lately-buying")),
        Feature::TopCategoryShare | Feature::CategoryFocus => {
            (Some("single-minded"), Some("wide-ranging"))
        }
        Feature::CategoryEntropy | Feature::Categories => {
            (Some("wide-ranging"), Some("single-minded"))
        }
        Feature::BrandEntropy | Feature::Brands => (Some("brand-roaming"), Some("brand-loyal")),
        Feature::ViewedPriceLevel | Feature::BoughtPriceLevel => {
            (Some("upmarket"), Some("thrifty"))
        }
        Feature::ViewedPriceSpread => (Some("price-comparing"), Some("price-settled")),
        _ => return None,
    };
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(differences: &[(Feature, f64)]) -> Vec<Trait> {
        let own = |(feature, difference): &(Feature, f64)| Trait {
            feature: *feature,
            difference: *difference,
        };
        differences.iter().map(own).collect()
    }

    fn names(cohorts: &[Vec<Trait>]) -> Vec<String> {
        let unnamed = |traits| Unnamed {
            traits,
            before: None,
        };
        let cohorts: Vec<_> = cohorts.iter().map(|traits| unnamed(&traits[..])).collect();
        name_all(&cohorts)
            .iter()
            .map(|name| name.to_string())
            .collect()
    }

    #[test]
    fn names_say_what_sets_apart_most_and_what_shoppers_do() {
        let price_sensitive = traits(&[
            (Feature::DiscountedViewShare30d, 1.4),
            (Feature::ProductViews30d, 0.8),
            (Feature::Purchases30d, -0.2),
        ]);
        let loyal = traits(&[(Feature::Purchases30d, 1.9), (Feature::BrandEntropy, -0.9)]);
        let away = traits(&[
            (Feature::Engagement30d, -1.0),
            (Feature::EngagementTrend7d, -0.7),
        ]);
        let nobody = traits(&[(Feature::Searches30d, 0.1)]);
        assert_eq!(
            names(&[price_sensitive, loyal, away, nobody]),
            [
                "price-sensitive browsers",
                "brand-loyal buyers",
                "fading passers-by",
                "typical shoppers"
            ]
        );
    }

    #[test]
    fn names_differ_and_features_without_words_are_named_plainly() {
        let same = traits(&[
            (Feature::CouponAttempts30d, 1.0),
            (Feature::Searches30d, 0.9),
        ]);
        let other = traits(&[(Feature::CartViews7d, 2.0)]);
        assert_eq!(
            names(&[same.clone(), same.clone(), same, other]),
            [
                "coupon-hunting shoppers",
                "coupon-hunting, searching shoppers",
                "coupon-hunting shoppers 2",
                "high-cart-views-7d shoppers"
            ]
        );
    }

    #[test]
    fn a_name_stays_while_it_is_true() {
        let before = traits(&[(Feature::CouponAttempts30d, 1.0)]);
        let still = traits(&[
            (Feature::Searches30d, 0.9),
            (Feature::CouponAttempts30d, 0.8),
        ]);
        let no_more = traits(&[
            (Feature::Searches30d, 0.9),
            (Feature::CouponAttempts30d, 0.2),
        ]);
        let before = Some(("coupon-hunting shoppers", &before[..]));
        let name = |traits: &[Trait]| name_all(&[Unnamed { traits, before }])[0].to_string();
        assert_eq!(name(&still), "coupon-hunting shoppers");
        assert_eq!(name(&no_more), "searching shoppers");
    }
}
