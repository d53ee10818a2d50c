//! The HTTP side: the page, health, metrics, instruments, books, reports of backtests, and the door to the WebSocket.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tickpath_protocol::Venue;
use tokio::sync::oneshot;
use tracing::Instrument;

use crate::access::{Refusal, SUBPROTOCOL};
use crate::assets::ASSETS;
use crate::context::Context;
use crate::message;
use crate::reader::Command;
use crate::server::Peer;
use crate::{kill, reports, traces, ws};

/// How long an answer of the reading thread may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// On every answer. Scripts, styles and connections of the page come from the bridge alone, and no other site may frame it.
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Every route.
pub fn router(context: Arc<Context>) -> Router {
    let mut router = Router::new();
    for asset in ASSETS {
        let answer = move || async move {
            let headers = [
                (header::CONTENT_TYPE, asset.content_type),
                (header::CACHE_CONTROL, "no-cache"),
            ];
            (headers, Bytes::from_static(asset.bytes))
        };
        router = router.route(asset.path, get(answer));
    }
    router
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .route("/api/instruments", get(instruments))
        .route("/api/book/{venue}/{*symbol}", get(book))
        .route("/api/backtests", get(reports::list))
        .route("/backtests/{name}/report.html", get(reports::page))
        .route("/api/kill", post(kill::kill))
        .route("/api/arm", post(kill::arm))
        .route("/ws", get(websocket))
        .fallback(async || error(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            error(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this path is read with GET; `/api/kill` and `/api/arm` are done with POST",
            )
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&context), guard))
        .with_state(context)
}

/// An error as JSON.
pub(crate) fn error(status: StatusCode, code: &str, text: &str) -> Response {
    let mut body = String::from("{\"error\":{\"code\":");
    message::string(&mut body, code);
    body.push_str(",\"message\":");
    message::string(&mut body, text);
    body.push_str("}}");
    (status, json(body)).into_response()
}

pub(crate) fn json(body: impl Into<Bytes>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body.into()).into_response()
}

fn unavailable() -> Response {
    error(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "the bridge is stopping or overloaded",
    )
}

/// Checks host and token before any handler, and puts the security headers on every answer.
async fn guard(State(context): State<Arc<Context>>, request: Request, next: Next) -> Response {
    let span = traces::request(&request);
    let mut response = match admit(&context, &request) {
        Ok(()) => next.run(request).instrument(span.clone()).await,
        Err(refusal) => {
            context.metrics.refused.add(1);
            error(refusal.status(), refusal.code(), &refusal.to_string())
        }
    };
    traces::answered(&span, response.status());
    if response.status() == StatusCode::UNAUTHORIZED {
        let headers = response.headers_mut();
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    for (name, value) in SECURITY_HEADERS {
        // A report has a stricter policy of its own.
        let header = response.headers_mut().entry(name);
        header.or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Whether a request goes on. Whatever is not read alone, whichever route it is, wants the token: [`Access::check_authority`].
///
/// [`Access::check_authority`]: crate::access::Access::check_authority
fn admit(context: &Context, request: &Request) -> Result<(), Refusal> {
    let (path, headers) = (request.uri().path(), request.headers());
    let only_reads = [Method::GET, Method::HEAD].contains(request.method());
    // Whoever watches over processes asks by any name and without a token.
    if path == "/healthz" && only_reads {
        return Ok(());
    }
    context.access.check_host(headers)?;
    if path == "/ws" {
        context.access.check_origin(headers)?;
    }
    if !only_reads {
        return with_patience(context, request, || context.access.check_authority(headers));
    }
    if path == "/ws" || path == "/metrics" || path.starts_with("/api/") || path.starts_with("/backtests/") {
        return with_patience(context, request, || context.access.check_token(headers));
    }
    Ok(())
}

/// A check of a token, unless the address has brought too many wrong ones.
fn with_patience(
    context: &Context,
    request: &Request,
    check: impl FnOnce() -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let (peer, now) = (request.extensions().get::<Peer>().map(|peer| peer.0), Instant::now());
    if peer.is_some_and(|peer| !context.addresses.may_try_token(peer, now)) {
        context.metrics.address_wrong_tokens.add(1);
        return Err(Refusal::TooManyTokens);
    }
    let outcome = check();
    if outcome == Err(Refusal::WrongToken) {
        context.metrics.wrong_tokens.add(1);
        if let Some(peer) = peer {
            context.addresses.note_wrong_token(peer, now);
        }
    }
    outcome
}

async fn healthz(State(context): State<Arc<Context>>) -> Response {
    let health = &context.health;
    let (status, word) = match health.is_attached() {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "relay_not_attached"),
    };
    let run_id = match health.run_id() {
        0 => "null".to_owned(),
        run_id => format!("\"{run_id}\""),
    };
    let body = format!(
        "{{\"status\":\"{word}\",\"relay_run_id\":{run_id},\"instruments\":{},\"clients\":{}}}",
        health.instruments(),
        health.clients()
    );
    (status, json(body)).into_response()
}

async fn metrics(State(context): State<Arc<Context>>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, context.exposition.get()).into_response()
}

async fn instruments(State(context): State<Arc<Context>>) -> Response {
    let (reply, answer) = oneshot::channel();
    match ask(&context, Command::Instruments { reply }, answer).await {
        Some(body) => json(body),
        None => unavailable(),
    }
}

#[derive(Debug, Deserialize)]
struct BookQuery {
    depth: Option<usize>,
}

async fn book(
    State(context): State<Arc<Context>>,
    Path((venue, symbol)): Path<(String, String)>,
    query: Result<Query<BookQuery>, QueryRejection>,
) -> Response {
    let Ok(Query(query)) = query else {
        return error(
            StatusCode::BAD_REQUEST,
            "bad_depth",
            "`depth` is the number of levels a side",
        );
    };
    let Ok(venue) = venue.parse::<Venue>() else {
        return error(StatusCode::NOT_FOUND, "unknown_venue", "there is no such venue");
    };
    let (reply, answer) = oneshot::channel();
    let command = Command::Book {
        venue,
        symbol,
        depth: query.depth.unwrap_or(usize::MAX),
        reply,
    };
    match ask(&context, command, answer).await {
        Some(Some(body)) => json(body),
        Some(None) => error(
            StatusCode::NOT_FOUND,
            "unknown_symbol",
            "the venue has no such instrument here",
        ),
        None => unavailable(),
    }
}

/// The reading thread's answer, unless it stops or has too much to do.
async fn ask<T>(context: &Context, command: Command, answer: oneshot::Receiver<T>) -> Option<T> {
    let asked = async {
        context.commands.send(command).await.ok()?;
        answer.await.ok()
    };
    tokio::time::timeout(ANSWER_TIMEOUT, asked).await.ok().flatten()
}

async fn websocket(
    State(context): State<Arc<Context>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return error(rejection.status(), "websocket_required", &rejection.body_text()),
    };
    let Ok(permit) = Arc::clone(&context.client_permits).try_acquire_owned() else {
        context.metrics.refused.add(1);
        let text = "the bridge has as many clients as `bridge.clients_max` allows";
        return error(StatusCode::SERVICE_UNAVAILABLE, "too_many_clients", text);
    };
    let id = context.clients_so_far.fetch_add(1, Ordering::Relaxed);
    let span = traces::client(id);
    upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(context.limits.frame_bytes_max)
        .max_frame_size(context.limits.frame_bytes_max)
        .read_buffer_size(ws::READ_BUFFER_BYTES)
        .write_buffer_size(ws::WRITE_BUFFER_BYTES)
        .on_upgrade(move |socket| ws::serve(socket, id, context, permit, span))
}
