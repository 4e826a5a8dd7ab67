//! What happened in a run.

#![forbid(unsafe_code)]

/// What happened in a run, so that a test can assert that something did. Counts of calls, unless it says bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Blocks handed out.
    pub allocated: u64,
    /// Blocks given back.
    pub freed: u64,
    /// Blocks that became larger.
    pub grown: u64,
    /// Blocks that became smaller.
    pub shrunk: u64,
    /// Of those resized, the ones that got another address.
    pub moved: u64,
    /// Requests refused, impossible ones included.
    pub refused: u64,
    /// Of those, the ones that were not impossible.
    pub failures: u64,
    /// Operations skipped: no block was live, the layout was illegal, or a budget was spent.
    pub skipped: u64,
    /// Walks compared with the live blocks.
    pub walks: u64,
    /// Blocks shown by those walks.
    pub walked_blocks: u64,
    /// Bytes given back by trimming.
    pub trimmed: u64,
    /// Highest sum of the sizes live at once, in bytes.
    pub peak: usize,
}

impl Report {
    /// The sum of both, and the higher of both peaks.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            allocated: self.allocated + other.allocated,
            freed: self.freed + other.freed,
            grown: self.grown + other.grown,
            shrunk: self.shrunk + other.shrunk,
            moved: self.moved + other.moved,
            refused: self.refused + other.refused,
            failures: self.failures + other.failures,
            skipped: self.skipped + other.skipped,
            walks: self.walks + other.walks,
            walked_blocks: self.walked_blocks + other.walked_blocks,
            trimmed: self.trimmed + other.trimmed,
            peak: self.peak.max(other.peak),
        }
    }
}
