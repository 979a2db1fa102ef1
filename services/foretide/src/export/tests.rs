use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    export: ExportArgs,
}

fn cli(words: &str) -> ExportArgs {
    let words = ["export"].into_iter().chain(words.split_whitespace());
    Cli::try_parse_from(words).unwrap().export
}

#[test]
fn one_of_an_instant_and_a_list_is_needed() {
    let at = "--as-of 2026-11-22T12:00:00Z";
    let faults = |words: &str| cli(&format!("{words} --data-dir d")).faults();
    assert_eq!(faults(&format!("{at} --out f.parquet")), [""; 0]);
    assert_eq!(faults("--at list.csv --out f.csv"), [""; 0]);
    for (words, said) in [
        ("--out f.csv".to_owned(), "--as-of TIME"),
        (format!("{at} --at list.csv --out f.csv"), "--as-of TIME"),
        (format!("{at} --out frame"), "--format must be given"),
    ] {
        let faults = faults(&words);
        assert!(faults.len() == 1 && faults[0].contains(said), "{faults:?}");
    }
    assert_eq!(
        faults(&format!("{at} --out frame --format ndjson")),
        [""; 0]
    );
}

#[test]
fn features_are_chosen_in_an_order_each_once_and_all_by_default() {
    let args = cli("--features cart_value,engagement_7d,cart_value --out f.csv");
    let names: Vec<_> = args.features().iter().map(|spec| spec.name).collect();
    assert_eq!(names, ["cart_value", "engagement_7d"]);
    assert_eq!(cli("--out f.csv").features().len(), CATALOGUE.len());
    let unknown = feature("engagement_8d").unwrap_err();
    assert!(unknown.contains("engagement_7d"), "{unknown}");
}
