//! A book event's way through an instrument: applied, proven, published, in this order, so that the records of an event that breaks the
//! proof are flagged themselves.

use tickpath_protocol::checksum::book_crc32;
use tickpath_protocol::{Flags, GapCause, Kind, Record, Side};

use super::Sink;
use super::emit::Emit;
use super::tracked::Tracked;
use crate::decode::BookEnd;
use crate::dialect::SyncRule;

impl Tracked {
    /// Applies levels, proves the result, publishes them with the flags that the proof calls for.
    pub fn on_levels<S: Sink>(&mut self, end: BookEnd, records: &[Record], emit: &mut Emit<'_, S>) {
        let fits = self.apply(end.image, records);
        self.cut_to_depth();
        self.has_image |= end.image;
        self.ever_had_image |= end.image;
        if end.image || !records.is_empty() {
            self.book_ts_event = records.last().map_or(Record::ABSENT, |record| record.ts_event);
        }
        let claims_proof = end.image || self.is_proven();
        let disproof = self.disproof(fits, end, emit).filter(|_| claims_proof);
        if let Some(cause) = disproof {
            emit.counters.crossed += u64::from(cause == GapCause::Crossed);
            self.lose_proof(cause, Record::ABSENT, Record::ABSENT, emit);
        }
        let proven = claims_proof && disproof.is_none();
        self.publish(end.image, !proven, records, emit);
        if proven && !self.is_proven() {
            self.set_proven(emit);
        }
        self.saw(emit);
        if self.derives_quotes && self.is_proven() {
            self.derive_quote(records, emit);
        }
    }

    /// `false` if a level did not fit.
    fn apply(&mut self, image: bool, records: &[Record]) -> bool {
        if image {
            self.book.clear();
        }
        let mut fits = true;
        for record in records {
            if let Some(side) = record.flags().side() {
                fits &= self.book.apply(side, record.price, record.size).is_ok();
            }
        }
        fits
    }

    /// Kraken sends no removal for levels that leave the subscribed depth: they are removed here, and that is published.
    fn cut_to_depth(&mut self) {
        self.cut.clear();
        let Some(depth) = self.depth.filter(|_| self.rule == SyncRule::Checksum) else {
            return;
        };
        let (listed, cut) = (self.listed, &mut self.cut);
        self.book.truncate(depth as usize, |side, level| {
            cut.push(Record {
                kind: Kind::BookLevel as u8,
                flags: Flags::DERIVED.with(side.into()).0,
                scale: listed.scale.to_byte(),
                instrument: listed.id.0,
                price: level.price,
                ..Record::default()
            });
        });
    }

    /// Why the book as it stands after this event is not proven.
    fn disproof<S: Sink>(&self, fits: bool, end: BookEnd, emit: &mut Emit<'_, S>) -> Option<GapCause> {
        let checksum = self.check(end, emit);
        if !fits {
            return Some(GapCause::Overflow);
        }
        if !checksum {
            return Some(GapCause::Checksum);
        }
        self.book.is_crossed().then_some(GapCause::Crossed)
    }

    /// Kraken: whether the checksum agrees, of every message since the first image. One that is missing proves nothing.
    fn check<S: Sink>(&self, end: BookEnd, emit: &mut Emit<'_, S>) -> bool {
        if self.rule != SyncRule::Checksum || !self.has_image {
            return true;
        }
        let agrees = end.checksum == Some(book_crc32(&self.book));
        match end.checksum {
            Some(_) if agrees => emit.counters.checksums_ok += 1,
            Some(_) => emit.counters.checksums_bad += 1,
            None => {}
        }
        agrees
    }

    fn publish<S: Sink>(&self, image: bool, untrusted: bool, records: &[Record], emit: &mut Emit<'_, S>) {
        let mut flags = Flags::NONE;
        if image {
            flags = flags.with(Flags::SNAPSHOT);
        }
        if untrusted {
            flags = flags.with(Flags::UNTRUSTED);
        }
        let ts_event = records.last().map_or(Record::ABSENT, |record| record.ts_event);
        let total = records.len() + self.cut.len();
        if image {
            let clear = Record {
                kind: Kind::BookClear as u8,
                flags: if total == 0 { Flags::LAST.0 } else { 0 },
                scale: self.listed.scale.to_byte(),
                instrument: self.id().0,
                ts_event,
                ..Record::default()
            };
            emit.market(&clear, flags);
        }
        for (index, record) in records.iter().chain(&self.cut).enumerate() {
            let mut record = *record;
            record.flags &= !Flags::LAST.0;
            if index >= records.len() {
                record.ts_event = ts_event;
            }
            let last = if index + 1 == total { Flags::LAST } else { Flags::NONE };
            emit.market(&record, flags.with(last));
        }
    }

    /// Where the venue sends no best bid and offer of its own, a change of them in the book is a quote.
    fn derive_quote<S: Sink>(&mut self, records: &[Record], emit: &mut Emit<'_, S>) {
        let (Some(bid), Some(ask)) = (self.book.best(Side::Bid), self.book.best(Side::Ask)) else {
            return;
        };
        if self.best.replace((bid, ask)) == Some((bid, ask)) {
            return;
        }
        for (level, side, flags) in [
            (bid, Flags::BID, Flags::DERIVED),
            (ask, Flags::ASK, Flags::DERIVED.with(Flags::LAST)),
        ] {
            let record = Record {
                kind: Kind::Quote as u8,
                flags: side.0,
                scale: self.listed.scale.to_byte(),
                instrument: self.id().0,
                ts_event: records.last().map_or(Record::ABSENT, |record| record.ts_event),
                price: level.price,
                size: level.size,
                ..Record::default()
            };
            emit.market(&record, flags);
        }
    }
}
