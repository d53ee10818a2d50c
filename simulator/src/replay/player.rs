//! A connection's playing of a capture.
//!
//! Frames are sent in recorded order with recorded gaps (scaled, or none at `max`) and nothing else is sent but answers that the recording does not hold, and
//! signs of life: WebSocket pings every second, at Kraken heartbeats before and after the recording, which has its own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tickpath_protocol::Venue;
use tickpath_service::config::Speed;
use tokio::time::{Instant, sleep_until};

use super::capture::{CaptureError, Frame, Frames, is_data};
use super::{Progress, SNAPSHOT_POLL, SNAPSHOT_WAY, VenueReplay, answer, rebuild};
use crate::dialect::kraken::HEARTBEAT;
use crate::dialect::{Out, Outbox};
use crate::text::{parameter, percent_decoded};

/// A client that sends several subscriptions is waited for until it has been silent for so long: more than the quarter of a second that clients
/// leave between two messages where the venue allows four a second.
const SETTLE: Duration = Duration::from_millis(300);
/// How often a client hears that the connection lives.
const PULSE: Duration = Duration::from_secs(1);
/// How long the diffs after a recorded snapshot are held for a client that has not asked for the snapshot.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(1);
/// Frames that are handed over at once at most.
const BURST_FRAMES: usize = 64;
const BURST_BYTES: usize = 256 << 10;

/// How far the recording may be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// To what a venue says by itself.
    Greeting,
    /// To what it answers a hello.
    Hello,
    /// To the end.
    All,
}

/// What the recording asks for.
enum Due {
    Now,
    At(Instant),
    Never,
}

/// One connection that plays.
#[derive(Debug)]
pub struct Player {
    replay: Arc<VenueReplay>,
    progress: Arc<Progress>,
    leader: Option<Arc<Progress>>,
    frames: Frames,
    next: Option<Frame>,
    stage: Stage,
    starts: Option<Instant>,
    next_pulse: Instant,
    is_over: bool,
    wants_depth: bool,
    /// Recorded depth snapshots that the client is yet to ask for, in order of their time.
    snapshots: VecDeque<(i64, String)>,
    held_since: Option<Instant>,
}

impl Drop for Player {
    fn drop(&mut self) {
        self.progress.is_alive.store(false, Ordering::Relaxed);
    }
}

impl Player {
    /// A client that connected to `path` with `query`; `has_keys` if its headers hold Alpaca keys.
    ///
    /// # Errors
    /// If the capture cannot be read any more.
    pub fn new(replay: Arc<VenueReplay>, path: &str, query: &str, has_keys: bool) -> Result<Player, CaptureError> {
        let (progress, leader) = replay.begin();
        let mut player = Player {
            frames: replay.capture.read()?,
            progress,
            leader,
            next: None,
            stage: if has_keys { Stage::Hello } else { Stage::Greeting },
            starts: None,
            next_pulse: Instant::now() + PULSE,
            is_over: false,
            wants_depth: percent_decoded(query).contains("@depth") || percent_decoded(path).contains("@depth"),
            snapshots: VecDeque::new(),
            held_since: None,
            replay,
        };
        let has_streams =
            parameter(query, "streams").is_some_and(|names| !names.is_empty()) || path.starts_with("/ws/");
        if player.replay.capture.venue == Venue::BINANCE && has_streams {
            player.starts = Some(Instant::now() + SETTLE);
        }
        Ok(player)
    }

    /// The connection is open.
    pub fn open(&mut self, out: &mut Outbox) {
        let capture = &self.replay.capture;
        if capture.greeting == 0 {
            out.0.extend(answer::missing_greeting(capture.venue).map(Out::Control));
        }
        if self.stage == Stage::Hello && capture.hello <= capture.greeting {
            out.0.extend(answer::missing_welcome(capture.venue).map(Out::Control));
        }
    }

