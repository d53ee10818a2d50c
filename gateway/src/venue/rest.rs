//! Calls of the venue: short, bounded, and honest about what is not known.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode};
use tickpath_protocol::trading::Reason;

use super::VenueSettings;
use super::wire::{self, FillView, Malformed, OpenRow, OrderView};
use crate::ask::{Ask, client_oid};
use crate::case::Misfit;

/// Largest answer: a thousand orders have some 600 kB.
pub const BODY_BYTES_MAX: usize = 4 << 20;
/// Rows that an answer may have.
const ROWS_MAX: usize = 1_000;

/// Why a call told nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection: the venue heard nothing of it.
    #[error("no connection: {0}")]
    NotSent(#[source] reqwest::Error),
    /// Nothing, or half of an answer, came back.
    #[error("no answer: {0}")]
    Failed(#[source] reqwest::Error),
    /// An answer that is no answer.
    #[error("HTTP {0}")]
    Status(u16),
    /// It never ends.
    #[error("the answer has more than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    /// It cannot be read.
    #[error("the answer makes no sense: {0}")]
    Malformed(#[from] Malformed),
    /// It does not fit what is known of the order.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// The venue has an order of this name.
    #[error("the venue says that it has an order of this name")]
    Known,
}

impl CallError {
    /// A short name, for a counter.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            CallError::NotSent(_) => "no_connection",
            CallError::Failed(_) | CallError::Known => "no_answer",
            CallError::Status(_) => "status",
            CallError::TooLarge => "too_large",
            CallError::Malformed(_) => "malformed",
            CallError::Misfit(_) => "misfit",
        }
    }
}

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> CallError {
        if error.is_connect() {
            CallError::NotSent(error)
        } else {
            CallError::Failed(error)
        }
    }
}

/// What became of a new order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// The venue has it.
    Taken(OrderView),
    /// It does not, and has nothing of it.
    Refused(Reason),
}

/// The venue's REST address.
#[derive(Clone, Debug)]
pub struct Rest {
    client: Client,
    base: String,
}

impl Rest {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// If the key holds characters that no key has, or there is no client.
    pub fn new(settings: &VenueSettings) -> Result<Rest, String> {
        if rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::debug!("a TLS provider is installed already");
        }
        let mut key = HeaderValue::from_str(&settings.key)
            .map_err(|_| "`simulator.api_key` holds characters that no header may have".to_owned())?;
        key.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert("cb-access-key", key);
        let client = Client::builder()
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout)
            .pool_idle_timeout(Duration::from_secs(20))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("tickpath/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .build();
        Ok(Rest {
            client: client.map_err(|error| format!("REST client: {error}"))?,
            base: settings.rest_url.clone(),
        })
    }

    /// Sends a new order, once.
    ///
    /// # Errors
    /// [`CallError::NotSent`]: the venue has nothing of it. All others: nobody knows.
    pub async fn place(&self, ask: &Ask) -> Result<Placed, CallError> {
        let Some(body) = wire::order_body(ask) else {
            return Ok(Placed::Refused(Reason::Contradiction));
        };
        let (status, body) = self.call(Method::POST, "/orders", Some(body)).await?;
        match status {
            StatusCode::OK => Ok(Placed::Taken(wire::order(&body, ask)?)),
            // The server, or something before it, gave up: the order may be there.
            StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT => Err(CallError::Status(status.as_u16())),
            status if status.is_client_error() => wire::refusal(&body).map(Placed::Refused).ok_or(CallError::Known),
            status => Err(CallError::Status(status.as_u16())),
        }
    }

    /// An order of ours; `None` if the venue has none of this name.
    ///
    /// # Errors
    /// If the venue said nothing of use.
    pub async fn order(&self, ask: &Ask) -> Result<Option<OrderView>, CallError> {
        let path = format!("/orders/client:{}", client_oid(ask.id));
        match self.call(Method::GET, &path, None).await? {
            (StatusCode::OK, body) => Ok(Some(wire::order(&body, ask)?)),
            (StatusCode::NOT_FOUND, body) if wire::is_order_unknown(&body) => Ok(None),
            (status, _) => Err(CallError::Status(status.as_u16())),
        }
    }

    /// The fills of an order, the oldest first.
    ///
    /// # Errors
    /// If the venue said nothing of use.
    pub async fn fills(&self, ask: &Ask, venue_id: &str) -> Result<Vec<FillView>, CallError> {
        let path = format!("/fills?order_id={venue_id}&limit={ROWS_MAX}");
        let body = self.expect_ok(Method::GET, &path).await?;
        Ok(wire::fills(&body, venue_id, ask.scale)?)
    }

    /// Asks for the cancel of one order, by the venue's name or `client:` and ours. That it is over already is no error: whoever asks looks at it next.
    ///
    /// # Errors
    /// If the venue said nothing of use.
    pub async fn cancel(&self, name: &str) -> Result<(), CallError> {
        match self.call(Method::DELETE, &format!("/orders/{name}"), None).await? {
            (StatusCode::OK | StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND, _) => Ok(()),
            (status, _) => Err(CallError::Status(status.as_u16())),
        }
    }

    /// Asks for the cancel of everything.
    ///
    /// # Errors
    /// If the venue said nothing of use.
    pub async fn cancel_all(&self) -> Result<(), CallError> {
        self.expect_ok(Method::DELETE, "/orders").await.map(drop)
    }

    /// What rests.
    ///
    /// # Errors
    /// If the venue said nothing of use.
    pub async fn open(&self) -> Result<Vec<OpenRow>, CallError> {
        let path = format!("/orders?status=open&limit={ROWS_MAX}");
        Ok(wire::open_orders(&self.expect_ok(Method::GET, &path).await?)?)
    }

    async fn expect_ok(&self, method: Method, path: &str) -> Result<Vec<u8>, CallError> {
        match self.call(method, path, None).await? {
            (StatusCode::OK, body) => Ok(body),
            (status, _) => Err(CallError::Status(status.as_u16())),
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<String>) -> Result<(StatusCode, Vec<u8>), CallError> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await?;
        Ok((response.status(), read(response).await?))
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(CallError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
