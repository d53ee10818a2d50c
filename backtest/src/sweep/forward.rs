//! Walk-forward: parameters are chosen on what came before, and judged on what came after.
//!
//! Source: R. Pardo, "The Evaluation and Optimization of Trading Strategies", 2nd edition (2008), on walk-forward analysis. The time of the data is cut
//! into equal spans; a window is some spans to choose on and the span behind them to judge on, and the next window lies one span later. So every span but the first
//! ones is judged once, with parameters that could have been known.

use crate::sample::PERIODS_NS;

/// Spans that parameters are chosen on.
pub const IN_SAMPLE_SPANS: usize = 2;
/// Windows of one walk.
pub const WINDOWS_MAX: usize = 1_000;

/// A part of the data by receive time, the end left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first, ns since the Unix epoch.
    pub from_ns: i64,
    /// The first that is no longer in it.
    pub to_ns: i64,
}

/// Where parameters are chosen and where they are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Chosen here.
    pub in_sample: Span,
    /// Judged here.
    pub out_of_sample: Span,
}

/// The data cannot be cut so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// None, or too many.
    #[error("{0} windows: a walk has 1 to {WINDOWS_MAX}")]
    Count(usize),
    /// A span would be shorter than what is sampled.
    #[error("the data covers {covered_s} s, too little for {windows} windows: choose fewer, or more data")]
    TooShort {
        /// Seconds from the first record to the last.
        covered_s: i64,
        /// Windows that were asked for.
        windows: usize,
    },
}

/// Cuts the time from the first record to the last into windows.
///
/// # Errors
/// As [`ForwardError`] says.
pub fn windows(first_ns: i64, last_ns: i64, count: usize) -> Result<Vec<Window>, ForwardError> {
    if !(1..=WINDOWS_MAX).contains(&count) {
        return Err(ForwardError::Count(count));
    }
    let spans = (count + IN_SAMPLE_SPANS) as i128;
    let covered = i128::from(last_ns) - i128::from(first_ns) + 1;
    if covered / spans < 2 * i128::from(PERIODS_NS[0]) {
        return Err(ForwardError::TooShort {
            covered_s: (covered / 1_000_000_000) as i64,
            windows: count,
        });
    }
    let border = |at: usize| (i128::from(first_ns) + covered * at as i128 / spans) as i64;
    let window = |at: usize| Window {
        in_sample: Span {
            from_ns: border(at),
            to_ns: border(at + IN_SAMPLE_SPANS),
        },
        out_of_sample: Span {
            from_ns: border(at + IN_SAMPLE_SPANS),
            to_ns: border(at + IN_SAMPLE_SPANS + 1),
        },
    };
    Ok((0..count).map(window).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// 60 s in 4 windows of 2 + 1 spans: 6 spans of 10 s.
    #[test]
    fn windows_by_hand() {
        let windows = windows(100 * SECOND, 160 * SECOND - 1, 4).unwrap();
        let seconds = |span: Span| (span.from_ns / SECOND, span.to_ns / SECOND);
        let found: Vec<_> = windows
            .iter()
            .map(|window| (seconds(window.in_sample), seconds(window.out_of_sample)))
            .collect();
        assert_eq!(
            found,
            [
                ((100, 120), (120, 130)),
                ((110, 130), (130, 140)),
                ((120, 140), (140, 150)),
                ((130, 150), (150, 160))
            ]
        );
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        assert_eq!(windows(0, SECOND, 0), Err(ForwardError::Count(0)));
        assert_eq!(windows(0, SECOND, 1_001), Err(ForwardError::Count(1_001)));
        let short = windows(0, 5 * SECOND, 3).unwrap_err();
        assert!(short.to_string().contains("covers 5 s"), "{short}");
        assert!(windows(i64::MIN, i64::MAX, 1000).is_ok());
    }
}
