//! A frame's way through the feed: decoded, judged event by event, published.

use tickpath_protocol::{GapCause, InstrumentId, Record, StatusCode};

use super::connections::Numbered;
use super::feed::{Feed, emit, get, get_mut};
use super::tracked::Tracked;
use super::{Action, ConnectionId, Sink};
use crate::decode::{Control, Decoded, Mark, Refused, What};
use crate::dialect::SyncRule;

/// A refused frame is searched this far for the symbols that it names.
const NAMES_SEARCH_BYTES: usize = 64 << 10;

/// What an accepted frame held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Trades, quotes or levels: the stream is live.
    pub market: bool,
}

impl Feed {
    /// A frame came in.
    ///
    /// # Errors
    /// [`Refused`] if nothing of it was taken; it is counted, and books that it may have changed are no longer trusted.
    pub fn on_frame(
        &mut self,
        connection: ConnectionId,
        frame: &[u8],
        recv_ns: i64,
        out: &mut impl Sink,
    ) -> Result<Activity, Refused> {
        self.counters.frames += 1;
        let mut decoded = std::mem::take(&mut self.decoded);
        let result = match self.dialect.decode(frame, &self.symbols, &mut decoded) {
            Ok(()) => Ok(self.on_events(connection, &decoded, recv_ns, out)),
            Err(Refused::UnknownSymbol(symbol)) if self.unselected.contains(&symbol) => {
                self.counters.ignored += 1;
                Ok(Activity::default())
            }
            Err(refused) => {
                self.on_refused(connection, frame, &refused, recv_ns, out);
                Err(refused)
            }
        };
        self.decoded = decoded;
        result
    }

    fn on_events(
        &mut self,
        connection: ConnectionId,
        decoded: &Decoded,
        recv_ns: i64,
        out: &mut impl Sink,
    ) -> Activity {
        let mut activity = Activity::default();
        let mut is_late = false;
        for mark in &decoded.marks {
            let records = &decoded.records[mark.start..mark.end];
            match &mark.what {
                What::ConnectionSequence(number) => is_late = self.on_number(connection, *number, recv_ns, out),
                What::Control(control) => self.on_control(connection, mark.instrument, control, recv_ns, out),
                What::Ignored => self.counters.ignored += 1,
                // A straggler's levels are older than the book; its trades are told apart by their own numbers.
                What::Book(_) if is_late => self.counters.duplicates += 1,
                What::Trade { .. } | What::Quote { .. } | What::Book(_) | What::Heartbeat { .. } => {
                    activity.market |= mark.end > mark.start;
                    self.on_market(mark, records, recv_ns, out);
                }
            }
        }
        activity
    }

    fn on_market(&mut self, mark: &Mark, records: &[Record], recv_ns: i64, out: &mut impl Sink) {
        let mut emit = emit(&*self.dialect, &mut self.counters, recv_ns, out);
        let Some(tracked) = get_mut(&mut self.tracked, mark.instrument) else {
            return;
        };
        match mark.what {
            What::Trade { id } => tracked.on_trade(id, records, &mut emit),
            What::Quote { update_id } => tracked.on_quote(update_id, records, &mut emit),
            What::Book(end) => tracked.on_book(end, records, &mut emit),
            What::Heartbeat { last_trade_id } => tracked.on_heartbeat(last_trade_id, &mut emit),
            What::ConnectionSequence(_) | What::Control(_) | What::Ignored => {}
        }
    }

    /// Whether the frame with this number is late. A hole puts every book of the connection in doubt.
    fn on_number(&mut self, connection: ConnectionId, number: u64, recv_ns: i64, out: &mut impl Sink) -> bool {
        let Some(carried) = self.connections.get_mut(connection) else {
            return false;
        };
        match carried.number(number) {
            Numbered::Next => return false,
            Numbered::Late => return true,
            Numbered::Hole { first, last } => {
                let (first, last) = (first as i64, last as i64);
                let mut emit = emit(&*self.dialect, &mut self.counters, recv_ns, out);
                for id in &carried.instruments {
                    if let Some(tracked) = get_mut(&mut self.tracked, *id) {
                        tracked.lose_proof(GapCause::VenueSequence, first, last, &mut emit);
                    }
                }
            }
        }
        false
    }

