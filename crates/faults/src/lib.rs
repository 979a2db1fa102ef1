//! Ends the process at a named point of the program, as `kill -9` does, so that tests can look at what is left then.
//!
//! Crates depend on it under their feature `fault-points` alone, which only the end-to-end tests ask for: a program that is
//! shipped does not hold it.

use std::{
    process::{Command, id},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::park,
};

/// Names the point at which to end, and at which of the times it is reached: `in-transaction:3` for the third.
pub const VARIABLE: &str = "FORETIDE_FAULT_POINT";

/// Where to end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    point: String,
    /// Counted from 1.
    time: u64,
}

/// The program reaches `point`. If it is to end here it does, and this call never returns.
pub fn reach(point: &str) {
    static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
    static REACHED: AtomicU64 = AtomicU64::new(0);
    let fault = FAULT.get_or_init(|| fault(&std::env::var(VARIABLE).ok()?));
    if let Some(fault) = fault
        && fault.point == point
        && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == fault.time
    {
        end();
    }
}

fn fault(text: &str) -> Option<Fault> {
    let (point, time) = text.split_once(':').unwrap_or((text, "1"));
    Some(Fault {
        point: point.to_owned(),
        time: time.parse().ok()?,
    })
}

/// Has the system kill this process, which leaves it no time for anything.
fn end() -> ! {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let killed = Command::new("kill")
        .args(["-s", "KILL", &id().to_string()])
        .status();
    if killed.is_err() {
        // There is no such program: this end comes nearest to it.
        std::process::abort();
    }
    loop {
        park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_named_with_the_time_at_which_it_is_reached() {
        let named = |point: &str, time| {
            Some(Fault {
                point: point.to_owned(),
                time,
            })
        };
        assert_eq!(fault("in-transaction:3"), named("in-transaction", 3));
        assert_eq!(fault("in-transaction"), named("in-transaction", 1));
        assert_eq!(fault("in-transaction:x"), None);
    }
}
