//! The hot thread: every ring in turn, a batch each.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError};

use tickpath_service::Pulse;
use tickpath_transport::{Idle, TransportError};

use crate::control::Wake;
use crate::intake::Intake;
use crate::metrics::HotMetrics;
use crate::outlet::Outlet;

/// What the control thread asks for.
#[derive(Debug)]
pub enum Command {
    /// Take records from this ring from now on.
    Attach(Box<Intake>),
    /// The peer of this number is gone: pass on what it flushed, then let go.
    Detach(u64),
}

/// What the hot thread reports.
#[derive(Debug)]
pub enum Report {
    /// The ring of this peer is let go of; all that it flushed is in the stream.
    Detached(u64),
    /// The ring of this peer broke or contradicts the table; it is let go of.
    Failed(u64, TransportError),
}

/// The thread's own.
#[derive(Debug)]
pub struct Hot {
    pub outlet: Outlet,
    pub commands: Receiver<Command>,
    pub reports: SyncSender<Report>,
    pub wake: Arc<Wake>,
    pub idle: Idle,
    pub pulse: Pulse,
    pub metrics: HotMetrics,
    pub intakes: Vec<Intake>,
    /// Records of the stream that are in `metrics`.
    pub counted: u64,
    /// Reports that found the channel full; at most one a peer.
    pub unsent: Vec<Report>,
}

impl Hot {
    /// Runs until the control thread is gone.
    pub fn run(mut self) {
        while self.obey() {
            self.pulse.beat();
            let batches = self.turn();
            let written = self.outlet.position() - self.counted;
            if written > 0 {
                self.metrics.records_out.add(written);
                self.metrics.instruments.set(self.outlet.instruments() as i64);
                self.counted += written;
            }
            if batches > 0 {
                self.metrics.batches.add(batches);
                self.idle.reset();
            } else {
                self.idle.idle();
            }
        }
    }

    /// Does what the control thread asked for; false to end.
    fn obey(&mut self) -> bool {
        self.send_unsent();
        loop {
            match self.commands.try_recv() {
                Ok(Command::Attach(mut intake)) => {
                    intake.announce(&mut self.outlet);
                    self.intakes.push(*intake);
                }
                Ok(Command::Detach(id)) => {
                    for intake in self.intakes.iter_mut().filter(|intake| intake.id() == id) {
                        intake.close();
                    }
                }
                Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    /// A batch from each ring; how many had one.
    fn turn(&mut self) -> u64 {
        let mut batches = 0;
        let mut index = 0;
        while index < self.intakes.len() {
            let outcome = self.intakes[index].turn(&mut self.outlet);
            batches += u64::from(!matches!(outcome, Ok(0)));
            let over = self.intakes[index].is_over();
            match outcome {
                Ok(_) if !over => index += 1,
                Ok(_) => self.let_go(index, Report::Detached),
                Err(error) => {
                    self.metrics.rings_corrupt.add(1);
                    self.let_go(index, |id| Report::Failed(id, error));
                }
            }
        }
        batches
    }

    fn let_go(&mut self, index: usize, report: impl FnOnce(u64) -> Report) {
        let mut intake = self.intakes.swap_remove(index);
        intake.bid_farewell(&mut self.outlet);
        self.unsent.push(report(intake.id()));
        self.send_unsent();
    }

    fn send_unsent(&mut self) {
        while let Some(report) = self.unsent.pop() {
            match self.reports.try_send(report) {
                Ok(()) => self.wake.ring(),
                Err(TrySendError::Full(report)) => {
                    self.unsent.push(report);
                    return;
                }
                // The control thread is gone; the next `obey` ends this one.
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use tickpath_protocol::{Instrument, InstrumentId, InstrumentRow, Kind, Record, Scale, Venue};
    use tickpath_transport::producer_ring::{ProducerRing, RingOwner};
    use tickpath_transport::spsc::Producer;
    use tickpath_transport::stream_ring::StreamOwner;
    use tickpath_transport::{CounterPage, WaitStrategy};

    use super::*;
    use crate::metrics::IntakeMetrics;

    const PRODUCERS: u8 = 3;

    fn ring(venue: Venue) -> ProducerRing {
        let owner = RingOwner {
            venue,
            name: "test".into(),
            run_id: 1,
            pid: 1,
            first_sequence: 1,
        };
        let ring = ProducerRing::create(owner, 1024).unwrap();
        let instrument = Instrument {
            id: InstrumentId::new(venue, 0),
            symbol: "A".into(),
            name: "A".into(),
            scale: Scale::default(),
            tick: 0,
            lot: 0,
        };
        ring.push_row(InstrumentRow::encode(&instrument).unwrap()).unwrap();
        ring
    }

    /// The hot thread's own loop body, without the thread, counted by the allocator.
    #[test]
    fn nothing_is_allocated_for_a_record_or_a_gap() {
        let page = CounterPage::create("test").unwrap();
        let (commands, commanded) = sync_channel(8);
        let (reports, _reported) = sync_channel(8);
        let mut hot = Hot {
            outlet: Outlet::new(StreamOwner::create(1, 4096).unwrap()),
            commands: commanded,
            reports,
            wake: Arc::new(Wake::new().unwrap()),
            idle: Idle::new(WaitStrategy::Spin),
            pulse: Pulse::new(),
            metrics: HotMetrics::new(&page),
            intakes: Vec::with_capacity(8),
            unsent: Vec::with_capacity(8),
            counted: 0,
        };
        let mut producers = Vec::new();
        for n in 0..PRODUCERS {
            let ring = ring(Venue::test(n));
            let metrics = IntakeMetrics::new(&page, Venue::test(n));
            let intake = Intake::new(n.into(), ring.clone(), metrics).unwrap();
            commands.send(Command::Attach(Box::new(intake))).unwrap();
            producers.push(Producer::<ProducerRing>::new(ring).unwrap());
        }
        let mut publish = |from: u64, to: u64| {
            for (n, producer) in producers.iter_mut().enumerate() {
                let venue = Venue::test(n as u8);
                assert!(producer.free(1000).unwrap() >= 1000);
                // Every tenth is missing and every seventh is refused: Gaps are written as well.
                for sequence in (from..to).filter(|sequence| sequence % 10 != 0) {
                    let kind = if sequence.is_multiple_of(7) {
                        99
                    } else {
                        Kind::Trade as u8
                    };
                    let record = Record {
                        kind,
                        venue: venue.0,
                        instrument: InstrumentId::new(venue, 0).0,
                        sequence,
                        ..Record::default()
                    };
                    producer.push(record.to_words());
                }
                producer.flush();
            }
        };
        let drain = |hot: &mut Hot| {
            assert!(hot.obey());
            while hot.turn() > 0 {}
        };
        publish(1, 500);
        drain(&mut hot);
        let before = hot.outlet.position();
        publish(500, 1500);
        let allocations = allocation_counter::measure(|| drain(&mut hot));
        assert_eq!(allocations.count_total, 0, "{allocations:?}");
        // Of 1000 sequences 100 are missing, 129 refused (13 multiples of 70 among the missing): trades and Gaps.
        assert!(
            hot.outlet.position() - before > u64::from(PRODUCERS) * 900,
            "{}",
            hot.outlet.position()
        );
    }
}
