//! How a run goes about it.

#![forbid(unsafe_code)]

use crate::subject::{Limits, Reuse};

/// How a run goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What the strategy has declared.
    pub limits: Limits,
    /// Whether any request may be refused: the backend fails at will, or others take memory meanwhile. Default: no.
    pub may_fail: bool,
    /// Whether other threads use the strategy meanwhile, so that its figures do not add up. Default: no.
    pub concurrent: bool,
    /// Requests above this many bytes are skipped unless they are impossible anyway. Default: 8 MiB.
    pub max_request: usize,
    /// Requests that bring the sum of all sizes asked for above this many bytes are skipped. Default: 256 MiB.
    pub max_total: usize,
    /// Where the seeds of the patterns start. Threads take different ones. Default: 0.
    pub seed: u64,
}

impl Options {
    /// The defaults, for a strategy with these limits.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            may_fail: false,
            concurrent: false,
            max_request: 8 << 20,
            max_total: 256 << 20,
            seed: 0,
        }
    }

    /// The same for a strategy that may refuse any request.
    #[must_use]
    pub const fn failing(self) -> Self {
        Self { may_fail: true, ..self }
    }

    /// The same for an instance that was used before: where it does not serve freed memory again, there may be none left.
    #[must_use]
    pub const fn again(self) -> Self {
        let used_up = self.limits.total.is_some() && !matches!(self.limits.reuse, Reuse::Any);
        Self { may_fail: self.may_fail || used_up, ..self }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new(Limits::UNLIMITED)
    }
}
