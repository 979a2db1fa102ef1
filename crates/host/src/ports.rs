//! The ports, taken before anything else is done: a port in use is told soon.

use std::{io, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use foretide_http::{AdminConfig, HttpConfig};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

/// How long to wait for a port in use: a predecessor that was killed may still be ending.
const PATIENCE: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(50);

/// Ports that are ours, though nothing answers on them yet.
#[derive(Debug)]
pub struct Ports {
    /// Where requests come in.
    pub public: TcpListener,
    /// Where the operator looks.
    pub admin: TcpListener,
}

impl Ports {
    /// Takes both.
    pub async fn bind(http: &HttpConfig, admin: AdminConfig) -> anyhow::Result<Self> {
        Ok(Self {
            public: bind(http.listen, "--listen", PATIENCE).await?,
            admin: bind_admin(admin).await?,
        })
    }
}

/// Takes the admin port alone.
pub async fn bind_admin(config: AdminConfig) -> anyhow::Result<TcpListener> {
    bind(config.admin_listen, "--admin-listen", PATIENCE).await
}

async fn bind(address: SocketAddr, flag: &str, patience: Duration) -> anyhow::Result<TcpListener> {
    let begun = Instant::now();
    loop {
        match TcpListener::bind(address).await {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && begun.elapsed() < patience =>
            {
                sleep(RETRY).await;
            }
            bound => {
                return bound.with_context(|| {
                    format!("cannot listen on {address}: give another address with {flag}, or stop what listens there")
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_told_with_its_flag() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refusal = bind(
            taken.local_addr().unwrap(),
            "--admin-listen",
            Duration::ZERO,
        )
        .await
        .unwrap_err();
        assert!(
            refusal.to_string().contains("--admin-listen"),
            "{refusal:#}"
        );
    }

    #[tokio::test]
    async fn a_port_that_a_predecessor_lets_go_of_is_taken() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let lets_go = async {
            sleep(RETRY).await;
            drop(taken);
        };
        let (bound, ()) = tokio::join!(bind(address, "--listen", Duration::MAX), lets_go);
        assert_eq!(bound.unwrap().local_addr().unwrap(), address);
    }
}
