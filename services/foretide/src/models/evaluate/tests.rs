use std::{fmt::Write as _, path::Path};

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: EvaluateArgs,
}

/// The arguments of a line of flags for the frame at `path`.
fn args(path: &Path, flags: &str) -> EvaluateArgs {
    let words = ["evaluate", path.to_str().unwrap()]
        .into_iter()
        .chain(flags.split(' '));
    Line::try_parse_from(words)
        .unwrap_or_else(|error| panic!("{error}"))
        .args
}

/// A frame of 600 rows: `x` tells the label `y`, `leak` is it in other words, `who` has twenty rows each, `day` and `on` rise.
fn frame() -> String {
    let mut text = String::from("y,bought,x,shop,leak,who,day,on,id\n");
    for row in 0..600_u32 {
        let x = row * 7919 % 100;
        let y = u32::from(x + row * 31 % 53 > 75);
        let (bought, shop) = (
            if y == 1 { ">50K" } else { "<=50K" },
            ["a", "b", "", "d"][(row % 4) as usize],
        );
        let leak = if y == 1 { 3 } else { -3 };
        let (who, day) = (row % 30, row / 3);
        let on = format!("2026-{:02}-{:02}", 1 + day / 28, 1 + day % 28);
        writeln!(
            text,
            "{y},{bought},{x},{shop},{leak},s{who},{day},{on},id-{row}"
        )
        .unwrap();
    }
    text
}

fn with_frame<R>(text: &str, of: impl FnOnce(&Path) -> R) -> R {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frame.csv");
    fs::write(&path, text).unwrap();
    of(&path)
}

fn rows_of(text: &str, flags: &str) -> anyhow::Result<Rows> {
    with_frame(text, |path| {
        let args = args(path, flags);
        rows::of(&args, Table::read(path, &args.unwanted()).unwrap())
    })
}

fn refusal(text: &str, flags: &str) -> String {
    rows_of(text, flags)
        .err()
        .map(|error| format!("{error:#}"))
        .unwrap_or_default()
}

#[test]
fn a_report_is_printed_and_written_for_each_kind() {
    with_frame(&frame(), |path| {
        let folder = path.parent().unwrap();
        let (out, plots) = (folder.join("report.json"), folder.join("plots"));
        let flags = format!(
            "--label y --group who --time day --train-until 120 --test-after 127 --exclude bought,leak --out {} --plots {}",
            out.display(),
            plots.display()
        );
        run(&args(path, &flags), Output::new(true)).unwrap();
        let written: serde_json::Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
        let kinds: Vec<&str> = written
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|line| line["kind"].as_str())
            .collect();
        assert_eq!(kinds, ["logistic", "boosted"]);
        for line in written.as_array().unwrap() {
            assert!(line["test_auc"].as_f64().unwrap() > 0.75, "{line}");
            assert!(line["leaks"].as_array().unwrap().is_empty(), "{line}");
            assert!(
                line["notes"][0]
                    .as_str()
                    .unwrap()
                    .contains("`on` is left out"),
                "{line}"
            );
        }
        for name in [
            "roc",
            "calibration",
            "importance-logistic",
            "importance-boosted",
        ] {
            let drawn = |kind: &str| fs::read(plots.join(format!("{name}.{kind}"))).unwrap();
            assert!(drawn("svg").ends_with(b"</svg>\n"), "{name}");
            assert!(drawn("png").starts_with(b"\x89PNG"), "{name}");
        }
    });
}

#[test]
fn a_leak_is_named_to_people() {
    with_frame(&frame(), |path| {
        let args = args(path, "--label y --exclude bought --kind logistic");
        let rows = rows::of(&args, Table::read(path, &args.unwanted()).unwrap()).unwrap();
        let text = text::of(&judged(Kind::Logistic, &args, &rows).unwrap(), &rows);
        assert!(text.contains("likely a leak: `leak` alone"), "{text}");
    });
}

#[test]
fn labels_are_read_as_they_are_written_or_by_the_positive_value() {
    let positives = |text: &str, flags: &str| rows_of(text, flags).unwrap().examples.positives();
    let expected = positives(&frame(), "--label y");
    assert_eq!(
        positives(&frame(), "--label bought --positive >50K"),
        expected
    );
    assert_eq!(positives(&frame(), "--label leak --positive 3.0"), expected);
    assert_eq!(positives("y,x\ntrue,1\nfalse,2\n,3\n", "--label y"), 1);
    assert_eq!(positives("y,x\nYes,1\nno,2\n", "--label y"), 1);
    assert_eq!(positives("y,x\n1.0,1\n0.0,2\n", "--label y"), 1);
    let refused = refusal(&frame(), "--label bought");
    assert!(
        refused.contains("`<=50K`, `>50K`") && refused.contains("--positive"),
        "{refused}"
    );
    assert!(refusal(&frame(), "--label x").contains("(100 different values)"));
    assert!(refusal(&frame(), "--label y --positive 2").contains("never `2`"));
}

