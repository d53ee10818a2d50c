//! The engine's account at one moment, as records: what a later session begins with instead of everything that was ever traded.
//!
//! ```text
//! image_begin  { image_strategy | image_latch amount×1 | image_position amount×7 | image_order amount×5 }  image_end
//! ```
//!
//! The records stand in consecutive sequence and share one `ts_event`; the last is flagged `LAST`. An image of which a record is missing is none: whoever
//! looks for one takes the one before it.

use super::{ClientOrderId, OrderDetail, Reason, StrategyKey};
use crate::instrument::{InstrumentId, Scale};
use crate::record::{Flags, Kind, Record, Side};
use crate::venue::Venue;

/// Parts that an image may have; a longer one is taken for damage.
const ITEMS_MAX: usize = 1 << 20;

/// The scale of a record whose numbers are integers.
const INTEGERS: u8 = 0;

/// One strategy's position in one instrument. Money is at the sum of the instrument's price and size decimals, fees at 1e-8, quantities at its size decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionImage {
    /// Whose.
    pub strategy: u16,
    /// Of what.
    pub instrument: InstrumentId,
    /// The instrument's decimals.
    pub scale: Scale,
    /// Held; negative: sold short.
    pub quantity: i64,
    /// Average price of what is held, rounded, for people; [`Record::ABSENT`] if nothing is.
    pub average_price: i64,
    /// What is held cost.
    pub cost: i128,
    /// What sales brought less what purchases cost, fees aside. With `cost` it is what was realised.
    pub cash: i128,
    /// All fees less all rebates.
    pub fees: i128,
    /// Everything ever bought.
    pub bought: i128,
    /// Everything ever sold.
    pub sold: i128,
    /// How many fills there were.
    pub fills: u64,
}

/// An order without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderImage {
    /// Its name.
    pub id: ClientOrderId,
    /// Whose it is, and its terms.
    pub detail: OrderDetail,
    /// Of what.
    pub instrument: InstrumentId,
    /// The instrument's decimals.
    pub scale: Scale,
    /// Bid: buy; ask: sell.
    pub side: Option<Side>,
    /// Limit price; [`Record::ABSENT`] without one.
    pub price: i64,
    /// Of a stop order: the price that triggers it.
    pub trigger: Option<i64>,
    /// How much in all.
    pub quantity: i64,
    /// How much of it is filled.
    pub filled: i64,
    /// The quantity that a replacement asked for, while there is no answer to it.
    pub replacing: Option<i64>,
}

/// A part of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageItem {
    /// A strategy of the session.
    Strategy(StrategyKey),
    /// What is latched: [`Reason::Killed`], or a limit that was reached.
    Latch {
        /// Which.
        reason: Reason,
        /// Whose; `None`: of all.
        strategy: Option<u16>,
        /// Days since the Unix epoch when it was reached.
        day: i64,
    },
    /// A position that is, or was, anything.
    Position(PositionImage),
    /// An open order.
    Order(OrderImage),
}

/// A whole image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The last client order id that was given out, with the session's number in it.
    pub last_order: ClientOrderId,
    /// The engine's logical time, ns since the Unix epoch.
    pub ts_event: i64,
    /// In the order written.
    pub items: Vec<ImageItem>,
}

/// Writes the records of one image: [`ImageWriter::begin`], items, [`ImageWriter::end`]. Sequences are the caller's to set.
#[derive(Clone, Copy, Debug)]
pub struct ImageWriter {
    head: Record,
}

impl ImageWriter {
    /// Of the engine that publishes under `venue`, at its logical time.
    #[must_use]
    pub fn new(venue: Venue, last_order: ClientOrderId, now_ns: i64) -> ImageWriter {
        ImageWriter {
            head: Record {
                kind: Kind::ImageBegin as u8,
                venue: venue.0,
                flags: Flags::NONE.0,
                scale: INTEGERS,
                instrument: InstrumentId::NONE.0,
                sequence: 0,
                ts_event: now_ns,
                ts_recv: now_ns,
                price: last_order.0 as i64,
                size: Record::ABSENT,
            },
        }
    }

