//! One instrument: its book, whether that is proven, and what its records are compared with.

use tickpath_protocol::{Flags, GapCause, InstrumentId, Level, OrderBook, Record, StatusCode};

use super::chain::{Bridge, Chain, Diff};
use super::emit::Emit;
use super::pacing::Resync;
use super::recent::{RecentIds, Seen};
use super::refresh::Refresh;
use super::{ConnectionId, Sink};
use crate::decode::{BookEnd, Channel, Listed};
use crate::dialect::SyncRule;

/// Whether a book is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    Proven { since_ns: i64 },
    Unproven { cause: GapCause },
}

/// State of one instrument.
pub(super) struct Tracked {
    pub listed: Listed,
    pub symbol: String,
    pub rule: SyncRule,
    pub book: OrderBook,
    pub trust: Trust,
    pub resync: Resync,
    pub refresh: Refresh,
    /// Connections that carry it now, the newest last.
    pub carriers: Vec<ConnectionId>,
    /// Whether a book of it is to be expected.
    pub has_book: bool,
    /// Kraken: levels that the subscription keeps.
    pub depth: Option<u32>,
    /// Whether quotes are to be taken from the book: until the venue quotes the instrument itself, and always at Coinbase, whose ticker
    /// speaks at trades only.
    pub derives_quotes: bool,
    pub trading: Option<bool>,
    /// When its first connection was made, until it is known to have started or to have not.
    pub awaited_since_ns: Option<i64>,
    pub has_started: bool,
    pub has_image: bool,
    /// Whether there was an image on this connection or an earlier one.
    pub ever_had_image: bool,
    /// The venue's time of the last event of the book; [`Record::ABSENT`] if it stated none.
    pub book_ts_event: i64,
    /// Channels whose subscription was acknowledged, a bit each: some venues repeat all of them in each acknowledgement.
    acknowledged: u8,
    last_recv_ns: i64,
    chain: Chain,
    trades: RecentIds,
    quote_id: Option<u64>,
    pub best: Option<(Level, Level)>,
    /// Levels cut by the event in hand.
    pub cut: Vec<Record>,
}

impl Tracked {
    pub fn new(listed: Listed, symbol: String, rule: SyncRule, trading: bool) -> Tracked {
        Tracked {
            listed,
            symbol,
            rule,
            book: OrderBook::new(),
            trust: Trust::Unproven {
                cause: GapCause::NoSnapshot,
            },
            resync: Resync::default(),
            refresh: Refresh::default(),
            carriers: Vec::new(),
            has_book: false,
            depth: None,
            derives_quotes: false,
            trading: Some(trading),
            awaited_since_ns: None,
            has_started: false,
            has_image: false,
            ever_had_image: false,
            book_ts_event: Record::ABSENT,
            acknowledged: 0,
            last_recv_ns: 0,
            chain: Chain::default(),
            trades: RecentIds::default(),
            quote_id: None,
            best: None,
            cut: Vec::new(),
        }
    }

    pub fn id(&self) -> InstrumentId {
        self.listed.id
    }

    pub fn is_proven(&self) -> bool {
        matches!(self.trust, Trust::Proven { .. })
    }

    /// The first connection carries it: the venue's numbers may start anywhere.
    pub fn connected<S: Sink>(&mut self, emit: &mut Emit<'_, S>) {
        self.chain.reset();
        self.trades.reset();
        self.quote_id = None;
        self.has_started = false;
        self.has_image = false;
        self.acknowledged = 0;
        self.awaited_since_ns = Some(emit.now_ns);
        self.last_recv_ns = emit.now_ns;
        if self.has_book {
            self.expect_image(emit);
        }
    }

    /// A book is to be expected from now on.
    pub fn expect_book<S: Sink>(&mut self, emit: &mut Emit<'_, S>) {
        if !self.has_book {
            self.has_book = true;
            emit.status(
                StatusCode::BookUntrusted,
                self.id(),
                GapCause::NoSnapshot as i64,
                Record::ABSENT,
            );
            if !self.carriers.is_empty() {
                self.expect_image(emit);
            }
        }
    }

    /// Binance must be asked for an image, at the first diff or, where the market is quiet, soon; the others send one unasked.
    fn expect_image<S: Sink>(&mut self, emit: &mut Emit<'_, S>) {
        const QUIET_NS: i64 = 2_000_000_000;
        let wait_ns = match self.rule {
            SyncRule::UpdateIds => QUIET_NS,
            _ => Resync::PATIENCE_NS,
        };
        self.resync.want_at(emit.now_ns + wait_ns);
    }

