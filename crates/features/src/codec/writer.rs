//! Writing the stored form.

use foretide_events::{Currency, EpochMs, Money};

use crate::{Deed, IdHash, Line, Topic, half_life::to_stored};

/// Appends to `out`. One writer writes one profile: it remembers which texts were spelt out.
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    categories: Vec<u64>,
    products: Vec<u64>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            categories: Vec::new(),
            products: Vec::new(),
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

    /// A number whose bits mean nothing small: a hash.
    pub(crate) fn word(&mut self, word: u64) {
        self.bytes(&word.to_le_bytes());
    }

    /// A sum above zero, in six bytes.
    pub(crate) fn sum(&mut self, sum: f64) {
        self.bytes(&to_stored(sum));
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.out.push(u8::from(flag));
    }

    /// A time, as what lies between it and `base`.
    pub(crate) fn time(&mut self, base: EpochMs, time: EpochMs) {
        self.signed(base.0.wrapping_sub(time.0));
    }

    pub(crate) fn id(&mut self, id: IdHash) {
        self.bytes(&id.0.to_be_bytes());
    }

    /// Three letters, or one zero byte.
    pub(crate) fn currency(&mut self, currency: Option<Currency>) {
        match currency {
            Some(currency) => self.bytes(currency.as_str().as_bytes()),
            None => self.bytes(&[0]),
        }
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

    /// 1 and the text spelt out, or the number of a text spelt out before, from 2.
    fn text(&mut self, place: Option<usize>, text: &str) {
        if let Some(place) = place {
            return self.length(place + 2);
        }
        self.varint(1);
        self.length(text.len());
        self.bytes(text.as_bytes());
    }

    pub(crate) fn deed(&mut self, deed: &Deed) {
        let code = code(deed);
        self.out.push(code);
        match deed {
            Deed::PageView { dwell_ms }
            | Deed::Search { dwell_ms }
            | Deed::ProductListView { dwell_ms }
            | Deed::ProductView { dwell_ms } => self.varint(u64::from(*dwell_ms)),
            Deed::CartAdd(line) | Deed::CartRemove(line) => {
                self.lines(line.as_deref().map(std::slice::from_ref));
            }
            Deed::CartView(lines) => self.lines(lines.as_deref().map(|lines| lines.0.as_slice())),
            Deed::CheckoutStep { step } | Deed::PaymentInfo { step } => self.out.push(*step),
            Deed::Purchase(bought) => {
                self.word(bought.order);
                self.money(bought.value);
            }
            _ => {}
        }
    }

    fn lines(&mut self, lines: Option<&[Line]>) {
        let lines = lines.unwrap_or_default();
        self.length(lines.len());
        for line in lines {
            self.product(line.product, &line.product_id);
            self.varint(line.quantity.map_or(0, |quantity| u64::from(quantity) + 1));
            self.money(line.price);
        }
    }
}

/// Where `hash` stands in `seen`; `None`, and it is there from now on, if it did not.
fn place(seen: &mut Vec<u64>, hash: u64) -> Option<usize> {
    let place = seen.iter().position(|other| *other == hash);
    if place.is_none() {
        seen.push(hash);
    }
    place
}

/// The number each deed is stored as. They never change.
pub(super) fn code(deed: &Deed) -> u8 {
    match deed {
        Deed::PageView { .. } => 0,
        Deed::Search { .. } => 1,
        Deed::ProductListView { .. } => 2,
        Deed::ProductListFilter => 3,
        Deed::ProductClick => 4,
        Deed::ProductView { .. } => 5,
        Deed::CartAdd(_) => 6,
        Deed::CartRemove(_) => 7,
        Deed::CartView(_) => 8,
        Deed::WishlistAdd => 9,
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
    }
}
