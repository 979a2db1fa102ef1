//! `foretide demo`: the server in a throw-away directory, pretend shoppers sending to it, and a view of what goes on.
//!
//! ```text
//!     shop clock ─▶ server        shoppers ─ actions, questions ─▶ HTTP API ─▶ offers ─▶ shoppers
//!        └────────▶ shoppers                                                      └─▶ ledger: what they truly did
//! ```

mod api;
mod clock;
mod learnt;
mod ledger;
mod shoppers;
mod sight;
mod story;
mod text;
mod view;
mod watcher;

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use clap::{Args, Parser as _};
use foretide_events::EpochMs;
use foretide_host::Ports;
use foretide_runtime::{Clock as _, Lifecycle, SystemClock, telemetry};
use parking_lot::Mutex;
use uuid::Uuid;

use self::{
    api::Api,
    clock::ShopClock,
    shoppers::Shoppers,
    story::{ASKED_BEFORE_MS, Story},
    view::View,
    watcher::Watcher,
};
use crate::{
    cli::{Cli, Command},
    output::Output,
    serve::{self, Running, ServeArgs},
};

/// Cohorts and models are looked at every 20 seconds here, and not every five minutes: it is a demo of minutes.
const LEARNING_INTERVAL_S: &str = "20";

/// Shows Foretide at work with pretend shoppers, in a directory that is thrown away
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  # Watch until Ctrl-C: a day of the shop passes in a minute
  foretide demo

  # An hour a minute, and more shoppers
  foretide demo --speed 60 --rate 100

  # Two hundred actions a second for one minute, one line of JSON each second
  foretide demo --rate 200 --seconds 60 --json

It begins with eighty days of the regulars' past. From the first nine weeks cohorts and models are learnt; the last \
two weeks are then told, by which the models prove that they predict better than the prior, and are promoted. Cohorts \
re-form and models are trained every 20 seconds.

The shoppers send through the HTTP API like any shop would, so the addresses shown can be tried from \
another terminal. Server and shoppers live by one clock, which begins at eight in the morning (UTC) and runs \
faster than the day; how the machinery paces itself (publishing, checkpoints, this view) stays in real time.

What the offers did is known exactly, because the same visit is also played without the offer, with the \
same luck. Whether drift is seen is known too: it is simulated.")]
pub(crate) struct DemoArgs {
    /// End after this many seconds instead of waiting for Ctrl-C
    #[arg(long, env = "FORETIDE_DEMO_SECONDS", value_name = "S")]
    seconds: Option<u64>,

    /// Actions a second, about
    #[arg(long, env = "FORETIDE_DEMO_RATE", value_name = "N", default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,

    /// How many seconds of the shop pass in one: 60 for an hour a minute, 1440 for a day a minute
    #[arg(long, env = "FORETIDE_DEMO_SPEED", value_name = "X", default_value_t = 1440,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    speed: u32,

    /// Decides what the pretend shoppers do
    #[arg(
        long,
        env = "FORETIDE_DEMO_SEED",
        value_name = "N",
        default_value_t = 7
    )]
    seed: u64,
}

/// Runs the demo until Ctrl-C or the end of its time.
pub(crate) fn run(args: &DemoArgs, output: Output) -> anyhow::Result<()> {
    let dir = tempfile::Builder::new()
        .prefix("foretide-demo-")
        .tempdir()
        .context("making a throw-away directory")?;
    let keys = [(); 2].map(|()| Uuid::new_v4().simple().to_string());
    let server = server_settings(dir.path(), &keys, args.speed)?;
    telemetry::init(&server.process.telemetry)?;
    let ended = foretide_runtime::run(&server.process.lifecycle.clone(), async |lifecycle| {
        let ports = Ports::bind(&server.edge.http, server.host.admin).await?;
        let opening = Story::opening(EpochMs(SystemClock.now_ms()));
        let story = Story::begin(
            args.seed,
            f64::from(args.rate) / f64::from(args.speed),
            opening,
        );
        let clock = Arc::new(ShopClock::held_at(story.proving_from()));
        let Some(running) = serve::start(&server, ports, &lifecycle, clock.clone()).await? else {
            return Ok(());
        };
        play(args, &keys, running, (story, clock), &lifecycle, output)
    });
    dir.close().context("removing the throw-away directory")?;
    ended
}

/// The settings of `serve` for `dir`, with free ports of this machine. Ages are told in time of the shop, so what is too
/// old grows with `speed`; and the last hours before the opening pass as fast as they can be told.
fn server_settings(
    dir: &Path,
    [write_key, admin_key]: &[String; 2],
    speed: u32,
) -> anyhow::Result<ServeArgs> {
    let dir = dir
        .to_str()
        .context("the throw-away directory's path is not UTF-8")?;
    let max_features_age_ms = (10_000 * i64::from(speed)).max(ASKED_BEFORE_MS).to_string();
    let words = [
        "foretide",
        "serve",
        "--data-dir",
        dir,
        "--log",
        "embedded",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
        "--write-key",
        write_key,
        "--admin-key",
        admin_key,
        "--max-features-age-ms",
        &max_features_age_ms,
        "--cohorts-interval-s",
        LEARNING_INTERVAL_S,
        "--training-interval-s",
        LEARNING_INTERVAL_S,
        "--log-level",
        "warn",
    ];
    match Cli::try_parse_from(words)?.command {
        Command::Serve(args) => Ok(*args),
        _ => bail!("the settings of the server cannot be made"),
    }
}

/// Lets the shoppers in and shows what goes on.
fn play(
    args: &DemoArgs,
    [write_key, admin_key]: &[String; 2],
    running: Running,
    (story, clock): (Story, Arc<ShopClock>),
    lifecycle: &Lifecycle,
    output: Output,
) -> anyhow::Result<()> {
    let story = Arc::new(Mutex::new(story));
    let api = Api::new(running.address, write_key, admin_key)?;
    let view = View::new(
        output,
        &api,
        running.admin_address,
        &story.lock().somebody(),
    );

    let speed = f64::from(args.speed);
    let shoppers = Shoppers::new(api.clone(), story.clone(), &running, clock, speed);
    let soft = lifecycle.soft().clone();
    lifecycle.spawn("pretend shoppers", async move {
        tokio::select! {
            ended = shoppers.play() => ended,
            () = soft.cancelled() => Ok(()),
        }
    });
    let watcher = Watcher::new(api, story, running, args.speed);
    let ends = args.seconds.map(Duration::from_secs);
    let lifecycle = lifecycle.clone();
    let soft = lifecycle.soft().clone();
    lifecycle.clone().spawn("view", async move {
        let ended = view::show(watcher, view, ends, soft).await;
        lifecycle.shut_down();
        ended
    });
    Ok(())
}
