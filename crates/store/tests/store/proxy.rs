//! A way to the database that can be cut.

use foretide_tests::free_port;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Passes connections on to a server until it is cut.
pub struct Proxy {
    port: u16,
    is_cut: watch::Sender<bool>,
}

impl Proxy {
    /// A way to the port `to` of 127.0.0.1.
    pub async fn to(to: u16) -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let is_cut = watch::Sender::new(false);
        let seen = is_cut.subscribe();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, to, seen.clone()));
            }
        });
        Self { port, is_cut }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Breaks all connections and lets no new one pass, or lets them pass again.
    pub fn cut(&self, is_cut: bool) {
        self.is_cut.send_replace(is_cut);
    }
}

async fn pass(mut near: TcpStream, to: u16, mut is_cut: watch::Receiver<bool>) {
    if *is_cut.borrow() {
        return;
    }
    let mut far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = is_cut.wait_for(|is_cut| *is_cut) => {}
    }
}
