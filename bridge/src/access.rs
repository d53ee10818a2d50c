//! Who may connect: hosts, origins, the bearer token.
//!
//! A web page anywhere can make a browser connect to `127.0.0.1`. Two checks keep it out: the `Origin` that browsers send with a
//! WebSocket must be the bridge's own or a configured one, and a bridge on loopback answers to names that belong to loopback only, so that
//! a name which an attacker points at `127.0.0.1` does not make the page the bridge's own (DNS rebinding).

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, StatusCode, header};
use tickpath_service::config::Secret;

/// The subprotocol that the bridge speaks.
pub const SUBPROTOCOL: &str = "tickpath";
/// The subprotocol that carries the token, for browsers, which cannot set headers on a WebSocket.
const TOKEN_SUBPROTOCOL: &str = "bearer.";

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The `Host` is not the bridge's.
    #[error("this host name is not the bridge's: use its address, or add the origin to `bridge.origins`")]
    Host,
    /// The `Origin` is another site's.
    #[error("this origin may not connect: add it to `bridge.origins` if it should")]
    Origin,
    /// No token, or a wrong one.
    #[error("a bearer token is required")]
    Token,
    /// A token, and not the right one.
    #[error("this is not the token of this bridge")]
    WrongToken,
    /// Too many wrong tokens came from this address.
    #[error("too many wrong tokens came from this address: wait a minute")]
    TooManyTokens,
    /// Nobody can say who they are.
    #[error("this bridge has no token, and without one nobody may do this: set `bridge.token_file` and start it again")]
    NoToken,
}

impl Refusal {
    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::Host | Refusal::Origin | Refusal::NoToken => StatusCode::FORBIDDEN,
            Refusal::Token | Refusal::WrongToken => StatusCode::UNAUTHORIZED,
            Refusal::TooManyTokens => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// The code in JSON.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Refusal::Host => "forbidden_host",
            Refusal::Origin => "forbidden_origin",
            Refusal::Token | Refusal::WrongToken => "unauthorized",
            Refusal::TooManyTokens => "too_many_wrong_tokens",
            Refusal::NoToken => "no_token_configured",
        }
    }
}

/// The rules of this bridge.
#[derive(Debug)]
pub struct Access {
    is_loopback: bool,
    origins: Vec<String>,
    token: Option<Secret>,
}

impl Access {
    /// The rules of a bridge at `listen`.
    #[must_use]
    pub fn new(listen: SocketAddr, origins: &[String], token: Option<Secret>) -> Access {
        Access {
            is_loopback: listen.ip().is_loopback(),
            origins: origins
                .iter()
                .map(|origin| origin.trim_end_matches('/').to_ascii_lowercase())
                .collect(),
            token,
        }
    }

    /// Whether the bridge answers to this `Host`.
    ///
    /// # Errors
    /// [`Refusal::Host`].
    pub fn check_host(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = text(headers, header::HOST).unwrap_or_default();
        let is_configured = || {
            self.origins
                .iter()
                .any(|origin| authority(origin) == Some(&*host.to_ascii_lowercase()))
        };
        if !self.is_loopback || is_own_name(host) || is_configured() {
            return Ok(());
        }
        Err(Refusal::Host)
    }

