//! Taking connections until told to end.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::{http::Request, response::Response};
use foretide_runtime::{CancellationToken, Lifecycle};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::sleep,
};
use tower::Service;

/// How many connections are open at once; more wait in the backlog.
const MAX_CONNECTIONS: usize = 8192;

/// How many bytes a connection holds of what it has not handed on: a whole head, or pieces of a body. With as many
/// connections as may be open, that is memory anyone can make us take.
const CONNECTION_BYTES: usize = 64 << 10;

/// How long a connection may take to send the head of its next request, being idle included.
const HEAD_TIMEOUT: Duration = Duration::from_mins(1);

/// How long to wait after the system refused a connection for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers requests: a router, or something in front of one.
pub trait Answering:
    Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + 'static
{
}

impl<S> Answering for S where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + 'static
{
}

/// Serves `service` on `listener`, HTTP/1.1. At the soft signal it takes no more connections, finishes the requests that have
/// begun and returns; at the hard one it drops them.
pub async fn serve(
    listener: TcpListener,
    service: impl Answering,
    lifecycle: Lifecycle,
) -> anyhow::Result<()> {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = GracefulShutdown::new();
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = lifecycle.soft().cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(
                    stream,
                    service.clone(),
                    connections.watcher(),
                    lifecycle.hard().clone(),
                );
                tokio::spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            Err(error) => accept_failed(&error).await,
        }
    }
    drop(listener);
    tokio::select! {
        () = connections.shutdown() => {}
        () = lifecycle.hard().cancelled() => {}
    }
    Ok(())
}

/// Serves one connection until it ends or the hard signal comes.
async fn connection(
    stream: TcpStream,
    service: impl Answering,
    watcher: Watcher,
    hard: CancellationToken,
) {
    // Answers are small and written at once: waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(CONNECTION_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::select! {
        ended = watcher.watch(connection) => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke");
            }
        }
        () = hard.cancelled() => {}
    }
}

async fn accept_failed(error: &io::Error) {
    let of_the_peer = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    );
    if !of_the_peer {
        tracing::warn!(%error, "a connection cannot be taken");
        sleep(ACCEPT_PAUSE).await;
    }
}

#[cfg(test)]
mod tests;
