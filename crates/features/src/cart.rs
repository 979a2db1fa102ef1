//! What lies in the cart.

use std::sync::Arc;

use foretide_events::{Currency, EpochMs, Money};

use crate::{
    DecodeError, Deed, Line,
    codec::{Reader, Writer},
};

/// The most different products a cart holds: the one put in first gives way.
pub(crate) const ITEM_LIMIT: usize = 200;
/// The most bytes that they may take together in the stored form, counted as if they came dear: about seventy products with
/// usual ids.
pub(crate) const BYTE_LIMIT: usize = 1024;

/// One product in the cart.
#[derive(Clone, Debug)]
pub struct CartItem {
    pub(crate) product: u64,
    pub(crate) product_id: Arc<str>,
    pub(crate) quantity: u32,
    pub(crate) price: Option<Money>,
}

impl CartItem {
    /// The shop's id of the product.
    pub fn product_id(&self) -> &str {
        &self.product_id
    }

    /// Pieces, at least one.
    pub fn quantity(&self) -> u32 {
        self.quantity
    }

    /// Price of one piece, as last seen.
    pub fn price(&self) -> Option<Money> {
        self.price
    }
}

impl CartItem {
    /// The most bytes it takes in the stored form.
    fn cost(&self) -> usize {
        let amount =
            |price: Money| varint_length(price.minor_units.unsigned_abs().saturating_mul(2));
        let price = self.price.map_or(1, |price| 3 + amount(price));
        2 + self.product_id.len() + varint_length(u64::from(self.quantity)) + price
    }
}

/// Bytes of a number in groups of seven bits.
fn varint_length(number: u64) -> usize {
    (u64::BITS - number.leading_zeros()).div_ceil(7).max(1) as usize
}

impl PartialEq for CartItem {
    fn eq(&self, other: &Self) -> bool {
        (self.product, self.quantity, self.price) == (other.product, other.quantity, other.price)
    }
}

/// The cart: filled and emptied by cart actions, replaced by a cart view that lists products, emptied by a purchase.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cart {
    items: Vec<CartItem>,
    since: EpochMs,
    /// Zero if there never was anything in it.
    changed: EpochMs,
    currency: Option<Currency>,
}

impl Cart {
    /// What lies in it, in the order it was put in.
    pub fn items(&self) -> &[CartItem] {
        &self.items
    }

    /// Whether nothing lies in it.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Number of pieces.
    pub fn pieces(&self) -> u64 {
        self.items.iter().map(|item| u64::from(item.quantity)).sum()
    }

    /// What it is worth, in the currency of the last price put into it; items priced in another, or not at all, are
    /// left out. `None` where nothing was put in with a price since it was empty.
    pub fn value(&self) -> Option<Money> {
        let currency = self.currency?;
        let minor_units = self
            .items
            .iter()
            .filter_map(|item| {
                Some((
                    item.quantity,
                    item.price.filter(|price| price.currency == currency)?,
                ))
            })
            .map(|(quantity, price)| price.minor_units.saturating_mul(i64::from(quantity)))
            .fold(0_i64, i64::saturating_add);
        Some(Money {
            minor_units,
            currency,
        })
    }

    /// Since when there is something in it.
    pub fn since(&self) -> Option<EpochMs> {
        (!self.is_empty()).then_some(self.since)
    }

    /// When it was last changed.
    pub fn changed(&self) -> Option<EpochMs> {
        (!self.is_empty()).then_some(self.changed)
    }

    pub(crate) fn fold(&mut self, at: EpochMs, deed: &Deed) {
        match deed {
            Deed::CartAdd(Some(line)) if line.is_named() => self.change(at, |cart| cart.put(line)),
            Deed::CartRemove(Some(line)) if line.is_named() => {
                self.change(at, |cart| cart.take(line));
            }
            Deed::CartView(Some(lines)) => self.change(at, |cart| {
                cart.items.clear();
                lines.0.iter().for_each(|line| cart.put(line));
            }),
            Deed::Purchase(_) => self.empty(at),
            _ => {}
        }
    }

    fn change(&mut self, at: EpochMs, how: impl FnOnce(&mut Self)) {
        if self.is_empty() {
            self.since = at;
        }
        self.changed = at;
        how(self);
        if self.is_empty() {
            self.empty(at);
        }
    }

    fn empty(&mut self, at: EpochMs) {
        *self = Self {
            changed: at,
            ..Self::default()
        };
    }

    fn put(&mut self, line: &Line) {
        let quantity = line.quantity.unwrap_or(1);
        if quantity == 0 {
            return;
        }
        self.currency = line.price.map(|price| price.currency).or(self.currency);
        if let Some(item) = self
            .items
            .iter_mut()
            .find(|item| item.product == line.product)
        {
            item.quantity = item.quantity.saturating_add(quantity);
            item.price = line.price.or(item.price);
            return self.make_room();
        }
        let Line {
            product,
            ref product_id,
            price,
            ..
        } = *line;
        self.items.push(CartItem {
            product,
            product_id: product_id.clone(),
            quantity,
            price,
        });
        self.make_room();
    }

    /// Lets those put in first give way to what came after, until the rest fits.
    fn make_room(&mut self) {
        /// As many products of the shortest cost fit in any case.
        const SURE: usize = 16;
        if self.items.len() <= SURE && self.items.iter().all(|item| item.product_id.len() <= SURE) {
            return;
        }
        let mut bytes: usize = self.items.iter().map(CartItem::cost).sum();
        while self.items.len() > 1 && (self.items.len() > ITEM_LIMIT || bytes > BYTE_LIMIT) {
            bytes -= self.items.remove(0).cost();
        }
    }