    /// The client sent a text frame.
    ///
    /// # Errors
    /// If the capture cannot be read any more.
    pub async fn message(&mut self, text: &str, now_ns: i64, out: &mut Outbox) -> Result<(), CaptureError> {
        let capture = &self.replay.capture;
        let reading = answer::read(capture.venue, text, now_ns);
        self.wants_depth |= reading.wants_depth;
        for text in reading.answers {
            out.control(text);
        }
        if reading.says_hello && self.stage == Stage::Greeting {
            if capture.hello <= capture.greeting {
                out.0.extend(answer::missing_welcome(capture.venue).map(Out::Control));
            }
            self.stage = Stage::Hello;
        }
        let is_playing = self.stage == Stage::All;
        if is_playing || !capture.has_acknowledgements {
            for text in reading.acknowledgements {
                out.control(text);
            }
        }
        if is_playing {
            for symbol in reading.books {
                self.book_again(symbol, out).await?;
            }
        } else if reading.subscribes {
            self.starts = Some(Instant::now() + SETTLE);
        }
        Ok(())
    }

    /// Sends what is due; waits for it if nothing is. May be dropped while it waits.
    ///
    /// # Errors
    /// If the capture cannot be read any more.
    pub async fn next(&mut self, out: &mut Outbox) -> Result<(), CaptureError> {
        loop {
            let wake = match self.due()? {
                Due::Now => {
                    self.burst(out)?;
                    self.next_pulse
                }
                Due::At(at) => at.min(self.next_pulse),
                Due::Never => self.next_pulse,
            };
            if out.0.is_empty() {
                sleep_until(wake).await;
            }
            if Instant::now() >= self.next_pulse {
                self.pulse(out);
            }
            if !out.0.is_empty() {
                return Ok(());
            }
        }
    }

    /// The venue announces that it goes down.
    pub fn shutdown_notice(&self, now_ns: i64, out: &mut Outbox) {
        answer::shutdown_notice(self.replay.capture.venue, now_ns, out);
    }

    /// A sign of life.
    fn pulse(&mut self, out: &mut Outbox) {
        self.next_pulse = Instant::now() + PULSE;
        match self.replay.capture.venue {
            // A client that only asked for the instruments hears nothing of the recording's heartbeats.
            Venue::KRAKEN if self.is_over || self.stage == Stage::Hello => out.control(HEARTBEAT.to_owned()),
            Venue::KRAKEN => {}
            _ => out.0.push(Out::Ping(String::new())),
        }
        let is_orphan = |leader: &Arc<Progress>| !leader.is_alive.load(Ordering::Relaxed);
        if self.stage == Stage::All && self.leader.as_ref().is_some_and(is_orphan) {
            self.leader = None;
            self.replay.lead(&self.progress);
        }
    }

    /// When to look at the recording again.
    fn due(&mut self) -> Result<Due, CaptureError> {
        if self.is_over {
            return Ok(Due::Never);
        }
        if let Some(starts) = self.starts {
            if Instant::now() < starts {
                return Ok(Due::At(starts));
            }
            self.start()?;
        }
        let capture = &self.replay.capture;
        let limit = match self.stage {
            Stage::Greeting => capture.greeting,
            Stage::Hello => capture.hello,
            Stage::All => usize::MAX,
        };
        if self.sent() >= limit {
            return Ok(Due::Never);
        }
        let Some(recv_ns) = self.peek()? else {
            return Ok(Due::Now);
        };
        if self.stage != Stage::All {
            return Ok(Due::Now);
        }
        if let Some(until) = self.hold_for_snapshot(recv_ns) {
            return Ok(Due::At(until));
        }
        Ok(match self.when(recv_ns) {
            at if at <= Instant::now() => Due::Now,
            at => Due::At(at),
        })
    }

