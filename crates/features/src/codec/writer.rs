//! Writing the stored form.

use foretide_events::{Currency, EpochMs, Money};

use super::{CURRENCY_LIMIT, Precision, sums::SumWriter, text::Spelling};
use crate::{
    Brand, Deed, IdHash, Line, Topic, Zone,
    observation::{Bought, Scroll, View},
    seen::ProductHash,
};

/// Appends to `out`. One writer writes one profile: it remembers which texts were spelt out.
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    categories: Vec<u64>,
    products: Vec<u64>,
    brands: Vec<u64>,
    currencies: Vec<Currency>,
    last_currency: Option<Currency>,
    /// Products that were looked at, with the price they had.
    seen: Vec<(ProductHash, Option<i64>)>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            categories: Vec::new(),
            products: Vec::new(),
            brands: Vec::new(),
            currencies: Vec::new(),
            last_currency: None,
            seen: Vec::new(),
        }
    }

    /// The size of what there is so far, what was there before included.
    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A whole number in groups of seven bits, the lowest first.
    pub(crate) fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.out.push(number.to_le_bytes()[0]);
    }

    pub(crate) fn length(&mut self, length: usize) {
        self.varint(length as u64);
    }

    pub(crate) fn signed(&mut self, number: i64) {
        self.varint((number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned());
    }

    /// 48 bits that mean nothing small: a hash.
    pub(crate) fn hash(&mut self, hash: u64) {
        self.bytes(&hash.to_le_bytes()[..6]);
    }

    /// A run of sums. Nothing else is written until it ends.
    pub(crate) fn sums(&mut self, precision: Precision) -> SumWriter<'_, 'a> {
        SumWriter::new(self, precision)
    }

    /// A time, as what lies between it and `base`.
    pub(crate) fn time(&mut self, base: EpochMs, time: EpochMs) {
        self.signed(base.0.wrapping_sub(time.0));
    }

    /// A time that is not before `base`, as what lies between.
    pub(crate) fn later(&mut self, base: EpochMs, time: EpochMs) {
        self.varint(time.0.wrapping_sub(base.0).cast_unsigned());
    }

    pub(crate) fn id(&mut self, id: IdHash) {
        self.bytes(&id.0.to_le_bytes()[..5]);
    }

    /// Three letters, the number of a currency spelt out before, from 1, or 0.
    pub(crate) fn currency(&mut self, currency: Option<Currency>) {
        let Some(currency) = currency else {
            return self.varint(0);
        };
        self.last_currency = Some(currency);
        let mut known = self.currencies.iter();
        if let Some(place) = known.position(|known| *known == currency) {
            return self.length(place + 1);
        }
        if self.currencies.len() + 1 < CURRENCY_LIMIT {
            self.currencies.push(currency);
        }
        self.bytes(currency.as_str().as_bytes());
    }

    pub(crate) fn money(&mut self, money: Option<Money>) {
        self.currency(money.map(|money| money.currency));
        if let Some(money) = money {
            self.signed(money.minor_units);
        }
    }

    pub(crate) fn topic(&mut self, topic: Option<&Topic>) {
        let Some(topic) = topic else {
            return self.varint(0);
        };
        let place = place(&mut self.categories, topic.hash);
        self.text(place, topic.category.as_str());
    }

    pub(crate) fn product(&mut self, product: u64, product_id: &str) {
        let place = place(&mut self.products, product);
        self.text(place, product_id);
    }

    /// The number of a brand written before, from 1, or 0 and its hash.
    pub(crate) fn brand(&mut self, brand: Brand) {
        let place = place(&mut self.brands, u64::from(brand.0));
        self.length(place.map_or(0, |place| place + 1));
        if place.is_none() {
            self.bytes(&brand.0.to_le_bytes());
        }
    }

    /// One that was not written before.
    pub(crate) fn new_brand(&mut self, brand: Brand) {
        self.brands.push(u64::from(brand.0));
        self.bytes(&brand.0.to_le_bytes());
    }

    /// A text that is not referred to again.
    pub(crate) fn free_text(&mut self, text: &str) {
        self.text(None, text);
    }

    /// A depth or a sum of depths. Most are whole hundredths of a page, and take little.
    pub(crate) fn units(&mut self, units: u64) {
        if units.is_multiple_of(HUNDREDTH) {
            self.varint((units / HUNDREDTH) << 1);
        } else {
            self.varint((units << 1) | 1);
        }
    }

    /// Remembers the price that a product was seen at.
    pub(crate) fn saw(&mut self, product: ProductHash, price: Option<i64>) {
        saw(&mut self.seen, product, price);
    }

    /// The number among the products that were looked at, where it was.
    fn place_of(&self, product: ProductHash) -> Option<usize> {
        self.seen.iter().position(|(seen, _)| *seen == product)
    }

    /// A product that was looked at: its number among those, from 1, or 0 and its hash.
    fn seen(&mut self, product: ProductHash, place: Option<usize>) {
        self.length(place.map_or(0, |place| place + 1));
        if place.is_none() {
            self.bytes(&product.to_le_bytes());
        }
    }

    /// The spelling (two bits), the length and the text; or no spelling and the number of a text spelt out before, from 1.
    fn text(&mut self, place: Option<usize>, text: &str) {
        if let Some(place) = place {
            return self.length((place + 1) << 2);
        }
        let spelling = Spelling::of(text);
        self.length(text.len() << 2 | spelling as usize);
        spelling.write(text, self.out);
    }

    /// What was done, and on pages of which category. The first byte has five bits for the deed and three for the topic.
    pub(crate) fn deed(&mut self, deed: &Deed, topic: Option<&Topic>) {
        let code = code(deed);
        match topic {
            None => self.out.push(code),
            Some(topic) => {
                let mut known = self.categories.iter().take(NEAR_TOPICS);
                if let Some(place) = (FIRST_NEAR..8)
                    .zip(&mut known)
                    .find(|(_, hash)| **hash == topic.hash)
                {
                    self.out.push(code | place.0 << DEED_BITS);
                } else {
                    self.out.push(code | FAR_TOPIC << DEED_BITS);
                    self.topic(Some(topic));
                }
            }
        }
        match deed {
            Deed::PageView { dwell_ms, scroll } => {
                self.varint(u64::from(*dwell_ms));
                self.units(scroll.0.saturating_sub(1));
                // What tells no depth from a depth of nothing.
                if scroll.0 <= 1 {
                    self.out.push(u8::from(scroll.0 == 1));
                }
            }
            Deed::Search { dwell_ms, by_price } => {
                self.varint(u64::from(*dwell_ms) << 1 | u64::from(*by_price));
            }
            Deed::ProductListView { dwell_ms } => self.varint(u64::from(*dwell_ms)),
            Deed::ProductView(view) => self.view(view),
            Deed::WishlistAdd(price) => self.money(price.as_deref().copied()),
            Deed::Zone(zone) => Zone::write(Some(zone), self),
            Deed::CartAdd(line) | Deed::CartRemove(line) => match line {
                None => self.varint(0),
                Some(line) => self.line(line),
            },
            Deed::CartView(lines) => {
                let lines = lines.as_deref().map_or(&[][..], |lines| &lines.0);
                self.length(lines.len());
                for line in lines {
                    self.line(line);
                }
            }
            Deed::CheckoutStep { step } | Deed::PaymentInfo { step } => self.out.push(*step),
            Deed::Purchase(bought) => self.bought(bought),
            _ => {}
        }
    }

    fn view(&mut self, view: &View) {
        let place = view.product.and_then(|product| self.place_of(product));
        let known = place.and_then(|place| self.seen[place].1);
        let price = view.price.map(|price| price.minor_units);
        let currency = view.price.map(|price| price.currency);
        let flags = [
            (PRODUCT, view.product.is_some()),
            (PRICE, price.is_some()),
            (SAME_PRICE, price.is_some() && price == known),
            (
                SAME_CURRENCY,
                currency.is_some() && currency == self.last_currency,
            ),
            (BRAND, view.brand.is_some()),
            (DISCOUNTED, view.discounted),
            (SCROLL, view.scroll != Scroll::default()),
        ];
        let flags = flags.iter().filter(|(_, set)| *set);
        let flags = flags.fold(0, |flags, (flag, _)| flags | flag);
        self.out.push(flags);
        self.varint(u64::from(view.dwell_ms));
        if let Some(product) = view.product {
            self.seen(product, place);
        }
        if flags & (PRICE | SAME_CURRENCY) == PRICE {
            self.currency(currency);
        }
        if let Some(price) = price
            && flags & SAME_PRICE == 0
        {
            self.signed(price.wrapping_sub(known.unwrap_or(0)));
        }
        match (view.product, place) {
            (Some(_), Some(place)) => self.seen[place].1 = price.or(known),
            (Some(product), None) => remember(&mut self.seen, (product, price)),
            (None, _) => {}
        }
        if let Some(brand) = view.brand {
            self.brand(brand);
        }
        if let Some(units) = view.scroll.units() {
            self.units(units);
        }
    }

    fn bought(&mut self, bought: &Bought) {
        self.hash(bought.order);
        self.money(bought.value);
        self.length(bought.lines.len());
        for line in &bought.lines {
            let named = line.product.is_some();
            self.out
                .push(u8::from(named) | u8::from(line.priced.is_some()) << 1);
            if let Some(product) = line.product {
                self.seen(product, self.place_of(product));
            }
            if let Some((topic, price)) = &line.priced {
                self.topic(Some(topic));
                self.money(Some(*price));
            }
        }
    }

    fn line(&mut self, line: &Line) {
        self.product(line.product, &line.product_id);
        self.varint(line.quantity.map_or(0, |quantity| u64::from(quantity) + 1));
        self.money(line.price);
    }
}

