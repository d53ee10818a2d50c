//! What an execution venue outside of the engine's process says of an order, and the records that carry it to the engine.
//!
//! The gateway publishes them. They have kinds of their own: the engine alone folds them, and says what follows as [`super::TradingEvent`]s of its own, so
//! nobody counts a fill twice.

use super::{ClientOrderId, Liquidity, MONEY_DECIMALS, OrderDetail, Reason};
use crate::instrument::{InstrumentId, Scale};
use crate::record::{Flags, Kind, Record, Side};
use crate::venue::Venue;

/// What a venue says of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It has the order.
    Accepted,
    /// It never had the order, and never will.
    Rejected(Reason),
    /// The order rests no more.
    Canceled {
        /// Why.
        reason: Reason,
        /// Of the whole order until then, a mantissa at the report's scale: tells whoever missed a fill.
        filled: i64,
    },
    /// The order was filled.
    Filled {
        /// Mantissa at the report's scale.
        price: i64,
        /// Of this fill, a mantissa at the report's scale.
        quantity: i64,
        /// Of the whole order after it: tells a repeated report from a new one.
        cumulative: i64,
        /// In quote currency at [`MONEY_DECIMALS`]; negative: a rebate.
        fee: i64,
        /// Which side of the trade the order was.
        liquidity: Liquidity,
    },
    /// The order stays as it is: it was to be replaced.
    ReplaceRefused,
}

impl News {
    fn code(self) -> u8 {
        match self {
            News::Accepted => 1,
            News::Rejected(_) => 2,
            News::Canceled { .. } => 3,
            News::Filled { .. } => 4,
            News::ReplaceRefused => 5,
        }
    }

    /// The name in text and JSON of what the `size` of a `report_ref` says.
    #[must_use]
    pub fn name_in(detail: OrderDetail) -> Option<&'static str> {
        let names = ["accepted", "rejected", "canceled", "filled", "replace_refused"];
        names.get(usize::from(detail.0 as u8).wrapping_sub(1)).copied()
    }
}

/// A venue's word on one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueReport {
    /// Which order.
    pub order: ClientOrderId,
    /// Its side.
    pub side: Option<Side>,
    /// Decimals of its prices and sizes.
    pub scale: Scale,
    /// What.
    pub news: News,
    /// When it happened by the venue's clock, or when we learned of it; ns since the Unix epoch.
    pub ts_event: i64,
    /// When it was published, ns since the Unix epoch.
    pub ts_recv: i64,
}

impl VenueReport {
    /// Records that a report has at most.
    pub const RECORDS_MAX: usize = 3;

    /// Hands out the report's records in order; their sequence is the publisher's to set.
    ///
    /// They name no instrument: its id may mean nothing yet to a relay that has just started, and the order says it.
    pub fn encode(&self, mut out: impl FnMut(Record)) {
        let head = Record {
            kind: Kind::VenueReport as u8,
            venue: Venue::GATEWAY.0,
            flags: Flags::from(self.side).0,
            scale: self.scale.to_byte(),
            instrument: InstrumentId::NONE.0,
            sequence: 0,
            ts_event: self.ts_event,
            ts_recv: self.ts_recv,
            price: Record::ABSENT,
            size: Record::ABSENT,
        };
        let mut detail = OrderDetail(self.news.code().into());
        match self.news {
            News::Filled {
                price,
                quantity,
                cumulative,
                fee,
                liquidity,
            } => {
                detail = detail.with_liquidity(liquidity);
                out(Record {
                    price,
                    size: quantity,
                    ..head
                });
                out(Record {
                    kind: Kind::ReportFee as u8,
                    scale: MONEY_DECIMALS << 4 | self.scale.size_decimals(),
                    price: fee,
                    size: cumulative,
                    ..head
                });
            }
            News::Canceled { reason, filled } => {
                detail = detail.with_reason(reason);
                out(Record { size: filled, ..head });
            }
            News::Rejected(reason) => {
                detail = detail.with_reason(reason);
                out(head);
            }
            News::Accepted | News::ReplaceRefused => out(head),
        }
        out(Record {
            kind: Kind::ReportRef as u8,
            flags: Flags::from(self.side).with(Flags::LAST).0,
            scale: 0,
            price: self.order.0 as i64,
            size: detail.0 as i64,
            ..head
        });
    }
}

/// Puts the records of reports together. A report of which a record is missing or makes no sense is left out and counted.
#[derive(Clone, Debug, Default)]
pub struct ReportDecoder {
    head: Option<Record>,
    fee: Option<Record>,
    broken: u64,
}