    /// Hands over the frames that are due, or says that there are no more.
    fn burst(&mut self, out: &mut Outbox) -> Result<(), CaptureError> {
        let mut bytes = 0;
        for _ in 0..BURST_FRAMES {
            let Some(frame) = self.next.take() else {
                self.finish(out);
                break;
            };
            bytes += frame.text.len();
            out.0.push(match is_data(self.replay.capture.venue, &frame.text) {
                true => Out::Data(frame.text),
                false => Out::Control(frame.text),
            });
            // Counted before it is on the wire: a client that asks for a snapshot now gets one that this frame joins.
            self.progress.frames.fetch_add(1, Ordering::Release);
            if bytes >= BURST_BYTES || !matches!(self.due()?, Due::Now) || self.next.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Outbox) {
        self.is_over = true;
        let venue = self.replay.capture.venue;
        tracing::info!(%venue, frames = self.sent(), "the capture was played to its end");
        if self.replay.pace.repeat {
            out.close(1001, "end of the capture");
        }
    }

    /// The settling is over: the recording plays from the start, or from where another connection is.
    fn start(&mut self) -> Result<(), CaptureError> {
        self.starts = None;
        self.stage = Stage::All;
        let is_alive = |leader: &Arc<Progress>| leader.is_alive.load(Ordering::Relaxed);
        self.leader = self.leader.take().filter(is_alive);
        let Some(leader) = &self.leader else {
            self.replay.restart(&self.progress);
            if self.wants_depth {
                let answers = self.replay.capture.rest.iter();
                self.snapshots = answers
                    .filter_map(|answer| Some((answer.recv_ns, answer.depth_symbol()?)))
                    .collect();
                self.snapshots.make_contiguous().sort_unstable();
            }
            return Ok(());
        };
        let frames = leader.frames.load(Ordering::Acquire);
        *super::lock(&self.progress.anchor) = leader.anchor();
        while self.sent() < frames && self.frames.read_next()?.is_some() {
            self.progress.frames.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }

    /// Receive time of the next frame.
    fn peek(&mut self) -> Result<Option<i64>, CaptureError> {
        if self.next.is_none() {
            self.next = self.frames.read_next()?;
        }
        Ok(self.next.as_ref().map(|frame| frame.recv_ns))
    }

    /// When a frame of this receive time is due.
    fn when(&self, recv_ns: i64) -> Instant {
        let Speed::Times(times) = self.replay.pace.speed else {
            return Instant::now();
        };
        let mut anchor = super::lock(&self.progress.anchor);
        let (played, recorded_ns) = *anchor.get_or_insert_with(|| (Instant::now(), recv_ns));
        // A recorded clock may have been set back: then there is no gap.
        let gap = Duration::from_nanos(u64::try_from(recv_ns.saturating_sub(recorded_ns)).unwrap_or(0));
        played + gap.div_f64(times)
    }

    /// A client that wants depth asks for snapshots; the diffs that were recorded after one wait a little for it, lest a fast replay is over
    /// before the first snapshot is there.
    fn hold_for_snapshot(&mut self, recv_ns: i64) -> Option<Instant> {
        while let Some((_, symbol)) = self.snapshots.front().filter(|(at_ns, _)| *at_ns < recv_ns) {
            let now = Instant::now();
            let since = *self.held_since.get_or_insert(now);
            let is_there = self
                .replay
                .was_given_at(symbol)
                .is_some_and(|at| now >= at + SNAPSHOT_WAY);
            if !is_there && now < since + SNAPSHOT_WAIT {
                return Some(now + SNAPSHOT_POLL);
            }
            self.snapshots.pop_front();
            self.held_since = None;
            // The recording stood still meanwhile.
            if let Some((played, _)) = super::lock(&self.progress.anchor).as_mut() {
                *played += now - since;
            }
        }
        None
    }

    fn sent(&self) -> usize {
        self.progress.frames.load(Ordering::Relaxed)
    }

    /// A book is asked for again: its snapshot is rebuilt from what was sent.
    async fn book_again(&self, symbol: String, out: &mut Outbox) -> Result<(), CaptureError> {
        let (replay, frames) = (self.replay.clone(), self.sent());
        let rebuilt = tokio::task::spawn_blocking(move || rebuild::in_band(&replay.capture, &symbol, frames)).await;
        match rebuilt {
            Ok(snapshot) => out.0.extend(snapshot?.map(Out::Control)),
            Err(error) => tracing::error!("rebuilding a book failed: {error}"),
        }
        Ok(())
    }
}
