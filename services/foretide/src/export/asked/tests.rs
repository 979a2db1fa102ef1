use std::fs;

use foretide_privacy::PseudonymKey;

use super::*;

fn key() -> Pseudonymiser {
    Pseudonymiser::new(&PseudonymKey::from_bytes([1; 32]))
}

fn user(id: &str) -> ShopperId {
    ShopperId(key().pseudonym(IdKind::User, id))
}

fn read(text: &str) -> anyhow::Result<Events> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list.csv");
    fs::write(&path, text).unwrap();
    List::open(&path)?.read(Some(&key()))
}

fn refusal(text: &str) -> String {
    format!("{:#}", read(text).err().unwrap())
}

#[test]
fn rows_are_read_in_their_order_and_other_columns_are_carried_through() {
    let read = read(
        "\u{feff}bought,user_id,event_timestamp,note\n1,ann,2026-11-22T10:00:00Z,\"a, b\"\n0,bob,1763805600000,\n",
    );
    let events = read.unwrap();
    let at = EpochMs::parse("2026-11-22T10:00:00Z").unwrap();
    let rows = [(user("ann"), at), (user("bob"), EpochMs(1_763_805_600_000))];
    assert_eq!(events.rows, rows);
    assert_eq!(
        events.list.carried().collect::<Vec<_>>(),
        ["bought", "note"]
    );
    assert_eq!(events.kinds, [Kind::Integer, Kind::Text]);
}

#[test]
fn the_known_id_comes_before_the_devices_and_a_pseudonym_before_both() {
    let events = read(&format!(
        "shopper_id,user_id,anonymous_id,at\n,ann,x,1763805600000\n, ,x,1763805600000\n{},ann,,1763805600000\n",
        user("ann")
    ))
    .unwrap();
    let device = ShopperId(key().pseudonym(IdKind::Anonymous, "x"));
    let shoppers: Vec<_> = events.rows.iter().map(|(shopper, _)| *shopper).collect();
    assert_eq!(shoppers, [user("ann"), device, user("ann")]);
    assert_eq!(events.list.carried().count(), 0);
}

#[test]
fn times_as_pandas_writes_them_are_read() {
    let expected = EpochMs::parse("2026-11-22T10:00:00Z").unwrap();
    for text in [
        "2026-11-22T11:00:00+01:00",
        "2026-11-22 10:00:00+00:00",
        "2026-11-22 10:00:00 UTC",
        " 1795341600000 ",
    ] {
        assert_eq!(instant(text), Ok(expected), "{text}");
    }
    assert!(instant("1763805600").unwrap_err().contains("seconds"));
    assert!(
        instant("2026-11-22 10:00:00")
            .unwrap_err()
            .contains("offset")
    );
}

#[test]
fn a_fault_names_row_line_and_column() {
    let heading = "user_id,event_timestamp,y";
    let good = "ann,2026-11-22T10:00:00Z,1";
    let said = refusal(&format!("{heading}\n{good}\nbob,yesterday,0\n"));
    assert!(
        said.contains("row 2 (line 3), column `event_timestamp`: `yesterday`"),
        "{said}"
    );
    let said = refusal(&format!("{heading}\n,2026-11-22T10:00:00Z,0\n"));
    assert!(
        said.contains("row 1 (line 2), column `user_id`: is empty"),
        "{said}"
    );
    let said = refusal(&format!("{heading}\n{good}\nbob,2026-11-22T10:00:00Z\n"));
    assert!(said.contains("line: 3"), "{said}");
    let said = refusal("shopper_id,at\nann,1763805600000\n");
    assert!(
        said.contains("column `shopper_id`: is not a shopper id"),
        "{said}"
    );
    let other = format!("shopper_id,user_id,at\n{},bob,1763805600000\n", user("ann"));
    assert!(refusal(&other).contains("not the pseudonym"));
}

#[test]
fn a_heading_that_does_not_do_is_refused() {
    for (heading, said) in [
        ("user,event_timestamp", "no column user_id"),
        ("user_id,when", "no column event_timestamp"),
        ("user_id,at,x,x", "two columns `x`"),
        (",user_id,at", "index=False"),
        ("user_id,at", "no rows"),
    ] {
        let refusal = refusal(&format!("{heading}\n"));
        assert!(refusal.contains(said), "{refusal}");
    }
    let list = List::of(
        "l".into(),
        ["user_id", "at", "status"].map(String::from).into(),
    );
    let refusal = list.unwrap().check_names(&[]).unwrap_err().to_string();
    assert!(refusal.contains("`status`"), "{refusal}");
}
