//! The server: one port, the venues below `/binance`, `/coinbase`, `/kraken` and `/alpaca`, control below `/control`.

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::{any, get, post};
use hyper_util::rt::TokioIo;
use tickpath_protocol::Venue;
use tickpath_service::ExitCode;
use tickpath_service::config::Simulator;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::connection::Connection;
use crate::control;
use crate::dialect::binance::{Binance, Limits};
use crate::dialect::{
    Session, alpaca::Alpaca, coinbase::Coinbase, coinbase_advanced::CoinbaseAdvanced, kraken::Kraken,
};
use crate::exchange::Exchange;
use crate::hub::{CONNECTIONS_MAX, Hub};
use crate::replay::capture::CaptureError;
use crate::replay::player::Player;
use crate::replay::{Pace, Replay};
use crate::rest::coinbase_orders::{self, OrderCall};
use crate::rest::{self, Answer, Call, Weights};
use crate::script::{self, Entry, ScriptError, When};
use crate::source::Source;

/// Largest order.
const ORDER_BYTES_MAX: usize = 64 << 10;
/// How long clients are waited for when the server stops.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// What only tests and special cases change.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Lifetime of a Binance connection (24 hours) and interval of its pings (20 s).
    pub binance: Limits,
}

/// Why the simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}; is another simulator running? change `simulator.listen`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Anyone who can reach the control address can break the venues.
    #[error("`simulator.listen` {0} is not loopback")]
    NotLoopback(SocketAddr),
    /// A capture is wrong.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The script is wrong.
    #[error(transparent)]
    Script(#[from] ScriptError),
}

impl StartError {
    /// The code to exit with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            StartError::Bind { .. } => ExitCode::Unavailable,
            StartError::NotLoopback(_) | StartError::Capture(_) | StartError::Script(_) => ExitCode::BadInput,
        }
    }
}

/// What every request needs.
pub(crate) struct Shared {
    /// Who is connected, and what is to go wrong.
    pub(crate) hub: Hub,
    exchange: Arc<Exchange>,
    replay: Option<Replay>,
    weights: Weights,
    options: Options,
    /// What a client that orders must show; empty: nobody may order.
    api_key: String,
}

