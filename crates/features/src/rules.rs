//! The numbers the fold depends on.

use xxhash_rust::xxh3::xxh3_64;

/// Raised whenever the same rules would fold the same events to another state: a change of code, not of numbers.
const FOLD_REVISION: u32 = 4;

/// What the fold depends on besides the events. Two runs agree only if their rules do, so a stored profile names the
/// [version](Self::version) it was folded under.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FoldRules {
    /// A session ends when this many milliseconds pass without an action.
    pub session_gap_ms: i64,
    /// Dwell on one page counts up to this many milliseconds: a tab left open is not attention.
    pub dwell_cap_ms: u32,
    /// Engagement (M2) of one minute of dwell on a relevant page.
    pub engagement_per_minute: f64,
    /// Engagement of one product view.
    pub engagement_per_product_view: f64,
    /// Engagement of one search.
    pub engagement_per_search: f64,
    /// Attention (M3) that one view is worth beside its dwell, in seconds: many shops do not send dwell times.
    pub attention_per_view_s: f64,
    /// How much a minute on a product's page counts to engagement: 1 for all of it, 0 for nothing.
    pub relevance_product: f64,
    /// The same of a minute on a list of products.
    pub relevance_list: f64,
    /// The same of a minute on the results of a search.
    pub relevance_search: f64,
    /// The same of a minute on another page that has a category, such as a guide.
    pub relevance_category_page: f64,
    /// The same of a minute on any other page, such as the terms of delivery.
    pub relevance_other_page: f64,
}

impl Default for FoldRules {
    fn default() -> Self {
        Self {
            session_gap_ms: 30 * 60_000,
            dwell_cap_ms: 5 * 60_000,
            engagement_per_minute: 1.0,
            engagement_per_product_view: 1.0,
            engagement_per_search: 1.0,
            attention_per_view_s: 10.0,
            relevance_product: 1.0,
            relevance_list: 1.0,
            relevance_search: 1.0,
            relevance_category_page: 1.0,
            relevance_other_page: 0.0,
        }
    }
}

impl FoldRules {
    /// Names these rules: differs whenever a number or the code that folds differs.
    pub fn version(&self) -> u32 {
        let Self {
            session_gap_ms,
            dwell_cap_ms,
            engagement_per_minute,
            engagement_per_product_view,
            engagement_per_search,
            attention_per_view_s,
            relevance_product,
            relevance_list,
            relevance_search,
            relevance_category_page,
            relevance_other_page,
        } = *self;
        let mut bytes = [0; 88];
        let words = [
            u64::from(FOLD_REVISION) << 32 | u64::from(dwell_cap_ms),
            session_gap_ms.cast_unsigned(),
            engagement_per_minute.to_bits(),
            engagement_per_product_view.to_bits(),
            engagement_per_search.to_bits(),
            attention_per_view_s.to_bits(),
            relevance_product.to_bits(),
            relevance_list.to_bits(),
            relevance_search.to_bits(),
            relevance_category_page.to_bits(),
            relevance_other_page.to_bits(),
        ];
        for (slot, word) in bytes.chunks_exact_mut(8).zip(words) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        let [a, b, c, d, ..] = xxh3_64(&bytes).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// Seconds of `dwell_ms` that count.
    pub(crate) fn counted_dwell_s(&self, dwell_ms: u32) -> f64 {
        f64::from(dwell_ms.min(self.dwell_cap_ms)) / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_part_of_the_version() {
        let rules = FoldRules::default();
        let others = [
            FoldRules {
                session_gap_ms: 1,
                ..rules
            },
            FoldRules {
                dwell_cap_ms: 1,
                ..rules
            },
            FoldRules {
                engagement_per_minute: 0.5,
                ..rules
            },
            FoldRules {
                engagement_per_product_view: 0.5,
                ..rules
            },
            FoldRules {
                engagement_per_search: 0.5,
                ..rules
            },
            FoldRules {
                attention_per_view_s: 0.5,
                ..rules
            },
            FoldRules {
                relevance_product: 0.5,
                ..rules
            },
            FoldRules {
                relevance_list: 0.5,
                ..rules
            },
            FoldRules {
                relevance_search: 0.5,
                ..rules
            },
            FoldRules {
                relevance_category_page: 0.5,
                ..rules
            },
            FoldRules {
                relevance_other_page: 0.5,
                ..rules
            },
        ];
        assert!(
            others
                .iter()
                .all(|other| other.version() != rules.version())
        );
        assert_eq!(rules.version(), FoldRules::default().version());
    }
}
