//! The execution venue behind a gateway: a process of its own sends what the engine's records ask for, and what the venue says comes back as records.
//!
//! - An order leaves by its record on the stream: [`ExecutionVenue::submit`] has nothing more to do. The gateway reads it there.
//! - Reports ([`VenueReport`]) are inputs of the engine like market data, so a session can be decided again from its journal alone.
//! - What was sent counts against the limits until a report says what became of it. Time alone ends nothing.
//! - A report that is lost ([`Report::Lost`]) halts trading if anything is open.

use std::collections::VecDeque;

use tickpath_protocol::trading::{News, ReportDecoder, VenueReport};
use tickpath_protocol::{GapCause, Record, Venue};

use crate::market::{Change, InstrumentIndex, MarketView};
use crate::order::{ClientOrderId, Order, Replacement};
use crate::risk::Approved;
use crate::units::{Money, Price, Quantity, Time};
use crate::venue::{Execution, ExecutionVenue, Report};

/// A venue that a gateway speaks to.
#[derive(Debug)]
pub struct GatewayVenue {
    decoder: ReportDecoder,
    broken: u64,
    reports: VecDeque<Report>,
}

impl Default for GatewayVenue {
    fn default() -> GatewayVenue {
        GatewayVenue {
            decoder: ReportDecoder::default(),
            broken: 0,
            reports: VecDeque::with_capacity(64),
        }
    }
}

impl GatewayVenue {
    #[inline(never)]
    fn hear(&mut self, record: &Record) {
        let report = self.decoder.push(record);
        let is_loss = GapCause::of(record).is_some() || self.decoder.broken() != self.broken;
        self.broken = self.decoder.broken();
        if is_loss {
            self.reports.push_back(Report::Lost);
        }
        self.reports.extend(report.map(|report| translated(&report)));
    }
}

fn translated(report: &VenueReport) -> Report {
    let id = report.order;
    match report.news {
        News::Accepted => Report::Accepted { id },
        News::Rejected(reason) => Report::Rejected { id, reason },
        News::Canceled { reason, filled } => Report::Canceled {
            id,
            reason,
            filled: Quantity(filled),
        },
        News::ReplaceRefused => Report::ReplaceRefused { id },
        News::Filled {
            price,
            quantity,
            cumulative,
            fee,
            liquidity,
        } => Report::Filled(Execution {
            id,
            price: Price(price),
            quantity: Quantity(quantity),
            cumulative: Quantity(cumulative),
            fee: Money(fee),
            liquidity,
        }),
    }
}

impl ExecutionVenue for GatewayVenue {
    /// The engine's own code, as at every venue: the gateway's reports have theirs.
    fn code(&self) -> Venue {
        Venue::PAPER
    }

    fn submit(&mut self, _: Approved<Order>, _: Time) {}

    fn cancel(&mut self, _: ClientOrderId, _: InstrumentIndex, _: Time) {}

    fn replace(&mut self, _: Approved<Replacement>, _: Time) {}

    #[inline]
    fn on_record(&mut self, record: &Record) {
        // A gap that names no producer may have been of ours.
        let is_lap = record.venue == Venue::NONE.0 && GapCause::of(record) == Some(GapCause::NotRecorded);
        if record.venue == Venue::GATEWAY.0 || is_lap {
            self.hear(record);
        }
    }

    fn remembers(&self) -> bool {
        true
    }

    fn on_market(&mut self, _: &MarketView, _: &Change, _: &Record, _: Time) {}

    #[inline]
    fn next_due(&self) -> Time {
        if self.reports.is_empty() {
            Time::NEVER
        } else {
            Time(i64::MIN)
        }
    }

    fn poll(&mut self, _: &MarketView, _: Time, reports: &mut Vec<Report>) {
        reports.extend(self.reports.drain(..));
    }

    fn seed_position(&mut self, _: u16, _: InstrumentIndex, _: Quantity) {}
}