    /// The last connection that carried it is gone: whatever is missing is missing since its last frame.
    pub fn disconnected<S: Sink>(&mut self, cause: GapCause, emit: &mut Emit<'_, S>) {
        self.chain.reset();
        emit.gap(cause, self.id(), self.last_recv_ns, Record::ABSENT, Record::ABSENT);
        self.set_unproven(cause, emit);
        self.resync.forget();
        self.awaited_since_ns = None;
    }

    /// Something of it came in: remembers when.
    pub fn saw<S: Sink>(&mut self, emit: &Emit<'_, S>) {
        self.has_started = true;
        self.last_recv_ns = emit.now_ns;
    }

    /// One trade.
    pub fn on_trade<S: Sink>(&mut self, id: Option<u64>, records: &[Record], emit: &mut Emit<'_, S>) {
        if let Some(id) = id.filter(|_| self.rule != SyncRule::Images) {
            match self.trades.note(id, self.carriers.len() < 2) {
                Seen::Duplicate => {
                    emit.counters.duplicates += 1;
                    return;
                }
                Seen::Jump { first, last } => self.trades_missing(first, last, emit),
                Seen::Next | Seen::Late => {}
            }
        }
        self.saw(emit);
        emit_all(records, Flags::NONE, emit);
    }

    /// Coinbase's heartbeat states the last trade: one that we have not seen is lost.
    pub fn on_heartbeat<S: Sink>(&mut self, last_trade_id: Option<u64>, emit: &mut Emit<'_, S>) {
        if let (Some(stated), Some(seen)) = (last_trade_id, self.trades.highest())
            && stated > seen
            && self.rule == SyncRule::TradeIds
        {
            self.trades.note(stated, true);
            self.trades_missing(seen + 1, stated, emit);
        }
        self.saw(emit);
    }

    /// Numbers of trades that never came. For Coinbase they say that the connection loses messages, so that the book is in doubt as well;
    /// Binance's book has numbers of its own; of the others it is not known that they number without holes.
    fn trades_missing<S: Sink>(&mut self, first: u64, last: u64, emit: &mut Emit<'_, S>) {
        let (first, last) = (sequence(first), sequence(last));
        match self.rule {
            SyncRule::TradeIds => self.lose_proof(GapCause::VenueSequence, first, last, emit),
            SyncRule::UpdateIds => emit.gap(GapCause::VenueSequence, self.id(), self.last_recv_ns, first, last),
            SyncRule::ConnectionSequence | SyncRule::Checksum | SyncRule::Images => {}
        }
    }

    /// One quote. A lower update id is one that another connection delivered, or that a newer one replaced.
    pub fn on_quote<S: Sink>(&mut self, update_id: Option<u64>, records: &[Record], emit: &mut Emit<'_, S>) {
        if let Some(id) = update_id {
            if self.quote_id.is_some_and(|last| id <= last) {
                emit.counters.duplicates += 1;
                return;
            }
            self.quote_id = Some(id);
        }
        self.derives_quotes &= matches!(self.rule, SyncRule::TradeIds | SyncRule::ConnectionSequence);
        self.saw(emit);
        emit_all(records, Flags::NONE, emit);
    }

    /// One book event.
    pub fn on_book<S: Sink>(&mut self, end: BookEnd, records: &[Record], emit: &mut Emit<'_, S>) {
        self.expect_book(emit);
        match (self.rule, end) {
            (SyncRule::UpdateIds, BookEnd { image: true, .. }) => emit.counters.ignored += 1,
            (
                SyncRule::UpdateIds,
                BookEnd {
                    first_id: Some(first),
                    last_id: Some(last),
                    ..
                },
            ) if first <= last => self.on_diff(first, last, records, emit),
            (SyncRule::UpdateIds, _) => {
                self.lose_proof(GapCause::Refused, Record::ABSENT, Record::ABSENT, emit);
            }
            _ => self.on_levels(end, records, emit),
        }
    }

    /// Binance: a diff, judged before it is applied.
    fn on_diff<S: Sink>(&mut self, first: u64, last: u64, records: &[Record], emit: &mut Emit<'_, S>) {
        if !self.chain.has_diffs() && !self.is_proven() {
            self.resync.want(emit.now_ns);
        }
        match self.chain.diff(first, last, records) {
            Diff::Duplicate => {
                emit.counters.duplicates += 1;
                return;
            }
            Diff::Hole { first, last } => {
                self.set_missing(GapCause::VenueSequence, sequence(first), sequence(last), emit);
            }
            Diff::Overflow => self.set_missing(GapCause::Overflow, Record::ABSENT, Record::ABSENT, emit),
            Diff::Next => {}
        }
        self.on_levels(BookEnd::default(), records, emit);
        if let Some(bridge) = self.chain.retry() {
            self.bridged(bridge, emit);
        }
    }

