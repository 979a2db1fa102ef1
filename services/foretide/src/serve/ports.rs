//! The two ports, taken before anything else is done: a port in use is told at once.

use std::net::SocketAddr;

use anyhow::Context as _;
use foretide_http::HttpConfig;
use tokio::net::TcpListener;

/// Ports that are ours, though nothing answers on them yet.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) public: TcpListener,
    pub(crate) admin: TcpListener,
}

impl Ports {
    /// Takes both.
    pub(crate) async fn bind(config: &HttpConfig) -> anyhow::Result<Self> {
        Ok(Self {
            public: bind(config.listen, "--listen").await?,
            admin: bind(config.admin_listen, "--admin-listen").await?,
        })
    }
}

async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: give another address with {flag}, or stop what listens there")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_told_with_its_flag() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refusal = bind(taken.local_addr().unwrap(), "--admin-listen")
            .await
            .unwrap_err();
        assert!(
            refusal.to_string().contains("--admin-listen"),
            "{refusal:#}"
        );
    }
}
