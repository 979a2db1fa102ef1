//! Configuration sections: where to listen, what to bound, which keys.

use std::{net::SocketAddr, time::Duration};

use clap::Args;
use foretide_runtime::Secret;

use crate::{Keys, MemoryBudget, Protection};

/// Where the operator looks.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "HTTP")]
pub struct AdminConfig {
    /// Where to show /livez, /readyz and /metrics
    #[arg(
        long,
        env = "FORETIDE_ADMIN_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9464"
    )]
    pub admin_listen: SocketAddr,
}

/// Where to listen and what to bound.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "HTTP")]
pub struct HttpConfig {
    /// Where to take requests
    #[arg(
        long,
        env = "FORETIDE_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080"
    )]
    pub listen: SocketAddr,

    /// How many requests each service works on at once; more are refused with 503
    #[arg(
        long,
        env = "FORETIDE_MAX_IN_FLIGHT_REQUESTS",
        value_name = "N",
        default_value_t = 1024
    )]
    pub max_in_flight_requests: usize,

    /// How many bytes of request bodies are held at once; more are refused with 503
    #[arg(long, env = "FORETIDE_MAX_IN_FLIGHT_BYTES", value_name = "BYTES", default_value_t = 128 << 20)]
    pub max_in_flight_bytes: usize,

    /// How long a request may take, in milliseconds, before it is refused with 503
    #[arg(
        long,
        env = "FORETIDE_REQUEST_TIMEOUT_MS",
        value_name = "MS",
        default_value_t = 30_000
    )]
    pub request_timeout_ms: u64,
}

impl HttpConfig {
    /// The bounds of one service.
    pub fn protection(&self) -> Protection {
        let timeout = Duration::from_millis(self.request_timeout_ms);
        Protection::new(self.max_in_flight_requests, timeout)
    }

    /// The bound on the bodies of all services together. Make it once.
    pub fn budget(&self) -> MemoryBudget {
        MemoryBudget::new(self.max_in_flight_bytes)
    }
}

/// The keys callers present.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Keys")]
pub struct KeysConfig {
    /// The key that sends actions
    #[arg(
        long,
        env = "FORETIDE_WRITE_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    pub write_key: Secret,

    /// The key that reads, decides, and changes offers, keys and settings
    #[arg(
        long,
        env = "FORETIDE_ADMIN_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    pub admin_key: Secret,
}

impl KeysConfig {
    /// The keys to check callers against.
    pub fn keys(&self) -> Keys {
        Keys::new(&self.write_key, &self.admin_key)
    }
}
