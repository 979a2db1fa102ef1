//! The Complete Journey (84.51°, dunnhumby): a year of purchases of households in stores, with the coupons they redeemed.
//!
//! The data come as a folder of Parquet files. What becomes of them:
//!
//! | there | here |
//! |---|---|
//! | `household_id` | the shopper's `user_id` |
//! | the lines of one `basket_id` | one `purchase` at `transaction_timestamp`, which is UTC; its `order_id` |
//! | Σ `sales_value` | `revenue`, in dollars; Σ of what the store's card and coupons took off is `discount` |
//! | `product_id` | the product; `category` is its `department` > `product_category`, `brand` is what the data say: National or Private |
//! | (`sales_value` + `coupon_match_disc`) / `quantity` | `price` of one piece, as it stood on the shelf for holders of the store's card |
//! | the same + `retail_disc` | `list_price`, where that is more |
//! | a line with a `coupon_disc` | a `coupon_attempt` that was `applied`, at the same instant, with that `discount` |
//! | a row of `coupon_redemptions` | the `coupon_id` of such a line, or else an attempt of its own |
//!
//! `quantity` of fuel and of items without a count is no number of pieces: such a line is one piece, and so worth what was paid.
//! A line of quantity 0 stays, without a price. Nothing is made of the campaigns that were mailed, of demographics, which
//! need consent, or of `week`, package sizes and manufacturers.

mod journal;
mod redemptions;
mod table;
mod written;

use std::path::Path;

use anyhow::{Context as _, bail};

use self::{
    journal::{Goods, Journal},
    redemptions::Redemptions,
    written::Written,
};
use super::{row::Row, tally::Tally};

/// The file of the lines of all baskets.
pub(super) const TRANSACTIONS: &str = "transactions.parquet";
const PRODUCTS: &str = "products.parquet";

/// Reads the folder and hands each event over in order of time, with the share of all that it brings to an end. Stops where
/// `put` says no.
///
/// # Errors
/// The folder lacks one of its files, or one is of another kind.
pub(super) fn read(
    folder: &Path,
    tally: &Tally,
    mut put: impl FnMut(Row, f64) -> bool,
) -> anyhow::Result<()> {
    if !folder.is_dir() {
        bail!("completejourney is a folder: name the one that holds {TRANSACTIONS} and {PRODUCTS}");
    }
    let mut goods = Goods::read(&folder.join(PRODUCTS)).context(PRODUCTS)?;
    let journal =
        Journal::read(&folder.join(TRANSACTIONS), &mut goods, tally).context(TRANSACTIONS)?;
    let redemptions = Redemptions::read(folder, tally)?;
    let named = redemptions.matched(&journal, &goods);
    let mut written = Written::new(&goods, &journal, &redemptions, &named);

    let in_order = redemptions.in_order_with(&journal, &named);
    let all = in_order.len().max(1) as f64;
    for (done, happening) in in_order.into_iter().enumerate() {
        let share = (done + 1) as f64 / all;
        for row in written.rows(happening) {
            tally.row();
            let number = row.line;
            match row.fitting() {
                Ok(row) => {
                    // Else the lane has ended because the server refused a batch, which is told elsewhere.
                    if !put(row, share) {
                        return Ok(());
                    }
                }
                Err(unusable) => {
                    tally.refused(unusable.reason, || format!("row {number}: {unusable}"));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
