//! Where records go.

use tickpath_protocol::{InstrumentId, Record};
use tickpath_transport::{Publisher, TransportError};

use crate::decode::Listing;
use crate::sync::{Registry, Sink};

/// Takes the records of a session and gives its instruments their ids.
pub trait Outlet: Sink + Registry {
    /// Shows what was taken to whoever reads.
    fn flush(&mut self);

    /// Records that were dropped because nobody read them in time.
    fn dropped(&self) -> u64;

    /// Whether readers asked for images of all books since this was asked last. Asked after every frame.
    fn take_image_request(&mut self) -> bool;

    /// Records that can be taken now without one being dropped.
    fn room(&mut self) -> u64;

    /// Why no record will ever go out again, if so.
    fn fatal(&self) -> Option<String>;
}

impl Sink for Publisher {
    fn record(&mut self, record: Record) {
        self.publish(record);
    }
}

impl Registry for Publisher {
    type Error = TransportError;

    fn instrument(&mut self, listing: &Listing) -> Result<InstrumentId, TransportError> {
        Publisher::instrument(
            self,
            &listing.symbol,
            &listing.name,
            listing.scale,
            listing.tick,
            listing.lot,
        )
    }
}

impl Outlet for Publisher {
    fn flush(&mut self) {
        Publisher::flush(self);
    }

    fn dropped(&self) -> u64 {
        Publisher::dropped(self)
    }

    fn take_image_request(&mut self) -> bool {
        Publisher::take_image_request(self)
    }

    fn room(&mut self) -> u64 {
        Publisher::room(self)
    }

    fn fatal(&self) -> Option<String> {
        Publisher::fatal(self).map(|error| error.to_string())
    }
}
