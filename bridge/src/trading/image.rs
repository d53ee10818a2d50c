//! The engine's own account, which it writes into the stream at its start and now and then: what this process shows of positions and gains goes on from there
//! where it was not there from the beginning, or missed something.

use std::sync::Arc;

use tickpath_protocol::Record;
use tickpath_protocol::trading::{ImageDecoder, ImageItem, PositionImage, TradingDecoder};

use super::{Holding, POSITIONS_MAX, Position, Trading, quote_currency};
use crate::state::InstrumentState;

impl Trading {
    /// Takes a record of an image; returns the positions of the image that it completes, if they are news here.
    pub fn image_record(&mut self, record: &Record) -> Option<Vec<PositionImage>> {
        let venue = record.venue();
        if self.venue != Some(venue) {
            self.venue = Some(venue);
            self.decoder = Some(TradingDecoder::new(venue));
            (self.broken_before, self.images) = (0, None);
        }
        self.is_there = true;
        let images = self.images.get_or_insert_with(|| ImageDecoder::new(venue));
        let image = images.push(record)?;
        // What was folded here without a hole is the same.
        (!self.is_whole()).then(|| {
            let positions = image.items.into_iter().filter_map(|item| match item {
                ImageItem::Position(position) => Some(position),
                _ => None,
            });
            positions.take(POSITIONS_MAX).collect()
        })
    }

    /// Begins anew with the positions of an image.
    pub fn begin_with_image(&mut self) {
        self.holdings.clear();
        self.broken_before = self.decoder.as_ref().map_or(0, TradingDecoder::broken);
        (self.is_whole, self.is_dirty) = (true, true);
    }

    /// Adds a position of that image. One of an instrument that is not known here leaves the account incomplete.
    pub fn adopt(&mut self, position: &PositionImage, instrument: Option<&InstrumentState>) {
        let Some(state) = instrument else {
            self.is_whole = false;
            return;
        };
        let holding = Holding {
            subject: Arc::from(state.subject()),
            scale: position.scale,
            currency: quote_currency(&state.instrument().name).into(),
            position: Position::of_image(position),
        };
        self.holdings.insert((position.strategy, state.index()), holding);
    }
}
