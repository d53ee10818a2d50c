//! The paper venue.

use std::collections::VecDeque;

use tickpath_protocol::{Record, Venue};

use crate::market::{Change, InstrumentIndex, MarketView};
use crate::order::{ClientOrderId, Order, Replacement};
use crate::risk::Approved;
use crate::units::{Quantity, Time};
use crate::venue::{ExecutionVenue, Report};

/// How the paper venue behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct PaperConfig {
    /// From the engine to the venue, ns of event time.
    pub order_latency_ns: i64,
    /// From the venue to the engine, ns of event time.
    pub report_latency_ns: i64,
    /// Fee of a fill that rested, in millionths of its worth; negative: a rebate.
    pub maker_fee_ppm: i64,
    /// Fee of a fill that took, in millionths of its worth.
    pub taker_fee_ppm: i64,
    /// How much worse than the book a taker's price is, in millionths of it.
    pub slippage_ppm: i64,
}

/// An execution venue that fills against the market that the engine sees.
#[derive(Debug)]
pub struct PaperVenue {
    config: PaperConfig,
    reports: VecDeque<(Time, Report)>,
}

impl PaperVenue {
    /// A venue without orders.
    #[must_use]
    pub fn new(config: PaperConfig) -> PaperVenue {
        PaperVenue {
            config,
            reports: VecDeque::new(),
        }
    }
}

impl ExecutionVenue for PaperVenue {
    fn code(&self) -> Venue {
        Venue::PAPER
    }

    fn submit(&mut self, order: Approved<Order>, now: Time) {
        let id = order.into_inner().id;
        let due = now.plus_ns(self.config.order_latency_ns + self.config.report_latency_ns);
        self.reports.push_back((due, Report::Accepted { id }));
    }

    fn cancel(&mut self, id: ClientOrderId, _: InstrumentIndex, now: Time) {
        self.reports.push_back((now, Report::CancelRefused { id }));
    }

    fn replace(&mut self, replacement: Approved<Replacement>, now: Time) {
        let id = replacement.into_inner().id;
        self.reports.push_back((now, Report::ReplaceRefused { id }));
    }

    fn on_market(&mut self, _: &MarketView, _: &Change, _: &Record, _: Time) {}

    fn next_due(&self) -> Time {
        self.reports.front().map_or(Time::NEVER, |(due, _)| *due)
    }

    fn poll(&mut self, _: &MarketView, now: Time, reports: &mut Vec<Report>) {
        while let Some((_, report)) = self.reports.pop_front_if(|(due, _)| *due <= now) {
            reports.push(report);
        }
    }

    fn seed_position(&mut self, _: u16, _: InstrumentIndex, _: Quantity) {}
}
