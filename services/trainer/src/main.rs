//! `foretide-trainer`: the trainer as a process of its own.

use std::process::ExitCode;

use foretide_trainer::TrainerAlone;

fn main() -> ExitCode {
    foretide_host::main::<TrainerAlone>()
}
