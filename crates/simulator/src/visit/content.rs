//! The shop's own content, which it shows whatever Foretide decides: banners, and products that are similar.

use std::sync::Arc;

use foretide_events::EpochMs;

use super::{Visit, World};
use crate::{ContentKind, Temperament, draws::Purpose};

/// The banners; each hangs for a while, for all.
const BANNERS: [&str; 3] = ["banner-season", "banner-club", "banner-delivery"];
/// For so long each.
const BANNER_MS: i64 = 5 * 86_400_000;
/// The share of visits on which the banner is noticed.
const NOTICED: f64 = 0.3;
const BANNER_CLICKED: f64 = 0.06;
/// The share of visits on which similar products come into view.
const SIMILAR: f64 = 0.3;
const SIMILAR_CLICKED: f64 = 0.2;

impl Visit {
    /// Notices the banner on the first page, perhaps.
    pub(super) fn meet_banner(&mut self, world: World<'_>) {
        let mut draws = self.draws(world, Purpose::Content);
        if self.shopper.temperament != Temperament::Bot && draws.chance(NOTICED) {
            let turn = self.began_at.0.div_euclid(BANNER_MS);
            let number = usize::try_from(turn).unwrap_or(0) % BANNERS.len();
            let banner = Arc::from(BANNERS[number]);
            self.meet(
                ContentKind::Banner,
                &banner,
                None,
                BANNER_CLICKED,
                &mut draws,
            );
        }
    }

    /// Sees a product similar to those looked at, perhaps, and looks at it if it is clicked.
    pub(super) fn meet_similar(&mut self, world: World<'_>, at: EpochMs) {
        let mut draws = self.draws(world, Purpose::Similar);
        if draws.chance(SIMILAR) {
            let product = self.suits(world, &mut draws);
            let place = Arc::from("similar-products");
            let kind = ContentKind::Recommendation;
            if self.meet(kind, &place, Some(product), SIMILAR_CLICKED, &mut draws) {
                self.view(world, product, at, &mut draws);
            }
        }
    }
}
