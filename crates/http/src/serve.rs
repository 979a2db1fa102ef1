//! Taking connections until told to end.

mod bell;

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    BoxError,
    body::HttpBody,
    http::{Request, Response},
};
use foretide_runtime::Lifecycle;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{interval, sleep},
};
use tower::Service;

use self::bell::{Bell, Ear, TICK, Ticks};

/// How many connections are open at once; more wait in the backlog.
const MAX_CONNECTIONS: u32 = 8192;

/// How many bytes a connection holds of what it has not handed on: a whole head, or pieces of a body. With as many
/// connections as may be open, that is memory anyone can make us take.
const CONNECTION_BYTES: usize = 64 << 10;

/// How long a connection may take to send the head of its next request, being idle included. A few seconds more are given.
const HEAD_TIMEOUT: Duration = Duration::from_mins(1);

/// How long to wait after the system refused a connection for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers requests: a router, or something in front of one. It is always ready.
pub trait Answering:
    Service<
        Request<Incoming>,
        Response = Response<Self::Body>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
    /// The body of its answers.
    type Body: HttpBody<Data: Send, Error: Into<BoxError>> + Send + 'static;
}

impl<S, B> Answering for S
where
    S: Service<
            Request<Incoming>,
            Response = Response<B>,
            Error = Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static,
    B: HttpBody<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Body = B;
}

/// Serves `service` on `listener`, HTTP/1.1. At the soft signal it takes no more connections, finishes the requests that have
/// begun and returns; at the hard one it drops them.
pub async fn serve(
    listener: TcpListener,
    service: impl Answering,
    lifecycle: Lifecycle,
) -> anyhow::Result<()> {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
    let bell = Bell::new();
    let mut ticks = interval(TICK);
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            accepted = accepted => accepted,
            _ = ticks.tick() => {
                bell.ring();
                continue;
            }
            () = lifecycle.soft().cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, service.clone(), Arc::clone(&bell));
                tokio::spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            Err(error) => accept_failed(&error).await,
        }
    }
    drop(listener);
    bell.end();
    let mut all_ended = pin!(slots.acquire_many(MAX_CONNECTIONS));
    loop {
        tokio::select! {
            _ = &mut all_ended => break,
            _ = ticks.tick() => bell.ring(),
            () = lifecycle.hard().cancelled() => {
                bell.drop_all();
                break;
            }
        }
    }
    Ok(())
}

/// Serves one connection until it ends, or the bell says that nothing is to be finished.
async fn connection(stream: TcpStream, service: impl Answering, bell: Arc<Bell>) {
    // Answers are small and written at once: waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    // Always ready, so that there is nothing to wait for before a call.
    let service = service_fn(move |request| service.clone().call(request));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(Ticks(Arc::clone(&bell)))
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(CONNECTION_BYTES)
            // Most answers are so small that copying them behind their heads takes less than a list of pieces.
            .writev(false)
            .serve_connection(TokioIo::new(stream), service)
    );
    let mut ear = Ear::to(&bell);
    let mut finishing = false;
    let served = poll_fn(|context: &mut Context<'_>| {
        ear.listen(context);
        if bell.has_ended() {
            return Poll::Ready(Ok(()));
        }
        if bell.is_ending() && !finishing {
            finishing = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(context)
    });
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection broke");
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
