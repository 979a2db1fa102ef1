//! Reading the stored form. Whatever the bytes, it neither panics nor reserves more than they could fill.

use std::sync::Arc;

use foretide_events::{Category, Currency, EpochMs, Money};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    CURRENCY_LIMIT, DecodeError,
    sums::SumReader,
    text::{PACKED_LIMIT, Spelling},
    writer::{DEED_BITS, FAR_TOPIC, FIRST_NEAR},
};
use crate::{Deed, IdHash, Line, Lines, Topic, observation::Bought};

/// The most lines of one cart view. (An event may list 500 products.)
const LINE_LIMIT: usize = 500;

/// Takes from the front of the bytes.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    categories: Vec<Topic>,
    products: Vec<(u64, Arc<str>)>,
    currencies: Vec<Currency>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            categories: Vec::new(),
            products: Vec::new(),
            currencies: Vec::new(),
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
    pub(crate) fn sums(&mut self) -> SumReader<'_, 'a> {
        SumReader::new(self)
    }

    pub(crate) fn time(&mut self, base: EpochMs) -> Result<EpochMs, DecodeError> {
        Ok(EpochMs(base.0.wrapping_sub(self.signed()?)))
    }

    /// A time that is not before `base`, unless the bytes are corrupt.
    pub(crate) fn later(&mut self, base: EpochMs) -> Result<EpochMs, DecodeError> {
        Ok(EpochMs(base.0.wrapping_add(self.varint()?.cast_signed())))
    }

    pub(crate) fn id(&mut self) -> Result<IdHash, DecodeError> {
        self.hash().map(IdHash)
    }

    pub(crate) fn currency(&mut self) -> Result<Option<Currency>, DecodeError> {
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
            0 => Deed::PageView {
                dwell_ms: self.number()?,
            },
            1 => Deed::Search {
                dwell_ms: self.number()?,
            },
            2 => Deed::ProductListView {
                dwell_ms: self.number()?,
            },
            3 => Deed::ProductListFilter,
            4 => Deed::ProductClick,
            5 => Deed::ProductView {
                dwell_ms: self.number()?,
            },
            6 => Deed::CartAdd(self.line()?),
            7 => Deed::CartRemove(self.line()?),
            8 => {
                let lines = self.lines()?;
                Deed::CartView((!lines.is_empty()).then(|| Box::new(Lines(lines))))
            }
            9 => Deed::WishlistAdd,
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
            20 => Deed::Purchase(Box::new(Bought {
                order: self.hash()?,
                value: self.money()?,
            })),
            21 => Deed::Refund,
            22 => Deed::Share,
            23 => Deed::Review,
            24 => Deed::Account,
            25 => Deed::Custom,
            26 => Deed::Elsewhere,
            _ => return Err(DecodeError::Corrupt("an unknown deed")),
        })
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
