//! What each deed counts to.

use crate::{Deed, tally::Tally};

/// The sums that a deed adds one to.
pub(super) fn of(deed: &Deed) -> &'static [Tally] {
    match deed {
        Deed::PageView { .. } => &[Tally::PageViews7d],
        Deed::Search {
            by_price: false, ..
        } => &[Tally::Searches1d, Tally::Searches7d, Tally::Searches30d],
        Deed::Search { by_price: true, .. } => &[
            Tally::Searches1d,
            Tally::Searches7d,
            Tally::Searches30d,
            Tally::PriceFilters30d,
        ],
        Deed::ProductListView { .. } => &[Tally::ProductListViews7d],
        Deed::ProductListFilter { by_price: false } => {
            &[Tally::ProductListFilters7d, Tally::ProductListFilters30d]
        }
        Deed::ProductListFilter { by_price: true } => &[
            Tally::ProductListFilters7d,
            Tally::ProductListFilters30d,
            Tally::PriceFilters30d,
        ],
        Deed::ProductClick => &[Tally::ProductClicks7d],
        Deed::ProductView(_) => &[
            Tally::ProductViews1d,
            Tally::ProductViews7d,
            Tally::ProductViews30d,
        ],
        Deed::CartAdd(_) => &[Tally::CartAdds1d, Tally::CartAdds7d, Tally::CartAdds30d],
        Deed::CartRemove(_) => &[Tally::CartRemoves7d],
        Deed::CartView(_) => &[Tally::CartViews7d],
        Deed::WishlistAdd(_) => &[Tally::WishlistAdds7d, Tally::WishlistAdds30d],
        Deed::CouponApplied => &[Tally::CouponsApplied7d, Tally::CouponsApplied30d],
        Deed::CouponDenied => &[Tally::CouponsDenied7d, Tally::CouponsDenied30d],
        Deed::ContentImpression => &[Tally::ContentImpressions7d, Tally::ContentImpressions30d],
        Deed::ContentClick => &[Tally::ContentClicks7d, Tally::ContentClicks30d],
        Deed::ContentDismissal => &[Tally::ContentDismissals7d],
        Deed::CheckoutStart => &[Tally::CheckoutStarts7d],
        Deed::Refund => &[Tally::Refunds30d],
        Deed::Share => &[Tally::Shares7d],
        Deed::Review => &[Tally::Reviews7d],
        Deed::WishlistRemove
        | Deed::CouponHandled
        | Deed::CheckoutStep { .. }
        | Deed::PaymentInfo { .. }
        | Deed::Purchase(_)
        | Deed::Zone(_)
        | Deed::Account
        | Deed::Custom
        | Deed::Elsewhere => &[],
    }
}
