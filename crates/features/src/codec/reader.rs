//! Reading the stored form. Whatever the bytes, it neither panics nor reserves more than they could fill.

use std::sync::Arc;

use foretide_events::{Category, Currency, EpochMs, Money};
use xxhash_rust::xxh3::xxh3_64;

use super::DecodeError;
use crate::{Deed, IdHash, Line, Lines, Topic, half_life::from_stored, observation::Bought};

/// The most lines of one cart view. (An event may list 500 products.)
const LINE_LIMIT: usize = 500;

/// Takes from the front of the bytes.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    categories: Vec<Topic>,
    products: Vec<(u64, Arc<str>)>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            categories: Vec::new(),
            products: Vec::new(),
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

    fn byte(&mut self) -> Result<u8, DecodeError> {
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

    pub(crate) fn word(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A sum: above zero.
    pub(crate) fn sum(&mut self) -> Result<f64, DecodeError> {
        from_stored(self.array()?).ok_or(DecodeError::Corrupt("a sum of nothing"))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Corrupt("neither yes nor no")),
        }
    }

    pub(crate) fn time(&mut self, base: EpochMs) -> Result<EpochMs, DecodeError> {
        Ok(EpochMs(base.0.wrapping_sub(self.signed()?)))
    }

    pub(crate) fn id(&mut self) -> Result<IdHash, DecodeError> {
        Ok(IdHash(u64::from_be_bytes(self.array()?)))
    }

    pub(crate) fn currency(&mut self) -> Result<Option<Currency>, DecodeError> {
        let first = self.byte()?;
        if first == 0 {
            return Ok(None);
        }
        let [second, third] = self.array()?;
        let currency = Currency::stored([first, second, third]);
        currency
            .map(Some)
            .ok_or(DecodeError::Corrupt("not a currency"))
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

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        let length = self.number()?;
        std::str::from_utf8(self.bytes(length)?)
            .map_err(|_| DecodeError::Corrupt("text that is not UTF-8"))
    }

    pub(crate) fn topic(&mut self) -> Result<Option<Topic>, DecodeError> {
        match self.varint()? {
            0 => Ok(None),
            1 => {
                let category = Category::new(self.text()?)
                    .map_err(|_| DecodeError::Corrupt("not a category"))?;
                let topic = Topic::new(&category);
                self.categories.push(topic.clone());
                Ok(Some(topic))
            }
            place => known(place, &self.categories).map(Some),
        }
    }

    pub(crate) fn product(&mut self) -> Result<(u64, Arc<str>), DecodeError> {
        match self.varint()? {
            0 => Err(DecodeError::Corrupt("no product")),
            1 => {
                let text: Arc<str> = self.text()?.into();
                let product = (xxh3_64(text.as_bytes()), text);
                self.products.push(product.clone());
                Ok(product)
            }
            place => known(place, &self.products),
        }
    }

    pub(crate) fn deed(&mut self) -> Result<Deed, DecodeError> {
        Ok(match self.byte()? {
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
                let lines = self.lines(LINE_LIMIT)?;
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
                order: self.word()?,
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
        Ok(self.lines(1)?.pop().map(Box::new))
    }

    fn lines(&mut self, limit: usize) -> Result<Vec<Line>, DecodeError> {
        let length = self.length(limit)?;
        let line = |reader: &mut Self| {
            let (product, product_id) = reader.product()?;
            let quantity = match reader.varint()? {
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
                price: reader.money()?,
            })
        };
        (0..length).map(|_| line(self)).collect()
    }
}

/// The text spelt out as number `place`, counted from 2.
fn known<T: Clone>(place: u64, texts: &[T]) -> Result<T, DecodeError> {
    let place = usize::try_from(place)
        .ok()
        .and_then(|place| place.checked_sub(2));
    let text = place.and_then(|place| texts.get(place));
    text.cloned()
        .ok_or(DecodeError::Corrupt("a text that was never spelt out"))
}