impl ReportDecoder {
    /// Reports left out so far.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.broken
    }

    /// Takes the next record of the stream and returns the report that it closes, if it does. Records of others are passed over.
    pub fn push(&mut self, record: &Record) -> Option<VenueReport> {
        if record.venue != Venue::GATEWAY.0 || record.flags().contains(Flags::FROM_RELAY) {
            return None;
        }
        let (head, fee) = (self.head.take(), self.fee.take());
        let last = fee.or(head);
        let follows = last
            .is_some_and(|last| last.sequence.wrapping_add(1) == record.sequence && last.ts_event == record.ts_event);
        match record.kind() {
            Some(Kind::VenueReport) => {
                self.broken += u64::from(head.is_some());
                self.head = Some(*record);
            }
            Some(Kind::ReportFee) if follows && fee.is_none() => (self.head, self.fee) = (head, Some(*record)),
            Some(Kind::ReportRef) if follows => {
                let report = head.and_then(|head| report(&head, fee.as_ref(), record));
                self.broken += u64::from(report.is_none());
                return report;
            }
            // Of a report without its beginning, its end alone is counted, lest it count twice.
            Some(Kind::ReportFee) if head.is_none() => {}
            Some(Kind::ReportFee | Kind::ReportRef) => self.broken += 1,
            _ => self.broken += u64::from(head.is_some()),
        }
        None
    }
}

/// The report that these records are; `None` if they contradict each other.
fn report(head: &Record, fee: Option<&Record>, end: &Record) -> Option<VenueReport> {
    let detail = OrderDetail(end.size as u64);
    let news = match (detail.0 as u8, fee) {
        (1, None) => News::Accepted,
        (2, None) => News::Rejected(detail.reason()?),
        (3, None) if head.size >= 0 => News::Canceled {
            reason: detail.reason()?,
            filled: head.size,
        },
        (4, Some(fee)) if fee.scale().price_decimals() == MONEY_DECIMALS => News::Filled {
            price: head.price,
            quantity: head.size,
            cumulative: fee.size,
            fee: fee.price,
            liquidity: detail.liquidity()?,
        },
        (5, None) => News::ReplaceRefused,
        _ => return None,
    };
    Some(VenueReport {
        order: ClientOrderId(end.price as u64),
        side: head.flags().side(),
        scale: head.scale(),
        news,
        ts_event: head.ts_event,
        ts_recv: head.ts_recv,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILL: News = News::Filled {
        price: 6_000_000,
        quantity: 50,
        cumulative: 75,
        fee: -3,
        liquidity: Liquidity::Maker,
    };

    fn records(news: News, first: u64) -> Vec<Record> {
        let report = VenueReport {
            order: ClientOrderId::new(3, 17),
            side: Some(Side::Ask),
            scale: Scale::new(2, 8).unwrap(),
            news,
            ts_event: 5,
            ts_recv: 6,
        };
        let mut records = Vec::new();
        report.encode(|record| {
            records.push(Record {
                sequence: first + records.len() as u64,
                ..record
            });
        });
        records
    }

    #[test]
    fn every_report_reads_back_between_records_of_others() {
        let all = [
            News::Accepted,
            News::Rejected(Reason::WouldTake),
            News::Canceled {
                reason: Reason::Requested,
                filled: 25,
            },
            FILL,
            News::ReplaceRefused,
        ];
        let (mut decoder, mut next) = (ReportDecoder::default(), 1);
        for news in all {
            let records = records(news, next);
            next += records.len() as u64;
            assert!(records.len() <= VenueReport::RECORDS_MAX);
            let mut found = Vec::new();
            for record in &records {
                let others = Record {
                    venue: Venue::KRAKEN.0,
                    ..*record
                };
                assert_eq!(decoder.push(&others), None);
                found.extend(decoder.push(record));
            }
            assert_eq!(found.len(), 1, "{news:?}");
            assert_eq!((found[0].news, found[0].order), (news, ClientOrderId::new(3, 17)));
            assert_eq!((found[0].side, found[0].ts_recv), (Some(Side::Ask), 6));
            assert!(
                records
                    .iter()
                    .all(|record| record.kind().is_some_and(|kind| !kind.is_trading()))
            );
        }
        assert_eq!(decoder.broken(), 0);
    }

    #[test]
    fn half_reports_are_counted_and_not_guessed() {
        for missing in 0..3 {
            let mut decoder = ReportDecoder::default();
            for (at, record) in records(FILL, 1).iter().enumerate() {
                if at != missing {
                    assert_eq!(decoder.push(record), None, "without {missing}");
                }
            }
            let next: Vec<_> = records(FILL, 4)
                .iter()
                .filter_map(|record| decoder.push(record))
                .collect();
            assert_eq!(next.len(), 1, "without {missing}");
            assert_eq!(decoder.broken(), 1, "without {missing}");
        }
    }

    #[test]
    fn codes_that_are_not_known_make_no_report() {
        for (detail, fee) in [(0, true), (9, false), (4, false), (2, false), (1, true)] {
            let mut decoder = ReportDecoder::default();
            let mut records = records(FILL, 1);
            if !fee {
                records.remove(1);
                records[1].sequence = 2;
            }
            records.last_mut().unwrap().size = detail;
            let found: Vec<_> = records.iter().filter_map(|record| decoder.push(record)).collect();
            assert_eq!((found.len(), decoder.broken()), (0, 1), "{detail}");
        }
    }
}
