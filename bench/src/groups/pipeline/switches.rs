//! `pipeline.wait.*`: what each `wait = …` of the configuration buys, one after the other, from the defaults to a pipeline that sleeps nowhere.

use tickpath_service::config::Wait;

use super::latency;
use super::layout::{Layout, Mode, Waits};
use super::load::{Load, Seen, round};
use super::rig::Rig;
use crate::context::{Context, Result};
use crate::measurement::Measurement;

const PER_SECOND: i64 = 1_000;

/// Takes them.
pub fn measure(context: &Context, layout: Layout) -> Result<Vec<Measurement>> {
    let (sleep, poll) = (Wait::Sleep, layout.polling());
    let steps = [
        ("defaults", [sleep, sleep, sleep], "everybody sleeps"),
        ("relay", [sleep, poll, sleep], "the relay polls its rings"),
        ("relay_bridge", [sleep, poll, poll], "relay and bridge poll"),
        ("all", [poll, poll, poll], "relay, bridge and collector poll"),
    ];
    let mut all = Vec::new();
    for (name, [collector, relay, bridge], note) in steps {
        context.say(&format!("pipeline.wait.{name}"));
        let waits = Waits {
            collector,
            relay,
            bridge,
        };
        let mut rig = Rig::start(context, &format!("wait-{name}"), layout, waits, true)?;
        let load = Load {
            per_second: PER_SECOND,
            trades: context.pick(3 * PER_SECOND, PER_SECOND / 20),
        };
        let mut seen = Seen::default();
        round(&mut rig, Mode::Polled, load, &mut seen)?;
        all.push(
            latency(format!("pipeline.wait.{name}"), seen.record)
                .detail("json_p50_ns", seen.json.summary().p50)
                .detail("json_p99_ns", seen.json.summary().p99)
                .note(format!(
                    "due time to visible at a reader, {PER_SECOND}/s; {note}; {}",
                    layout.described()
                )),
        );
    }
    Ok(all)
}
