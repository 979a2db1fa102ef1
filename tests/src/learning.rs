//! A shop that learns: a past long enough for cohorts and models, and somebody who asks for decisions all the while.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::server::{ADMIN_KEY, Answer, Server, assert_adds_up, binary, send, summary};

/// How long learning may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(5);

/// Two targets are predicted.
pub const TARGETS: [&str; 2] = ["drift", "abandonment"];

/// What pretend shoppers did until now, as a file to import.
#[derive(Debug)]
pub struct Past {
    /// Actions, one a line.
    pub file: PathBuf,
    /// Those who have an account.
    pub users: Vec<String>,
}

impl Past {
    /// What `shoppers` people did in the `days` before now, in a file of the directory of `server`.
    pub fn of(server: &Server, shoppers: u32, days: u32) -> Self {
        let file = server
            .directory()
            .join(format!("past-{shoppers}-{days}.ndjson"));
        let output = Command::new(binary())
            .args(["simulate", "--days", &days.to_string(), "--seed", "11"])
            .args(["--shoppers", &shoppers.to_string(), "--out"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(output.status.success(), "simulate: {output:?}");
        let past = Self {
            users: users(&fs::read_to_string(&file).unwrap()),
            file,
        };
        assert!(past.users.len() > 20);
        past
    }

    /// Sends it to `server` and waits until it is folded.
    pub fn import(&self, server: &Server) {
        assert_adds_up(&summary(server.import("ndjson", &self.file)));
    }
}

fn users(actions: &str) -> Vec<String> {
    let users = actions.lines().filter_map(|line| {
        let action: Value = serde_json::from_str(line).unwrap();
        Some(action["shopper"]["user_id"].as_str()?.to_owned())
    });
    users.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Asks until `done` says yes; whether it did while learning may take.
pub fn in_time(mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if done() {
            return true;
        }
        sleep(Duration::from_millis(100));
    }
    false
}

/// The cohorts that `server` lists.
pub fn cohorts(server: &Server) -> Vec<Value> {
    list(&server.get("/v1/cohorts"), "cohorts")
}

/// The ids of the models that `server` lists of `target`, the newest first.
pub fn models(server: &Server, target: &str) -> Vec<String> {
    let targets = list(&server.get("/v1/models"), "targets");
    let found = targets.iter().find(|one| one["target"] == target);
    let models = found.and_then(|one| one["models"].as_array());
    let ids = models.into_iter().flatten();
    ids.map(|model| model["id"].as_str().unwrap().to_owned())
        .collect()
}

fn list(answer: &Answer, name: &str) -> Vec<Value> {
    answer.body[name].as_array().cloned().unwrap_or_default()
}

/// What a decision rests on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rests {
    /// Which models, or the prior.
    pub source: String,
    /// The cohort's id.
    pub cohort: String,
}

/// Checks that `answer` is a decision that makes sense, and says what it rests on.
pub fn sensible(answer: &Answer) -> Result<Rests, String> {
    if answer.status != 200 {
        return Err(format!("status {}: {}", answer.status, answer.body));
    }
    let predictions = &answer.body["predictions"];
    for target in TARGETS {
        let probability = predictions[target].as_f64();
        if !probability.is_some_and(|probability| (0.0..=1.0).contains(&probability)) {
            return Err(format!("{target} of {}", answer.body));
        }
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let source = text(&predictions["source"]).ok_or("no source")?;
    let cohort = text(&answer.body["cohort"]["id"]).ok_or("no cohort")?;
    Ok(Rests { source, cohort })
}

/// Somebody who asks all the while.
pub struct Asking {
    stop: Arc<AtomicBool>,
    everybody: Arc<AtomicBool>,
    thread: JoinHandle<Asked>,
}

/// What became of the questions.
#[derive(Debug, Default)]
pub struct Asked {
    /// How many were answered with sense.
    pub answered: u64,
    /// What the answers rested on.
    pub rested_on: BTreeSet<Rests>,
    /// The first ones that were not.
    pub faults: Vec<String>,
}

impl Asking {
    /// Asks `server` about `users` in turn, over a cart, until it is asked to end.
    pub fn begin(server: &Server, users: &[String]) -> Self {
        let (url, users) = (format!("{}/v1/decisions", server.url()), users.to_vec());
        let [stop, everybody] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let thread = thread::spawn({
            let (stop, everybody) = (stop.clone(), everybody.clone());
            move || {
                let mut asked = Asked::default();
                for (turn, user) in users.iter().cycle().enumerate() {
                    everybody.fetch_or(turn >= users.len(), Ordering::AcqRel);
                    if stop.load(Ordering::Acquire) {
                        break;
                    }
                    match sensible(&decide(&url, user)) {
                        Ok(rests) => {
                            asked.answered += 1;
                            asked.rested_on.insert(rests);
                        }
                        Err(fault) if asked.faults.len() < 5 => asked.faults.push(fault),
                        Err(_) => {}
                    }
                    sleep(Duration::from_millis(5));
                }
                asked
            }
        });
        Self {
            stop,
            everybody,
            thread,
        }
    }

    /// Ends it once everybody was asked about. Every question must have been answered with sense.
    pub fn end(self) -> Asked {
        while !self.everybody.load(Ordering::Acquire) && !self.thread.is_finished() {
            sleep(Duration::from_millis(20));
        }
        self.stop.store(true, Ordering::Release);
        let asked = self.thread.join().unwrap();
        assert!(asked.faults.is_empty(), "{:#?}", asked.faults);
        assert!(asked.answered > 0);
        asked
    }
}

fn decide(url: &str, user: &str) -> Answer {
    let ask = json!({
        "shopper": { "user_id": user },
        "cart": { "total": "129.90", "currency": "EUR", "items": [] },
    });
    let headers = [("Content-Type", "application/json")];
    send("POST", url, ADMIN_KEY, &headers, ask.to_string().as_bytes())
}
