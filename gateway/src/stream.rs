//! What the engine says on the stream, read by a thread of its own.

use std::ops::ControlFlow;

use tickpath_protocol::trading::{Action, ClientOrderId, Reason, TradingDecoder, TradingEvent};
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
    /// The engine cancels one, and does not know what it missed of it: it is to hear all of it, from the beginning.
    AccountAsked(Ask),
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
        Action::CancelSubmitted if event.detail.reason().is_some_and(Reason::asks_for_account) => {
            Heard::AccountAsked(ask())
        }
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

#[cfg(test)]
mod tests {
    use tickpath_protocol::trading::{OrderDetail, OrderKind, TimeInForce};
    use tickpath_protocol::{Instrument, InstrumentId, Side};

    use super::*;

    const BTC: InstrumentId = InstrumentId::new(VENUE, 0);

    fn instruments() -> InstrumentTable {
        let mut table = InstrumentTable::new();
        let instrument = Instrument {
            id: BTC,
            symbol: "BTC-USD".into(),
            name: "BTC/USD".into(),
            scale: Scale::new(2, 8).unwrap(),
            tick: 1,
            lot: 1,
        };
        table.insert(instrument).unwrap();
        table
    }

    fn event(action: Action) -> TradingEvent {
        TradingEvent {
            action,
            venue: Venue::PAPER,
            instrument: BTC,
            scale: Scale::new(2, 8).unwrap(),
            side: Some(Side::Bid),
            price: 6_000_000,
            size: 5,
            order: ClientOrderId::new(2, 7),
            detail: OrderDetail::of_strategy(0).with_terms(OrderKind::Limit, TimeInForce::Gtc, true, false),
            ts_event: 1,
            ts_recv: 2,
        }
    }

    /// What is heard of these events, each record the next of its producer.
    fn heard_of(events: &[TradingEvent]) -> Vec<Heard> {
        let (mut listener, table) = (Listener::default(), instruments());
        let (mut sequence, mut heard) = (0, Vec::new());
        for event in events {
            event.encode(|record| {
                sequence += 1;
                let record = Record { sequence, ..record };
                listener.take(&record, &table, &mut |one| heard.push(one));
            });
        }
        heard
    }

    #[test]
    fn requests_and_ends_are_heard_and_nothing_else() {
        let refused = TradingEvent {
            detail: event(Action::Rejected).detail.with_reason(Reason::ReplaceRefused),
            ..event(Action::Rejected)
        };
        let fill = |leaves| event(Action::Fill { fee: 0, leaves });
        let heard = heard_of(&[
            event(Action::Signal),
            event(Action::Submitted { trigger: None }),
            event(Action::Accepted),
            refused,
            fill(1),
            event(Action::CancelSubmitted),
            TradingEvent {
                detail: event(Action::CancelSubmitted).detail.with_reason(Reason::Restart),
                ..event(Action::CancelSubmitted)
            },
            event(Action::Canceled),
            fill(0),
        ]);
        let ask = Ask::of(&event(Action::CancelSubmitted), instruments().get(BTC));
        assert_eq!(ask.product.as_deref(), Some("BTC-USD"));
        let ended = || Heard::Ended(ask.id);
        let expected = [
            Heard::Submitted(ask.clone()),
            Heard::CancelAsked(ask.clone()),
            Heard::AccountAsked(ask.clone()),
            ended(),
            ended(),
        ];
        assert_eq!(heard, expected);
    }

    #[test]
    fn an_event_that_lost_a_record_is_a_loss_and_the_engines_coming_and_going_is_heard() {
        let (mut listener, table, mut heard) = (Listener::default(), instruments(), Vec::new());
        let mut records = Vec::new();
        event(Action::Submitted { trigger: None }).encode(|record| records.push(record));
        listener.take(&records[1], &table, &mut |one| heard.push(one));
        let status = |code: StatusCode, flags: u8| {
            let record = code.record(Venue::PAPER, InstrumentId::NONE, 9, 4, 0);
            Record {
                flags: record.flags | flags,
                ..record
            }
        };
        let relay = Flags::FROM_RELAY.0;
        for record in [
            status(StatusCode::EngineStarted, 0),
            status(StatusCode::ProducerAttached, relay),
            status(StatusCode::ProducerDetached, relay),
            // Only the relay may say so.
            status(StatusCode::ProducerDetached, 0),
        ] {
            listener.take(&record, &table, &mut |one| heard.push(one));
        }
        assert_eq!(heard, [Heard::Lost, Heard::Session(4), Heard::EngineGone]);
    }

    #[test]
    fn the_past_ends_once() {
        let mut head = Head::default();
        assert!(!head.passes(7), "where it ends is not known yet");
        head.position = Some(9);
        assert!(!head.passes(8) && head.passes(9) && !head.passes(10));
    }
}