/// What is there of a product view.
pub(super) const PRODUCT: u8 = 1;
pub(super) const PRICE: u8 = 1 << 1;
pub(super) const SAME_PRICE: u8 = 1 << 2;
pub(super) const SAME_CURRENCY: u8 = 1 << 3;
pub(super) const BRAND: u8 = 1 << 4;
pub(super) const DISCOUNTED: u8 = 1 << 5;
pub(super) const SCROLL: u8 = 1 << 6;

/// A hundredth of a page, in units of scroll.
pub(super) const HUNDREDTH: u64 = Scroll::WHOLE / 100;

/// Notes the price that a product was seen at.
pub(super) fn saw(
    seen: &mut Vec<(ProductHash, Option<i64>)>,
    product: ProductHash,
    price: Option<i64>,
) {
    match seen.iter_mut().find(|(seen, _)| *seen == product) {
        Some((_, known)) => *known = price.or(*known),
        None => remember(seen, (product, price)),
    }
}

/// Most profiles name no more of a kind: their lists grow once.
const ROOM: usize = 16;

fn remember<T>(known: &mut Vec<T>, one: T) {
    if known.capacity() == 0 {
        known.reserve_exact(ROOM);
    }
    known.push(one);
}

/// Bits of a deed's byte that are the deed's.
pub(super) const DEED_BITS: u32 = 5;
/// What the others say of the topic, 0 being none: that it follows, or that it is one of the first six spelt out.
pub(super) const FAR_TOPIC: u8 = 1;
pub(super) const FIRST_NEAR: u8 = 2;
const NEAR_TOPICS: usize = 6;