    /// Of two carts the one that was changed last.
    pub(crate) fn is_before(&self, other: &Self) -> bool {
        self.changed < other.changed
    }

    fn take(&mut self, line: &Line) {
        let Some(place) = self
            .items
            .iter()
            .position(|item| item.product == line.product)
        else {
            return;
        };
        let item = &mut self.items[place];
        item.quantity = line
            .quantity
            .map_or(0, |quantity| item.quantity.saturating_sub(quantity));
        if item.quantity == 0 {
            self.items.remove(place);
        }
    }

    /// Writes it, when it was changed relative to `then`.
    pub(crate) fn write(&self, writer: &mut Writer<'_>, then: EpochMs) {
        let touched = !self.is_empty() || self.changed != EpochMs(0);
        writer.length(self.items.len() + usize::from(touched));
        if self.is_empty() {
            if touched {
                writer.time(then, self.changed);
            }
            return;
        }
        writer.time(then, self.changed);
        writer.time(self.changed, self.since);
        writer.currency(self.currency);
        for item in &self.items {
            writer.product(item.product, &item.product_id);
            writer.varint(u64::from(item.quantity));
            writer.money(item.price);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>, then: EpochMs) -> Result<Self, DecodeError> {
        let Some(length) = reader.length(ITEM_LIMIT + 1)?.checked_sub(1) else {
            return Ok(Self::default());
        };
        if length == 0 {
            return Ok(Self {
                changed: reader.time(then)?,
                ..Self::default()
            });
        }
        let changed = reader.time(then)?;
        let since = reader.time(changed)?;
        let currency = reader.currency()?;
        let item = |reader: &mut Reader<'_>| {
            let (product, product_id) = reader.product()?;
            Ok(CartItem {
                product,
                product_id,
                quantity: reader.number()?,
                price: reader.money()?,
            })
        };
        let items = (0..length)
            .map(|_| item(reader))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            items,
            since,
            changed,
            currency,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lines, observation::Bought};
    use foretide_events::Product;

    fn line(id: &str, quantity: Option<u32>, cents: Option<i64>) -> Line {
        let price = cents.map(|minor_units| Money {
            minor_units,
            currency: Currency::EUR,
        });
        let product_id = foretide_events::Text::new(id);
        Line::of(&Product {
            product_id,
            quantity,
            price,
            ..Product::default()
        })
        .unwrap()
    }

    fn folded(deeds: &[Deed]) -> Cart {
        let mut cart = Cart::default();
        deeds
            .iter()
            .zip(1..)
            .for_each(|(deed, second)| cart.fold(EpochMs(second * 1000), deed));
        cart
    }

    fn add(line: Line) -> Deed {
        Deed::CartAdd(Some(Box::new(line)))
    }

    fn remove(line: Line) -> Deed {
        Deed::CartRemove(Some(Box::new(line)))
    }

    #[test]
    fn it_adds_up_pieces_and_value() {
        let cart = folded(&[
            add(line("mug", Some(2), Some(1250))),
            add(line("tea", None, Some(499))),
            add(line("mug", None, None)),
            remove(line("tea", Some(1), None)),
        ]);
        assert_eq!((cart.items().len(), cart.pieces()), (1, 3));
        assert_eq!(
            cart.value(),
            Some(Money {
                minor_units: 3750,
                currency: Currency::EUR
            })
        );
        assert_eq!(
            (cart.since(), cart.changed()),
            (Some(EpochMs(1000)), Some(EpochMs(4000)))
        );
    }

    #[test]
    fn removing_without_a_quantity_removes_all_pieces() {
        let cart = folded(&[
            add(line("mug", Some(5), Some(100))),
            remove(line("mug", None, None)),
        ]);
        assert!(cart.is_empty() && cart.value().is_none() && cart.changed().is_none());
    }

    #[test]
    fn a_view_that_lists_products_replaces_it() {
        let view = Deed::CartView(Some(Box::new(Lines(vec![line("tea", Some(4), Some(10))]))));
        let cart = folded(&[
            add(line("mug", None, Some(100))),
            view,
            Deed::CartView(None),
        ]);
        assert_eq!(cart.items()[0].product_id(), "tea");
        assert_eq!(cart.value().unwrap().minor_units, 40);
        assert_eq!(cart.since(), Some(EpochMs(1000)));
    }

    #[test]
    fn a_purchase_empties_it() {
        let bought = Deed::Purchase(Box::new(Bought {
            order: 0,
            value: None,
            lines: Vec::new(),
        }));
        assert!(folded(&[add(line("mug", None, Some(100))), bought]).is_empty());
    }

    #[test]
    fn it_stays_bounded_and_finite() {
        let adds: Vec<_> = (0..1000)
            .map(|n| add(line(&format!("p{n}"), Some(u32::MAX), Some(i64::MAX))))
            .collect();
        let cart = folded(&adds);
        assert!(
            (20..ITEM_LIMIT).contains(&cart.items().len()),
            "{}",
            cart.items().len()
        );
        assert_eq!(cart.items().last().unwrap().product_id(), "p999");
        assert_eq!(cart.value().unwrap().minor_units, i64::MAX);

        let adds: Vec<_> = (0..300)
            .map(|n| add(line(&format!("{n}"), None, None)))
            .collect();
        assert!(folded(&adds).items().len() > 100);
    }
}
