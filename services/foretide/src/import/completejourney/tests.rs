use std::{collections::BTreeMap, fs::File, path::PathBuf};

use foretide_events::{EpochMs, limits::MAX_EVENT_BYTES};
use foretide_frame::{Cell, Column, Format, FrameWriter, Kind};
use serde_json::{Value, json};

use super::*;

fn write(folder: &Path, file: &str, columns: &[(&str, Kind)], rows: &[Vec<Cell<'_>>]) {
    let columns: Vec<_> = columns
        .iter()
        .map(|&(name, kind)| Column::of(name, kind))
        .collect();
    let out = File::create(folder.join(file)).unwrap();
    let mut out = FrameWriter::new(Format::Parquet, out, &columns, &[]).unwrap();
    for row in rows {
        out.row(row).unwrap();
    }
    out.finish().unwrap();
}

/// A line: household, basket, hour since 1970, product, quantity, sales, retail, coupon and matched, the last four in dollars.
type Bought = (i64, i64, i64, i64, i64, [f64; 4]);

fn folder(bought: &[Bought], redeemed: &[(i64, i64, i64)]) -> tempfile::TempDir {
    use Kind::{Instant, Integer, Number, Text};
    let dir = tempfile::tempdir().unwrap();
    let products = [
        (1, "GROCERY", "SOUP", "National"),
        (2, "FUEL", "COUPON/MISC ITEMS", "Private"),
        (3, "MISCELLANEOUS", "", "National"),
    ];
    let rows = products.map(|(id, department, category, brand)| {
        let category = match category {
            "" => Cell::Missing,
            category => Cell::Text(category),
        };
        vec![
            Cell::Integer(id),
            Cell::Text(department),
            category,
            Cell::Text(brand),
        ]
    });
    let columns = [
        ("product_id", Integer),
        ("department", Text),
        ("product_category", Text),
        ("brand", Text),
    ];
    write(dir.path(), "products.parquet", &columns, &rows);
    let rows: Vec<_> = bought
        .iter()
        .map(|&(household, basket, hour, product, quantity, dollars)| {
            let mut row = vec![
                Cell::Integer(household),
                Cell::Integer(basket),
                Cell::Instant(EpochMs(hour * 3_600_000)),
                Cell::Integer(330),
                Cell::Integer(product),
                Cell::Integer(quantity),
            ];
            row.extend(dollars.map(Cell::Number));
            row
        })
        .collect();
    let columns = [
        ("household_id", Integer),
        ("basket_id", Integer),
        ("transaction_timestamp", Instant),
        ("store_id", Integer),
        ("product_id", Integer),
        ("quantity", Integer),
        ("sales_value", Number),
        ("retail_disc", Number),
        ("coupon_disc", Number),
        ("coupon_match_disc", Number),
    ];
    write(dir.path(), TRANSACTIONS, &columns, &rows);
    let rows: Vec<_> = redeemed
        .iter()
        .map(|&(household, coupon, day)| {
            let at = EpochMs(day * 86_400_000);
            vec![
                Cell::Integer(household),
                Cell::Integer(coupon),
                Cell::Integer(26),
                Cell::Instant(at),
            ]
        })
        .collect();
    let columns = [
        ("household_id", Integer),
        ("coupon_upc", Integer),
        ("campaign_id", Integer),
        ("redemption_date", Instant),
    ];
    write(dir.path(), "coupon_redemptions.parquet", &columns, &rows);
    let columns = [
        ("coupon_upc", Integer),
        ("campaign_id", Integer),
        ("product_id", Integer),
    ];
    let coupon = [77, 26, 1].map(Cell::Integer).to_vec();
    write(dir.path(), "coupons.parquet", &columns, &[coupon]);
    dir
}

fn events(folder: &Path) -> Vec<Value> {
    let tally = Tally::new(|_| {});
    let mut events = Vec::new();
    read(folder, &tally, |row, _| {
        events.push(serde_json::from_str(&row.item).unwrap());
        true
    })
    .unwrap();
    assert_eq!(tally.totals().rows, events.len() as u64);
    events
}

#[test]
fn the_lines_of_a_basket_are_one_purchase_with_its_prices() {
    let dir = folder(
        &[
            (9, 50, 30, 1, 2, [2.5, 0.5, 0.0, 0.1]),
            (9, 50, 30, 4, 1, [1.0, 0.0, 0.0, 0.0]),
        ],
        &[],
    );
    let found = events(dir.path());
    let [purchase] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(purchase["type"], "purchase");
    assert_eq!(purchase["at"], "1970-01-02T06:00:00.000Z");
    assert_eq!(purchase["shopper"], json!({ "user_id": "9" }));
    assert_eq!(purchase["order_id"], "50");
    assert_eq!(purchase["affiliation"], "store 330");
    let usd = |cents: i64| json!({ "minor_units": cents, "currency": "USD" });
    assert_eq!(purchase["revenue"], usd(350));
    assert_eq!(purchase["discount"], usd(60));
    let soup = json!({
        "product_id": "1", "category": "GROCERY > SOUP", "brand": "National",
        "price": usd(130), "list_price": usd(155), "quantity": 2,
    });
    let unknown = json!({ "product_id": "4", "price": usd(100) });
    assert_eq!(purchase["products"], json!([soup, unknown]));
}

#[test]
fn fuel_is_one_piece_and_what_has_no_quantity_has_no_price() {
    let dir = folder(
        &[
            (9, 50, 30, 2, 11_923, [30.0, 0.0, 0.0, 0.0]),
            (9, 50, 30, 3, 0, [0.0, 0.0, 0.0, 0.0]),
        ],
        &[],
    );
    let products = &events(dir.path())[0]["products"];
    assert_eq!(products[0]["price"]["minor_units"], 3_000);
    assert!(products[0].get("quantity").is_none());
    assert_eq!(products[1]["quantity"], 0);
    assert_eq!(products[1]["category"], "MISCELLANEOUS");
    assert!(products[1].get("price").is_none());
}

#[test]
fn baskets_come_in_order_of_time_and_scattered_lines_find_together() {
    let paid = [1.0, 0.0, 0.0, 0.0];
    let dir = folder(
        &[
            (9, 51, 40, 1, 1, paid),
            (8, 50, 30, 1, 1, paid),
            (9, 51, 40, 3, 1, paid),
        ],
        &[],
    );
    let found = events(dir.path());
    assert_eq!(found[0]["order_id"], "50");
    assert_eq!(found[1]["order_id"], "51");
    assert_eq!(found[1]["products"].as_array().unwrap().len(), 2);
    assert_eq!(found.len(), 2);
}

#[test]
fn a_coupon_is_an_attempt_of_its_basket_and_named_where_its_redemption_is_known() {
    // Two o'clock in the night in UTC is the evening before in the stores.
    let dir = folder(
        &[
            (9, 50, 26, 3, 1, [1.0, 0.0, 0.3, 0.0]),
            (9, 50, 26, 1, 1, [1.0, 0.0, 0.5, 0.0]),
        ],
        &[(9, 77, 0), (9, 78, 0), (9, 77, 5)],
    );
    let found = events(dir.path());
    let kinds: Vec<_> = found
        .iter()
        .map(|event| (event["type"].as_str().unwrap(), &event["coupon_id"]))
        .collect();
    let (none, soup, other) = (Value::Null, json!("77"), json!("78"));
    assert_eq!(
        kinds,
        [
            ("coupon_attempt", &none),
            ("coupon_attempt", &soup),
            ("coupon_attempt", &other),
            ("purchase", &none),
            ("coupon_attempt", &soup),
        ]
    );
    assert_eq!(found[0]["discount"]["minor_units"], 30);
    assert_eq!(found[1]["discount"]["minor_units"], 50);
    assert_eq!(found[1]["order_id"], "50");
    assert_eq!(found[1]["outcome"], "applied");
    assert!(found[2].get("discount").is_none());
    // On a day without a basket, at noon of the stores.
    assert_eq!(found[4]["at"], "1970-01-06T17:00:00.000Z");
    assert!(found[4].get("order_id").is_none());
}

#[test]
fn importing_again_makes_the_same_ids_and_all_are_different() {
    let coupons = [1.0, 0.0, 0.5, 0.0];
    let bought = [(9, 50, 30, 1, 1, coupons), (9, 50, 30, 1, 1, coupons)];
    let ids = || -> Vec<String> {
        let dir = folder(&bought, &[(9, 77, 1), (9, 77, 9)]);
        let found = events(dir.path());
        found.iter().map(|one| one["id"].to_string()).collect()
    };
    let first = ids();
    assert_eq!(first, ids());
    let different: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(different.len(), first.len());
}

#[test]
fn a_row_that_makes_no_sense_is_counted_and_the_rest_goes_on() {
    let dir = folder(
        &[
            (9, 50, 30, 1, -1, [1.0, 0.0, 0.0, 0.0]),
            (9, 50, 30, 1, 1, [f64::NAN, 0.0, 0.0, 0.0]),
            (9, 50, 30, 1, 1, [1.0, 0.0, 0.0, 0.0]),
        ],
        &[],
    );
    let tally = Tally::new(|_| {});
    let mut events = 0;
    read(dir.path(), &tally, |_, _| {
        events += 1;
        true
    })
    .unwrap();
    assert_eq!(events, 1);
    assert_eq!(
        tally.totals().rejected,
        BTreeMap::from([("unreadable_row".to_owned(), 2)])
    );
}

#[test]
fn a_folder_that_is_another_one_is_refused_with_what_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let tally = Tally::new(|_| {});
    let refused = |path: &Path| read(path, &tally, |_, _| true).unwrap_err();
    assert!(format!("{:#}", refused(dir.path())).contains("products.parquet"));
    let file = dir.path().join("transactions.csv");
    File::create(&file).unwrap();
    assert!(refused(&file).to_string().contains("is a folder"));
}

#[test]
fn every_basket_of_the_real_year_is_an_event_that_fits() {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/completejourney");
    if !folder.exists() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    let tally = Tally::new(|text| panic!("{text}"));
    let (mut kinds, mut named) = (BTreeMap::new(), 0);
    read(&folder, &tally, |row, _| {
        assert!(row.item.len() <= MAX_EVENT_BYTES);
        let kind = if row.item.starts_with("{\"type\":\"purchase\"") {
            "purchase"
        } else {
            named += u32::from(row.item.contains("\"coupon_id\""));
            "coupon_attempt"
        };
        *kinds.entry(kind).or_insert(0) += 1;
        true
    })
    .unwrap();
    assert_eq!(kinds["purchase"], 155_848);
    assert_eq!(named, 2_102);
    assert!(kinds["coupon_attempt"] > 21_889);
}
