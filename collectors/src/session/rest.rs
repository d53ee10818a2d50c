//! REST requests: short, bounded, and obedient to what the venue says of its limits.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use tickpath_service::config::Url;

use super::{Keys, SessionError};

/// A request that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer: Binance lists its symbols in some 20 MB.
const BODY_BYTES_MAX: usize = 128 << 20;
/// Pauses after 429 and 418 where the venue does not say how long. Binance bans for 2 minutes at first.
const LIMITED_PAUSE: Duration = Duration::from_secs(60);
const BANNED_PAUSE: Duration = Duration::from_secs(120);
/// No venue's word keeps us away for longer.
const PAUSE_MAX: Duration = Duration::from_secs(3 * 24 * 3_600);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum RestError {
    /// The venue wants us to come back later.
    #[error("HTTP {status}, come back in {} s", pause.as_secs())]
    Limited { status: u16, pause: Duration },
    #[error("HTTP {0}")]
    Status(u16),
    #[error("the answer has more than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    #[error("{0}")]
    Failed(#[from] reqwest::Error),
}

/// The venue's REST address.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    client: Client,
    base: String,
}

impl Rest {
    pub fn new(base: &Url, keys: Option<&Keys>) -> Result<Rest, SessionError> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // The WebSocket goes straight to the venue; where that needs a proxy, REST alone would be of no use.
            .no_proxy()
            .user_agent(concat!("tickpath/", env!("CARGO_PKG_VERSION")))
            .default_headers(login_headers(keys)?)
            .build();
        let client = client.map_err(|error| SessionError::Setup {
            what: "REST",
            source: error.into(),
        })?;
        Ok(Rest {
            client,
            base: base.as_str().to_owned(),
        })
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The body of the answer.
    pub async fn get(&self, path: &str) -> Result<Vec<u8>, RestError> {
        let response = self.client.get(self.url(path)).send().await?;
        check(&response)?;
        read(response).await
    }
}

fn check(response: &Response) -> Result<(), RestError> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let told = retry_after(response.headers().get(RETRY_AFTER).map(HeaderValue::as_bytes));
    let pause = match status {
        StatusCode::TOO_MANY_REQUESTS => told.unwrap_or(LIMITED_PAUSE),
        StatusCode::IM_A_TEAPOT => told.unwrap_or(BANNED_PAUSE),
        _ => return Err(RestError::Status(status.as_u16())),
    };
    Err(RestError::Limited {
        status: status.as_u16(),
        pause,
    })
}

/// The pause of a `Retry-After` header in seconds; its other form, a date, no venue uses.
pub(super) fn retry_after(header: Option<&[u8]>) -> Option<Duration> {
    let seconds = std::str::from_utf8(header?).ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(PAUSE_MAX))
}

async fn read(mut response: Response) -> Result<Vec<u8>, RestError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(RestError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Alpaca wants its keys with every request.
fn login_headers(keys: Option<&Keys>) -> Result<HeaderMap, SessionError> {
    let mut headers = HeaderMap::new();
    let Some(keys) = keys else { return Ok(headers) };
    for (name, value) in [("apca-api-key-id", keys.id()), ("apca-api-secret-key", keys.secret())] {
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| SessionError::Configuration("a key holds characters that no key has".into()))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_venue_says_when_to_come_back() {
        assert_eq!(retry_after(Some(b"30")), Some(Duration::from_secs(30)));
        assert_eq!(retry_after(Some(b"99999999999")), Some(PAUSE_MAX));
        assert_eq!(retry_after(Some(b"Wed, 21 Oct 2026 07:28:00 GMT")), None);
        assert_eq!(retry_after(None), None);
    }
}
