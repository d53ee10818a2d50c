//! The relay: a real process whose hot thread is pinned to the near core; everything else of a measurement is on the far one.
//!
//! | name | what |
//! |---|---|
//! | `relay.throughput.pN.rM` | records a second from N producers with M readers that read along |
//! | `relay.latency.pN.rM` | what the relay adds to the two ring hops, with N producers attached and M readers that read every record |
//! | `relay.sustained` | an open-loop million records a second for a minute, 12 reader processes, nothing lost |

pub(crate) mod latency;
mod process;
pub(crate) mod sustained;
mod tap;
pub(crate) mod throughput;

use tickpath_protocol::{Flags, InstrumentId, Kind, Record, Scale, Venue};
use tickpath_transport::{CounterPage, Publisher, PublisherConfig, Via};

use self::process::RelayProcess;
use crate::context::{BenchError, Context, Result};
use crate::measurement::Measurement;

pub use sustained::role;

/// Takes the measurements of this group.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    let mut measurements = throughput::measure(context)?;
    measurements.extend(latency::measure(context)?);
    measurements.push(sustained::measure(context)?);
    Ok(measurements)
}

const SCALE_DECIMALS: (u8, u8) = (2, 8);

/// A producer with one instrument.
struct Source {
    publisher: Publisher,
    instrument: InstrumentId,
    scale: u8,
}

impl Source {
    /// Attaches producer number `n`.
    fn attach(relay: &RelayProcess, page: &CounterPage, n: u8, capacity: usize) -> Result<Source> {
        let failed = |error: &dyn std::fmt::Display| BenchError::new("a producer", error);
        let config = PublisherConfig {
            socket: relay.socket().to_owned(),
            venue: Venue::test(n),
            name: format!("producer-{n}"),
            capacity,
            via: Via::SharedMemory,
        };
        let mut publisher = Publisher::new(config, page).map_err(|error| failed(&error))?;
        let scale = Scale::new(SCALE_DECIMALS.0, SCALE_DECIMALS.1).ok_or_else(|| failed(&"no such scale"))?;
        let instrument = publisher
            .instrument("BENCH", "BENCH/USD", scale, 1, 1)
            .map_err(|error| failed(&error))?;
        process::wait_until("the producer to attach", || publisher.is_attached())?;
        Ok(Source {
            publisher,
            instrument,
            scale: scale.to_byte(),
        })
    }

    /// Puts a trade into the ring; visible after a flush.
    fn publish(&mut self, n: u64, ts_recv: i64) {
        self.publisher.publish(Record {
            kind: Kind::Trade as u8,
            flags: Flags::BID.with(Flags::LAST).0,
            scale: self.scale,
            instrument: self.instrument.0,
            ts_event: ts_recv,
            ts_recv,
            price: n as i64,
            size: 1,
            ..Record::default()
        });
    }
}
