//! Every binary tells all that is wrong with its settings at once, and never a secret.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken surrounding fails the test

use std::process::Command;

use foretide_tests::server::build;

#[test]
fn every_fault_of_flags_and_variables_is_told_at_once_and_no_secret() {
    for (program, command) in [
        ("foretide", Some("serve")),
        ("foretide-ingest", None),
        ("foretide-scoring", None),
    ] {
        let output = Command::new(build(program))
            .args(command)
            .args([
                "--listen",
                "nowhere",
                "--admin-listen=",
                "--max-in-flight-bytes",
                "many",
            ])
            .args(["--write-key", "s3cret:one", "--data-dir", "/nonexistent"])
            .env("FORETIDE_PARTITIONS", "0")
            .env("FORETIDE_SESSION_GAP_S", "0")
            .env("FORETIDE_RELEVANCE_PRODUCT", "1.5")
            .env("FORETIDE_REFERENCE_INTERVAL_S", "never")
            .env("FORETIDE_KAFKA_SETTING", "s3cret-password")
            .env("FORETIDE_DATABASE", "mysql://user:s3cret@host/db")
            .env_remove("FORETIDE_ADMIN_KEY")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{program}");
        let said = String::from_utf8(output.stderr).unwrap();
        for part in [
            "--listen cannot be `nowhere`",
            "--admin-listen is empty",
            "--max-in-flight-bytes cannot be `many`",
            "--write-key is empty, or holds a colon",
            "FORETIDE_PARTITIONS cannot be `0`",
            "FORETIDE_KAFKA_SETTING is not as it should be",
            "FORETIDE_DATABASE is not as it should be",
            "--admin-key (FORETIDE_ADMIN_KEY) must be given",
        ] {
            assert!(said.contains(part), "{program}: {part}\n{said}");
        }
        // Who folds or reads profiles knows by what; only who learns knows how often.
        let reads_profiles = program != "foretide-ingest";
        for part in ["FORETIDE_SESSION_GAP_S", "FORETIDE_RELEVANCE_PRODUCT"] {
            assert_eq!(said.contains(part), reads_profiles, "{program}: {said}");
        }
        let learns = said.contains("FORETIDE_REFERENCE_INTERVAL_S cannot be `never`");
        assert_eq!(learns, program == "foretide", "{program}: {said}");
        assert!(!said.contains("s3cret"), "{program}: {said}");
        assert!(output.stdout.is_empty(), "{program}");
    }
}

#[test]
fn a_misspelt_variable_is_warned_of_with_the_one_that_is_meant() {
    let output = Command::new(build("foretide"))
        .args(["config", "sample"])
        .env("FORETIDE_DATABSE", "postgres://user:s3cret@host/db")
        .output()
        .unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("no setting FORETIDE_DATABSE") && said.contains("FORETIDE_DATABASE?"),
        "{said}"
    );
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn a_service_alone_says_that_it_needs_a_shared_log_and_what_to_do() {
    for program in [
        "foretide-ingest",
        "foretide-processor",
        "foretide-scoring",
        "foretide-trainer",
    ] {
        let output = Command::new(build(program))
            .args(["--data-dir", "/nonexistent"])
            .env("FORETIDE_LOG", "embedded")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{program}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("--log kafka:HOST:PORT"), "{program}: {said}");
        assert!(said.contains("foretide serve"), "{program}: {said}");
        assert!(!std::path::Path::new("/nonexistent").exists());
    }
}
