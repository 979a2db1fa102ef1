//! Input for the tests: public data sets where they lie beside the checkout, else a made file of the same format.

use std::{fmt::Write as _, path::PathBuf};

/// A file of the public data sets, or `None` (said aloud) where they are absent.
pub fn shared(file: &str) -> Option<PathBuf> {
    let path = crate::project_root().join("../shared/data").join(file);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is absent", path.display());
    None
}

/// A click log in the format of REES46: `events` rows by `shoppers` people, one every second, with prices, carts,
/// purchases, sessions and some equal rows.
pub fn rees46(events: usize, shoppers: usize) -> String {
    let mut csv = String::from(
        "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n",
    );
    for row in 0..events {
        // A full-period linear congruence: scattered, and the same in every run.
        let scattered = row.wrapping_mul(2_654_435_761) >> 7;
        let (shopper, product) = (scattered % shoppers, (scattered / 7) % 500);
        let kind = match scattered % 20 {
            0 | 1 => "cart",
            2 => "purchase",
            _ => "view",
        };
        let second = row - usize::from(row % 50 == 49);
        let (hour, minute, second) = (second / 3600 % 24, second / 60 % 60, second % 60);
        let day = 1 + row / 86_400;
        let category = product % 12;
        writeln!(
            csv,
            "2019-10-{day:02} {hour:02}:{minute:02}:{second:02} UTC,{kind},{product},20530135{category:02},shop.c{category},b{},{}.{:02},{shopper},s{shopper}-{}",
            product % 9,
            5 + product % 90,
            product % 100,
            row / 5000,
        )
        .unwrap();
    }
    csv
}
