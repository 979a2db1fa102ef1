//! Turns, medians and CPU time.

use std::{fs, io};

/// The middle, the least and the most of some figures.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// Of at least one figure.
    pub fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let median = if figures.len() % 2 == 1 {
            figures[middle]
        } else {
            f64::midpoint(figures[middle - 1], figures[middle])
        };
        Self {
            median,
            min: figures[0],
            max: figures[figures.len() - 1],
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let figure = |value: f64| {
            if value.abs() >= 1000.0 {
                format!("{value:.0}")
            } else {
                format!("{value:.3}")
            }
        };
        write!(
            f,
            "{} ({} – {})",
            figure(self.median),
            figure(self.min),
            figure(self.max)
        )
    }
}

/// Figures of two sides taken in turns, A B A B …, and the ratio of each pair.
pub struct Pairs {
    /// The floor or peer.
    pub floor: Vec<f64>,
    /// Foretide.
    pub ours: Vec<f64>,
}

impl Pairs {
    /// Takes `pairs` turns of each side.
    pub fn take(
        pairs: usize,
        mut floor: impl FnMut() -> anyhow::Result<f64>,
        mut ours: impl FnMut() -> anyhow::Result<f64>,
    ) -> anyhow::Result<Self> {
        let mut taken = Self {
            floor: Vec::new(),
            ours: Vec::new(),
        };
        for _ in 0..pairs {
            taken.floor.push(floor()?);
            taken.ours.push(ours()?);
        }
        Ok(taken)
    }

    /// Prints one row of a Markdown table: name, floor, ours, ratio of ours to the floor, goal.
    pub fn print(&self, name: &str, unit: &str, goal: &str) {
        let ratios = self
            .ours
            .iter()
            .zip(&self.floor)
            .map(|(ours, floor)| ours / floor)
            .collect();
        let (floor, ours) = (
            Spread::of(self.floor.clone()),
            Spread::of(self.ours.clone()),
        );
        println!(
            "| {name} | {unit} | {floor} | {ours} | **{}** | {goal} |",
            Spread::of(ratios)
        );
    }
}

/// Prints the surroundings of a run and the head of its table.
pub fn print_head() {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "\n{cores} cores, load average {}\n",
        load.split(' ').next().unwrap_or("unknown")
    );
    println!("| what | unit | floor or peer | Foretide | ratio, median (min – max) | goal |");
    println!("|---|---|---|---|---|---|");
}

/// CPU time a process has used so far, user and system, in seconds (to the kernel's tick of 10 ms).
pub fn cpu_seconds(pid: u32) -> io::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // After the command's closing parenthesis the fields are plain; user and system time are the 12th and 13th.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = rest.split_whitespace().skip(11).take(2);
    Ok(ticks
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0)
}

/// CPU time that this thread has used so far, in seconds, to the nanosecond.
pub fn thread_cpu_seconds() -> anyhow::Result<f64> {
    let told = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = told.split(' ').next().unwrap_or_default();
    Ok(nanoseconds.parse::<f64>()? / 1e9)
}

/// Resident memory of this process, in bytes.
pub fn resident_bytes() -> f64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<f64>().ok())
        .unwrap_or(0.0)
        * 4096.0
}