    /// The first record.
    #[must_use]
    pub fn begin(&self) -> Record {
        self.head
    }

    /// The last record.
    #[must_use]
    pub fn end(&self) -> Record {
        Record {
            kind: Kind::ImageEnd as u8,
            flags: Flags::LAST.0,
            ..self.head
        }
    }

    /// The records of a part.
    pub fn item(&self, item: &ImageItem, mut out: impl FnMut(Record)) {
        match item {
            ImageItem::Strategy(key) => out(Record {
                kind: Kind::ImageStrategy as u8,
                price: key.0,
                ..self.head
            }),
            ImageItem::Latch { reason, strategy, day } => {
                out(Record {
                    kind: Kind::ImageLatch as u8,
                    price: *reason as i64,
                    size: strategy.map_or(Record::ABSENT, i64::from),
                    ..self.head
                });
                out(self.amount(Some(i128::from(*day)), self.head.instrument));
            }
            ImageItem::Position(position) => self.position(position, &mut out),
            ImageItem::Order(order) => self.order(order, &mut out),
        }
    }

    fn position(&self, position: &PositionImage, out: &mut impl FnMut(Record)) {
        let instrument = (position.instrument, position.scale);
        out(self.part(
            Kind::ImagePosition,
            instrument,
            position.average_price,
            position.quantity,
        ));
        for amount in [
            i128::from(position.strategy),
            position.cost,
            position.cash,
            position.fees,
            position.bought,
            position.sold,
            i128::from(position.fills),
        ] {
            out(self.amount(Some(amount), position.instrument.0));
        }
    }

    fn order(&self, order: &OrderImage, out: &mut impl FnMut(Record)) {
        let part = self.part(
            Kind::ImageOrder,
            (order.instrument, order.scale),
            order.price,
            order.quantity,
        );
        out(Record {
            flags: Flags::from(order.side).0,
            ..part
        });
        for amount in [
            Some(i128::from(order.id.0)),
            Some(i128::from(order.detail.0)),
            Some(i128::from(order.filled)),
            order.replacing.map(i128::from),
            order.trigger.map(i128::from),
        ] {
            out(self.amount(amount, order.instrument.0));
        }
    }

    /// The first record of a part about an instrument.
    fn part(&self, kind: Kind, (instrument, scale): (InstrumentId, Scale), price: i64, size: i64) -> Record {
        Record {
            kind: kind as u8,
            scale: scale.to_byte(),
            instrument: instrument.0,
            price,
            size,
            ..self.head
        }
    }

    /// price × 2⁶⁴ + size, the size without a sign.
    fn amount(&self, amount: Option<i128>, instrument: u32) -> Record {
        let (price, size) = match amount {
            Some(amount) => ((amount >> 64) as i64, amount as i64),
            None => (Record::ABSENT, Record::ABSENT),
        };
        Record {
            kind: Kind::ImageAmount as u8,
            instrument,
            price,
            size,
            ..self.head
        }
    }
}

/// Puts the records of one execution venue together to images. Records of other venues, and of the relay, may stand between.
#[derive(Clone, Debug)]
pub struct ImageDecoder {
    venue: Venue,
    open: Option<Open>,
}

#[derive(Clone, Debug)]
struct Open {
    image: Image,
    /// The sequence of the next record.
    next: u64,
    /// A part of which amounts are still to come.
    part: Option<Record>,
    amounts: Vec<Option<i128>>,
}

impl ImageDecoder {
    /// A decoder of what the engine publishes under `venue`.
    #[must_use]
    pub fn new(venue: Venue) -> ImageDecoder {
        ImageDecoder { venue, open: None }
    }

    /// Whether an image has begun and not ended.
    #[must_use]
    pub fn is_within(&self) -> bool {
        self.open.is_some()
    }

