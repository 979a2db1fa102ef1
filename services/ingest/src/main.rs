//! `foretide-ingest`: ingest as a process of its own.

use std::process::ExitCode;

use foretide_ingest::IngestAlone;

fn main() -> ExitCode {
    foretide_host::main::<IngestAlone>()
}
