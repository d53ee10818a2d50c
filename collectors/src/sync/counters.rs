//! What a feed counts.

/// Counts since the feed was made. Plain numbers: the process that runs the feed shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames received.
    pub frames: u64,
    /// Records published, control records included.
    pub records: u64,
    /// Frames of which nothing was published because no decoder accepts them.
    pub refused: u64,
    /// Those of `refused` that name a symbol which the venue never listed.
    pub unknown_symbol: u64,
    /// Events and frames of a kind or symbol that nobody asked for.
    pub ignored: u64,
    /// Trades published.
    pub trades: u64,
    /// Quotes of the venue published, two records each; not the derived ones.
    pub quotes: u64,
    /// Book levels of the venue published, those of images included; not the derived ones.
    pub levels: u64,
    /// Book checksums that agreed.
    pub checksums_ok: u64,
    /// Book checksums that did not.
    pub checksums_bad: u64,
    /// Gap records published.
    pub gaps: u64,
    /// Books that lost their proof while their connection stood, so that a new image is needed.
    pub resyncs: u64,
    /// Books published whole for readers that asked for them.
    pub images: u64,
    /// Proven books renewed by a fresh image.
    pub refreshes: u64,
    /// Events that were received before: by another connection, or twice.
    pub duplicates: u64,
    /// Books found crossed.
    pub crossed: u64,
}
