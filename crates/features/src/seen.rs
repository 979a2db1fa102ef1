//! The products looked at last, with the prices they had.

use crate::{
    DecodeError,
    codec::{Reader, Writer},
    prices::ln_price,
    responses::Change,
};

/// The most products kept.
pub(crate) const LIMIT: usize = 6;

/// A product is told apart by 32 bits of the hash of its id: among six, one in 700 million is taken for another.
pub(crate) type ProductHash = u32;

/// The upper 32 bits of the hash of a product's id.
pub(crate) fn product_hash(hash: u64) -> ProductHash {
    let [.., a, b, c, d] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SeenProduct {
    product: ProductHash,
    /// The price last seen, in minor units of the shopper's currency.
    price: Option<i64>,
    /// Whether it was looked at in the latest session.
    in_session: bool,
    /// The price seen before that one, while it is open what the shopper does about the change.
    before: Option<i64>,
}

/// What a product view means in view of those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Again {
    /// It was looked at in this session already.
    pub(crate) in_session: bool,
    /// Its price was known, and this became of it.
    pub(crate) change: Option<Change>,
}

/// The six different products looked at last, the latest last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen(Vec<SeenProduct>);

impl Seen {
    /// Takes in a view of `product` at `price`, if it was shown.
    pub(crate) fn view(&mut self, product: ProductHash, price: Option<i64>) -> Again {
        let place = self.0.iter().position(|seen| seen.product == product);
        let former = place.map(|place| self.0.remove(place));
        if self.0.len() == LIMIT {
            self.0.remove(0);
        }
        let mut seen = former.unwrap_or(SeenProduct {
            product,
            price: None,
            in_session: false,
            before: None,
        });
        let in_session = seen.in_session;
        seen.in_session = true;
        if let Some(price) = price {
            seen.before = seen.price;
            seen.price = Some(price);
        }
        self.0.push(seen);
        let change = price.and_then(|_| seen.change());
        Again { in_session, change }
    }

    /// The shopper takes `product`: what was open about it, and is no longer.
    pub(crate) fn take(&mut self, product: ProductHash) -> Option<Change> {
        let seen = self.0.iter_mut().find(|seen| seen.product == product)?;
        let change = seen.change();
        seen.before = None;
        change
    }

    /// The session is over: nothing was looked at in it, and nothing is open any more.
    pub(crate) fn end_session(&mut self) {
        for seen in &mut self.0 {
            seen.in_session = false;
            seen.before = None;
        }
    }

    /// Forgets all prices: those that follow are in another currency.
    pub(crate) fn clear_prices(&mut self) {
        for seen in &mut self.0 {
            seen.price = None;
            seen.before = None;
        }
    }

    /// Puts the products of `earlier` behind those of its own.
    pub(crate) fn put_behind(&mut self, earlier: &Self) {
        let mut all = earlier.0.clone();
        all.retain(|theirs| self.0.iter().all(|ours| ours.product != theirs.product));
        let room = LIMIT - self.0.len().min(LIMIT);
        let mut kept = all.split_off(all.len().saturating_sub(room));
        kept.append(&mut self.0);
        self.0 = kept;
    }

    /// Writes how many there are, a bit for each that was looked at in the latest session and, if there are any, for
    /// each with an open change; then each: its hash, its price or 0, and how that changed.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        let bits = |is_set: fn(&SeenProduct) -> bool| {
            let places = self.0.iter().enumerate();
            places.fold(0, |bits, (place, seen)| {
                bits | u64::from(is_set(seen)) << place
            })
        };
        writer.length(self.0.len());
        if self.0.is_empty() {
            return;
        }
        let any_open = self.0.iter().any(|seen| seen.before.is_some());
        writer.varint(bits(|seen| seen.in_session) << 1 | u64::from(any_open));
        if any_open {
            writer.varint(bits(|seen| seen.before.is_some()));
        }
        for seen in &self.0 {
            writer.bytes(&seen.product.to_le_bytes());
            writer.varint(seen.price.map_or(0, i64::cast_unsigned));
            if let (Some(before), Some(price)) = (seen.before, seen.price) {
                writer.signed(before.wrapping_sub(price));
            }
            writer.saw(seen.product, seen.price);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length = reader.length(LIMIT)?;
        if length == 0 {
            return Ok(Self::default());
        }
        let in_session = reader.varint()?;
        let open = if in_session & 1 == 1 {
            reader.varint()?
        } else {
            0
        };
        if (in_session >> 1 | open) >> length != 0 {
            return Err(DecodeError::Corrupt("a product that is not there"));
        }
        let mut all = Vec::with_capacity(length);
        for place in 0..length {
            let product = u32::from_le_bytes(reader.array()?);
            let price: i64 = reader.number()?;
            let price = (price > 0).then_some(price);
            let before = match (open >> place & 1 == 1, price) {
                (false, _) => None,
                (true, None) => return Err(DecodeError::Corrupt("a change of no price")),
                (true, Some(price)) => {
                    let before = price.wrapping_add(reader.signed()?);
                    if before <= 0 {
                        return Err(DecodeError::Corrupt("a price of nothing"));
                    }
                    Some(before)
                }
            };
            reader.saw(product, price);
            all.push(SeenProduct {
                product,
                price,
                in_session: in_session >> (place + 1) & 1 == 1,
                before,
            });
        }
        Ok(Self(all))
    }
}

impl SeenProduct {
    fn change(&self) -> Option<Change> {
        let (price, before) = (self.price?, self.before?);
        Some(Change::of(ln_price(price) - ln_price(before)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_seen_again_tells_what_became_of_its_price() {
        let mut seen = Seen::default();
        assert_eq!(seen.view(1, Some(1000)), Again::default());
        let again = seen.view(1, Some(1000));
        assert!(again.in_session && again.change == Some(Change::Same));
        assert!(
            matches!(seen.view(1, Some(900)).change, Some(Change::Drop(by)) if (by - 0.105).abs() < 0.001)
        );
        assert_eq!(seen.view(1, None).change, None, "no price was shown");
        assert!(
            matches!(seen.take(1), Some(Change::Drop(_))),
            "that is still open"
        );
        assert_eq!(seen.take(1), None);
    }

    #[test]
    fn a_session_that_ends_leaves_nothing_open() {
        let mut seen = Seen::default();
        seen.view(1, Some(1000));
        seen.view(1, Some(1200));
        seen.end_session();
        assert_eq!(seen.take(1), None);
        let again = seen.view(1, Some(1200));
        assert!(!again.in_session && again.change == Some(Change::Same));
    }

    #[test]
    fn the_one_not_seen_for_longest_gives_way() {
        let mut seen = Seen::default();
        for product in 0..7 {
            seen.view(product, Some(100));
            seen.view(1, Some(100));
        }
        assert_eq!(seen.0.len(), LIMIT);
        assert_eq!(seen.view(0, Some(200)).change, None, "forgotten");
        assert_eq!(seen.view(1, Some(100)).change, Some(Change::Same));
    }
}
