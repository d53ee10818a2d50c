//! The simulator's own calls: its state, and faults on command.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};

use crate::rest::Answer;
use crate::script;
use crate::server::Shared;

/// Largest fault command.
const COMMAND_BYTES_MAX: usize = 64 << 10;

/// `GET /control/state`: who is connected, what was sent.
pub(crate) async fn state(State(shared): State<Arc<Shared>>) -> Response<Body> {
    Answer::ok(shared.hub.state().to_string()).into_response()
}

/// `POST /control/fault`: orders a fault.
pub(crate) async fn fault(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let body = axum::body::to_bytes(request.into_body(), COMMAND_BYTES_MAX).await;
    let text = body.ok().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    let command = text.ok_or_else(|| "the body is too large or no text".to_owned());
    let answer = match command.and_then(|text| script::parse_command(&text)) {
        Ok((venue, fault)) => {
            let connections = shared.hub.order(venue, &fault);
            tracing::info!(%venue, fault = fault.name(), connections, "fault on command");
            Answer::ok(serde_json::json!({ "fault": fault.name(), "connections": connections }).to_string())
        }
        Err(message) => Answer::new(
            StatusCode::BAD_REQUEST,
            serde_json::json!({ "error": message }).to_string(),
        ),
    };
    answer.into_response()
}
