//! Nothing is allocated for a frame between the socket and the outlet once a connection is warm, however the socket is waited for.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::task::Poll;
use std::thread::JoinHandle;

use tickpath_protocol::{InstrumentId, Kind, Record, Scale, Venue};
use tickpath_service::Shutdown;
use tickpath_service::config::{Channel, Collector, Wait};
use tickpath_transport::CounterPage;
use tokio::task::LocalSet;
use tokio_tungstenite::tungstenite::{Message, accept};

use super::hub::Hub;
use super::{Meters, Outlet, Settings, socket};
use crate::decode::Listing;
use crate::dialect::Connection;
use crate::select;
use crate::sync::{Registry, Sink};

/// Frames of a span in which nothing may be allocated.
const FRAMES: u64 = 20_000;
/// Spans until a connection must be warm: its buffer grows once more on the first burst longer than all before.
const SPANS: u64 = 10;

/// Counts trades.
struct Count(Rc<Cell<u64>>);

impl Sink for Count {
    fn record(&mut self, record: Record) {
        self.0.set(self.0.get() + u64::from(record.kind() == Some(Kind::Trade)));
    }
}

impl Registry for Count {
    type Error = Infallible;

    fn instrument(&mut self, _: &Listing) -> Result<InstrumentId, Infallible> {
        Ok(InstrumentId::new(Venue::BINANCE, 0))
    }
}

impl Outlet for Count {
    fn flush(&mut self) {}

    fn dropped(&self) -> u64 {
        0
    }

    fn take_image_request(&mut self) -> bool {
        false
    }

    fn room(&mut self) -> u64 {
        u64::MAX
    }

    fn fatal(&self) -> Option<String> {
        None
    }
}

/// Sends trades as fast as they are taken, until the collector goes.
fn venue() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut socket = accept(stream).unwrap();
        for n in 1u64.. {
            let trade = format!(
                r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1700000000000000,"s":"BTCUSDT","t":{n},"p":"100.00000000","q":"1.00000000","T":1700000000000000,"m":true,"M":true}}}}"#
            );
            if socket.send(Message::text(trade)).is_err() {
                return;
            }
        }
    });
    (address, thread)
}

fn hub(address: SocketAddr, wait: Wait, count: &Rc<Cell<u64>>) -> Hub<Count> {
    let collector = Collector {
        channels: vec![Channel::Trades],
        symbols: Some(vec!["BTCUSDT".parse().unwrap()]),
        ws_url: Some(format!("ws://{address}").parse().unwrap()),
        rest_url: Some(format!("http://{address}").parse().unwrap()),
        wait,
        ..Collector::default()
    };
    let dialect = select::dialect(Venue::BINANCE, &collector).unwrap();
    let settings = Settings {
        venue: Venue::BINANCE,
        collector,
        keys: None,
        capture: None,
        shutdown: Shutdown::new(),
    };
    let meters = Meters::new(&CounterPage::create("test").unwrap(), Venue::BINANCE);
    Hub::new(settings, dialect, Count(count.clone()), meters).unwrap()
}

async fn until(count: &Cell<u64>, frames: u64) {
    poll_fn(|cx| {
        if count.get() >= frames {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn check(wait: Wait) {
    // Fails if another test of this process was first, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let (address, venue) = venue();
    let count = Rc::new(Cell::new(0));
    let hub = Rc::new(hub(address, wait, &count));
    hub.select(&[Listing {
        symbol: "BTCUSDT".into(),
        name: "BTC/USDT".into(),
        scale: Scale::new(8, 8).unwrap(),
        tick: 0,
        lot: 0,
        trading: true,
    }]);
    let connection = Rc::new(Connection {
        path: "/stream".into(),
        symbols: vec!["BTCUSDT".into()],
        subscribe: Vec::new(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let tasks = LocalSet::new();
    let (id, handle) = hub.open();
    tasks.spawn_local(socket::live(hub, 0, connection, id, handle));
    let spans = (1..=SPANS).map(|span| {
        let spent = allocation_counter::measure(|| tasks.block_on(&runtime, until(&count, span * FRAMES)));
        spent.count_total
    });
    let spans: Vec<u64> = spans.collect();
    assert!(spans.contains(&0), "{wait:?}: allocations a span {spans:?}");
    drop(tasks);
    drop(runtime);
    venue.join().unwrap();
}

#[test]
fn a_watched_socket_allocates_nothing() {
    check(Wait::Sleep);
}

#[test]
fn a_polled_socket_allocates_nothing() {
    check(Wait::Spin);
    check(Wait::Yield);
}