    /// Takes the next record of the stream and returns the image that it completes, if it does. Whatever does not belong ends the image that is open.
    pub fn push(&mut self, record: &Record) -> Option<Image> {
        if record.venue != self.venue.0 || record.flags().contains(Flags::FROM_RELAY) {
            return None;
        }
        if record.kind() == Some(Kind::ImageBegin) {
            self.open = Some(Open::new(record));
            return None;
        }
        let mut open = self.open.take()?;
        if record.sequence != open.next || record.ts_event != open.image.ts_event {
            return None;
        }
        open.next = record.sequence.wrapping_add(1);
        if record.kind() == Some(Kind::ImageEnd) {
            let is_whole = open.part.is_none() && record.price == open.image.last_order.0 as i64;
            return is_whole.then_some(open.image);
        }
        open.take(record)?;
        if open.image.items.len() <= ITEMS_MAX {
            self.open = Some(open);
        }
        None
    }
}

impl Open {
    fn new(record: &Record) -> Open {
        Open {
            image: Image {
                last_order: ClientOrderId(record.price as u64),
                ts_event: record.ts_event,
                items: Vec::new(),
            },
            next: record.sequence.wrapping_add(1),
            part: None,
            amounts: Vec::new(),
        }
    }

    /// `None` if the record does not belong here.
    fn take(&mut self, record: &Record) -> Option<()> {
        match (record.kind()?, self.part) {
            (Kind::ImageAmount, Some(part)) => {
                self.amounts.push(amount_of(record));
                if self.amounts.len() == amounts_of(part.kind()?) {
                    let item = item_of(&part, &self.amounts)?;
                    self.image.items.push(item);
                    self.amounts.clear();
                    self.part = None;
                }
            }
            (Kind::ImageStrategy, None) => {
                let key = StrategyKey(record.price);
                self.image.items.push(ImageItem::Strategy(key));
            }
            (Kind::ImageLatch | Kind::ImagePosition | Kind::ImageOrder, None) => self.part = Some(*record),
            _ => return None,
        }
        Some(())
    }
}

/// Amounts that follow the first record of a part.
fn amounts_of(kind: Kind) -> usize {
    match kind {
        Kind::ImageLatch => 1,
        Kind::ImagePosition => 7,
        Kind::ImageOrder => 5,
        _ => 0,
    }
}

fn amount_of(record: &Record) -> Option<i128> {
    let is_absent = record.price == Record::ABSENT && record.size == Record::ABSENT;
    (!is_absent).then_some(i128::from(record.price) << 64 | i128::from(record.size as u64))
}

/// A part of its first record and its amounts; `None` if a number is missing or does not fit.
fn item_of(part: &Record, amounts: &[Option<i128>]) -> Option<ImageItem> {
    let (instrument, scale) = (part.instrument(), part.scale());
    match *amounts {
        [day] => Some(ImageItem::Latch {
            reason: Reason::from_code(u8::try_from(part.price).ok()?)?,
            strategy: match part.size {
                Record::ABSENT => None,
                index => Some(u16::try_from(index).ok()?),
            },
            day: i64::try_from(day?).ok()?,
        }),
        [strategy, cost, cash, fees, bought, sold, fills] => Some(ImageItem::Position(PositionImage {
            strategy: u16::try_from(strategy?).ok()?,
            instrument,
            scale,
            quantity: part.size,
            average_price: part.price,
            cost: cost?,
            cash: cash?,
            fees: fees?,
            bought: bought?,
            sold: sold?,
            fills: u64::try_from(fills?).ok()?,
        })),
        [id, detail, filled, replacing, trigger] => Some(ImageItem::Order(OrderImage {
            id: ClientOrderId(u64::try_from(id?).ok()?),
            detail: OrderDetail(u64::try_from(detail?).ok()?),
            instrument,
            scale,
            side: part.flags().side(),
            price: part.price,
            quantity: part.size,
            filled: i64::try_from(filled?).ok()?,
            replacing: fitting(replacing)?,
            trigger: fitting(trigger)?,
        })),
        _ => None,
    }
}

fn fitting(amount: Option<i128>) -> Option<Option<i64>> {
    match amount {
        None => Some(None),
        Some(amount) => i64::try_from(amount).ok().map(Some),
    }
}
