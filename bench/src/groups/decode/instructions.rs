//! Instructions a frame, counted by callgrind: unlike times, they repeat on any machine that compiles the same code.
//!
//! The program runs itself under callgrind twice, the second time with twice as many passes: the difference is the passes alone, whatever the
//! start of the program costs.

use std::path::Path;
use std::process::Command;

use super::cases::Case;
use super::contenders::{Contender, OURS, SERDE_JSON};
use super::frames::FrameSet;
use crate::context::{BenchError, Context, Result};

/// The role of the counted process.
pub const ROLE: &str = "decode-instructions";

/// Frames of the counted set, at most: a capture may have fewer.
const FRAMES: (usize, usize) = (512, 16);
/// Passes of the shorter run.
const PASSES: (usize, usize) = (4, 1);

/// Instructions that a contender needs for a frame.
///
/// # Errors
/// If valgrind is missing or the counted process fails.
pub fn per_frame(context: &Context, case: &Case, contender: &str, folder: &Path) -> Result<f64> {
    let frames_max = context.pick(FRAMES.0, FRAMES.1);
    let passes = context.pick(PASSES.0, PASSES.1);
    let count = |passes| instructions(case, contender, folder, frames_max, passes);
    let (once, twice) = (count(passes)?, count(2 * passes)?);
    let (frames, _) = FrameSet::of(case, folder, frames_max)?;
    Ok(twice.saturating_sub(once) as f64 / (passes * frames.len()) as f64)
}

/// Instructions of a whole process that makes so many passes.
fn instructions(case: &Case, contender: &str, folder: &Path, frames: usize, passes: usize) -> Result<u64> {
    let failed = |why: &dyn std::fmt::Display| BenchError::new("counting instructions with callgrind", why.to_string());
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["role", ROLE, case.name, contender])
        .arg(folder)
        .args([frames.to_string(), passes.to_string()])
        .output()
        .map_err(|error| failed(&format!("{error}: install the Debian package valgrind")))?;
    let report = String::from_utf8_lossy(&output.stderr);
    // ==4711== Collected : 123456
    let collected = report
        .lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    match collected {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(failed(&format!("{}\n{report}", output.status))),
    }
}

/// The counted process: `TYPE CONTENDER FOLDER FRAMES PASSES`.
///
/// # Errors
/// If an argument is none of these.
pub fn role(arguments: &[String]) -> Result<()> {
    let usage = |why: &str| BenchError::new(format!("role {ROLE} TYPE CONTENDER FOLDER FRAMES PASSES"), why);
    let [case, contender, folder, frames, passes] = arguments else {
        return Err(usage("five arguments are needed"));
    };
    let number = |text: &str| text.parse::<usize>().map_err(|_| usage("not a number"));
    let case = Case::named(case).ok_or_else(|| usage("no such type"))?;
    let contender = [OURS, SERDE_JSON]
        .into_iter()
        .find(|name| name == contender)
        .ok_or_else(|| usage("no such contender"))?;
    let (frames, _) = FrameSet::of(case, Path::new(folder), number(frames)?)?;
    let mut contender = Contender::new(case, contender, &frames)?;
    for _ in 0..number(passes)? {
        contender.pass();
    }
    Ok(())
}
