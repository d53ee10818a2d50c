//! What the hot path must not do: allocate, or ask the kernel for anything.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Place, RelayProcess, attach, instrument, read_until, trade, wait_until};
use tickpath_protocol::{InstrumentId, Venue};
use tickpath_transport::{Event, Publisher, Start, Subscription, Via};

const VENUE: Venue = Venue::test(0);

/// Publishes and reads `count` records in batches; the reader must get all.
fn carry(publisher: &mut Publisher, subscription: &mut Subscription, id: InstrumentId, count: u64) {
    let mut seen = 0;
    while seen < count {
        for n in 0..50 {
            publisher.publish(trade(id, n));
        }
        publisher.flush();
        let end = publisher.sequence();
        let mut last = 0;
        while last < end {
            subscription.poll(1000, |event| {
                if let Event::Record(received) = event {
                    last = received.record.sequence;
                }
            });
        }
        seen += 50;
    }
}

#[test]
fn publishing_and_reading_allocate_nothing_once_warm() {
    let place = Place::new();
    let _relay = RelayProcess::start(&place, 4096, "yield");
    let mut publisher = place.publisher(VENUE, 1024, Via::SharedMemory);
    let mut subscription = place.subscription("reader", Start::Live, Via::SharedMemory);
    let id = instrument(&mut publisher, "A/USD");
    attach(&mut subscription);
    carry(&mut publisher, &mut subscription, id, 1000);
    let allocations = allocation_counter::measure(|| carry(&mut publisher, &mut subscription, id, 20_000));
    assert_eq!(allocations.count_total, 0, "{allocations:?}");
    assert_eq!((subscription.missing(), publisher.dropped()), (0, 0));
}

/// The thread of a process with this name.
fn thread_of(pid: u32, name: &str) -> u32 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let is_it = |task: &Path| std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name);
    let task = tasks.map(|task| task.unwrap().path()).find(|task| is_it(task)).unwrap();
    task.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

/// strace watches the relay's hot thread while records flow; a thread that spins and makes no system call leaves an empty trace.
#[test]
fn the_hot_thread_makes_no_system_call_for_records() {
    let place = Place::new();
    let relay = RelayProcess::start(&place, 4096, "spin");
    let mut publisher = place.publisher(VENUE, 1024, Via::SharedMemory);
    let mut subscription = place.subscription("reader", Start::Live, Via::SharedMemory);
    let id = instrument(&mut publisher, "A/USD");
    attach(&mut subscription);
    carry(&mut publisher, &mut subscription, id, 1000);
    let hot = thread_of(relay.pid(), "hot");
    let trace = place.dir.path().join("trace");
    let mut strace = Command::new("strace")
        .args(["-q", "-p", &hot.to_string(), "-o"])
        .arg(&trace)
        .stderr(Stdio::null())
        .spawn()
        .expect("strace is installed: apt-get install strace");
    let tracer = format!("TracerPid:\t{}", strace.id());
    wait_until("strace is attached", || {
        std::fs::read_to_string(format!("/proc/{}/task/{hot}/status", relay.pid()))
            .unwrap()
            .contains(&tracer)
    });
    // Before the count begins a call that was under way may end; a spinning thread has none.
    carry(&mut publisher, &mut subscription, id, 50_000);
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(strace.id() as i32).unwrap(),
        rustix::process::Signal::INT,
    )
    .unwrap();
    strace.wait().unwrap();
    let calls = std::fs::read_to_string(&trace).unwrap();
    assert_eq!(calls, "", "the hot thread asked the kernel");
    // The method can see a call: the control thread polls.
    let control = thread_of(relay.pid(), "control");
    let seen = Command::new("timeout")
        .args(["-s", "INT", "2", "strace", "-q", "-p", &control.to_string(), "-o"])
        .arg(&trace)
        .stderr(Stdio::null())
        .status();
    assert!(seen.is_ok());
    assert!(std::fs::read_to_string(&trace).unwrap().contains("poll"));
}

#[test]
fn a_quiet_relay_leaves_the_core_to_others() {
    let place = Place::new();
    let relay = RelayProcess::start(&place, 4096, "sleep");
    let publisher = place.publisher(VENUE, 1024, Via::SharedMemory);
    let mut subscription = place.subscription("reader", Start::Live, Via::SharedMemory);
    attach(&mut subscription);
    wait_until("the producer attaches", || publisher.is_attached());
    // User and system time in ticks of 10 ms.
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", relay.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let (start, before) = (std::time::Instant::now(), ticks());
    read_until(&mut subscription, "two seconds", |_| {
        start.elapsed() > Duration::from_secs(2)
    });
    let used = ticks() - before;
    assert!(
        used < 20,
        "{used} ticks of 10 ms in two seconds: more than 10 % of a core"
    );
}