#[test]
fn rows_and_columns_that_are_not_used_are_named() {
    let notes = rows_of(
        "y,x,at,who\n1,1,2026-01-01,a\n,2,2026-01-02,b\n0,3,,c\n0,3,2026-01-03,c\n",
        "--label y --time at",
    );
    let notes = notes.unwrap().notes.join("; ");
    assert!(notes.contains("1 rows without `y` (--label)"), "{notes}");
    assert!(notes.contains("1 rows without `at` (--time)"), "{notes}");
    let notes = rows_of(&frame(), "--label y").unwrap().notes.join("; ");
    assert!(notes.contains("`id` is left out"), "{notes}");
}

#[test]
fn times_are_numbers_or_dates() {
    let dated = rows_of(
        &frame(),
        "--label y --time on --train-until 2026-04-01 --test-after 2026-04-08T00:00:00Z",
    );
    let dated = dated.unwrap();
    assert!(dated.has_instants);
    let week = 7.0 * 86_400_000.0;
    assert!(
        matches!(dated.split, report::Split::Time { train_until, test_after } if (test_after - train_until - week).abs() < 1.0)
    );
    let numbered = rows_of(&frame(), "--label y --time day").unwrap();
    assert!(matches!(
        numbered.split,
        report::Split::Time {
            train_until: 150.0,
            test_after: 150.0
        }
    ));
    assert!(
        refusal(&frame(), "--label y --time day --train-until soon")
            .contains("--train-until must be a number")
    );
    assert!(refusal(&frame(), "--label y --time on --train-until 5").contains("must be a date"));
    assert!(refusal(&frame(), "--label y --time shop").contains("`a` of the column `shop`"));
    let backwards = refusal(
        &frame(),
        "--label y --time day --train-until 9 --test-after 5",
    );
    assert!(backwards.contains("--test-after"), "{backwards}");
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let refused = refusal(&frame(), "--label buys");
    assert!(
        refused.contains("no column `buys` (--label)") && refused.contains("bought"),
        "{refused}"
    );
    assert!(refusal(&frame(), "--label y --exclude x,z").contains("no column `z` (--exclude)"));
    assert!(
        refusal("y,x\n,1\n", "--label y").contains("always missing")
            || refusal("y,x\n,1\n", "--label y").contains("no row")
    );
    assert!(refusal("y\n1\n0\n", "--label y").contains("no column to learn from"));
    let faults = |flags: &str| args(Path::new("frame.csv"), flags).faults().join("; ");
    assert!(faults("--label y --train-until 3").contains("needs --time"));
    assert!(faults("--label y --group y").contains("`y` can only be one of"));
    assert_eq!(faults("--label y --group g --time t --train-until -5"), "");
}

#[test]
fn a_frame_of_one_class_is_refused_with_the_counts() {
    with_frame("y,x\n1,1\n1,2\n1,3\n", |path| {
        let refused = run(&args(path, "--label y"), Output::new(true)).unwrap_err();
        let refused = format!("{refused:#}");
        assert!(
            refused.contains("3 positive and 0 negative") && refused.contains("frame.csv"),
            "{refused}"
        );
    });
}

#[test]
fn numbers_too_large_for_any_scorer_are_bounded_and_told_of() {
    let text = frame()
        .replace("\n1,>50K,", "\n1,>50K,1e300")
        .replace("y,bought,1e300x", "y,bought,x");
    let rows = rows_of(&text, "--label y --exclude bought,leak").unwrap();
    assert!(
        rows.notes
            .iter()
            .any(|note| note.contains("`x` lie beyond")),
        "{:?}",
        rows.notes
    );
    with_frame(&text, |path| {
        let args = args(path, "--label y --exclude bought,leak");
        let rows = rows::of(&args, Table::read(path, &args.unwanted()).unwrap()).unwrap();
        for kind in Kind::ALL {
            judged(kind, &args, &rows).unwrap();
        }
    });
}
