//! `foretide-processor`: the processor as a process of its own.

use std::process::ExitCode;

use foretide_processor::ProcessorAlone;

fn main() -> ExitCode {
    foretide_host::main::<ProcessorAlone>()
}