/// Where `hash` stands in `seen`; `None`, and it is there from now on, if it did not.
fn place(seen: &mut Vec<u64>, hash: u64) -> Option<usize> {
    let place = seen.iter().position(|other| *other == hash);
    if place.is_none() {
        remember(seen, hash);
    }
    place
}

/// The number each deed is stored as. They never change.
pub(super) fn code(deed: &Deed) -> u8 {
    match deed {
        Deed::PageView { .. } => 0,
        Deed::Search { .. } => 1,
        Deed::ProductListView { .. } => 2,
        Deed::ProductListFilter { by_price: false } => 3,
        Deed::ProductClick => 4,
        Deed::ProductView(_) => 5,
        Deed::CartAdd(_) => 6,
        Deed::CartRemove(_) => 7,
        Deed::CartView(_) => 8,
        Deed::WishlistAdd(_) => 9,
        Deed::WishlistRemove => 10,
        Deed::CouponHandled => 11,
        Deed::CouponApplied => 12,
        Deed::CouponDenied => 13,
        Deed::ContentImpression => 14,
        Deed::ContentClick => 15,
        Deed::ContentDismissal => 16,
        Deed::CheckoutStart => 17,
        Deed::CheckoutStep { .. } => 18,
        Deed::PaymentInfo { .. } => 19,
        Deed::Purchase(_) => 20,
        Deed::Refund => 21,
        Deed::Share => 22,
        Deed::Review => 23,
        Deed::Account => 24,
        Deed::Custom => 25,
        Deed::Elsewhere => 26,
        Deed::Zone(_) => 27,
        Deed::ProductListFilter { by_price: true } => 28,
    }
}