/// A running simulator. Dropping it stops it at once; [`Server::stop`] takes leave of the clients.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.hub.stop();
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Server {
    /// Starts a simulator; port 0 takes any free one.
    ///
    /// # Errors
    /// As [`StartError`] says.
    pub async fn start(config: Simulator) -> Result<Server, StartError> {
        Server::start_with(config, Options::default()).await
    }

    /// Starts a simulator with venue rules that are not the venue's.
    ///
    /// # Errors
    /// As [`StartError`] says.
    pub async fn start_with(config: Simulator, options: Options) -> Result<Server, StartError> {
        if !config.listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(config.listen));
        }
        let script = match config.faults.as_os_str().is_empty() {
            true => Vec::new(),
            false => script::load(&config.faults)?,
        };
        let pace = Pace {
            speed: config.speed,
            repeat: config.repeat,
        };
        let replay = match config.replay.as_os_str().is_empty() {
            true => None,
            false => Some(Replay::open(&config.replay, pace)?),
        };
        let bind_error = |source| StartError::Bind {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(bind_error)?;
        let address = listener.local_addr().map_err(bind_error)?;
        // In a replay nobody listens to the synthetic markets; only their clock is used.
        let events = if replay.is_some() { 0 } else { config.events_per_second };
        let shared = Arc::new(Shared {
            hub: Hub::new(&script),
            exchange: Arc::new(Exchange::new(config.seed, events)),
            replay,
            weights: Weights::default(),
            options,
            api_key: config.api_key,
        });
        Ok(Server {
            address,
            tasks: spawn(listener, &shared, script),
            shared,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The state that `GET /control/state` shows.
    #[must_use]
    pub fn state(&self) -> serde_json::Value {
        self.shared.hub.state()
    }

    /// Closes every connection, then the port.
    pub async fn stop(mut self) {
        self.shared.hub.stop();
        let deadline = Instant::now() + STOP_WITHIN;
        while self.shared.hub.connections() > 0 && Instant::now() < deadline {
            sleep(Duration::from_millis(2)).await;
        }
        for task in self.tasks.drain(..) {
            task.abort();
            // Aborted is how these tasks end.
            _ = timeout(STOP_WITHIN, task).await;
        }
    }
}

fn spawn(listener: TcpListener, shared: &Arc<Shared>, script: Vec<Entry>) -> Vec<JoinHandle<()>> {
    let router = Router::new()
        .route("/control/fault", post(control::fault))
        .route("/control/state", get(control::state))
        .fallback(any(venue_request))
        .with_state(shared.clone());
    let serve = async move {
        if let Err(error) = axum::serve(listener, router).into_future().await {
            tracing::error!("the server ended: {error}");
        }
    };
    let mut tasks = vec![tokio::spawn(serve)];
    if shared.replay.is_none() {
        tasks.push(tokio::spawn(shared.exchange.clone().run()));
    }
    if !script.is_empty() {
        tasks.push(tokio::spawn(run_script(shared.clone(), script)));
    }
    tasks
}

/// Orders the script's timed faults.
async fn run_script(shared: Arc<Shared>, script: Vec<Entry>) {
    let start = Instant::now();
    let timed = |entry: Entry| match entry.when {
        When::At(after) | When::Every(after) => Some((start + after, entry)),
        When::AfterFrames(_) | When::EveryFrames(_) => None,
    };
    let mut due: Vec<_> = script.into_iter().filter_map(timed).collect();
    while let Some(next) = due.iter().map(|(at, _)| *at).min() {
        sleep_until(next).await;
        due.retain_mut(|(at, entry)| {
            if *at > next {
                return true;
            }
            let reached = shared.hub.order(entry.venue, &entry.fault);
            tracing::info!(venue = %entry.venue, fault = entry.fault.name(), connections = reached, "fault of the script");
            match entry.when {
                When::Every(period) => {
                    *at += period;
                    true
                }
                _ => false,
            }
        });
    }
}

/// `/VENUE/PATH`: a WebSocket upgrade or a REST call.
async fn venue_request(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let uri = request.uri().clone();
    let (name, path) = split_venue(uri.path());
    let venue = name
        .parse::<Venue>()
        .ok()
        .filter(|venue| Venue::market_data().contains(venue));
    let Some(venue) = venue else {
        return refusal(
            StatusCode::NOT_FOUND,
            "no such venue: use /binance, /coinbase, /kraken, /alpaca or /control",
        );
    };
    if shared
        .replay
        .as_ref()
        .is_some_and(|replay| replay.venue(venue).is_none())
    {
        return refusal(
            StatusCode::NOT_FOUND,
            &format!("the replay holds no capture of {venue}"),
        );
    }
    let query = uri.query().unwrap_or_default();
    if venue == Venue::COINBASE && coinbase_orders::is_about_orders(path) {
        return order_call(&shared, path, query, request).await;
    }
    match request.headers().contains_key(header::SEC_WEBSOCKET_KEY) {
        true => upgrade(shared, venue, path, query, request).await,
        false => rest_call(&shared, venue, path, query, request.headers()).await,
    }
}

/// `/kraken/v2` is venue `kraken`, path `/v2`.
fn split_venue(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    match path.find('/') {
        Some(at) => (&path[..at], &path[at..]),
        None => (path, "/"),
    }
}

fn refusal(status: StatusCode, message: &str) -> Response<Body> {
    Answer::new(status, serde_json::json!({ "error": message }).to_string()).into_response()
}

async fn rest_call(shared: &Shared, venue: Venue, path: &str, query: &str, headers: &HeaderMap) -> Response<Body> {
    if let Some(seconds) = shared.hub.venue(venue).and_then(|state| state.rest_call()) {
        return rest::too_many_requests(venue, seconds).into_response();
    }
    let call = Call {
        venue,
        path,
        query,
        headers,
    };
    let replay = shared.replay.as_ref().and_then(|replay| replay.venue(venue));
    let answer = match replay {
        Some(replay) => rest::replayed(&call, replay, &shared.weights).await,
        None => rest::live(&call, &shared.exchange, &shared.weights),
    };
    answer.into_response()
}

/// An order, a cancel or a question about them: REST of the simulated Coinbase.
async fn order_call(shared: &Shared, path: &str, query: &str, request: Request) -> Response<Body> {
    if let Some(seconds) = shared.hub.venue(Venue::COINBASE).and_then(|state| state.rest_call()) {
        return rest::too_many_requests(Venue::COINBASE, seconds).into_response();
    }
    if shared.replay.is_some() {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "a replay takes no orders");
    }
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, ORDER_BYTES_MAX).await else {
        let message = r#"{"message":"the body is too large or was cut off"}"#;
        return Answer::new(StatusCode::PAYLOAD_TOO_LARGE, message.to_owned()).into_response();
    };
    let call = OrderCall {
        method: &head.method,
        path,
        query,
        headers: &head.headers,
        body: &body,
    };
    coinbase_orders::answer(&call, &shared.exchange, &shared.api_key).into_response()
}

