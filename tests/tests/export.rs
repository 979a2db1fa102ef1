//! What `foretide export` writes is what was served for the same instants, bit for bit, whoever reads it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    process::Command,
};

use foretide_tests::{
    broker::Broker,
    project_root,
    server::{Server, binary, summary},
};
use serde_json::{Value, json};

const KEY: &[u8] = b"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";

/// One row that is asked for: the kind of id, the id, and when.
type Row = (&'static str, String, String);

/// A server with the history of pretend shoppers, some of whom come by several devices and sign in later. Returns the rows to
/// ask about: of each shopper at the newest of all events, and of devices before their last event, too.
fn with_history(server: &mut Server) -> Vec<Row> {
    server.start();
    let history = server.directory().join("history.ndjson");
    let words = "--days 4 --shoppers 80 --seed 11 --as-of 2025-05-04T12:00:00Z";
    let simulated = Command::new(binary())
        .args(["simulate", "--out", history.to_str().unwrap()])
        .args(words.split(' '))
        .status();
    assert!(simulated.unwrap().success());
    let imported = summary(server.import("ndjson", &history));
    assert_eq!(imported["rejected"], json!({}), "{imported}");

    let mut times = BTreeMap::<(&'static str, String), BTreeSet<String>>::new();
    for line in fs::read_to_string(history).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let at = event["at"].as_str().unwrap();
        for kind in ["user_id", "anonymous_id"] {
            if let Some(id) = event["shopper"][kind].as_str() {
                let of_shopper = times.entry((kind, id.to_owned())).or_default();
                of_shopper.insert(at.to_owned());
            }
        }
    }
    let end = times.values().flatten().max().unwrap().clone();
    let mut rows = Vec::new();
    for ((kind, id), times) in times {
        rows.push((kind, id.clone(), end.clone()));
        let mut latest = times.into_iter().rev();
        let newest = latest.next().unwrap();
        // Devices are linked to nothing that contributes to them: their own past can be asked about.
        if let ("anonymous_id", Some(before)) = (kind, latest.next())
            && newest[..10] == before[..10]
        {
            rows.push((kind, id, before));
        }
    }
    rows
}

/// What is served for the row: the answer of `GET /v1/shoppers/features`, `None` where nothing was known.
fn served(server: &Server, (kind, id, at): &Row) -> Option<Value> {
    let path = format!("/v1/shoppers/features?{kind}={id}&at={at}");
    let answer = server.get(&path);
    assert!(
        [200, 404].contains(&answer.status),
        "{path}: {}",
        answer.body
    );
    (answer.status == 200).then_some(answer.body)
}

/// Writes the list of rows, each with its number as a label.
fn list(server: &Server, rows: &[Row]) -> String {
    let mut list = String::from("label,user_id,anonymous_id,event_timestamp\n");
    for ((kind, id, at), number) in rows.iter().zip(0..) {
        let (user, anonymous) = if *kind == "user_id" {
            (id.as_str(), "")
        } else {
            ("", id.as_str())
        };
        writeln!(list, "{number},{user},{anonymous},{at}").unwrap();
    }
    let file = server.directory().join("list.csv");
    fs::write(&file, list).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Runs an export into `name` below the server's directory. Returns its summary and where the file is.
fn export(server: &Server, name: &str, words: &[&str]) -> (Value, String) {
    let out = server.directory().join(name).to_str().unwrap().to_owned();
    let output = server.offline(&[&["export", "--out", &out], words].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {error}");
    let said = String::from_utf8(output.stdout).unwrap();
    (serde_json::from_str(said.trim()).unwrap(), out)
}

fn lines(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What must be the same of a row that was exported and what was served for it.
fn assert_is_served(line: &Value, served: Option<&Value>) {
    let Some(served) = served else {
        assert_eq!(line["status"], "NOT_FOUND", "{line}");
        assert_eq!(
            (&line["as_of"], &line["actions_total"]),
            (&Value::Null, &Value::Null)
        );
        return;
    };
    assert_eq!(line["status"], "PRESENT", "{line}");
    for (exported, shown) in [
        ("shopper_id", "shopper_id"),
        ("event_timestamp", "at"),
        ("as_of", "as_of"),
    ] {
        assert_eq!(line[exported], served[shown], "{exported}");
    }
    assert_eq!(line["reference"], served["reference"]["version"]);
    let features = served["features"].as_object().unwrap();
    for (name, feature) in features {
        let (exported, shown) = (line[name].as_f64(), feature["value"].as_f64());
        assert_eq!(
            exported.map(f64::to_bits),
            shown.map(f64::to_bits),
            "{name} of {} at {}: {exported:?} exported, {shown:?} served",
            line["shopper_id"],
            line["event_timestamp"]
        );
    }
}

/// The rows of a list and of everyone hold what the server, which is asked first, answers for them.
fn frames_hold_what_is_served(server: &mut Server, stop: impl FnOnce(&mut Server)) {
    let mut rows = with_history(server);
    rows.push(("user_id", "nobody".to_owned(), rows[0].2.clone()));
    let answers: Vec<_> = rows.iter().map(|row| served(server, row)).collect();
    let features = server.get("/v1/features").body;
    stop(server);

    let list = list(server, &rows);
    let (said, file) = export(server, "frame.ndjson", &["--at", &list]);
    let exported = lines(&file);
    assert_eq!(
        (said["rows"].as_u64(), exported.len()),
        (Some(rows.len() as u64), rows.len())
    );
    for ((line, answer), number) in exported.iter().zip(&answers).zip(0..) {
        assert_eq!(line["label"], number, "the order of the list is kept");
        assert_is_served(line, answer.as_ref());
    }
    let unknown = answers.iter().filter(|answer| answer.is_none()).count();
    assert_eq!(said["not_found"], unknown, "{said}");
    assert!(unknown > 0 && unknown < rows.len() / 2, "{unknown}");
    assert_eq!(said["schema"], features["schema"]);
    let raw_ids_are_gone = !fs::read_to_string(&file).unwrap().contains(&rows[0].1);
    assert!(raw_ids_are_gone);

    let end = &rows[0].2;
    let (said, file) = export(server, "all.ndjson", &["--as-of", end]);
    let of_end = rows
        .iter()
        .zip(&answers)
        .filter(|((_, _, at), _)| at == end);
    let expected: BTreeMap<_, _> = of_end
        .filter_map(|(_, answer)| answer.as_ref())
        .map(|answer| (answer["shopper_id"].to_string(), answer))
        .collect();
    let everyone = lines(&file);
    let found: BTreeSet<_> = everyone
        .iter()
        .map(|line| line["shopper_id"].to_string())
        .collect();
    assert_eq!(found, expected.keys().cloned().collect(), "{said}");
    for line in &everyone {
        assert_is_served(line, Some(expected[&line["shopper_id"].to_string()]));
    }
}

#[test]
fn an_embedded_log_is_exported_as_it_was_served() {
    let mut server = Server::embedded();
    frames_hold_what_is_served(&mut server, Server::stop);
    parquet_and_csv_hold_the_same(&server);
    what_cannot_be_exported_is_told_and_leaves_nothing(&server);
}

#[test]
fn a_log_on_kafka_is_exported_beside_the_server_as_it_is_served() {
    let broker = Broker::start();
    let mut server = Server::kafka(&broker.bootstrap(), KEY);
    frames_hold_what_is_served(&mut server, |_| ());
}

fn parquet_and_csv_hold_the_same(server: &Server) {
    let list = server.directory().join("list.csv");
    let list = list.to_str().unwrap();
    let (said, file) = export(server, "frame.parquet", &["--at", list]);
    let read = Command::new(project_root().join("tests/frame/run"))
        .arg(&file)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "{error}");
    let read: Value = serde_json::from_slice(&read.stdout).unwrap();
    let (types, metadata) = (&read["types"], &read["metadata"]);
    for (column, kind) in [
        ("label", "int64"),
        ("shopper_id", "string"),
        ("event_timestamp", "timestamp[ms, tz=UTC]"),
        ("as_of", "timestamp[ms, tz=UTC]"),
        ("engagement_7d", "double"),
    ] {
        assert_eq!(types[column], kind, "{column}");
    }
    assert_eq!(metadata["foretide.schema"], said["schema"]);
    let described: Value =
        serde_json::from_str(metadata["foretide.features"].as_str().unwrap()).unwrap();
    assert_eq!(
        described.as_array().unwrap().len() as u64,
        said["features"].as_u64().unwrap()
    );
    assert!(described[0]["formula"].is_string() && described[0]["unit"].is_string());

    let exported = lines(server.directory().join("frame.ndjson").to_str().unwrap());
    let rows = read["rows"].as_array().unwrap();
    assert_eq!(rows.len(), exported.len());
    for (row, line) in rows.iter().zip(&exported) {
        assert_eq!(row, line);
    }

    let words = ["--at", list, "--features", "cart_value,engagement_7d"];
    let (_, file) = export(server, "some.csv", &words);
    let csv = fs::read_to_string(file).unwrap();
    let mut csv = csv.lines();
    let heading =
        "shopper_id,event_timestamp,label,status,as_of,reference,cart_value,engagement_7d";
    assert_eq!(csv.next(), Some(heading));
    for (row, line) in csv.zip(&exported) {
        let engagement = row.rsplit(',').next().unwrap();
        assert_eq!(
            engagement.parse().ok(),
            line["engagement_7d"].as_f64(),
            "{row}"
        );
    }
}

fn what_cannot_be_exported_is_told_and_leaves_nothing(server: &Server) {
    let bad = server.directory().join("bad.csv");
    fs::write(
        &bad,
        "user_id,event_timestamp\nann,2025-05-04T10:00:00Z\nbob,yesterday\n",
    )
    .unwrap();
    let out = server.directory().join("bad.parquet");
    let words = [
        "export",
        "--at",
        bad.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    let output = server.offline(&words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        said.contains("row 2 (line 3), column `event_timestamp`: `yesterday`"),
        "{said}"
    );
    let files = fs::read_dir(server.directory())
        .unwrap()
        .map(|file| file.unwrap().file_name());
    let left: Vec<_> = files
        .filter(|name| name.to_string_lossy().starts_with("bad.p"))
        .collect();
    assert_eq!(left, [""; 0], "nothing half-written stays");
}
