//! Reading what several kinds of actions hold.

use super::{
    LeanProduct,
    scanner::{Object, Scanner},
};
use crate::{Currency, Fraction, Identity, Money, money::MAX_MINOR_UNITS};

/// The most characters of a text of each kind.
pub(super) const SHOP_ID: usize = 128;
pub(super) const CATEGORY: usize = 128;
pub(super) const LABEL: usize = 256;
pub(super) const PHRASE: usize = 1024;
/// The most items of a list of each kind.
const PRODUCTS: usize = 500;
const SMALL_LIST: usize = 50;

impl<'a> Scanner<'a> {
    /// Passes over a member `name` that holds a text, if there is one.
    #[inline]
    pub(super) fn pass_text(
        &mut self,
        object: &mut Object,
        name: &[u8],
        most: usize,
    ) -> Option<()> {
        if self.member(object, name) {
            self.text(most)?;
        }
        Some(())
    }

    /// Passes over a member `name` that holds an address, if there is one.
    #[inline]
    pub(super) fn pass_address(&mut self, object: &mut Object, name: &[u8]) -> Option<()> {
        if self.member(object, name) {
            // The limit is on the characters of the part that is kept, which is no longer than the whole.
            self.text(PHRASE)?;
        }
        Some(())
    }

    /// What `read` reads of a member `name`, if there is one.
    #[inline]
    #[expect(clippy::option_option, reason = "nothing at all, or no such member")]
    pub(super) fn optional<T>(
        &mut self,
        object: &mut Object,
        name: &[u8],
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<Option<T>> {
        if self.member(object, name) {
            read(self).map(Some)
        } else {
            Some(None)
        }
    }

    /// What `read` reads of a member `name`, which has to be there.
    #[inline]
    pub(super) fn needed<T>(
        &mut self,
        object: &mut Object,
        name: &[u8],
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        self.member(object, name).then(|| read(self)).flatten()
    }

    pub(super) fn fraction(&mut self) -> Option<Fraction> {
        Fraction::new(self.number()?)
    }

    pub(super) fn identity(&mut self) -> Option<Identity> {
        let mut object = self.object()?;
        let user = self.optional(&mut object, b"\"user\":", Self::shopper)?;
        let anonymous = self.optional(&mut object, b"\"anonymous\":", Self::shopper)?;
        self.end(&object)?;
        Some(Identity { user, anonymous })
    }

    pub(super) fn money(&mut self) -> Option<Money> {
        self.literal(b"{\"minor_units\":")?;
        let minor_units = self.signed(MAX_MINOR_UNITS)?;
        self.literal(b",\"currency\":")?;
        let currency = self.currency()?;
        self.literal(b"}")?;
        Some(Money {
            minor_units,
            currency,
        })
    }

    fn currency(&mut self) -> Option<Currency> {
        let code: [u8; 3] = self.text(3)?.as_bytes().try_into().ok()?;
        match &code {
            // Those of most shops, without a search.
            b"EUR" | b"USD" | b"GBP" => Currency::stored(code),
            _ => std::str::from_utf8(&code).ok()?.parse().ok(),
        }
    }

    pub(super) fn product(&mut self) -> Option<LeanProduct<'a>> {
        let mut object = self.object()?;
        let of = &mut object;
        let product = LeanProduct {
            product_id: self.optional(of, b"\"product_id\":", |s| s.text(SHOP_ID))?,
            sku: self.optional(of, b"\"sku\":", |s| s.text(SHOP_ID))?,
            category: self.optional(of, b"\"category\":", |s| s.id(CATEGORY))?,
            brand: {
                self.pass_text(of, b"\"name\":", LABEL)?;
                self.optional(of, b"\"brand\":", |s| s.text(LABEL))?
            },
            price: {
                self.pass_text(of, b"\"variant\":", LABEL)?;
                self.optional(of, b"\"price\":", Self::money)?
            },
            list_price: self.optional(of, b"\"list_price\":", Self::money)?,
            quantity: self.optional(of, b"\"quantity\":", Self::u32)?,
        };
        self.pass_text(of, b"\"coupon\":", SHOP_ID)?;
        self.optional(of, b"\"position\":", Self::u32)?;
        self.end(&object)?;
        Some(product)
    }

    /// Shows `see` each item of a member `name`, if there is one: a list of at least one and at most `most` items.
    #[inline]
    fn list<T>(
        &mut self,
        object: &mut Object,
        name: &[u8],
        most: usize,
        read: fn(&mut Self) -> Option<T>,
        mut see: impl FnMut(T),
    ) -> Option<()> {
        if !self.member(object, name) {
            return Some(());
        }
        self.literal(b"[")?;
        for _ in 0..most {
            see(read(self)?);
            if self.literal(b",").is_none() {
                return self.literal(b"]");
            }
        }
        None
    }

    pub(super) fn products(&mut self, object: &mut Object) -> Option<Vec<LeanProduct<'a>>> {
        let mut products = Vec::new();
        let see = |product| products.push(product);
        self.list(object, b"\"products\":", PRODUCTS, Self::product, see)?;
        Some(products)
    }

    pub(super) fn pass_products(&mut self, object: &mut Object) -> Option<()> {
        self.list(object, b"\"products\":", PRODUCTS, Self::product, drop)
    }

    /// Adds the kinds of the filters of a member `name` to `kinds`.
    pub(super) fn filters(
        &mut self,
        object: &mut Object,
        name: &[u8],
        kinds: &mut Vec<&'a str>,
    ) -> Option<()> {
        let read = |s: &mut Self| {
            let mut object = s.object()?;
            let kind = s.needed(&mut object, b"\"kind\":", |s| s.text(LABEL))?;
            s.pass_text(&mut object, b"\"value\":", LABEL)?;
            s.end(&object)?;
            Some(kind)
        };
        self.list(object, name, SMALL_LIST, read, |kind| kinds.push(kind))
    }

    pub(super) fn pass_labels(&mut self, object: &mut Object, name: &[u8]) -> Option<()> {
        self.list(object, name, SMALL_LIST, |s| s.text(LABEL), drop)
    }

    pub(super) fn pass_readings(&mut self, object: &mut Object) -> Option<()> {
        let read = |s: &mut Self| {
            let mut object = s.object()?;
            s.needed(&mut object, b"\"name\":", |s| s.text(LABEL))?;
            s.needed(&mut object, b"\"value\":", Self::number)?;
            s.end(&object)
        };
        self.list(object, b"\"values\":", SMALL_LIST, read, drop)
    }
}
