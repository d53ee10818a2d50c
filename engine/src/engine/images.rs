//! Images of the account, which the engine writes into its own stream: what a later session begins with, so that it needs no record before it.
//!
//! An image is only written while the engine's picture is to be relied on: not while trading is halted, not after a recovery with problems until
//! somebody has looked and armed, and never in a session that left a position of an earlier one aside. The image before it then stays the newest.

use tickpath_protocol::trading::{ClientOrderId, ImageItem, ImageWriter, OrderImage, PositionImage, Reason};
use tickpath_protocol::{Record, StatusCode};

use super::desk::Desk;
use super::{Engine, RecoveryProblem};
use crate::market::InstrumentIndex;
use crate::order::{ORDERS_OPEN_MAX, Order};
use crate::portfolio::Position;
use crate::risk::Permission;
use crate::units::Time;
use crate::venue::ExecutionVenue;

/// Records of the largest image that needs no memory beyond what was set aside, orders at their most.
const ROOM: usize = 6 * ORDERS_OPEN_MAX + 1024;

/// When images are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Images {
    /// Logical time between two; 0: none is written.
    every_ns: i64,
    next: Time,
    trust: Trust,
}

/// Whether the account is what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Full,
    /// Records of earlier sessions were missing; arming says that somebody looked.
    OnceArmed,
    /// A position was left aside: an image of this session would lose it.
    Never,
}

impl Images {
    pub(super) fn none() -> Images {
        Images {
            every_ns: 0,
            next: Time::NEVER,
            trust: Trust::Full,
        }
    }

    pub(super) fn on_recovered(&mut self, problems: &[RecoveryProblem]) {
        let is_aside = |problem: &RecoveryProblem| !matches!(problem, RecoveryProblem::Damaged { .. });
        self.trust = match problems {
            [] => Trust::Full,
            problems if problems.iter().any(is_aside) => Trust::Never,
            _ => Trust::OnceArmed,
        };
    }

    pub(super) fn on_armed(&mut self) {
        if self.trust == Trust::OnceArmed {
            self.trust = Trust::Full;
        }
        if self.every_ns > 0 {
            self.next = Time(i64::MIN);
        }
    }
}

impl<V: ExecutionVenue> Engine<V> {
    /// Writes an image of the account at the start and then every `every_ns` of the engine's time; 0: never, as it is without this call. A backtest needs none.
    pub fn keep_images(&mut self, every_ns: i64) {
        self.images.every_ns = every_ns;
        self.images.next = if every_ns > 0 { Time(i64::MIN) } else { Time::NEVER };
        if every_ns > 0 {
            self.desk.reserve_records(ROOM);
        }
    }

    /// Writes an image if one is due and the account is to be relied on.
    #[cold]
    pub(super) fn keep_image(&mut self) {
        let now = self.desk.now();
        let is_sure = self.images.trust == Trust::Full && self.desk.gate().halted().is_none();
        if self.images.next > now || !is_sure {
            return;
        }
        self.images.next = now.plus_ns(self.images.every_ns);
        let writer = ImageWriter::new(self.desk.venue(), self.desk.last_order(), now.0);
        self.desk.write_record(writer.begin());
        for runner in &self.runners {
            self.desk.write_item(&writer, &ImageItem::Strategy(runner.key));
        }
        self.desk.write_latches(&writer);
        for strategy in 0..self.desk.strategy_count() {
            self.desk.write_positions(&writer, strategy);
        }
        self.desk.write_orders(&writer);
        self.desk.write_record(writer.end());
    }
}

impl Desk {
    fn write_item(&mut self, writer: &ImageWriter, item: &ImageItem) {
        writer.item(item, |record| self.write_record(record));
    }

    fn write_latches(&mut self, writer: &ImageWriter) {
        let now = self.now();
        if self.gate().is_killed() {
            let (reason, strategy, day) = (Reason::Killed, None, now.day());
            self.write_item(writer, &ImageItem::Latch { reason, strategy, day });
        }
        let everybody = [None].into_iter();
        for strategy in everybody.chain((0..self.strategy_count()).map(Some)) {
            let (stopped, since) = self.gate().stopped(strategy);
            if let Permission::ReduceOnly(reason) = stopped {
                let day = since.unwrap_or(now.day());
                self.write_item(writer, &ImageItem::Latch { reason, strategy, day });
            }
        }
    }

    fn write_positions(&mut self, writer: &ImageWriter, strategy: u16) {
        let followed = self.market().instruments().len();
        for at in 0..followed {
            let index = InstrumentIndex(at as u32);
            let position = *self.portfolio().strategy(strategy).position(index);
            if position == Position::EMPTY {
                continue;
            }
            let instrument = self.market().at(index).instrument();
            let item = ImageItem::Position(PositionImage {
                strategy,
                instrument: instrument.id,
                scale: instrument.scale,
                quantity: position.quantity().0,
                average_price: position.average_price().map_or(Record::ABSENT, |price| price.0),
                cost: position.cost(),
                cash: position.cash(),
                fees: position.fees(),
                bought: position.bought(),
                sold: position.sold(),
                fills: position.fills(),
            });
            self.write_item(writer, &item);
        }
    }

    fn write_orders(&mut self, writer: &ImageWriter) {
        for at in 0..self.orders().open().len() {
            let order = self.orders().open()[at];
            if !order.state.is_closed() {
                let item = ImageItem::Order(self.image_of(&order));
                self.write_item(writer, &item);
            }
        }
    }

    fn image_of(&self, order: &Order) -> OrderImage {
        OrderImage {
            id: order.id,
            detail: order.detail(),
            instrument: order.instrument,
            scale: self.market().at(order.index).instrument().scale,
            side: Some(order.side),
            price: order.record_price(),
            trigger: order.kind.trigger().map(|price| price.0),
            quantity: order.quantity.0,
            filled: order.filled.0,
            replacing: order.replacing.map(|terms| terms.quantity.0),
        }
    }

    /// The last client order id that was given out; its counter is 0 if none was.
    fn last_order(&self) -> ClientOrderId {
        ClientOrderId::new(self.session(), self.orders_made())
    }

    /// Says that the account goes on from an image.
    pub(super) fn say_image(&mut self, found: &super::recovery::ImageFound) {
        self.status(StatusCode::ImageFound, found.session.into(), found.ts_event);
    }
}
