//! Accepts connections and speaks HTTP/1.1 on them, over TLS where that is configured, within limits.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant, UNIX_EPOCH};

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tickpath_service::Throttle;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::address::{Place, Reached};
use crate::context::Context;
use crate::tls::Tls;

/// Connections beyond those of WebSocket clients: the page, metrics, probes.
pub const HTTP_CONNECTIONS_MAX: usize = 256;
/// How long a connection may live that does not become a WebSocket.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How long to wait after the operating system refused a connection, for want of file descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// For how many bytes a closed connection is still read so that what was written arrives.
const LINGER_BYTES_MAX: usize = 4 << 20;
/// The first byte of each TLS connection: a record of the handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 22;
/// What those are told who speak HTTP where TLS is spoken.
const PLAINTEXT_REFUSAL: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
this port speaks TLS: use https:// or wss://\n";

/// The address of the client, among the extensions of a request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// What a connection holds for as long as it lasts.
type Held = (OwnedSemaphorePermit, Place);

/// Accepts connections for as long as it is polled.
pub async fn serve(listener: TcpListener, router: Router, context: Arc<Context>, connections_max: usize) {
    let permits = Arc::new(Semaphore::new(connections_max));
    let mut throttle = Throttle::per_second();
    let mut hangups = context.tls.as_ref().and_then(|_| hangups());
    tell_end(&context);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = hangup(&mut hangups) => {
                reload(&context);
                continue;
            }
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if let Some(suppressed) = throttle.pass(Instant::now()) {
                    tracing::warn!(%error, suppressed, "cannot accept a connection");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(held) = admit(&context, &permits, peer.ip()) else {
            context.metrics.refused.add(1);
            continue;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %peer, "the connection broke at once");
            continue;
        }
        let stream = Lingering {
            open: Some((stream, held)),
            patience: context.limits.linger,
        };
        tokio::spawn(connection(stream, peer, router.clone(), Arc::clone(&context)));
    }
}

/// What a new connection needs, if there is any left of it.
fn admit(context: &Context, permits: &Arc<Semaphore>, address: IpAddr) -> Option<Held> {
    match context.addresses.admit(address, Instant::now()) {
        Ok(place) => Some((Arc::clone(permits).try_acquire_owned().ok()?, place)),
        Err(Reached::Connections) => {
            context.metrics.address_connections.add(1);
            None
        }
        Err(Reached::Connects) => {
            context.metrics.address_connects.add(1);
            None
        }
    }
}

/// SIGHUP, which asks for the certificate to be read again. Without TLS it keeps its usual meaning.
fn hangups() -> Option<Signal> {
    match signal(SignalKind::hangup()) {
        Ok(hangups) => Some(hangups),
        Err(error) => {
            tracing::warn!(%error, "SIGHUP will not be heard: a new certificate needs a restart");
            None
        }
    }
}

async fn hangup(hangups: &mut Option<Signal>) {
    let came = match hangups {
        Some(hangups) => hangups.recv().await,
        None => None,
    };
    if came.is_none() {
        std::future::pending().await
    }
}

fn reload(context: &Context) {
    match context.tls.as_ref().map(Tls::reload) {
        Some(Ok(())) => tracing::info!("the certificate was read again"),
        Some(Err(error)) => tracing::error!(%error, "the certificate stays as it was"),
        None => {}
    }
    tell_end(context);
}

fn tell_end(context: &Context) {
    let Some(tls) = &context.tls else { return };
    let end = tls.until().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    context
        .metrics
        .certificate_ends
        .set(i64::try_from(end).unwrap_or(i64::MAX));
}

async fn connection(stream: Lingering, peer: SocketAddr, router: Router, context: Arc<Context>) {
    let Some(tls) = &context.tls else {
        return http(stream, peer, router, &context).await;
    };
    match timeout(context.limits.head_timeout, handshake(tls, stream)).await {
        Ok(Ok(stream)) => http(stream, peer, router, &context).await,
        Ok(Err(error)) => {
            context.metrics.tls_failures.add(1);
            tracing::debug!(%error, %peer, "no TLS connection");
        }
        Err(_) => {
            context.metrics.handshake_timeouts.add(1);
            tracing::debug!(%peer, "a TLS handshake took too long");
        }
    }
}

async fn handshake(tls: &Tls, mut stream: Lingering) -> io::Result<TlsStream<Lingering>> {
    let first = stream.peek().await?;
    if first.is_some_and(|byte| byte != TLS_HANDSHAKE) {
        stream.write_all(PLAINTEXT_REFUSAL).await?;
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the client does not speak TLS",
        ));
    }
    tls.acceptor().accept(stream).await
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    context: &Context,
) {
    let service = TowerToHyperService::new(router);
    let was_asked = AtomicBool::new(false);
    let serve = service_fn(|mut request: Request<Incoming>| {
        was_asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(Peer(peer.ip()));
        service.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(context.limits.head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), serve)
        .with_upgrades();
    match timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            // Who asked before and asks no more does no harm.
            if error.is_timeout() && !was_asked.load(Ordering::Relaxed) {
                context.metrics.handshake_timeouts.add(1);
            }
            if error.is_parse() {
                context.metrics.violations.add(1);
            }
            tracing::debug!(%error, %peer, "a connection ended early");
        }
        Err(_) => tracing::debug!(%peer, "a connection was ended for its age"),
    }
}

/// A stream that is read for a while after its end. Closing a socket with unread bytes resets the connection, and then the client
/// never sees why it was closed: a frame that is too large, a flood.
struct Lingering {
    open: Option<(TcpStream, Held)>,
    patience: Duration,
}

impl Lingering {
    fn stream(self: Pin<&mut Self>) -> io::Result<Pin<&mut TcpStream>> {
        match &mut self.get_mut().open {
            Some((stream, _)) => Ok(Pin::new(stream)),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Lingering {
    /// The first byte that will be read; `None` at the end.
    async fn peek(&self) -> io::Result<Option<u8>> {
        let Some((stream, _)) = &self.open else { return Ok(None) };
        let mut first = [0];
        let bytes = stream.peek(&mut first).await?;
        Ok(first[..bytes].first().copied())
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some((mut stream, held)) = self.open.take() else {
            return;
        };
        let patience = self.patience;
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let is_done = timeout(patience, linger(&mut stream)).await;
                // Who takes nothing leaves a full buffer behind, which the system would offer for minutes: it is dropped with the connection.
                if !matches!(is_done, Ok(Ok(true)))
                    && let Err(error) = stream.set_zero_linger()
                {
                    tracing::debug!(%error, "a connection is closed with what it holds");
                }
                drop(stream);
                drop(held);
            });
        }
    }
}

/// Whether the client closed its end, after all that was written had arrived.
async fn linger(stream: &mut TcpStream) -> io::Result<bool> {
    stream.shutdown().await?;
    let mut scratch = [0; 4096];
    let mut left = LINGER_BYTES_MAX;
    while left > 0 {
        match stream.read(&mut scratch).await? {
            0 => return Ok(true),
            bytes => left = left.saturating_sub(bytes),
        }
    }
    Ok(false)
}

impl AsyncRead for Lingering {
    fn poll_read(self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(self: Pin<&mut Self>, cx: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}
