//! `foretide-scoring`: scoring as a process of its own.

use std::process::ExitCode;

use foretide_scoring::ScoringAlone;

fn main() -> ExitCode {
    foretide_host::main::<ScoringAlone>()
}
