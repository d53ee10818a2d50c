//! Frame bytes to records in the ring, a venue and type at a time.
//!
//! A pass decodes every frame of a set once and writes its records, complete with venue, sequence and receive time, into the ring of a
//! producer. Ours is [`Dialect::decode`], which finds out what the frame is; a peer is told ([`tickpath_peers::decode`]). The floor reads every
//! byte of the frames once and does nothing with it.
//!
//! A sample is the mean time a frame of one pass: a clock read for each frame would cost as much as a small frame. Passes of all contenders
//! take turns. Sets are large, so that no contender learns one frame by heart; they are read in order, so that the memory behind them is as
//! warm as a socket's buffer. The receive time is a constant: reading the clock belongs to the session.
//!
//! [`Dialect::decode`]: tickpath_collectors::dialect::Dialect::decode

mod cases;
mod contenders;
mod frames;
mod generated;
mod instructions;
mod sink;

use quanta::Clock;

pub use instructions::role;

use self::cases::{CASES, Case};
use self::contenders::{BARTER_DATA, Contender, FLOOR, OURS, SERDE_JSON, SONIC_RS};
use self::frames::{FrameSet, Source};
use crate::context::{Context, Result};
use crate::measurement::{Better, Measurement};
use crate::samples::Samples;

/// Frames of a set.
const FRAMES: (usize, usize) = (4_096, 32);
/// Passes of each contender.
const ROUNDS: (usize, usize) = (100, 3);
const WARM_UP_ROUNDS: usize = 3;
/// Times are kept in picoseconds a frame.
const PICOSECONDS: f64 = 0.001;

/// Takes the measurements of this group.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    CASES.iter().map(|case| measure_case(context, case)).collect()
}

fn measure_case(context: &Context, case: &Case) -> Result<Measurement> {
    let folder = context.capture(case.folder());
    let (frames, source) = FrameSet::of(case, &folder, context.pick(FRAMES.0, FRAMES.1))?;
    context.say(&format!("decode.{}: {} frames, {source}", case.name, frames.len()));
    let mut contenders = contenders::all(case, &frames)?;
    let samples = rounds(&mut contenders, frames.len(), context.pick(ROUNDS.0, ROUNDS.1));
    let mut measurement = Measurement::new(format!("decode.{}", case.name), "ns", Better::Lower, Samples::new(1.0));
    for (contender, samples) in contenders.iter().zip(samples) {
        measurement = match contender.name {
            OURS => Measurement {
                ours: samples,
                ..measurement
            },
            FLOOR => measurement.floor("one read of every byte", samples),
            peer => measurement.peer(peer, samples),
        };
    }
    let bytes_per_frame = frames.bytes() as f64 / frames.len() as f64;
    let records_per_frame = contenders::records(case, &frames)? as f64 / frames.len() as f64;
    measurement = measurement
        .detail("frame_bytes", bytes_per_frame)
        .detail("records_per_frame", records_per_frame)
        .note(note(case, source));
    // A count repeats, so a smoke run shows that counting works with one type.
    if !context.quick || case.name == CASES[0].name {
        let counted = |contender| instructions::per_frame(context, case, contender, &folder);
        measurement = measurement
            .detail("instructions_per_frame", counted(OURS)?)
            .detail("serde_json_instructions_per_frame", counted(SERDE_JSON)?);
    }
    Ok(measurement)
}

/// Times of each contender, in the order of contenders.
fn rounds(contenders: &mut [Contender], frames: usize, rounds: usize) -> Vec<Samples> {
    let clock = Clock::new();
    let mut samples = vec![Samples::new(PICOSECONDS); contenders.len()];
    for round in 0..WARM_UP_ROUNDS + rounds {
        for turn in 0..contenders.len() {
            // Nobody always follows the same one.
            let index = (turn + round) % contenders.len();
            let start = clock.raw();
            contenders[index].pass();
            let nanos = clock.delta_as_nanos(start, clock.raw());
            if round >= WARM_UP_ROUNDS {
                samples[index].add(nanos * 1_000 / frames as u64);
            }
        }
    }
    samples
}

fn note(case: &Case, source: Source) -> String {
    let mut note = format!("ns a frame, mean of a pass over the set; frames {source}. ");
    note += &format!("{SERDE_JSON} and {SONIC_RS} are told the type and read only what a record holds");
    if case.barter.is_some() {
        note += &format!("; {BARTER_DATA} makes its own events, with floats in trades, and no records");
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Peers that write records write the very records that ours writes; otherwise the times would not be of the same job.
    #[test]
    fn everyone_writes_the_same_records() {
        let captures = [Some("/nowhere"), option_env!("TICKPATH_CAPTURES")];
        for (case, root) in CASES.iter().flat_map(|case| captures.map(|root| (case, root))) {
            let Some(root) = root else { continue };
            let folder = std::path::Path::new(root).join(case.folder());
            let (frames, source) = FrameSet::of(case, &folder, 2_000).unwrap();
            assert!(frames.len() > 100, "{}: {source}", case.name);
            for frame in frames.iter() {
                let ours = contenders::decoded(case, OURS, frame).unwrap();
                assert!(!ours.is_empty(), "{frame}");
                for peer in [SERDE_JSON, SONIC_RS] {
                    assert_eq!(contenders::decoded(case, peer, frame).unwrap(), ours, "{peer}: {frame}");
                }
            }
        }
    }
}
