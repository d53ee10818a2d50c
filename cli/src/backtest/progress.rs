//! How many runs of a sweep are done: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Reports to standard error.
pub struct Progress {
    bar: ProgressBar,
    total: usize,
    /// When the last plain line was written; `None` where there is a bar.
    told: Option<Mutex<Instant>>,
}

impl Progress {
    /// Of so many runs.
    #[must_use]
    pub fn begin(total: usize) -> Progress {
        let on_terminal = std::io::stderr().is_terminal();
        let bar = match on_terminal {
            true => ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr_with_hz(5)),
            false => ProgressBar::hidden(),
        };
        let style = "runs {bar:40} {human_pos}/{human_len} {per_sec} {eta} left";
        // A template is only a constant's affair; the default style is as true as this one.
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Progress {
            bar,
            total,
            told: (!on_terminal).then(|| Mutex::new(Instant::now())),
        }
    }

    /// So many are done.
    pub fn at(&self, done: usize) {
        let Some(told) = &self.told else {
            self.bar.set_position(done as u64);
            return;
        };
        // A time is as good as before, whoever panicked while holding it.
        let mut told = told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if told.elapsed() >= LINE_EVERY || done == self.total {
            *told = Instant::now();
            eprintln!("{done} of {} runs", self.total);
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
