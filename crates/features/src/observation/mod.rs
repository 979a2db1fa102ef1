//! What the fold needs of an event, and no more.

mod goods;
mod texts;

use foretide_events::{
    CouponOutcome, EpochMs, Event, Interaction, Lean, LeanAction, LeanProduct, Money,
};
use xxhash_rust::xxh3::xxh3_64;

pub use self::goods::{Bought, BoughtLine, Line, Lines, Scroll, Topic, View};
pub use self::texts::Texts;
use self::{
    goods::by_price,
    texts::{Kept, Source},
};
use crate::{State, Zone, codec::Writer};

/// 40 bits of an event's id: what makes two events copies of one. It is looked for among the observations of one shopper in
/// a day, at most 256: with ten of them one event in 110 thousand million would be taken for a copy of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdHash(pub(crate) u64);

impl IdHash {
    /// In the place of an id that is no longer kept: after every id, so that nothing of its instant comes after it.
    pub(crate) const NONE: Self = Self(u64::MAX);

    /// The hash of an event id: the upper 40 bits of its XXH3-64.
    pub fn of(id: &str) -> Self {
        Self(xxh3_64(id.as_bytes()) >> 24)
    }
}

/// 48 bits of a hash of `text`.
fn hash_48(text: &str) -> u64 {
    xxh3_64(text.as_bytes()) >> 16
}

/// The canonical order of a shopper's observations: by time, then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// When it happened.
    pub at: EpochMs,
    /// The hash of its id.
    pub id: IdHash,
}

/// What was done, with the fields that are folded. A dwell of zero means that the shop sent none.
#[expect(
    missing_docs,
    reason = "each is the action of the same name; those that differ are documented"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    PageView {
        dwell_ms: u32,
        scroll: Scroll,
    },
    Search {
        dwell_ms: u32,
        by_price: bool,
    },
    ProductListView {
        dwell_ms: u32,
    },
    /// Filtered or sorted, by price or not.
    ProductListFilter {
        by_price: bool,
    },
    ProductClick,
    ProductView(Box<View>),
    CartAdd(Option<Box<Line>>),
    CartRemove(Option<Box<Line>>),
    CartView(Option<Box<Lines>>),
    /// With the price of one piece.
    WishlistAdd(Option<Box<Money>>),
    WishlistRemove,
    /// A coupon was entered or taken off again: an action like any other.
    CouponHandled,
    CouponApplied,
    CouponDenied,
    ContentImpression,
    ContentClick,
    ContentDismissal,
    CheckoutStart,
    CheckoutStep {
        step: u8,
    },
    PaymentInfo {
        step: u8,
    },
    Purchase(Box<Bought>),
    /// A refund or a cancelled order: the shop's doing, so no sign that the shopper was there.
    Refund,
    Share,
    Review,
    /// Identify with a time zone.
    Zone(Zone),
    /// Any other identify, group or alias.
    Account,
    Custom,
    /// An order correction, a conversion or enrichment: no sign that the shopper was there, and not folded here.
    Elsewhere,
}

impl Deed {
    /// What `action` is to the fold.
    fn of(action: &LeanAction<'_>, texts: &mut impl Source) -> Self {
        let dwell = |dwell_ms: &Option<u32>| dwell_ms.unwrap_or(0);
        let step = |step: &Option<u32>| u8::try_from(step.unwrap_or(0)).unwrap_or(u8::MAX);
        let line = |product: &LeanProduct<'_>, quantity: &Option<u32>| {
            let line = Line::of_any(product)?;
            let quantity = quantity.or(line.quantity);
            Some(Box::new(Line { quantity, ..line }))
        };
        match action {
            LeanAction::PageView {
                dwell_ms,
                scroll_depth,
                ..
            } => Self::PageView {
                dwell_ms: dwell(dwell_ms),
                scroll: Scroll::of(*scroll_depth),
            },
            LeanAction::Search { filters, dwell_ms } => Self::Search {
                dwell_ms: dwell(dwell_ms),
                by_price: by_price(filters),
            },
            LeanAction::ProductListView { dwell_ms, .. } => Self::ProductListView {
                dwell_ms: dwell(dwell_ms),
            },
            LeanAction::ProductListFilter { filters } => Self::ProductListFilter {
                by_price: by_price(filters),
            },
            LeanAction::ProductClick => Self::ProductClick,
            LeanAction::ProductView {
                product,
                dwell_ms,
                scroll_depth,
            } => {
                let view = View::of(product, dwell(dwell_ms), *scroll_depth);
                Self::ProductView(Box::new(view))
            }
            LeanAction::CartAdd { product, quantity } => Self::CartAdd(line(product, quantity)),
            LeanAction::CartRemove { product, quantity } => {
                Self::CartRemove(line(product, quantity))
            }
            LeanAction::CartView { products } => Self::CartView(lines(products)),
            LeanAction::WishlistAdd { price } => Self::WishlistAdd(price.map(Box::new)),
            LeanAction::WishlistRemove => Self::WishlistRemove,
            LeanAction::CouponAttempt(outcome) => match outcome {
                CouponOutcome::Applied => Self::CouponApplied,
                CouponOutcome::Denied => Self::CouponDenied,
                CouponOutcome::Entered | CouponOutcome::Removed => Self::CouponHandled,
            },
            LeanAction::ContentInteraction(interaction) => match interaction {
                Interaction::Impression => Self::ContentImpression,
                Interaction::Click => Self::ContentClick,
                Interaction::Dismiss => Self::ContentDismissal,
            },
            LeanAction::CheckoutStart => Self::CheckoutStart,
            LeanAction::CheckoutStep { step: number } => Self::CheckoutStep { step: step(number) },
            LeanAction::PaymentInfo { step: number } => Self::PaymentInfo { step: step(number) },
            LeanAction::Purchase {
                order_id,
                value,
                products,
            } => Self::Purchase(Box::new(Bought::of(*order_id, *value, products, texts))),
            LeanAction::Refund | LeanAction::Cancel => Self::Refund,
            LeanAction::Share => Self::Share,
            LeanAction::Review => Self::Review,
            LeanAction::Identify { time_zone } => time_zone
                .and_then(Zone::named)
                .map_or(Self::Account, Self::Zone),
            LeanAction::Group | LeanAction::Alias { .. } => Self::Account,
            LeanAction::Custom => Self::Custom,
            LeanAction::OrderUpdate | LeanAction::Conversion | LeanAction::Enrichment => {
                Self::Elsewhere
            }
        }
    }

    /// Whether it shows that the shopper was there.
    pub fn is_presence(&self) -> bool {
        !matches!(self, Self::Refund | Self::Elsewhere)
    }

    fn lines(&self) -> &[Line] {
        match self {
            Self::CartAdd(Some(line)) | Self::CartRemove(Some(line)) => std::slice::from_ref(line),
            Self::CartView(Some(lines)) => &lines.0,
            _ => &[],
        }
    }
}