async fn upgrade(shared: Arc<Shared>, venue: Venue, path: &str, query: &str, mut request: Request) -> Response<Body> {
    if let Some(delay) = shared.hub.venue(venue).and_then(|state| state.handshake_delay()) {
        sleep(delay).await;
    }
    if shared.hub.connections() >= CONNECTIONS_MAX {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "too many clients");
    }
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY) else {
        return refusal(StatusCode::BAD_REQUEST, "no Sec-WebSocket-Key");
    };
    let accept = derive_accept_key(key.as_bytes());
    let source = match source(&shared, venue, path, query, &request) {
        Ok(source) => source,
        Err(answer) => return answer,
    };
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Some(seat) = shared.hub.enter(venue) else {
            tracing::warn!(%venue, "too many clients: one is turned away");
            return;
        };
        match upgraded.await {
            Ok(upgraded) => {
                let io = TokioIo::new(upgraded);
                Connection::new(io, venue, &shared.hub, seat, source).await.run().await;
            }
            Err(error) => tracing::debug!(%venue, "upgrade failed: {error}"),
        }
    });
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .body(Body::empty());
    response.unwrap_or_else(|error| refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()))
}

#[expect(clippy::result_large_err, reason = "the error is the answer to the client")]
fn source(shared: &Shared, venue: Venue, path: &str, query: &str, request: &Request) -> Result<Source, Response<Body>> {
    let exchange = shared.exchange.clone();
    let keys = rest::alpaca_keys(request.headers());
    if let Some(replay) = shared.replay.as_ref().and_then(|replay| replay.venue(venue)) {
        let player = Player::new(replay.clone(), path, query, keys.is_some());
        let player = player.map_err(|error| refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()))?;
        return Ok(Source::Replay {
            player: Box::new(player),
            exchange,
        });
    }
    let session: Option<Box<dyn Session>> = match (venue, path.trim_end_matches('/')) {
        (Venue::BINANCE, path) => Binance::new(path, query, shared.options.binance).map(|s| Box::new(s) as _),
        (Venue::COINBASE, "") => Some(Box::new(Coinbase::new(&shared.api_key))),
        (Venue::COINBASE, "/advanced") => Some(Box::new(CoinbaseAdvanced::new())),
        (Venue::KRAKEN, "" | "/v2") => Some(Box::new(Kraken::new(exchange.world().sequence()))),
        (Venue::ALPACA, path) => Alpaca::new(path, keys).map(|s| Box::new(s) as _),
        _ => None,
    };
    let not_found = || refusal(StatusCode::NOT_FOUND, &format!("{venue} has no WebSocket at {path}"));
    let publications = exchange.listen(venue).ok_or_else(not_found)?;
    Ok(Source::Live {
        session: session.ok_or_else(not_found)?,
        exchange,
        publications,
    })
}
