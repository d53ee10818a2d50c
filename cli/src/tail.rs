//! `tickpath tail`: the stream as it passes.

use std::io::{self, Write};

use clap::Args;
use tickpath_protocol::{InstrumentTable, Kind, Venue};
use tickpath_service::Shutdown;
use tickpath_service::config::{Config, Pattern};
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_service::logging::{self, Identity};
use tickpath_transport::counters::CounterPage;
use tickpath_transport::subscription::{Event, Received, Subscription, SubscriptionConfig};
use tickpath_transport::{Idle, Start, Via, WaitStrategy};

use crate::record_json;

/// Records that one look at the ring takes.
const BATCH: usize = 1024;

/// Arguments of `tickpath tail`.
#[derive(Args)]
pub struct TailArgs {
    /// Only this venue.
    #[arg(long)]
    venue: Option<Venue>,
    /// Only symbols of this pattern, as the venue spells them or normalised; `*` for any text.
    #[arg(long)]
    symbol: Option<Pattern>,
    /// Only this kind: trade, quote, book_level, status, gap … May be given several times.
    #[arg(long, value_parser = parse_kind)]
    kind: Vec<Kind>,
    /// JSON lines instead of text.
    #[arg(long)]
    json: bool,
    /// Begin with the oldest record still in the ring instead of the next one.
    #[arg(long)]
    oldest: bool,
    /// Stop after so many records.
    #[arg(long, short = 'n')]
    count: Option<u64>,
    /// Read over the socket instead of shared memory.
    #[arg(long)]
    socket: bool,
}

fn parse_kind(text: &str) -> Result<Kind, String> {
    Kind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
        let names: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
        format!("unknown kind: use one of {}", names.join(", "))
    })
}

/// Prints records until the count is reached or the user stops it.
///
/// # Errors
/// If signals cannot be handled or standard output fails.
pub fn tail(config: &Config, args: &TailArgs) -> Result<(), ProcessError> {
    logging::init_as(&config.log, Identity::named("tail")).or_exit(ExitCode::BadInput, "log")?;
    let shutdown = Shutdown::on_signals().or_exit(ExitCode::Failed, "signals")?;
    let page = CounterPage::create("tail").or_exit(ExitCode::Failed, "counters")?;
    let mut subscription = Subscription::new(
        SubscriptionConfig {
            socket: config.relay_socket(),
            name: "tail".into(),
            start: if args.oldest { Start::Oldest } else { Start::Live },
            via: if args.socket { Via::Socket } else { Via::SharedMemory },
        },
        &page,
    );
    let mut printer = Printer {
        args,
        left: args.count.unwrap_or(u64::MAX),
        out: String::new(),
    };
    let mut idle = Idle::new(WaitStrategy::Sleep);
    let mut batch: Vec<Received> = Vec::with_capacity(BATCH);
    let mut told = false;
    while printer.left > 0 && !shutdown.is_requested() {
        if !told && !subscription.is_attached() {
            eprintln!("waiting for a relay on {}", config.relay_socket().display());
            told = true;
        }
        let events = subscription.poll(BATCH, |event| match event {
            Event::Record(received) => batch.push(*received),
            Event::Lapped { missed } => eprintln!("lapped: {missed} records missed"),
            Event::Missing { venue, count } => eprintln!("{venue}: {count} records missing"),
            Event::Attached { run_id } => eprintln!("attached to the relay, run {run_id:x}"),
            Event::Detached => eprintln!("the relay is gone; waiting for the next one"),
        });
        printer.print(&batch, subscription.instruments());
        batch.clear();
        match printer.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            result => result.or_exit(ExitCode::Failed, "writing to standard output")?,
        }
        if events == 0 {
            idle.idle();
        } else {
            idle.reset();
        }
    }
    Ok(())
}

struct Printer<'a> {
    args: &'a TailArgs,
    left: u64,
    out: String,
}

impl Printer<'_> {
    fn print(&mut self, batch: &[Received], instruments: &InstrumentTable) {
        for received in batch {
            if self.left == 0 {
                return;
            }
            let record = &received.record;
            let instrument = instruments.get(record.instrument());
            let wanted = self.args.venue.is_none_or(|venue| venue == record.venue())
                && (self.args.kind.is_empty() || record.kind().is_some_and(|kind| self.args.kind.contains(&kind)))
                && self.args.symbol.as_ref().is_none_or(|pattern| {
                    instrument.is_some_and(|found| pattern.matches(&found.symbol) || pattern.matches(&found.name))
                });
            if !wanted {
                continue;
            }
            match self.args.json {
                true => record_json::write_json(&mut self.out, record, instrument),
                false => record_json::write_text(&mut self.out, record, instrument),
            }
            self.out.push('\n');
            self.left -= 1;
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        let result = stdout.write_all(self.out.as_bytes()).and_then(|()| stdout.flush());
        self.out.clear();
        result
    }
}
