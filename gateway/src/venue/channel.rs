//! The `user` channel. It says of which orders there is news; what the news is the calls say, so nothing that is lost or made up here changes an order.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tracing::{info, warn};

use super::{VenueSettings, wire};
use crate::meters::Meters;

/// Largest frame; a message has some 500 bytes.
const FRAME_BYTES_MAX: usize = 64 << 10;
/// Silence after which the venue is asked whether it is there; as much again, and it is not.
const SILENCE: Duration = Duration::from_secs(10);
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What the channel says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nudge {
    /// There is news of the order with this name of the venue.
    Order(String),
    /// The connection is new: there may be news of every order.
    All,
}

/// The channel's connection, made again whenever it ends.
pub struct Channel {
    /// How the venue is reached.
    pub settings: VenueSettings,
    /// The products that there are orders of.
    pub products: watch::Receiver<Vec<String>>,
    /// Where nudges go.
    pub nudges: mpsc::Sender<Nudge>,
    /// Counters.
    pub meters: Meters,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Socket(#[from] tokio_tungstenite::tungstenite::Error),
    #[error("the venue closed the connection")]
    Closed,
    #[error("the venue is silent")]
    Silent,
    #[error("the venue does not answer")]
    NoAnswer,
    #[error("a message makes no sense: {0}")]
    Malformed(#[from] wire::Malformed),
    /// This process is about to end.
    #[error("nobody listens")]
    Unheard,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Channel {
    /// Runs until nobody wants to hear any more.
    pub async fn run(mut self) {
        let mut pause = PAUSE_MIN;
        loop {
            let ended = match self.connect().await {
                Ok(socket) => {
                    pause = PAUSE_MIN;
                    self.meters.channel_connected.set(1);
                    self.meters.channel_connections.add(1);
                    info!(url = self.settings.ws_url, "the user channel is connected");
                    self.listen(socket).await
                }
                Err(ended) => ended,
            };
            self.meters.channel_connected.set(0);
            self.meters.channel_subscribed.set(0);
            match ended {
                Ended::Unheard => return,
                Ended::Malformed(_) => self.meters.failed("malformed"),
                _ => {}
            }
            warn!(
                pause_ms = pause.as_millis() as u64,
                "user channel: {ended}; orders are asked for until it is back"
            );
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn connect(&self) -> Result<Socket, Ended> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        let connecting = connect_async_with_config(self.settings.ws_url.as_str(), Some(config), true);
        let connected = tokio::time::timeout(self.settings.timeout, connecting).await;
        Ok(connected.map_err(|_| Ended::NoAnswer)??.0)
    }

    /// Until the connection ends.
    async fn listen(&mut self, mut socket: Socket) -> Ended {
        match self.converse(&mut socket).await {
            Err(ended) => ended,
            Ok(never) => match never {},
        }
    }

    async fn converse(&mut self, socket: &mut Socket) -> Result<std::convert::Infallible, Ended> {
        self.subscribe(socket).await?;
        self.tell(Nudge::All).await?;
        let mut was_asked = false;
        loop {
            tokio::select! {
                frame = tokio::time::timeout(SILENCE, socket.next()) => match frame {
                    Ok(Some(frame)) => {
                        was_asked = false;
                        self.take(frame?).await?;
                    }
                    Ok(None) => return Err(Ended::Closed),
                    Err(_) if was_asked => return Err(Ended::Silent),
                    Err(_) => {
                        was_asked = true;
                        socket.send(Message::Ping(Default::default())).await?;
                    }
                },
                changed = self.products.changed() => {
                    changed.map_err(|_| Ended::Unheard)?;
                    self.subscribe(socket).await?;
                    self.tell(Nudge::All).await?;
                }
            }
        }
    }

    async fn subscribe(&mut self, socket: &mut Socket) -> Result<(), Ended> {
        let products = self.products.borrow_and_update().clone();
        if products.is_empty() {
            return Ok(());
        }
        let request = json!({
            "type": "subscribe",
            "product_ids": products,
            "channels": ["user"],
            "key": self.settings.key,
            "cancel_on_disconnect": self.settings.cancel_on_disconnect,
        });
        Ok(socket.send(Message::text(request.to_string())).await?)
    }

    async fn take(&self, frame: Message) -> Result<(), Ended> {
        match frame {
            Message::Text(text) => {
                match wire::message_of_channel(&text)? {
                    wire::Message::Subscribed => self.meters.channel_subscribed.set(1),
                    wire::Message::Orders(names) => {
                        for name in names {
                            self.tell(Nudge::Order(name)).await?;
                        }
                    }
                }
                Ok(())
            }
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => Err(Ended::Closed),
            Message::Binary(_) | Message::Frame(_) => Err(wire::Malformed("a binary frame".into()).into()),
        }
    }

    async fn tell(&self, nudge: Nudge) -> Result<(), Ended> {
        self.nudges.send(nudge).await.map_err(|_| Ended::Unheard)
    }
}
