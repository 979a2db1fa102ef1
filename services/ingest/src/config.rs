//! What ingest lets in.

use std::time::Duration;

use clap::Args;
use foretide_events::{
    Currency,
    limits::{MAX_BODY_BYTES, MAX_DECOMPRESSED_BYTES},
};
use foretide_http::BodyLimits;

use crate::PublicUrl;

/// What ingest lets in.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Ingest")]
pub struct IngestConfig {
    /// How large a request body may be as sent, compressed or not
    #[arg(long, env = "FORETIDE_MAX_BODY_BYTES", value_name = "BYTES", default_value_t = MAX_BODY_BYTES)]
    pub max_body_bytes: usize,

    /// How large a request body may be once decompressed
    #[arg(long, env = "FORETIDE_MAX_DECOMPRESSED_BYTES", value_name = "BYTES", default_value_t = MAX_DECOMPRESSED_BYTES)]
    pub max_decompressed_bytes: usize,

    /// The currency of amounts in Segment events that name none
    #[arg(long, env = "FORETIDE_DEFAULT_CURRENCY", value_name = "ISO 4217", default_value_t = Currency::EUR)]
    pub default_currency: Currency,

    /// How long to wait for the log to store a request's events, in milliseconds, before it is refused with 503
    #[arg(
        long,
        env = "FORETIDE_APPEND_TIMEOUT_MS",
        value_name = "MS",
        default_value_t = 10_000
    )]
    pub append_timeout_ms: u64,

    /// Where browsers reach this service, for the settings that their SDKs ask for: by default where the request was sent to
    #[arg(long, env = "FORETIDE_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<PublicUrl>,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            max_body_bytes: MAX_BODY_BYTES,
            max_decompressed_bytes: MAX_DECOMPRESSED_BYTES,
            default_currency: Currency::EUR,
            append_timeout_ms: 10_000,
            public_url: None,
        }
    }
}

impl IngestConfig {
    pub(crate) fn body_limits(&self) -> BodyLimits {
        BodyLimits {
            sent_bytes: self.max_body_bytes,
            decompressed_bytes: self.max_decompressed_bytes,
        }
    }

    pub(crate) fn append_timeout(&self) -> Duration {
        Duration::from_millis(self.append_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        ingest: IngestConfig,
    }

    #[test]
    fn the_defaults_of_flags_and_code_are_the_same() {
        let flags = Cli::parse_from(["test"]).ingest;
        assert_eq!(
            format!("{flags:?}"),
            format!("{:?}", IngestConfig::default())
        );
    }

    #[test]
    fn the_largest_batch_that_a_stock_sdk_sends_fits() {
        // ruby: 512 000 bytes, not compressed.
        assert!(IngestConfig::default().max_body_bytes >= 512_000);
    }

    #[test]
    fn a_public_url_that_is_none_is_refused() {
        assert!(Cli::try_parse_from(["test", "--public-url", "shop.example"]).is_err());
        assert!(Cli::try_parse_from(["test", "--public-url", "https://shop.example"]).is_ok());
    }

    #[test]
    fn a_currency_that_is_none_is_refused() {
        assert!(Cli::try_parse_from(["test", "--default-currency", "euro"]).is_err());
    }
}
