//! The execution venue that the configuration names.

use tickpath_protocol::{Record, Venue};
use tickpath_service::config::engine::ExecutionVenue as Configured;

use crate::engine::Engine;
use crate::gateway::GatewayVenue;
use crate::market::{Change, InstrumentIndex, MarketView};
use crate::order::{ClientOrderId, Order, Replacement};
use crate::paper::{PaperConfig, PaperConfigError, PaperVenue};
use crate::risk::Approved;
use crate::units::{Quantity, Time};
use crate::venue::{ExecutionVenue, Report};

/// The engine as the process runs it.
pub type SessionEngine = Engine<SessionVenue>;

/// Paper, or a venue behind the gateway.
#[derive(Debug)]
pub enum SessionVenue {
    /// Fills against the market that the engine sees.
    Paper(PaperVenue),
    /// The gateway's.
    Gateway(GatewayVenue),
}

impl SessionVenue {
    /// The venue that is configured.
    ///
    /// # Errors
    /// If the paper venue's numbers make no sense.
    pub fn new(venue: Configured, paper: PaperConfig) -> Result<SessionVenue, PaperConfigError> {
        Ok(match venue {
            Configured::Paper => SessionVenue::Paper(PaperVenue::new(paper)?),
            Configured::Simulated => SessionVenue::Gateway(GatewayVenue::default()),
        })
    }
}

/// Calls the same of whichever venue it is.
macro_rules! either {
    ($self:expr, $venue:ident => $call:expr) => {
        match $self {
            SessionVenue::Paper($venue) => $call,
            SessionVenue::Gateway($venue) => $call,
        }
    };
}

impl ExecutionVenue for SessionVenue {
    fn code(&self) -> Venue {
        either!(self, venue => venue.code())
    }

    fn submit(&mut self, order: Approved<Order>, now: Time) {
        either!(self, venue => venue.submit(order, now));
    }

    fn cancel(&mut self, id: ClientOrderId, index: InstrumentIndex, now: Time) {
        either!(self, venue => venue.cancel(id, index, now));
    }

    fn replace(&mut self, replacement: Approved<Replacement>, now: Time) {
        either!(self, venue => venue.replace(replacement, now));
    }

    #[inline]
    fn on_record(&mut self, record: &Record) {
        either!(self, venue => venue.on_record(record));
    }

    fn remembers(&self) -> bool {
        either!(self, venue => venue.remembers())
    }

    #[inline]
    fn on_market(&mut self, view: &MarketView, change: &Change, record: &Record, now: Time) {
        either!(self, venue => venue.on_market(view, change, record, now));
    }

    #[inline]
    fn next_due(&self) -> Time {
        either!(self, venue => venue.next_due())
    }

    fn poll(&mut self, view: &MarketView, now: Time, reports: &mut Vec<Report>) {
        either!(self, venue => venue.poll(view, now, reports));
    }

    fn seed_position(&mut self, strategy: u16, index: InstrumentIndex, quantity: Quantity) {
        either!(self, venue => venue.seed_position(strategy, index, quantity));
    }
}
