//! Coupons that households redeemed, and the lines of their baskets that these belong to.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use anyhow::Context as _;
use foretide_events::EpochMs;
use foretide_frame::Kind;

use super::{
    super::{row::Unusable, tally::Tally},
    journal::{Basket, Goods, Journal},
    table::{Cells, each_row},
};

const REDEMPTIONS: &str = "coupon_redemptions.parquet";
const COUPONS: &str = "coupons.parquet";

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// A redemption has a day and no time. The day is that of the stores, which go by Eastern time, five hours behind: told so,
/// 99 % of the days are ones on which the household bought something, and told in UTC, as times are, only 89 %.
const EASTERN_MS: i64 = -5 * HOUR_MS;

/// A coupon that was redeemed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Redemption {
    pub(super) household: i64,
    pub(super) coupon: i64,
    pub(super) campaign: i64,
    /// The day, in days since 1970.
    pub(super) day: i64,
    /// Its row in the file.
    pub(super) row: u64,
}

impl Redemption {
    /// Noon of its day.
    pub(super) fn noon(&self) -> EpochMs {
        EpochMs(self.day * DAY_MS + DAY_MS / 2 - EASTERN_MS)
    }
}

/// All of them, and which products each coupon is for.
#[derive(Default)]
pub(super) struct Redemptions {
    pub(super) all: Vec<Redemption>,
    products: HashMap<(i64, i64), HashSet<i64>>,
}

/// What the redemptions, by their place, belong to.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// A line on which a coupon took something off, by its place in the journal.
    pub(super) lines: HashMap<usize, u32>,
    /// A basket without such a line, by its place in the journal.
    pub(super) baskets: HashMap<usize, Vec<u32>>,
    /// No basket.
    pub(super) strays: Vec<u32>,
}

/// What happened at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// A basket was paid, by its place in the journal.
    Paid(usize),
    /// A coupon was redeemed on a day without a basket.
    Redeemed(u32),
}

impl Redemptions {
    /// Reads them from `folder`; there are none where it lacks their file.
    pub(super) fn read(folder: &Path, tally: &Tally) -> anyhow::Result<Self> {
        let mut redemptions = Self::default();
        let path = folder.join(REDEMPTIONS);
        if !path.exists() {
            return Ok(redemptions);
        }
        let columns = [
            ("household_id", Kind::Integer),
            ("coupon_upc", Kind::Integer),
            ("campaign_id", Kind::Integer),
            ("redemption_date", Kind::Instant),
        ];
        let read = each_row(&path, columns, |number, cells| {
            match redemption(number, &cells) {
                Ok(redemption) => redemptions.all.push(redemption),
                Err(unusable) => {
                    tally.row();
                    tally.refused(unusable.reason, || {
                        format!("row {number} of the coupon redemptions: {unusable}")
                    });
                }
            }
        });
        read.context(REDEMPTIONS)?;
        redemptions.read_products(&folder.join(COUPONS))?;
        Ok(redemptions)
    }

    /// Reads which products the redeemed coupons are for.
    fn read_products(&mut self, path: &Path) -> anyhow::Result<()> {
        let keys = self.all.iter().map(|one| (one.coupon, one.campaign));
        self.products = keys.map(|key| (key, HashSet::new())).collect();
        if !path.exists() {
            return Ok(());
        }
        let columns = [
            ("coupon_upc", Kind::Integer),
            ("campaign_id", Kind::Integer),
            ("product_id", Kind::Integer),
        ];
        each_row(path, columns, |_, cells| {
            let key = cells.whole(0).and_then(|upc| Ok((upc, cells.whole(1)?)));
            let products = key.ok().and_then(|key| self.products.get_mut(&key));
            if let (Some(products), Ok(product)) = (products, cells.whole(2)) {
                products.insert(product);
            }
        })
        .context(COUPONS)
    }

    /// Finds what each belongs to: the first line, of a basket of its household on its day, of a product that the coupon is for
    /// and that a coupon took something off; else a basket with such a product, else one with any coupon, else any.
    pub(super) fn matched(&self, journal: &Journal, goods: &Goods) -> Named {
        let days: HashSet<(i64, i64)> = self
            .all
            .iter()
            .map(|one| (one.household, one.day))
            .collect();
        let mut on_day: HashMap<(i64, i64), Vec<usize>> = HashMap::new();
        for (place, basket) in journal.baskets.iter().enumerate() {
            let key = (basket.household, day(basket));
            if days.contains(&key) {
                on_day.entry(key).or_default().push(place);
            }
        }
        let mut named = Named::default();
        for (number, redemption) in (0..).zip(&self.all) {
            let key = (redemption.household, redemption.day);
            let baskets = on_day.get(&key).map_or(&[][..], Vec::as_slice);
            self.settle(number, redemption, baskets, (journal, goods), &mut named);
        }
        named
    }

    fn settle(
        &self,
        number: u32,
        redemption: &Redemption,
        baskets: &[usize],
        (journal, goods): (&Journal, &Goods),
        named: &mut Named,
    ) {
        let key = (redemption.coupon, redemption.campaign);
        let products = self.products.get(&key);
        let is_for = |product_id| products.is_some_and(|all| all.contains(&product_id));
        let (mut with_product, mut with_coupon) = (None, None);
        for &place in baskets {
            let basket = &journal.baskets[place];
            for (at, line) in basket.lines.clone().zip(journal.lines(basket)) {
                let is_for = is_for(goods.get(line.good).product_id);
                if is_for && line.coupon > 0 && !named.lines.contains_key(&at) {
                    named.lines.insert(at, number);
                    return;
                }
                if is_for {
                    with_product.get_or_insert(place);
                }
                if line.coupon > 0 {
                    with_coupon.get_or_insert(place);
                }
            }
        }
        let chosen = with_product.or(with_coupon).or(baskets.first().copied());
        match chosen {
            Some(place) => named.baskets.entry(place).or_default().push(number),
            None => named.strays.push(number),
        }
    }

    /// Everything that happened, in order of time.
    pub(super) fn in_order_with(&self, journal: &Journal, named: &Named) -> Vec<Happening> {
        let paid = journal.baskets.iter().enumerate();
        let paid = paid.map(|(place, basket)| (basket.at, Happening::Paid(place)));
        let stray = |&number: &u32| {
            let at = self.all[number as usize].noon();
            (at, Happening::Redeemed(number))
        };
        let mut all: Vec<_> = paid.chain(named.strays.iter().map(stray)).collect();
        all.sort_by_key(|&(at, _)| at);
        all.into_iter().map(|(_, happening)| happening).collect()
    }
}

fn redemption(row: u64, cells: &Cells<'_, 4>) -> Result<Redemption, Unusable> {
    Ok(Redemption {
        household: cells.whole(0)?,
        coupon: cells.whole(1)?,
        campaign: cells.whole(2)?,
        day: cells.instant(3)?.0.div_euclid(DAY_MS),
        row,
    })
}

/// The day of a basket where the stores are.
fn day(basket: &Basket) -> i64 {
    (basket.at.0 + EASTERN_MS).div_euclid(DAY_MS)
}
