//! How far a long job is: a bar with rate and remaining time on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tickpath_storage::archive::Progress;

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Reports to standard error.
pub struct Reporter {
    state: Mutex<State>,
    on_terminal: bool,
}

struct State {
    bar: ProgressBar,
    what: String,
    done: u64,
    total: u64,
    since: Instant,
    told: Instant,
}

impl Reporter {
    /// A bar if standard error is a terminal.
    #[must_use]
    pub fn new() -> Reporter {
        let now = Instant::now();
        Reporter {
            state: Mutex::new(State {
                bar: ProgressBar::hidden(),
                what: String::new(),
                done: 0,
                total: 0,
                since: now,
                told: now,
            }),
            on_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.lock().bar.finish_and_clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // A count is as good as before, whoever panicked while holding it.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Progress for Reporter {
    fn begin(&self, what: &str, total: u64) {
        let mut state = self.lock();
        state.bar.finish_and_clear();
        let now = Instant::now();
        (state.what, state.done, state.total, state.since, state.told) = (what.to_owned(), 0, total, now, now);
        if self.on_terminal {
            let style = "{msg:40!} {bar:30} {human_pos}/{human_len} {per_sec} {eta} left";
            state.bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5));
            // A template is only a constant's affair; the default style is as true as this one.
            state
                .bar
                .set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
            state.bar.set_message(what.to_owned());
        }
    }

    fn advance(&self, records: u64) {
        let mut state = self.lock();
        state.done += records;
        state.bar.set_position(state.done);
        if !self.on_terminal && state.told.elapsed() >= LINE_EVERY {
            state.told = Instant::now();
            let rate = state.done as f64 / state.since.elapsed().as_secs_f64();
            eprintln!(
                "{}: {} of {} records, {rate:.0} a second",
                state.what, state.done, state.total
            );
        }
    }

    fn note(&self, line: &str) {
        let state = self.lock();
        state.bar.suspend(|| eprintln!("{line}"));
    }
}
