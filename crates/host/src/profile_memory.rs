//! How many profiles are in memory, and where the others are.

use std::{fs, sync::Arc};

use anyhow::Context as _;
use clap::Args;
use foretide_embedded::ColdFolder;
use foretide_features::FoldRules;
use foretide_ports::ProfileTable;

use crate::Host;

/// What a profile takes in memory, in bytes, most of it its sums.
const PROFILE_BYTES: u64 = 4 << 10;
/// How many are in memory where nobody says how much memory there is.
const OTHERWISE: u64 = 1_000_000;

/// How much memory profiles take.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Profile memory")]
pub struct ProfileMemoryArgs {
    /// The most profiles in memory, about 4 KiB each; the others wait in the data directory, and take longer to reach. 0 for as
    /// many as a quarter of the memory holds that this process may use (`serve` over Kafka holds twice as many: those it folds, and all)
    #[arg(
        long,
        env = "FORETIDE_PROFILES_IN_MEMORY",
        value_name = "N",
        default_value_t = 0
    )]
    pub profiles_in_memory: u64,
}

impl ProfileMemoryArgs {
    /// An empty table for the profiles of a process, stored by `rules`. `name` tells it from others of the process.
    ///
    /// # Errors
    /// What a former process left of it cannot be removed.
    pub fn table(
        self,
        host: &Host,
        name: &str,
        rules: FoldRules,
    ) -> anyhow::Result<Arc<ProfileTable>> {
        let folder = host.data_dir.join("profiles").join(name);
        let cold = ColdFolder::new(&folder, host.partitions)
            .with_context(|| format!("making room for profiles in {}", folder.display()))?;
        let in_memory = usize::try_from(self.in_memory()).unwrap_or(usize::MAX);
        let table = ProfileTable::spilling(host.partitions, in_memory, Arc::new(cold), rules);
        Ok(table)
    }

    fn in_memory(self) -> u64 {
        if self.profiles_in_memory > 0 {
            return self.profiles_in_memory;
        }
        usable_memory().map_or(OTHERWISE, |bytes| (bytes / 4 / PROFILE_BYTES).max(1))
    }
}

/// The memory that this process may use, in bytes: the machine's, or what the control group leaves it.
fn usable_memory() -> Option<u64> {
    let read = |path| fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| mem_total(&text));
    let groups = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let limits = groups.into_iter().filter_map(read);
    let limits = limits.filter_map(|text| text.trim().parse().ok());
    limits.chain(machine).min()
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn mem_total(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_memory_is_read_in_bytes() {
        let text = "MemTotal:       24576 kB\nMemFree:        1000 kB\n";
        assert_eq!(mem_total(text), Some(24 << 20));
        assert_eq!(mem_total("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn what_is_said_counts_and_else_a_quarter_of_the_memory() {
        let said = ProfileMemoryArgs {
            profiles_in_memory: 7,
        };
        assert_eq!(said.in_memory(), 7);
        let quarter = ProfileMemoryArgs::default().in_memory();
        assert!(quarter > 1000, "{quarter}");
    }
}
