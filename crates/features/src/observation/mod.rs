//! What the fold needs of an event, and no more.

mod goods;

use foretide_events::{Action, CouponOutcome, EpochMs, Event, Interaction, Money, Product};
use xxhash_rust::xxh3::xxh3_64;

use self::goods::by_price;
pub use self::goods::{Bought, BoughtLine, Line, Lines, Scroll, Topic, View};
use crate::{State, Zone, codec::Writer};

/// 48 bits of an event's id: what makes two events copies of one. It is looked for among the observations of one shopper in
/// a day, at most 256: with ten of them one event in 28 million million would be taken for a copy of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdHash(pub(crate) u64);

impl IdHash {
    /// In the place of an id that is no longer kept: after every id, so that nothing of its instant comes after it.
    pub(crate) const NONE: Self = Self(u64::MAX);

    /// The hash of an event id: the upper 48 bits of its XXH3-64.
    pub fn of(id: &str) -> Self {
        Self(hash_48(id))
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
    pub fn of(action: &Action) -> Self {
        let dwell = |dwell_ms: Option<u32>| dwell_ms.unwrap_or(0);
        let step = |step: Option<u32>| u8::try_from(step.unwrap_or(0)).unwrap_or(u8::MAX);
        let line = |product: &Product, quantity: Option<u32>| {
            let line = Line::of_any(product)?;
            let quantity = quantity.or(line.quantity);
            Some(Box::new(Line { quantity, ..line }))
        };
        match action {
            Action::PageView(page) => Self::PageView {
                dwell_ms: dwell(page.dwell_ms),
                scroll: Scroll::of(page.scroll_depth),
            },
            Action::Search(search) => Self::Search {
                dwell_ms: dwell(search.dwell_ms),
                by_price: by_price(&search.filters),
            },
            Action::ProductListView(list) => Self::ProductListView {
                dwell_ms: dwell(list.dwell_ms),
            },
            Action::ProductListFilter(list) => Self::ProductListFilter {
                by_price: by_price(&list.filters) || by_price(&list.sorts),
            },
            Action::ProductClick(_) => Self::ProductClick,
            Action::ProductView(view) => Self::ProductView(Box::new(View::of(view))),
            Action::CartAdd(add) => Self::CartAdd(line(&add.product, add.quantity)),
            Action::CartRemove(remove) => Self::CartRemove(line(&remove.product, remove.quantity)),
            Action::CartView(view) => Self::CartView(lines(&view.products)),
            Action::WishlistAdd(add) => Self::WishlistAdd(add.product.price.map(Box::new)),
            Action::WishlistRemove(_) => Self::WishlistRemove,
            Action::CouponAttempt(attempt) => match attempt.outcome {
                CouponOutcome::Applied => Self::CouponApplied,
                CouponOutcome::Denied => Self::CouponDenied,
                CouponOutcome::Entered | CouponOutcome::Removed => Self::CouponHandled,
            },
            Action::ContentInteraction(content) => match content.interaction {
                Interaction::Impression => Self::ContentImpression,
                Interaction::Click => Self::ContentClick,
                Interaction::Dismiss => Self::ContentDismissal,
            },
            Action::CheckoutStart(_) => Self::CheckoutStart,
            Action::CheckoutStep(checkout) => Self::CheckoutStep {
                step: step(checkout.step),
            },
            Action::PaymentInfo(checkout) => Self::PaymentInfo {
                step: step(checkout.step),
            },
            Action::Purchase(order) => Self::Purchase(Box::new(Bought::of(order))),
            Action::Refund(_) | Action::Cancel(_) => Self::Refund,
            Action::Share(_) => Self::Share,
            Action::Review(_) => Self::Review,
            Action::Identify(identify) => {
                let zone = identify.time_zone.as_deref().and_then(Zone::named);
                zone.map_or(Self::Account, Self::Zone)
            }
            Action::Group(_) | Action::Alias(_) => Self::Account,
            Action::Custom(_) => Self::Custom,
            Action::OrderUpdate(_) | Action::Conversion(_) | Action::Enrichment(_) => {
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

fn lines(products: &[Product]) -> Option<Box<Lines>> {
    let lines: Vec<_> = products.iter().filter_map(Line::of).collect();
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
        let category = match &event.action {
            Action::PageView(page) => page.category.as_ref(),
            Action::ProductListView(list) => list.category.as_ref(),
            Action::ProductView(view) => view.product.category.as_ref(),
            _ => None,
        };
        Self {
            key: Key {
                at: event.at,
                id: IdHash::of(event.id.as_str()),
            },
            topic: category.map(Topic::new),
            deed: Deed::of(&event.action),
        }
    }

    /// Its place in the canonical order.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Takes the texts that `state` keeps already in the place of its own copies.
    pub(crate) fn share_texts(&mut self, state: &State) {
        let share = |topic: &mut Topic| {
            if let Some(kept) = state.kept_topic(topic) {
                *topic = kept.clone();
            }
        };
        self.topic.iter_mut().for_each(share);
        match &mut self.deed {
            Deed::ProductView(view) => {
                if let Some(brand) = &mut view.brand
                    && let Some(kept) = state.kept_brand(brand)
                {
                    *brand = kept.clone();
                }
            }
            Deed::Purchase(bought) => {
                let priced = bought
                    .lines
                    .iter_mut()
                    .filter_map(|line| line.priced.as_mut());
                priced.for_each(|(topic, _)| share(topic));
            }
            _ => {}
        }
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
        assert_eq!(IdHash::of(""), IdHash(0x2d06_8005_38d3));
    }
}
