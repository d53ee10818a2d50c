//! The lines at WARN and ERROR that are right after a fault, each with its reason. Whatever is not here fails a run.

use crate::fault::Kind::{self, *};

/// A line that may stand in the log.
pub struct Expected {
    /// What it says, somewhere in the line.
    pub text: &'static str,
    /// The faults that it follows from; if none, it may come without any.
    pub after: &'static [Kind],
    /// Whether it may still be said long after.
    pub lasts: bool,
}

/// Right in the phase of the fault, and in the one after it.
const fn soon(text: &'static str, after: &'static [Kind]) -> Expected {
    Expected {
        text,
        after,
        lasts: false,
    }
}

/// Right ever after.
const fn ever(text: &'static str, after: &'static [Kind]) -> Expected {
    Expected {
        text,
        after,
        lasts: true,
    }
}

/// Faults that end a process.
const KILLS: &[Kind] = &[KillOne, KillSeveral, KillAll, KillSupervisor];
/// Faults that take the database away.
const DATABASE: &[Kind] = &[DatabaseStop, DatabaseKill, DatabaseBackend, Descriptors];
/// Faults that cost a collector its connection.
const CONNECTION: &[Kind] = &[KillOne, KillSeveral, KillAll, KillSupervisor, Stop, Venue, Descriptors];
/// Faults after which the journal may lack something, each time with a Gap record.
const HOLES: &[Kind] = &[
    KillOne,
    KillSeveral,
    KillAll,
    KillSupervisor,
    Stop,
    DiskFull,
    Descriptors,
];

/// Every one of them.
pub const EXPECTED: [Expected; 24] = [
    // The supervisor says what it starts again.
    soon("was killed by signal 9; it will be restarted", KILLS),
    // A supervisor that was killed leaves its children to the next one.
    soon(
        "stopping a process that an earlier `tickpath up` left behind",
        &[KillSupervisor],
    ),
    // The recorder says once that the database is away, and that the journal has everything.
    soon("the database is tried again until it is there", DATABASE),
    // A connection ended, and the collector says when it will try again.
    soon("tickpath_collectors::session::line", CONNECTION),
    // The venue did not say which instruments there are, and is asked again.
    soon(": no instruments from ", CONNECTION),
    // The venue did not give the image of a book, and is asked again.
    soon("\"message\":\"no image of ", CONNECTION),
    // The wall clock stepped, and deadlines do not mind.
    soon("the wall clock stepped ", &[ClockStep]),
    // The recorder cannot look at its directory for a while.
    soon("the journal cannot be kept within its limit", &[Descriptors]),
    // A frame was no message of the venue, and nothing of it was published.
    soon("\"message\":\"frame of ", &[Venue]),
    // The recorder has no room or no descriptor; what it loses is counted and told in the journal.
    soon("the journal stops at its last whole batch", &[DiskFull, Descriptors]),
    soon("the segment stays as it is", &[DiskFull, Descriptors]),
    soon("the relay overtook the recorder", &[Stop, DiskFull]),
    // A recorder that was killed in the middle of a batch leaves half of it, which the next one leaves out.
    soon("the last recorder was cut off", KILLS),
    // A hole in the journal may hide a fill, so the engine trades no more until somebody has looked: that is meant to need a human.
    ever("trading is halted until `tickpath arm`", HOLES),
    // Nothing came from a traded market for too long, or the engine showed no sign of life: the watchdog presses the kill switch.
    soon("the kill switch is latched; `tickpath arm` takes it back", HOLES),
    // The relay went in the middle of a handshake, or has no descriptor for another peer.
    soon(
        "cannot attach to the relay; trying again",
        &[KillOne, KillSeveral, KillAll, KillSupervisor, Stop, Descriptors],
    ),
    // The pipeline is stopped while the stream runs, on a machine that may be busy: what the database lacks then, it gets after the next start.
    ever("the database did not take everything in time", &[]),
    // The same machine may need more than five seconds for all processes. Counted here, because a process that never stops shows in this figure.
    ever("after the stop began; killing it", &[]),
    // Whoever says that this is why: an engine that reads the journal at its start and begins halted, as after any hole; a process that has none
    // for its first steps, and ends.
    soon("Too many open files", &[Descriptors]),
    soon("No space left on device", &[DiskFull]),
    // The supervisor starts such a process again.
    soon("ended with exit code 1; it will be restarted", &[Descriptors, DiskFull]),
    // So it does where a relay could not have its socket.
    soon("ended with exit code 3; it will be restarted", &[Descriptors]),
    // The recorder was away for all the time that the engine waits for it at its start: it starts halted too.
    soon("the recorder did not bring the stream up to position ", HOLES),
    // No descriptor is left to accept with: it is tried again, and those that are there are served.
    soon("cannot accept", &[Descriptors]),
];