    /// Binance: an image from REST.
    pub fn on_image<S: Sink>(&mut self, last_id: u64, records: &[Record], emit: &mut Emit<'_, S>) {
        self.expect_book(emit);
        let bridge = self.chain.image(last_id, records);
        self.bridged(bridge, emit);
    }

    /// Binance: a fresh image of the proven book is asked for.
    pub fn ask_refresh(&mut self, request: u64, now_ns: i64) {
        self.chain.refresh();
        self.refresh.asked(request, now_ns);
    }

    /// An image could not be had, makes no sense or does not bridge: another is needed at once only if the book is not proven.
    pub fn on_no_image(&mut self, now_ns: i64) {
        if self.is_proven() {
            self.chain.end_refresh();
            self.refresh.failed(now_ns);
        } else {
            self.resync.want(now_ns);
        }
    }

    fn bridged<S: Sink>(&mut self, bridge: Bridge, emit: &mut Emit<'_, S>) {
        match bridge {
            Bridge::Proven => {
                let was_proven = self.is_proven();
                if let Some(levels) = self.chain.take_proven() {
                    self.on_levels(
                        BookEnd {
                            image: true,
                            ..BookEnd::default()
                        },
                        &levels,
                        emit,
                    );
                    emit.counters.refreshes += u64::from(was_proven && self.is_proven());
                }
            }
            Bridge::TooOld => self.on_no_image(emit.now_ns),
            Bridge::Ahead if !self.is_proven() && !self.resync.is_wanted() => {
                self.resync.want_at(emit.now_ns + Resync::PATIENCE_NS);
            }
            Bridge::Ahead => {}
            Bridge::Unneeded => emit.counters.ignored += 1,
        }
    }

    pub fn set_proven<S: Sink>(&mut self, emit: &mut Emit<'_, S>) {
        self.trust = Trust::Proven { since_ns: emit.now_ns };
        self.resync.forget();
        if self.rule == SyncRule::UpdateIds {
            self.refresh.proven(self.id().index(), emit.now_ns);
        }
        emit.status(StatusCode::BookTrusted, self.id(), Record::ABSENT, Record::ABSENT);
    }

    /// The proof is broken: says so, forgets what the proof was built on, and wants a new image.
    pub fn lose_proof<S: Sink>(&mut self, cause: GapCause, first: i64, last: i64, emit: &mut Emit<'_, S>) {
        self.chain.restart();
        self.set_missing(cause, first, last, emit);
    }

    fn set_missing<S: Sink>(&mut self, cause: GapCause, first: i64, last: i64, emit: &mut Emit<'_, S>) {
        emit.gap(cause, self.id(), self.last_recv_ns, first, last);
        if !self.has_book {
            return;
        }
        emit.counters.resyncs += 1;
        let since_ns = match self.trust {
            Trust::Proven { since_ns } => since_ns,
            Trust::Unproven { .. } => emit.now_ns,
        };
        self.set_unproven(cause, emit);
        self.resync.lost(since_ns, emit.now_ns);
    }

    fn set_unproven<S: Sink>(&mut self, cause: GapCause, emit: &mut Emit<'_, S>) {
        let trust = Trust::Unproven { cause };
        if self.has_book && self.trust != trust {
            emit.status(StatusCode::BookUntrusted, self.id(), cause as i64, Record::ABSENT);
        }
        self.trust = trust;
        self.refresh.forget();
        self.best = None;
    }

    /// The subscription of a channel was taken.
    pub fn on_subscribed<S: Sink>(&mut self, channel: Option<Channel>, depth: Option<u32>, emit: &mut Emit<'_, S>) {
        let bit = 1 << channel.map_or(7, |channel| channel as u8);
        if self.acknowledged & bit == 0 {
            self.acknowledged |= bit;
            emit.status(StatusCode::Subscribed, self.id(), Record::ABSENT, Record::ABSENT);
        }
        if channel == Some(Channel::Book) {
            self.depth = depth.or(self.depth);
            self.expect_book(emit);
        }
    }

    /// The instrument trades, or does not.
    pub fn on_trading<S: Sink>(&mut self, trading: bool, emit: &mut Emit<'_, S>) {
        if self.trading.replace(trading) != Some(trading) {
            let code = if trading {
                StatusCode::Trading
            } else {
                StatusCode::Halted
            };
            emit.status(code, self.id(), Record::ABSENT, Record::ABSENT);
        }
    }
}

fn emit_all<S: Sink>(records: &[Record], flags: Flags, emit: &mut Emit<'_, S>) {
    for record in records {
        emit.market(record, flags);
    }
}

/// A venue's number for a Gap record; none is as large as what does not fit.
fn sequence(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}