fn lines(products: &[LeanProduct<'_>]) -> Option<Box<Lines>> {
    let lines: Vec<_> = products.iter().filter_map(Line::of_named).collect();
    (!lines.is_empty()).then(|| Box::new(Lines(lines)))
}

/// The part of an event that the fold needs. It depends on the event's id, time and action alone: never on when it
/// arrived or through whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    pub(crate) key: Key,
    /// The category whose pages were looked at, for page, list and product views.
    pub(crate) topic: Option<Topic>,
    pub(crate) deed: Deed,
}

impl Observation {
    /// What the fold needs of `event`.
    pub fn of(event: &Event) -> Self {
        Self::of_next(&Lean::of(event), &State::default())
    }

    /// The same of what was read of an event for it, with the texts from `texts`.
    pub fn of_lean(lean: &Lean<'_>, texts: &mut Texts) -> Self {
        Self::read(lean, texts)
    }

    /// The same, with the texts that `state` keeps already.
    pub(crate) fn of_next(lean: &Lean<'_>, state: &State) -> Self {
        Self::read(lean, &mut Kept(state))
    }

    fn read(lean: &Lean<'_>, texts: &mut impl Source) -> Self {
        let category = match &lean.action {
            LeanAction::PageView { category, .. }
            | LeanAction::ProductListView { category, .. } => *category,
            LeanAction::ProductView { product, .. } => product.category,
            _ => None,
        };
        Self {
            key: Key {
                at: lean.at,
                id: IdHash::of(lean.id),
            },
            topic: category.and_then(|category| texts.topic(category)),
            deed: Deed::of(&lean.action, texts),
        }
    }

    /// Its place in the canonical order.
    pub fn key(&self) -> Key {
        self.key
    }

    /// A hash of all that is folded of it besides its time and id.
    pub fn payload_hash(&self) -> u64 {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        writer.deed(&self.deed, self.topic.as_ref());
        xxh3_64(&bytes)
    }

    /// Whether it takes the place of `other`, a copy with the same id: the smaller (time, payload hash) wins, so
    /// that the order in which copies arrive does not matter.
    pub(crate) fn wins_over(&self, other: &Self) -> bool {
        let order = self.key.at.cmp(&other.key.at);
        order
            .then_with(|| self.payload_hash().cmp(&other.payload_hash()))
            .is_lt()
    }

    /// About how many bytes it takes, in memory and encoded alike.
    pub(crate) fn size(&self) -> usize {
        let beside = match &self.deed {
            Deed::ProductView(_) => size_of::<View>(),
            Deed::Purchase(bought) => bought.lines.len() * size_of::<BoughtLine>(),
            _ => 0,
        };
        let lines: usize = self.deed.lines().iter().map(Line::size).sum();
        size_of::<Self>() + beside + lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_fits_a_cache_line() {
        assert!(size_of::<Observation>() <= 64);
    }

    #[test]
    fn the_id_hash_is_that_of_the_reference_implementation() {
        // XXH3-64 of no bytes, from the xxHash test vectors.
        assert_eq!(IdHash::of(""), IdHash(0x2d_0680_0538));
    }
}
