//! Writes what the shoppers do into a file, one action a line.

use std::{
    fs::File,
    io::{self, BufWriter, ErrorKind, Write},
    path::Path,
};

use anyhow::Context as _;
use foretide_events::EpochMs;
use foretide_simulator::{Action, Simulator};

use super::{
    args::{Format, SimulateArgs},
    timeline::Timeline,
};
use crate::output::note;

/// Actions made at once, at most.
const AT_ONCE: usize = 4_000;

/// Writes the past and the load of `args` to `out`, or to standard output if it is `-`.
pub(super) fn write(args: &SimulateArgs, timeline: Timeline, out: &Path) -> anyhow::Result<()> {
    let written = if out.as_os_str() == "-" {
        lines(args, timeline, &mut BufWriter::new(io::stdout().lock()))
    } else {
        let file = File::create(out).with_context(|| format!("creating {}", out.display()))?;
        lines(args, timeline, &mut BufWriter::new(file))
    };
    match written {
        Ok(count) => {
            note(&format!("{count} actions written"));
            Ok(())
        }
        // A reader that has gone away (`foretide … | head`) is no error.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(error).with_context(|| format!("writing {}", out.display())),
    }
}

/// Writes everything and says how many actions that were.
fn lines(args: &SimulateArgs, timeline: Timeline, to: &mut impl Write) -> io::Result<u64> {
    let mut simulator = timeline.simulator(args);
    let mut written = 0;
    let mut line = Vec::new();
    let mut put = |simulator: &Simulator, action: &Action, at: EpochMs| {
        line.clear();
        match args.format {
            Format::Native => simulator.write_native_at(action, at, &mut line),
            Format::Segment => simulator.write_segment_at(action, at, &mut line),
        }
        line.push(b'\n');
        written += 1;
        to.write_all(&line)
    };
    while simulator.reached() < timeline.load_from {
        let batch = simulator.next_batch(timeline.load_from, AT_ONCE);
        for action in &batch.actions {
            put(&simulator, action, action.at)?;
        }
    }
    let load = u64::from(args.load_seconds().unwrap_or(0)) * u64::from(args.rate);
    if load > 0 {
        timeline.begin_load(&mut simulator);
    }
    let mut made = 0;
    while made < load {
        let most = usize::try_from(load - made).unwrap_or(AT_ONCE).min(AT_ONCE);
        for action in &simulator.next_batch(EpochMs::LATEST, most).actions {
            put(&simulator, action, timeline.at(made))?;
            made += 1;
        }
    }
    to.flush()?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::{super::args::args, *};

    fn written(words: &str) -> Vec<u8> {
        let args = args(&format!("--out - {words}"));
        let mut text = Vec::new();
        lines(&args, Timeline::of(&args), &mut text).unwrap();
        text
    }

    #[test]
    fn the_same_words_give_the_same_file() {
        let words = "--days 3 --shoppers 50 --duration 10 --rate 20 --as-of 2026-11-01T00:00:00Z";
        let text = written(words);
        assert!(text == written(words));
        let lines: Vec<serde_json::Value> = text
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        let times: Vec<_> = lines
            .iter()
            .map(|line| line["at"].as_str().unwrap())
            .collect();
        assert!(times.is_sorted());
        let load = times.iter().filter(|at| **at >= "2026-11-01").count();
        assert_eq!(load, 200);
        assert!(times[0] >= "2026-10-29");
    }

    #[test]
    fn what_is_written_for_segment_are_its_calls() {
        let text = written("--days 1 --shoppers 30 --format segment --as-of 2026-11-01T00:00:00Z");
        let first = text.split(|&byte| byte == b'\n').next().unwrap();
        let call: serde_json::Value = serde_json::from_slice(first).unwrap();
        assert_eq!(call["type"], "page");
        assert!(call["timestamp"].is_string() && call["messageId"].is_string());
    }
}
