//! What was bought: all baskets with their lines, about 40 bytes a line.

use std::{collections::HashMap, fmt::Write as _, ops::Range, path::Path};

use foretide_events::EpochMs;
use foretide_frame::Kind;
use serde_json::json;

use super::{
    super::{row::Unusable, tally::Tally},
    table::{Cells, each_row},
};

/// Departments and categories whose `quantity` is no number of pieces: litres, or nothing that can be told.
const MEASURED_DEPARTMENT: &str = "FUEL";
const MEASURED_CATEGORY: &str = "COUPON/MISC ITEMS";

/// The products, by their place.
pub(super) struct Goods {
    places: HashMap<i64, u32>,
    goods: Vec<Good>,
}

/// A product.
pub(super) struct Good {
    pub(super) product_id: i64,
    /// What is the same in every line, as members of a JSON object.
    pub(super) members: String,
    /// Its `quantity` is no number of pieces.
    pub(super) is_measured: bool,
}

impl Good {
    fn new(product_id: i64, department: &str, category: &str, brand: &str) -> Self {
        let mut members = format!("\"product_id\":\"{product_id}\"");
        let path = match (department, category) {
            ("", only) | (only, "") => only.to_owned(),
            (department, category) => format!("{department} > {category}"),
        };
        for (name, text) in [("category", path.as_str()), ("brand", brand)] {
            if !text.is_empty() {
                // Writing to a string cannot fail.
                let _ = write!(members, ",\"{name}\":{}", json!(text));
            }
        }
        Self {
            product_id,
            members,
            is_measured: department == MEASURED_DEPARTMENT || category == MEASURED_CATEGORY,
        }
    }
}

impl Goods {
    /// Reads `products.parquet`.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let mut goods = Self {
            places: HashMap::new(),
            goods: Vec::new(),
        };
        let columns = [
            ("product_id", Kind::Integer),
            ("department", Kind::Text),
            ("product_category", Kind::Text),
            ("brand", Kind::Text),
        ];
        each_row(path, columns, |_, cells| {
            // A row without an id can be of no line.
            if let Ok(id) = cells.whole(0) {
                let text = |at| cells.text(at).unwrap_or_default();
                goods.put(Good::new(id, text(1), text(2), text(3)));
            }
        })?;
        Ok(goods)
    }

    /// Where the product is. One that no file tells of is known by its id alone from then on.
    fn place(&mut self, product_id: i64) -> u32 {
        match self.places.get(&product_id) {
            Some(&place) => place,
            None => self.put(Good::new(product_id, "", "", "")),
        }
    }

    fn put(&mut self, good: Good) -> u32 {
        let place = u32::try_from(self.goods.len()).unwrap_or(u32::MAX);
        self.places.insert(good.product_id, place);
        self.goods.push(good);
        place
    }

    pub(super) fn get(&self, place: u32) -> &Good {
        &self.goods[place as usize]
    }
}

/// A line of a basket. Amounts are cents.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    basket: u32,
    pub(super) good: u32,
    pub(super) quantity: u32,
    /// What the store got.
    pub(super) sales: i32,
    /// What its own card took off.
    pub(super) retail: i32,
    /// What a coupon of the manufacturer took off, who pays it to the store.
    pub(super) coupon: i32,
    /// What the store took off to match a coupon.
    pub(super) matched: i32,
}

/// A basket, and which lines are its.
#[derive(Clone, Debug)]
pub(super) struct Basket {
    pub(super) household: i64,
    pub(super) id: i64,
    pub(super) store: i64,
    pub(super) at: EpochMs,
    /// The row of its first line in the file.
    pub(super) row: u64,
    pub(super) lines: Range<usize>,
}

/// All baskets, in order of time.
pub(super) struct Journal {
    pub(super) baskets: Vec<Basket>,
    lines: Vec<Line>,
}

impl Journal {
    /// Reads `transactions.parquet`. A row that cannot be read is refused and the rest of its basket stays.
    pub(super) fn read(path: &Path, goods: &mut Goods, tally: &Tally) -> anyhow::Result<Self> {
        let columns = [
            ("household_id", Kind::Integer),
            ("basket_id", Kind::Integer),
            ("transaction_timestamp", Kind::Instant),
            ("store_id", Kind::Integer),
            ("product_id", Kind::Integer),
            ("quantity", Kind::Integer),
            ("sales_value", Kind::Number),
            ("retail_disc", Kind::Number),
            ("coupon_disc", Kind::Number),
            ("coupon_match_disc", Kind::Number),
        ];
        let mut gathered = Gathered::default();
        each_row(path, columns, |number, cells| {
            if let Err(unusable) = gathered.take(number, &cells, goods) {
                tally.row();
                tally.refused(unusable.reason, || {
                    format!("row {number} of the transactions: {unusable}")
                });
            }
        })?;
        Ok(gathered.in_order())
    }

    pub(super) fn lines(&self, basket: &Basket) -> &[Line] {
        &self.lines[basket.lines.clone()]
    }
}

/// Baskets as they are found.
#[derive(Default)]
struct Gathered {
    places: HashMap<(i64, i64), u32>,
    latest: Option<((i64, i64), u32)>,
    baskets: Vec<Basket>,
    lines: Vec<Line>,
}

impl Gathered {
    fn take(&mut self, row: u64, cells: &Cells<'_, 10>, goods: &mut Goods) -> Result<(), Unusable> {
        let key = (cells.whole(0)?, cells.whole(1)?);
        let (at, store, product_id) = (cells.instant(2)?, cells.whole(3)?, cells.whole(4)?);
        let quantity = u32::try_from(cells.whole(5)?)
            .map_err(|_| Unusable::unreadable("quantity is no number of pieces"))?;
        let [sales, retail, coupon, matched] = [6, 7, 8, 9].map(|at| cells.cents(at));
        let (sales, retail, coupon, matched) = (sales?, retail?, coupon?, matched?);
        let basket = self.basket(key, at, store, row);
        self.lines.push(Line {
            basket,
            good: goods.place(product_id),
            quantity,
            sales,
            retail,
            coupon,
            matched,
        });
        Ok(())
    }

    /// Where the basket is, which is of the household and the id `key`. Its lines mostly follow each other.
    fn basket(&mut self, key: (i64, i64), at: EpochMs, store: i64, row: u64) -> u32 {
        if let Some((latest, place)) = self.latest
            && latest == key
        {
            return place;
        }
        let next = u32::try_from(self.baskets.len()).unwrap_or(u32::MAX);
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            let (household, id) = key;
            self.baskets.push(Basket {
                household,
                id,
                store,
                at,
                row,
                lines: 0..0,
            });
        }
        self.latest = Some((key, place));
        place
    }

    fn in_order(mut self) -> Journal {
        self.lines.sort_by_key(|line| line.basket);
        let mut from = 0;
        for lines in self.lines.chunk_by(|a, b| a.basket == b.basket) {
            let basket = &mut self.baskets[lines[0].basket as usize];
            basket.lines = from..from + lines.len();
            from += lines.len();
        }
        self.baskets
            .sort_by_key(|basket| (basket.at, basket.household, basket.id));
        Journal {
            baskets: self.baskets,
            lines: self.lines,
        }
    }
}
