//! `foretide demo`: the server in a throw-away directory, pretend shoppers sending to it, and a view of what goes on.

mod feeder;
mod view;
mod watcher;

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use clap::{Args, Parser as _};
use foretide_runtime::{Lifecycle, SystemClock, telemetry};
use foretide_simulator::{Settings, Simulator};
use parking_lot::Mutex;
use uuid::Uuid;

use self::{feeder::Feeder, view::View, watcher::Watcher};
use crate::{
    cli::{Cli, Command},
    output::Output,
    serve::{self, Ports, Running, ServeArgs},
};

/// Shows Foretide at work with pretend shoppers, in a directory that is thrown away
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  # Watch until Ctrl-C
  foretide demo

  # Two hundred actions a second for one minute, one line of JSON each second
  foretide demo --rate 200 --seconds 60 --json

The shoppers send through the HTTP API like any shop would, so the addresses shown can be tried from \
another terminal.")]
pub(crate) struct DemoArgs {
    /// End after this many seconds instead of waiting for Ctrl-C
    #[arg(long, env = "FORETIDE_DEMO_SECONDS", value_name = "S")]
    seconds: Option<u64>,

    /// Actions a second, about
    #[arg(long, env = "FORETIDE_DEMO_RATE", value_name = "N", default_value_t = 25,
        value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,

    /// Decides what the pretend shoppers do
    #[arg(
        long,
        env = "FORETIDE_DEMO_SEED",
        value_name = "N",
        default_value_t = 7
    )]
    seed: u64,
}

/// What the parts of the demo share.
#[derive(Clone)]
struct Stage {
    /// The address of the public port.
    base: String,
    write_key: String,
    admin_key: String,
    client: reqwest::Client,
    simulator: Arc<Mutex<Simulator>>,
}

/// Runs the demo until Ctrl-C or the end of its time.
pub(crate) fn run(args: &DemoArgs, output: Output) -> anyhow::Result<()> {
    let dir = tempfile::Builder::new()
        .prefix("foretide-demo-")
        .tempdir()
        .context("making a throw-away directory")?;
    let keys = [(); 2].map(|()| Uuid::new_v4().simple().to_string());
    let server = server_settings(dir.path(), &keys)?;
    telemetry::init(&server.telemetry)?;
    let ended = foretide_runtime::run(&server.lifecycle.clone(), async |lifecycle| {
        let ports = Ports::bind(&server.http).await?;
        let clock = Arc::new(SystemClock);
        let Some(running) = serve::start(&server, ports, &lifecycle, clock).await? else {
            return Ok(());
        };
        play(args, &keys, running, &lifecycle, output)
    });
    dir.close().context("removing the throw-away directory")?;
    ended
}

/// The settings of `serve` for `dir`, with free ports of this machine.
fn server_settings(dir: &Path, [write_key, admin_key]: &[String; 2]) -> anyhow::Result<ServeArgs> {
    let dir = dir
        .to_str()
        .context("the throw-away directory's path is not UTF-8")?;
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
        "--log-level",
        "warn",
    ];
    match Cli::try_parse_from(words)?.command {
        Command::Serve(args) => Ok(*args),
        _ => bail!("the settings of the server cannot be made"),
    }
}

/// For how long the shop has been open already, so that there are carts left behind from the start: a quarter of an
/// hour, or as long as it takes for the most actions that are sent within seconds.
fn open_for_ms(rate: u32) -> i64 {
    const LONGEST_MS: i64 = 15 * 60 * 1000;
    const MOST_ACTIONS: i64 = 25_000;
    LONGEST_MS.min(MOST_ACTIONS * 1000 / i64::from(rate.max(1)))
}

/// Lets the shoppers in and shows what goes on.
fn play(
    args: &DemoArgs,
    [write_key, admin_key]: &[String; 2],
    running: Running,
    lifecycle: &Lifecycle,
    output: Output,
) -> anyhow::Result<()> {
    let settings = Settings {
        seed: args.seed,
        actions_per_second: f64::from(args.rate),
        ..Settings::default()
    };
    let opened_ms = running.clock.now_ms() - open_for_ms(args.rate);
    let stage = Stage {
        base: format!("http://{}", running.address),
        write_key: write_key.clone(),
        admin_key: admin_key.clone(),
        client: reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()?,
        simulator: Arc::new(Mutex::new(Simulator::new(settings, opened_ms))),
    };
    let view = View::new(output, &stage, running.admin_address);
    let feeder = Feeder::new(stage.clone(), running.clock.clone());
    let sent = feeder.sent();
    let soft = lifecycle.soft().clone();
    lifecycle.spawn("pretend shoppers", async move {
        tokio::select! {
            ended = feeder.run() => ended,
            () = soft.cancelled() => Ok(()),
        }
    });
    let watcher = Watcher::new(stage, sent, running);
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