    /// Whether a page of this `Origin` may open the WebSocket. Without one the client is no browser.
    ///
    /// # Errors
    /// [`Refusal::Origin`].
    pub fn check_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if !headers.contains_key(header::ORIGIN) {
            return Ok(());
        }
        let origin = text(headers, header::ORIGIN).unwrap_or_default().to_ascii_lowercase();
        let host = text(headers, header::HOST).unwrap_or_default().to_ascii_lowercase();
        let is_own = !host.is_empty() && authority(&origin) == Some(&*host);
        if is_own || self.origins.contains(&origin) {
            return Ok(());
        }
        Err(Refusal::Origin)
    }

    /// Whether the request may act, and not only look: it carries the token, wherever the bridge listens, and comes from no foreign page.
    ///
    /// # Errors
    /// [`Refusal::NoToken`] where none is configured, [`Refusal::Origin`], [`Refusal::Token`], [`Refusal::WrongToken`].
    pub fn check_authority(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.token.is_none() {
            return Err(Refusal::NoToken);
        }
        self.check_origin(headers)?;
        self.check_token(headers)
    }

    /// Whether the request carries the token, if one is asked for.
    ///
    /// # Errors
    /// [`Refusal::Token`] without one, [`Refusal::WrongToken`].
    pub fn check_token(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(token) = &self.token else { return Ok(()) };
        let bearer = text(headers, header::AUTHORIZATION)
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let offered = headers
            .get_all(header::SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|protocol| protocol.trim().strip_prefix(TOKEN_SUBPROTOCOL));
        let mut refusal = Refusal::Token;
        for given in bearer.into_iter().chain(offered) {
            if token.matches(given) {
                return Ok(());
            }
            refusal = Refusal::WrongToken;
        }
        Err(refusal)
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `host:port` of an origin.
fn authority(origin: &str) -> Option<&str> {
    origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"))
        .filter(|authority| !authority.is_empty())
}

/// An address, or a name that resolvers must keep on loopback (RFC 6761, section 6.3).
fn is_own_name(host: &str) -> bool {
    if host.parse::<SocketAddr>().is_ok() || host.parse::<IpAddr>().is_ok() {
        return true;
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
        .is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    fn access(listen: &str, token: Option<Secret>) -> Access {
        Access::new(listen.parse().unwrap(), &["https://desk.example:8443/".into()], token)
    }

    #[test]
    fn names_of_loopback_only() {
        let own = access("127.0.0.1:8080", None);
        for (host, expected) in [
            ("127.0.0.1:8080", true),
            ("localhost:8080", true),
            ("[::1]:8080", true),
            ("[::1]", true),
            ("app.localhost", true),
            ("desk.example:8443", true),
            ("evil.example:8080", false),
            ("localhost.evil.example", false),
            ("", false),
        ] {
            assert_eq!(
                own.check_host(&headers(&[(header::HOST, host)])).is_ok(),
                expected,
                "{host}"
            );
        }
        let remote = access("0.0.0.0:8080", None);
        assert_eq!(remote.check_host(&headers(&[(header::HOST, "any.example")])), Ok(()));
    }

    #[test]
    fn origins_own_or_configured() {
        let access = access("127.0.0.1:8080", None);
        let check = |origin: &str| {
            access
                .check_origin(&headers(&[(header::HOST, "127.0.0.1:8080"), (header::ORIGIN, origin)]))
                .is_ok()
        };
        assert!(check("http://127.0.0.1:8080"));
        assert!(check("https://desk.example:8443"));
        for origin in [
            "http://127.0.0.1:8081",
            "http://evil.example",
            "null",
            "",
            "file://",
            "http://",
        ] {
            assert!(!check(origin), "{origin}");
        }
        assert_eq!(access.check_origin(&headers(&[])), Ok(()));
    }

    #[test]
    fn the_token_comes_in_a_header_or_a_subprotocol() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret").unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
        let access = access("127.0.0.1:8080", Some(Secret::from_file(file.path()).unwrap()));
        for (name, value, expected) in [
            (header::AUTHORIZATION, "Bearer s3cret", true),
            (header::AUTHORIZATION, "bearer s3cret", true),
            (header::AUTHORIZATION, "Basic s3cret", false),
            (header::AUTHORIZATION, "s3cret", false),
            (header::SEC_WEBSOCKET_PROTOCOL, "tickpath, bearer.s3cret", true),
            (header::SEC_WEBSOCKET_PROTOCOL, "tickpath, bearer.wrong", false),
            (header::SEC_WEBSOCKET_PROTOCOL, "tickpath", false),
        ] {
            assert_eq!(
                access.check_token(&headers(&[(name, value)])).is_ok(),
                expected,
                "{value}"
            );
        }
        assert_eq!(access.check_token(&headers(&[])), Err(Refusal::Token));
        let wrong = headers(&[(header::AUTHORIZATION, "Bearer s3cres")]);
        assert_eq!(access.check_token(&wrong), Err(Refusal::WrongToken));
        assert_eq!(access.check_authority(&headers(&[])), Err(Refusal::Token));
        let bearer = (header::AUTHORIZATION, "Bearer s3cret");
        assert_eq!(access.check_authority(&headers(std::slice::from_ref(&bearer))), Ok(()));
        let foreign = headers(&[bearer, (header::ORIGIN, "http://evil.example")]);
        assert_eq!(access.check_authority(&foreign), Err(Refusal::Origin));
        let open = self::access("127.0.0.1:8080", None);
        assert_eq!(open.check_authority(&headers(&[])), Err(Refusal::NoToken));
    }
}
