//! Images of the books that are held, for readers that came late or missed records.

use tickpath_protocol::{Flags, InstrumentId, Kind, Level, Record, Side};

use super::Sink;
use super::emit::Emit;
use super::feed::{Feed, emit, get, get_mut};
use super::tracked::Tracked;

impl Feed {
    /// The instruments of whose books there is an image to publish, in order of their ids.
    pub fn instruments_with_image(&self) -> impl Iterator<Item = InstrumentId> + '_ {
        let tracked = self.tracked.iter().flatten();
        tracked.filter(|tracked| tracked.image_records() > 0).map(Tracked::id)
    }

    /// How many records [`Feed::publish_image`] would publish now.
    #[must_use]
    pub fn image_records(&self, instrument: InstrumentId) -> usize {
        get(&self.tracked, instrument).map_or(0, Tracked::image_records)
    }

    /// Publishes the book as it stands, as one event: whoever applies it holds the same book, trusted as it is here. Nothing of a book that
    /// is empty and never had an image.
    pub fn publish_image(&mut self, instrument: InstrumentId, now_ns: i64, out: &mut impl Sink) {
        let mut emit = emit(&*self.dialect, &mut self.counters, now_ns, out);
        if let Some(tracked) = get_mut(&mut self.tracked, instrument) {
            tracked.publish_book(&mut emit);
        }
    }
}

impl Tracked {
    fn image_records(&self) -> usize {
        match self.book.depth(Side::Bid) + self.book.depth(Side::Ask) {
            0 if !self.ever_had_image => 0,
            levels => 1 + levels,
        }
    }

    fn publish_book<S: Sink>(&self, emit: &mut Emit<'_, S>) {
        let Some(mut levels_left) = self.image_records().checked_sub(1) else {
            return;
        };
        let flags = match self.is_proven() {
            true => Flags::SNAPSHOT,
            false => Flags::SNAPSHOT.with(Flags::UNTRUSTED),
        };
        let last = |levels_left| if levels_left == 0 { Flags::LAST } else { Flags::NONE };
        emit.market(&self.book_record(Kind::BookClear), flags.with(last(levels_left)));
        for side in [Side::Bid, Side::Ask] {
            // The best level goes last: a book has its best level at the end of a vector, so that an image in this order only appends.
            let levels: Vec<Level> = self.book.levels(side).collect();
            for level in levels.into_iter().rev() {
                levels_left -= 1;
                let record = Record {
                    price: level.price,
                    size: level.size,
                    ..self.book_record(Kind::BookLevel)
                };
                emit.market(&record, flags.with(side.into()).with(last(levels_left)));
            }
        }
        emit.counters.images += 1;
    }

    fn book_record(&self, kind: Kind) -> Record {
        Record {
            kind: kind as u8,
            scale: self.listed.scale.to_byte(),
            instrument: self.id().0,
            ts_event: self.book_ts_event,
            ..Record::default()
        }
    }
}
