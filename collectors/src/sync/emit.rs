//! The last step of every record: receive time and flags are set, and it is counted and handed over.

use tickpath_protocol::{Flags, GapCause, InstrumentId, Kind, Record, StatusCode, Venue};

use super::{Counters, Sink};

/// The way out for one frame.
pub(super) struct Emit<'a, S: Sink> {
    pub venue: Venue,
    /// When the frame was received, or the time of the timer.
    pub now_ns: i64,
    pub counters: &'a mut Counters,
    pub sink: &'a mut S,
}

impl<S: Sink> Emit<'_, S> {
    /// A record of the market: `flags` are added to its own.
    pub fn market(&mut self, record: &Record, flags: Flags) {
        let mut record = *record;
        record.flags |= flags.0;
        record.ts_recv = self.now_ns;
        if record.ts_event == Record::ABSENT {
            record.ts_event = self.now_ns;
            record.flags |= Flags::NO_EVENT_TIME.0;
        }
        match record.kind() {
            _ if record.flags().contains(Flags::DERIVED) => {}
            Some(Kind::Trade) => self.counters.trades += 1,
            Some(Kind::Quote) if record.flags().contains(Flags::LAST) => self.counters.quotes += 1,
            Some(Kind::BookLevel) => self.counters.levels += 1,
            _ => {}
        }
        self.push(record);
    }

    /// A Status record.
    pub fn status(&mut self, code: StatusCode, instrument: InstrumentId, price: i64, size: i64) {
        self.push(code.record(self.venue, instrument, self.now_ns, price, size));
    }

    /// A Gap record from sequence `first` to `last` of the venue, open since `since_ns`.
    pub fn gap(&mut self, cause: GapCause, instrument: InstrumentId, since_ns: i64, first: i64, last: i64) {
        self.counters.gaps += 1;
        self.push(cause.record(self.venue, instrument, since_ns, self.now_ns, first, last));
    }

    fn push(&mut self, record: Record) {
        self.counters.records += 1;
        self.sink.record(record);
    }
}
