//! Variables of the environment that look like settings and are none: misspelt, they would be passed over in silence.

use std::collections::BTreeSet;

use clap::Command;

/// What every setting's variable begins with.
const PREFIX: &str = "FORETIDE_";

/// The settings of all servers. Those of one host often share their environment, so none of these is unknown to another.
const SAMPLE: &str = include_str!("../../../../deploy/foretide.env");

/// What the tests and their programs are told.
const OF_TESTS: [&str; 4] = [
    "FORETIDE_TEST_",
    "FORETIDE_FAULT_POINT",
    "FORETIDE_KAFKA_CACHE",
    "FORETIDE_SDK_CACHE",
];

/// How many letters a name may differ by from the one that is meant.
const FARTHEST: usize = 4;

/// A sentence for each of `names` that no setting has. `command` is the whole command line of this program.
pub(super) fn told(command: &Command, names: impl Iterator<Item = String>) -> Vec<String> {
    let mut known: BTreeSet<&str> = SAMPLE
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.split_once('='))
        .map(|(name, _)| name)
        .collect();
    add(command, &mut known);
    let mut unknown: Vec<_> = names
        .filter(|name| name.starts_with(PREFIX) && !known.contains(&**name))
        .filter(|name| !OF_TESTS.iter().any(|of| name.starts_with(of)) && !is_of_kubernetes(name))
        .collect();
    unknown.sort();
    unknown.iter().map(|name| sentence(name, &known)).collect()
}

fn add<'a>(command: &'a Command, known: &mut BTreeSet<&'a str>) {
    let named = command.get_arguments();
    known.extend(named.filter_map(|arg| arg.get_env()?.to_str()));
    for inner in command.get_subcommands() {
        add(inner, known);
    }
}

/// Kubernetes tells every container where the services of its namespace are, by names made of theirs.
fn is_of_kubernetes(name: &str) -> bool {
    let place = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"];
    place.iter().any(|end| name.ends_with(end))
        || name.contains("_SERVICE_PORT_")
        || name.contains("_TCP")
        || name.contains("_UDP")
}

fn sentence(name: &str, known: &BTreeSet<&str>) -> String {
    let nearest = known
        .iter()
        .map(|known| (distance(name, known), known))
        .min();
    match nearest {
        Some((far, meant)) if far <= FARTHEST => {
            format!("there is no setting {name}, so it does nothing: did you mean {meant}?")
        }
        _ => format!(
            "there is no setting {name}, so it does nothing: `foretide config sample` names all of the servers"
        ),
    }
}

/// How many letters are to be put in, taken out or changed to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, letter) in one.chars().enumerate() {
        let mut before = place;
        let mut last = place + 1;
        for (slot, same) in row.iter_mut().skip(1).zip(&other) {
            let changed = before + usize::from(letter != *same);
            before = *slot;
            *slot = changed.min(before + 1).min(last + 1);
            last = *slot;
        }
        if let Some(first) = row.first_mut() {
            *first = place + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn said(names: &[&str]) -> Vec<String> {
        let own = Arg::new("wait").long("wait").env("FORETIDE_WAIT");
        let command = Command::new("x").subcommand(Command::new("look").arg(own));
        told(&command, names.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn a_misspelt_variable_is_told_with_the_one_that_is_meant() {
        let said = said(&[
            "FORETIDE_DATABSE",
            "FORETIDE_WAITS",
            "FORETIDE_COLOUR_OF_THE_SHOP",
        ]);
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].contains("FORETIDE_COLOUR_OF_THE_SHOP") && !said[0].contains("mean"));
        assert!(
            said[1].ends_with("did you mean FORETIDE_DATABASE?"),
            "{said:?}"
        );
        assert!(said[2].ends_with("did you mean FORETIDE_WAIT?"), "{said:?}");
    }

    #[test]
    fn what_another_program_or_the_surroundings_are_told_is_passed_over() {
        let fine = [
            "FORETIDE_WAIT",
            "FORETIDE_SESSION_GAP_S",
            "FORETIDE_TEST_LONG",
            "FORETIDE_INGEST_SERVICE_HOST",
            "FORETIDE_PORT_8080_TCP_ADDR",
            "PATH",
        ];
        assert_eq!(said(&fine), [""; 0]);
    }

    #[test]
    fn the_distance_counts_letters() {
        for (one, other, far) in [
            ("", "", 0),
            ("a", "", 1),
            ("kitten", "sitting", 3),
            ("ab", "ba", 2),
        ] {
            assert_eq!((distance(one, other), distance(other, one)), (far, far));
        }
    }
}
