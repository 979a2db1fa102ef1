//! The life of a process, within one and as one.

use std::{
    io::{BufRead, BufReader, Read as _},
    process::{Child, ChildStderr, Command, Stdio},
};

use super::*;

const LONG: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_component_that_fails_ends_the_process_and_is_named() {
    let life = Lifecycle::new(LONG);
    let soft = life.soft().clone();
    life.spawn("the one that waits", async move {
        soft.cancelled().await;
        Ok(())
    });
    life.spawn("the one that fails", async {
        Err(anyhow::anyhow!("inner").context("outer"))
    });
    let failed = life.run_until_done().await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        "the one that fails failed: outer: inner"
    );
}

#[tokio::test]
async fn a_component_that_panics_ends_the_process_and_is_named() {
    let life = Lifecycle::new(LONG);
    life.spawn("the one that panics", async { panic!("at the disco") });
    let failed = life.run_until_done().await.unwrap_err();
    assert_eq!(failed.component, "the one that panics");
    assert_eq!(failed.cause, "panicked: at the disco");
}

#[tokio::test]
async fn components_that_finish_end_the_process_in_peace() {
    let life = Lifecycle::new(LONG);
    for name in ["one", "two", "one"] {
        life.spawn(name, async { Ok(()) });
    }
    assert_eq!(life.run_until_done().await, Ok(()));
    assert!(!life.soft().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn after_the_grace_period_comes_the_hard_signal() {
    let life = Lifecycle::new(Duration::from_secs(15));
    let hard = life.hard().clone();
    life.spawn("slow", async move {
        hard.cancelled().await;
        Ok(())
    });
    life.shut_down();
    assert_eq!(life.run_until_done().await, Ok(()));
    assert!(life.hard().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn what_ignores_even_the_hard_signal_is_left_behind() {
    let life = Lifecycle::new(Duration::from_secs(15));
    life.spawn("deaf", std::future::pending());
    life.shut_down();
    assert_eq!(life.run_until_done().await, Ok(()));
}

/// The process that the tests below start: this test alone, behaving as the environment says.
#[test]
#[ignore = "a process that other tests start"]
fn process() {
    let Ok(behaviour) = std::env::var("BEHAVIOUR") else {
        return;
    };
    let config = LifecycleConfig {
        shutdown_grace_s: 3600,
    };
    let ended = run(&config, async move |life| {
        let (soft, hard) = (life.soft().clone(), life.hard().clone());
        life.spawn("the component", async move {
            eprintln!("running");
            match behaviour.as_str() {
                "finishes" => soft.cancelled().await,
                "stops" => {
                    soft.cancelled().await;
                    eprintln!("finishing");
                    hard.cancelled().await;
                }
                _ => panic!("a fault"),
            }
            eprintln!("ended");
            Ok(())
        });
        Ok(())
    });
    ended.unwrap();
}

fn start(behaviour: &str) -> (Child, BufReader<ChildStderr>) {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "lifecycle::tests::process",
            "--ignored",
            "--nocapture",
        ])
        .env("BEHAVIOUR", behaviour)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(process.stderr.take().unwrap());
    assert_eq!(line(&mut said), "running");
    (process, said)
}

fn line(said: &mut impl BufRead) -> String {
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn signal_to(process: &Child, name: &str) {
    let kill = format!("kill -s {name} {}", process.id());
    let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_signal_lets_components_finish_and_the_process_ends_well() {
    for name in ["TERM", "INT"] {
        let (mut process, mut said) = start("finishes");
        signal_to(&process, name);
        assert_eq!(line(&mut said), "ended");
        assert!(process.wait().unwrap().success());
    }
}

#[test]
fn a_second_signal_stops_what_does_not_finish() {
    let (mut process, mut said) = start("stops");
    signal_to(&process, "TERM");
    assert_eq!(line(&mut said), "finishing");
    signal_to(&process, "TERM");
    assert_eq!(line(&mut said), "ended");
    assert!(process.wait().unwrap().success());
}

#[test]
fn a_panic_ends_the_process_with_a_failure_that_names_the_component() {
    let (mut process, mut said) = start("panics");
    assert!(!process.wait().unwrap().success());
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(
        rest.contains("the component") && rest.contains("panicked: a fault"),
        "{rest}"
    );
}