    fn on_control(
        &mut self,
        connection: ConnectionId,
        instrument: InstrumentId,
        control: &Control,
        recv_ns: i64,
        out: &mut impl Sink,
    ) {
        let mut emit = emit(&*self.dialect, &mut self.counters, recv_ns, out);
        match control {
            Control::Subscribed {
                channel,
                instrument,
                depth,
            } => {
                if let Some(tracked) = instrument.and_then(|id| get_mut(&mut self.tracked, id)) {
                    tracked.on_subscribed(*channel, *depth, &mut emit);
                }
                return;
            }
            Control::InstrumentTrading(trading) => {
                if let Some(tracked) = get_mut(&mut self.tracked, instrument) {
                    tracked.on_trading(*trading, &mut emit);
                }
                return;
            }
            Control::VenueTrading(trading) => {
                if self.venue_trades.replace(*trading).unwrap_or(true) != *trading {
                    let code = if *trading {
                        StatusCode::Trading
                    } else {
                        StatusCode::Halted
                    };
                    emit.status(code, InstrumentId::NONE, Record::ABSENT, Record::ABSENT);
                }
                return;
            }
            Control::Pong => return,
            Control::Shutdown => return self.act(Action::HandOver { connection }),
            Control::Refused { symbol, .. } => {
                let listed = symbol.as_ref().and_then(|symbol| self.symbols.get(symbol.as_bytes()));
                let id = listed.map_or(InstrumentId::NONE, |listed| listed.id);
                emit.status(StatusCode::Refused, id, Record::ABSENT, Record::ABSENT);
            }
            Control::Instruments(listings) => {
                for listing in listings {
                    let listed = self.symbols.get(listing.symbol.as_bytes());
                    if let Some(tracked) = listed.and_then(|listed| get_mut(&mut self.tracked, listed.id)) {
                        tracked.on_trading(listing.trading, &mut emit);
                    }
                }
            }
            Control::Welcome | Control::Authenticated | Control::LoginRefused { .. } => {}
        }
        self.act(Action::Control {
            connection,
            control: control.clone(),
        });
    }

    /// A refused frame may have held levels. Update ids and connection numbers will show that by themselves; for the other rules the books
    /// that the frame names are in doubt, and where it names none and nothing else would show a loss, all of the connection.
    fn on_refused(
        &mut self,
        connection: ConnectionId,
        frame: &[u8],
        refused: &Refused,
        recv_ns: i64,
        out: &mut impl Sink,
    ) {
        self.counters.refused += 1;
        if let Refused::UnknownSymbol(_) = refused {
            self.counters.unknown_symbol += 1;
            return;
        }
        let rule = self.policy.sync;
        if matches!(rule, SyncRule::UpdateIds | SyncRule::ConnectionSequence) {
            return;
        }
        let Some(carried) = self.connections.get(connection) else {
            return;
        };
        let head = &frame[..frame.len().min(NAMES_SEARCH_BYTES)];
        let is_named = |tracked: &Tracked| names(head, &tracked.symbol);
        let names_any = carried
            .instruments
            .iter()
            .any(|id| get(&self.tracked, *id).is_some_and(is_named));
        let all = !names_any && rule != SyncRule::Checksum;
        let mut emit = emit(&*self.dialect, &mut self.counters, recv_ns, out);
        for id in &carried.instruments {
            if let Some(tracked) = get_mut(&mut self.tracked, *id)
                && (all || names(head, &tracked.symbol))
                && tracked.is_proven()
            {
                tracked.lose_proof(GapCause::Refused, Record::ABSENT, Record::ABSENT, &mut emit);
            }
        }
    }
}

/// Whether the text holds the symbol as a JSON string.
fn names(text: &[u8], symbol: &str) -> bool {
    memchr::memmem::find_iter(text, symbol)
        .any(|at| at > 0 && text[at - 1] == b'"' && text.get(at + symbol.len()) == Some(&b'"'))
}
