//! Reading the stored form. Whatever the bytes, it neither panics nor reserves more than they could fill.

use std::sync::Arc;

use foretide_events::{Category, Currency, EpochMs, Money};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    CURRENCY_LIMIT, DecodeError, Precision,
    sums::SumReader,
    text::{PACKED_LIMIT, Spelling},
    writer::{
        BRAND, DEED_BITS, DISCOUNTED, FAR_TOPIC, FIRST_NEAR, HUNDREDTH, PRICE, PRODUCT,
        SAME_CURRENCY, SAME_PRICE, SCROLL, saw,
    },
};
use crate::{
    Brand, Deed, IdHash, Line, Lines, Topic, Zone,
    observation::{Bought, BoughtLine, Scroll, View},
    seen::ProductHash,
};

/// The most lines of one cart view. (An event may list 500 products.)
const LINE_LIMIT: usize = 500;

/// Takes from the front of the bytes.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    categories: Vec<Topic>,
    products: Vec<(u64, Arc<str>)>,
    brands: Vec<Brand>,
    currencies: Vec<Currency>,
    last_currency: Option<Currency>,
    seen: Vec<(ProductHash, Option<i64>)>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            categories: Vec::new(),
            products: Vec::new(),
            brands: Vec::new(),
            currencies: Vec::new(),
            last_currency: None,
            seen: Vec::new(),
        }
    }

    /// Checks that nothing is left.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::TrailingBytes(self.rest.len()))
        }
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Goes on at `rest`, which is the end of what was left.
    pub(super) fn go_on(&mut self, rest: &'a [u8]) {
        self.rest = rest;
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (bytes, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(DecodeError::Corrupt("a number beyond 64 bits"))
    }

    /// A whole number that fits the type asked for.
    pub(crate) fn number<T: TryFrom<u64>>(&mut self) -> Result<T, DecodeError> {
        T::try_from(self.varint()?).map_err(|_| DecodeError::Corrupt("a number out of range"))
    }

    pub(crate) fn length(&mut self, limit: usize) -> Result<usize, DecodeError> {
        let length = self.number()?;
        if length <= limit {
            Ok(length)
        } else {
            Err(DecodeError::Corrupt("a list over its limit"))
        }
    }

    pub(crate) fn signed(&mut self) -> Result<i64, DecodeError> {
        let number = self.varint()?;
        Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    /// A hash of 48 bits.
    pub(crate) fn hash(&mut self) -> Result<u64, DecodeError> {
        let mut bytes = [0; 8];
        bytes[..6].copy_from_slice(&self.array::<6>()?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// A run of sums. Nothing else is read until it ends.
    pub(crate) fn sums(&mut self, precision: Precision) -> SumReader<'_, 'a> {
        SumReader::new(self, precision)
    }

    pub(crate) fn time(&mut self, base: EpochMs) -> Result<EpochMs, DecodeError> {
        Ok(EpochMs(base.0.wrapping_sub(self.signed()?)))
    }

    /// A time that is not before `base`, unless the bytes are corrupt.
    pub(crate) fn later(&mut self, base: EpochMs) -> Result<EpochMs, DecodeError> {
        Ok(EpochMs(base.0.wrapping_add(self.varint()?.cast_signed())))
    }

    pub(crate) fn id(&mut self) -> Result<IdHash, DecodeError> {
        let mut bytes = [0; 8];
        bytes[..5].copy_from_slice(&self.array::<5>()?);
        Ok(IdHash(u64::from_le_bytes(bytes)))
    }

    pub(crate) fn currency(&mut self) -> Result<Option<Currency>, DecodeError> {
        let currency = self.any_currency()?;
        self.last_currency = currency.or(self.last_currency);
        Ok(currency)
    }

    fn any_currency(&mut self) -> Result<Option<Currency>, DecodeError> {
        let first = self.byte()?;
        if first == 0 {
            return Ok(None);
        }
        if usize::from(first) < CURRENCY_LIMIT {
            let known = self.currencies.get(usize::from(first) - 1);
            let unknown = DecodeError::Corrupt("a currency that was never spelt out");
            return known.copied().map(Some).ok_or(unknown);
        }
        let [second, third] = self.array()?;
        let currency = Currency::stored([first, second, third])
            .ok_or(DecodeError::Corrupt("not a currency"))?;
        if self.currencies.len() + 1 < CURRENCY_LIMIT {
            self.currencies.push(currency);
        }
        Ok(Some(currency))
    }

    pub(crate) fn money(&mut self) -> Result<Option<Money>, DecodeError> {
        let Some(currency) = self.currency()? else {
            return Ok(None);
        };
        Ok(Some(Money {
            minor_units: self.signed()?,
            currency,
        }))
    }

    /// The text that `head` announces and gives the length of.
    fn text<'b>(
        &mut self,
        head: usize,
        buffer: &'b mut [u8; PACKED_LIMIT],
    ) -> Result<&'b str, DecodeError>
    where
        'a: 'b,
    {
        let spelling = match head & 3 {
            2 => Spelling::Narrow,
            3 => Spelling::Wide,
            _ => Spelling::Full,
        };
        let length = head >> 2;
        let bytes = self.bytes(spelling.size(length)?)?;
        spelling.read(length, bytes, buffer)
    }

    pub(crate) fn topic(&mut self) -> Result<Option<Topic>, DecodeError> {
        let head = self.number()?;
        match head {
            0 => Ok(None),
            _ if head % 4 == 0 => known(head / 4, &self.categories).map(Some),
            _ => {
                let category = Category::new(self.text(head, &mut [0; PACKED_LIMIT])?)
                    .map_err(|_| DecodeError::Corrupt("not a category"))?;
                let topic = Topic::new(&category);
                self.categories.push(topic.clone());
                Ok(Some(topic))
            }
        }
    }

    pub(crate) fn brand(&mut self) -> Result<Brand, DecodeError> {
        match self.number()? {
            0 => self.new_brand(),
            place => known(place, &self.brands),
        }
    }

    pub(crate) fn new_brand(&mut self) -> Result<Brand, DecodeError> {
        let brand = Brand(u32::from_le_bytes(self.array()?));
        self.brands.push(brand);
        Ok(brand)
    }

    /// What `read` makes of a text that is not referred to again.
    pub(crate) fn with_free_text<T>(
        &mut self,
        read: impl FnOnce(&str) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let head = self.number()?;
        read(self.text(head, &mut [0; PACKED_LIMIT])?)
    }

    pub(crate) fn units(&mut self) -> Result<u64, DecodeError> {
        let number = self.varint()?;
        if number & 1 == 1 {
            return Ok(number >> 1);
        }
        let units = (number >> 1).checked_mul(HUNDREDTH);
        units.ok_or(DecodeError::Corrupt("a number out of range"))
    }

    /// Remembers the price that a product was seen at.
    pub(crate) fn saw(&mut self, product: ProductHash, price: Option<i64>) {
        saw(&mut self.seen, product, price);
    }

    /// A product that was looked at, and the price it had, if that is known.
    fn seen(&mut self) -> Result<(ProductHash, Option<i64>), DecodeError> {
        match self.number()? {
            0 => Ok((u32::from_le_bytes(self.array()?), None)),
            place => known(place, &self.seen),
        }
    }

    fn scroll(&mut self) -> Result<Scroll, DecodeError> {
        let units = self.units()?;
        if units > Scroll::WHOLE {
            return Err(DecodeError::Corrupt("more than a page"));
        }
        Ok(Scroll(units + 1))
    }

    /// A product, where there is one.
    fn any_product(&mut self) -> Result<Option<(u64, Arc<str>)>, DecodeError> {
        let head = self.number()?;
        match head {
            0 => Ok(None),
            _ if head % 4 == 0 => known(head / 4, &self.products).map(Some),
            _ => {
                let text: Arc<str> = self.text(head, &mut [0; PACKED_LIMIT])?.into();
                let product = (xxh3_64(text.as_bytes()), text);
                self.products.push(product.clone());
                Ok(Some(product))
            }
        }
    }

    pub(crate) fn product(&mut self) -> Result<(u64, Arc<str>), DecodeError> {
        self.any_product()?
            .ok_or(DecodeError::Corrupt("no product"))
    }

    /// What was done, and on pages of which category.
    pub(crate) fn deed(&mut self) -> Result<(Deed, Option<Topic>), DecodeError> {
        let byte = self.byte()?;
        let topic = match byte >> DEED_BITS {
            0 => None,
            FAR_TOPIC => self.topic()?,
            near => Some(known(usize::from(near - FIRST_NEAR) + 1, &self.categories)?),
        };
        Ok((self.deed_of(byte & ((1 << DEED_BITS) - 1))?, topic))
    }

    fn deed_of(&mut self, code: u8) -> Result<Deed, DecodeError> {
        Ok(match code {
            0 => {
                let (dwell_ms, scroll) = (self.number()?, self.scroll()?);
                let none = scroll == Scroll(1) && self.byte()? == 0;
                let scroll = if none { Scroll::default() } else { scroll };
                Deed::PageView { dwell_ms, scroll }
            }
            1 => {
                let number = self.varint()?;
                Deed::Search {
                    dwell_ms: u32::try_from(number >> 1)
                        .map_err(|_| DecodeError::Corrupt("a number out of range"))?,
                    by_price: number & 1 == 1,
                }
            }
            2 => Deed::ProductListView {
                dwell_ms: self.number()?,
            },
            3 => Deed::ProductListFilter { by_price: false },
            4 => Deed::ProductClick,
            5 => Deed::ProductView(Box::new(self.view()?)),
            6 => Deed::CartAdd(self.line()?),
            7 => Deed::CartRemove(self.line()?),
            8 => {
                let lines = self.lines()?;
                Deed::CartView((!lines.is_empty()).then(|| Box::new(Lines(lines))))
            }
            9 => Deed::WishlistAdd(self.money()?.map(Box::new)),
            10 => Deed::WishlistRemove,
            11 => Deed::CouponHandled,
            12 => Deed::CouponApplied,
            13 => Deed::CouponDenied,
            14 => Deed::ContentImpression,
            15 => Deed::ContentClick,
            16 => Deed::ContentDismissal,
            17 => Deed::CheckoutStart,
            18 => Deed::CheckoutStep { step: self.byte()? },
            19 => Deed::PaymentInfo { step: self.byte()? },
            20 => Deed::Purchase(Box::new(self.bought()?)),
            21 => Deed::Refund,
            22 => Deed::Share,
            23 => Deed::Review,
            24 => Deed::Account,
            25 => Deed::Custom,
            26 => Deed::Elsewhere,
            27 => Zone::read(self)?.map_or(Err(DecodeError::Corrupt("no time zone")), |zone| {
                Ok(Deed::Zone(zone))
            })?,
            28 => Deed::ProductListFilter { by_price: true },
            _ => return Err(DecodeError::Corrupt("an unknown deed")),
        })
    }

    fn view(&mut self) -> Result<View, DecodeError> {
        let (flags, dwell_ms) = (self.byte()?, self.number()?);
        let has = |flag: u8| flags & flag != 0;
        let (product, known) = if has(PRODUCT) {
            let (product, known) = self.seen()?;
            (Some(product), known)
        } else {
            (None, None)
        };
        let mut price = None;
        if has(PRICE) {
            let currency = if has(SAME_CURRENCY) {
                self.last_currency
            } else {
                self.currency()?
            };
            let minor_units = match (has(SAME_PRICE), known) {
                (true, Some(known)) => known,
                (true, None) => return Err(DecodeError::Corrupt("a price that was never seen")),
                (false, known) => known.unwrap_or(0).wrapping_add(self.signed()?),
            };
            price = Some(Money {
                minor_units,
                currency: currency.ok_or(DecodeError::Corrupt("a price in no currency"))?,
            });
        }
        if let Some(product) = product {
            self.saw(product, price.map(|price| price.minor_units));
        }
        Ok(View {
            dwell_ms,
            product,
            price,
            discounted: has(DISCOUNTED),
            brand: if has(BRAND) {
                Some(self.brand()?)
            } else {
                None
            },
            scroll: if has(SCROLL) {
                self.scroll()?
            } else {
                Scroll::default()
            },
        })
    }

    fn bought(&mut self) -> Result<Bought, DecodeError> {
        let (order, value) = (self.hash()?, self.money()?);
        let length = self.length(LINE_LIMIT)?;
        let lines = (0..length).map(|_| self.bought_line());
        let lines = lines.collect::<Result<_, _>>()?;
        Ok(Bought {
            order,
            value,
            lines,
        })
    }

    fn bought_line(&mut self) -> Result<BoughtLine, DecodeError> {
        let flags = self.byte()?;
        let product = if flags & 1 != 0 {
            Some(self.seen()?.0)
        } else {
            None
        };
        let priced = if flags & 2 != 0 {
            let (topic, price) = (self.topic()?, self.money()?);
            let none = DecodeError::Corrupt("a price of no category");
            Some(topic.zip(price).ok_or(none)?)
        } else {
            None
        };
        Ok(BoughtLine { product, priced })
    }

    fn line(&mut self) -> Result<Option<Box<Line>>, DecodeError> {
        let Some(product) = self.any_product()? else {
            return Ok(None);
        };
        self.line_of(product).map(Box::new).map(Some)
    }

    fn lines(&mut self) -> Result<Vec<Line>, DecodeError> {
        let length = self.length(LINE_LIMIT)?;
        let line = |reader: &mut Self| {
            let product = reader.product()?;
            reader.line_of(product)
        };
        (0..length).map(|_| line(self)).collect()
    }

    fn line_of(&mut self, (product, product_id): (u64, Arc<str>)) -> Result<Line, DecodeError> {
        let quantity = match self.varint()? {
            0 => None,
            more => Some(
                u32::try_from(more - 1)
                    .map_err(|_| DecodeError::Corrupt("a number out of range"))?,
            ),
        };
        Ok(Line {
            product,
            product_id,
            quantity,
            price: self.money()?,
        })
    }
}

/// The text spelt out as number `place`, counted from 1.
fn known<T: Clone>(place: usize, texts: &[T]) -> Result<T, DecodeError> {
    let text = place.checked_sub(1).and_then(|place| texts.get(place));
    text.cloned()
        .ok_or(DecodeError::Corrupt("a text that was never spelt out"))
}
