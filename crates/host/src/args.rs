//! The sections of the command line that processes share.

use clap::Args;
use foretide_http::{AdminConfig, HttpConfig, KeysConfig};
use foretide_runtime::{LifecycleConfig, TelemetryConfig};

use crate::{DatabaseArgs, LogArgs, key_file};

/// What every process is told.
#[derive(Args, Clone, Debug)]
pub struct HostArgs {
    /// Where data live, and which log.
    #[command(flatten)]
    pub log: LogArgs,
    /// Where the operator looks.
    #[command(flatten)]
    pub admin: AdminConfig,
}

/// What a process with a public port is told besides.
#[derive(Args, Clone, Debug)]
pub struct EdgeArgs {
    /// Where offers, keys and settings are.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Where requests come in, and what is bounded.
    #[command(flatten)]
    pub http: HttpConfig,
    /// The keys it was given.
    #[command(flatten)]
    pub keys: KeysConfig,
}

/// How a process speaks and ends.
#[derive(Args, Clone, Debug)]
pub struct ProcessArgs {
    /// What it logs.
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
    /// How it ends.
    #[command(flatten)]
    pub lifecycle: LifecycleConfig,
}

impl HostArgs {
    /// Everything that is wrong with them for a service that runs alone, and so shares its log with others.
    pub fn faults_alone(&self, program: &str) -> Vec<String> {
        let mut faults = self.log.faults();
        if !self.log.is_shared() {
            faults.push(format!(
                "--log: {program} alone needs a log that the other services reach too: --log kafka:HOST:PORT. For everything in \
                 one process with a log of its own run `foretide serve`"
            ));
        }
        faults
    }
}

impl EdgeArgs {
    /// Everything that is wrong with them together with where the log is.
    pub fn faults(&self, log: &LogArgs) -> Vec<String> {
        let mut faults = Vec::new();
        // Only looked at, never shown.
        let keys = [
            ("--write-key", self.keys.write_key.expose()),
            ("--admin-key", self.keys.admin_key.expose()),
        ];
        for (flag, key) in keys {
            if key.is_empty()
                || key.contains(|c: char| c == ':' || c.is_whitespace() || c.is_control())
            {
                faults.push(format!(
                    "{flag} is empty, or holds a colon or a space, which HTTP Basic cannot carry"
                ));
            }
        }
        if keys[0].1 == keys[1].1 {
            faults.push("--write-key and --admin-key are the same: every page of the shop would hold the admin key".to_owned());
        }
        faults.extend(
            key_file::check_given(log)
                .err()
                .map(|fault| fault.to_string()),
        );
        faults
    }

    /// The same, and that the database can be reached by the other instances.
    pub fn faults_alone(&self, program: &str, log: &LogArgs) -> Vec<String> {
        let mut faults = self.faults(log);
        if !self.database.is_shared() {
            faults.push(format!(
                "--database: {program} alone needs a database that the other services reach too: \
                 --database postgres://USER:PASSWORD@HOST/NAME"
            ));
        }
        faults
    }
}
