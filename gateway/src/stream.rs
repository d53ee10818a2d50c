//! What the engine says on the stream, read by a thread of its own.

use std::ops::ControlFlow;

use tickpath_protocol::trading::{Action, ClientOrderId, TradingDecoder, TradingEvent};
use tickpath_protocol::{Flags, InstrumentTable, Record, Scale, StatusCode, Venue};
use tickpath_service::Shutdown;
use tickpath_transport::{Event, Idle, Received, Subscription, WaitStrategy};
use tokio::sync::mpsc;

use crate::ask::{Ask, VENUE};

/// Events of the stream between two looks at the wish to stop.
const BATCH: usize = 256;

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The venue has this product.
    Product {
        /// The venue's name of it.
        name: String,
        /// Its decimals.
        scale: Scale,
    },
    /// The engine sends an order.
    Submitted(Ask),
    /// The engine cancels one.
    CancelAsked(Ask),
    /// The engine wants to replace one.
    ReplaceAsked(Ask),
    /// The engine knows that an order is over.
    Ended(ClientOrderId),
    /// The engine began a session.
    Session(u32),
    /// What comes from here on is of now: it is acted on. Said once.
    CaughtUp,
    /// The engine is not there any more.
    EngineGone,
    /// The relay is not there any more.
    Blind,
    /// Records of the engine may be lost.
    Lost,
}

/// Reads records and tells what the engine means by them. Sans-IO.
#[derive(Debug)]
pub struct Listener {
    decoder: TradingDecoder,
    broken: u64,
}

impl Default for Listener {
    fn default() -> Listener {
        Listener {
            decoder: TradingDecoder::new(Venue::PAPER),
            broken: 0,
        }
    }
}

impl Listener {
    /// Takes the next record.
    pub fn take(&mut self, record: &Record, instruments: &InstrumentTable, tell: &mut impl FnMut(Heard)) {
        if record.venue() != Venue::PAPER {
            return;
        }
        if let Some(code) = StatusCode::of(record) {
            let is_of_relay = record.flags().contains(Flags::FROM_RELAY);
            match code {
                StatusCode::ProducerDetached if is_of_relay => tell(Heard::EngineGone),
                StatusCode::EngineStarted if !is_of_relay => {
                    tell(Heard::Session(u32::try_from(record.price).unwrap_or(0)));
                }
                _ => {}
            }
        }
        let event = self.decoder.push(record);
        if self.decoder.broken() != self.broken {
            self.broken = self.decoder.broken();
            tell(Heard::Lost);
        }
        if let Some(heard) = event.and_then(|event| heard(&event, instruments)) {
            tell(heard);
        }
    }
}

fn heard(event: &TradingEvent, instruments: &InstrumentTable) -> Option<Heard> {
    let ask = || Ask::of(event, instruments.get(event.instrument));
    let is_of_request = event.detail.reason().is_some_and(|reason| reason.is_of_request());
    Some(match event.action {
        Action::Submitted { .. } => Heard::Submitted(ask()),
        Action::CancelSubmitted => Heard::CancelAsked(ask()),
        Action::ReplaceSubmitted { .. } => Heard::ReplaceAsked(ask()),
        Action::Canceled => Heard::Ended(event.order),
        Action::Rejected if !is_of_request => Heard::Ended(event.order),
        Action::Fill { leaves: 0, .. } => Heard::Ended(event.order),
        _ => return None,
    })
}

/// Where the stream's past ends.
#[derive(Debug, Default)]
struct Head {
    position: Option<u64>,
    is_behind: bool,
}

impl Head {
    /// Before a record at this position, or at it: whether the past ends here.
    fn passes(&mut self, position: u64) -> bool {
        let passes = !self.is_behind && self.position.is_some_and(|head| position >= head);
        self.is_behind |= passes;
        passes
    }
}

/// Reads until it is to stop or nobody listens. The subscription begins with the oldest record, and is not attached yet.
pub fn read(mut subscription: Subscription, heard: &mpsc::Sender<Heard>, shutdown: &Shutdown) {
    let mut listener = Listener::default();
    let (mut head, mut products) = (Head::default(), 0);
    let mut idle = Idle::new(WaitStrategy::Sleep);
    let mut batch = Vec::new();
    while !shutdown.is_requested() {
        let events = subscription.poll_with(BATCH, |event, instruments| {
            take(&event, instruments, &mut listener, &mut head, &mut |heard| {
                batch.push(heard)
            });
        });
        if subscription.is_attached() {
            if head.position.is_none() {
                head.position = Some(subscription.position() + subscription.lag());
            }
            if head.passes(subscription.position()) {
                batch.push(Heard::CaughtUp);
            }
        }
        let known = subscription.instruments().len();
        if known != products {
            products = known;
            let ours = subscription.instruments().iter().filter(|one| one.venue() == VENUE);
            batch.extend(ours.map(|one| Heard::Product {
                name: one.symbol.clone(),
                scale: one.scale,
            }));
        }
        if send(heard, &mut batch).is_break() {
            return;
        }
        if events == 0 {
            idle.idle();
        } else {
            idle.reset();
        }
    }
}

fn take(
    event: &Event<'_>,
    instruments: &InstrumentTable,
    listener: &mut Listener,
    head: &mut Head,
    tell: &mut impl FnMut(Heard),
) {
    match event {
        Event::Record(Received { record, position, .. }) => {
            if head.passes(*position) {
                tell(Heard::CaughtUp);
            }
            listener.take(record, instruments, tell);
        }
        Event::Lapped { .. } => tell(Heard::Lost),
        Event::Missing { venue, .. } if *venue == Venue::PAPER || *venue == Venue::NONE => tell(Heard::Lost),
        Event::Missing { .. } => {}
        // The positions of another relay mean nothing here; whatever it still has came from the producers' rings.
        Event::Attached { .. } if !head.is_behind => head.position = None,
        Event::Attached { .. } => {}
        Event::Detached => tell(Heard::Blind),
    }
}

fn send(heard: &mpsc::Sender<Heard>, batch: &mut Vec<Heard>) -> ControlFlow<()> {
    for one in batch.drain(..) {
        if heard.blocking_send(one).is_err() {
            return ControlFlow::Break(());
        }
    }
    ControlFlow::Continue(())
}
