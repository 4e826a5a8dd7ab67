//! Figures that must agree with each other: what is live, of one stack and of all, and what was when it was the most.
//!
//! One lock for all of them. Counters that threads add to one by one cost as many exchanges as there are counters, on the
//! same contended lines, and cannot keep the two halves of a maximum together: a thread that is late would put its count
//! of blocks beside another's bytes.

use super::sync::Mutex;
use super::sync::atomic::{AtomicU64, Ordering};

/// Blocks, in 1024ths, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
}

/// A stack's figures. Valid when all bytes are zero. Written under the lock of [`Figures`]; atomic since those who write the
/// counts out read them without it.
#[derive(Debug, Default)]
pub(crate) struct Row {
    allocs: AtomicU64,
    alloc_bytes: AtomicU64,
    live: AtomicU64,
    live_bytes: AtomicU64,
    max_bytes: AtomicU64,
    max_blocks: AtomicU64,
}

/// A row, read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowFigures {
    pub(crate) allocated: Share,
    pub(crate) live: Share,
    pub(crate) most: Share,
}

/// What all stacks have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) live: Share,
    pub(crate) most: Share,
    /// When that was.
    pub(crate) most_at: u64,
}

/// The figures of all stacks, and the lock of each stack's.
#[derive(Debug, Default)]
pub(crate) struct Figures(Mutex<Whole>);

impl Figures {
    #[cfg(not(alloc_loom))]
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Whole { live: NOTHING, most: NOTHING, most_at: 0 }))
    }

    /// Blocks were handed out. `now` is asked when all stacks together have more than ever.
    #[inline]
    pub(crate) fn came(&self, row: &Row, share: Share, now: impl FnOnce() -> u64) {
        let mut whole = self.0.lock();
        add(&row.allocs, share.blocks);
        add(&row.alloc_bytes, share.bytes);
        let live = Share { blocks: add(&row.live, share.blocks), bytes: add(&row.live_bytes, share.bytes) };
        if live.bytes > row.max_bytes.load(Ordering::Relaxed) {
            row.max_bytes.store(live.bytes, Ordering::Relaxed);
            row.max_blocks.store(live.blocks, Ordering::Relaxed);
        }
        whole.live.blocks = whole.live.blocks.wrapping_add(share.blocks);
        whole.live.bytes = whole.live.bytes.wrapping_add(share.bytes);
        if whole.live.bytes > whole.most.bytes {
            whole.most = whole.live;
            whole.most_at = now();
        }
    }

    /// Blocks of the row's stack were given back.
    #[inline]
    pub(crate) fn left(&self, row: &Row, share: Share) {
        let mut whole = self.0.lock();
        add(&row.live, share.blocks.wrapping_neg());
        add(&row.live_bytes, share.bytes.wrapping_neg());
        whole.live.blocks = whole.live.blocks.wrapping_sub(share.blocks);
        whole.live.bytes = whole.live.bytes.wrapping_sub(share.bytes);
    }

    pub(crate) fn whole(&self) -> Whole {
        *self.0.lock()
    }

    /// Begins anew.
    pub(crate) fn clear(&self) {
        *self.0.lock() = Whole::default();
    }

    /// In the child after `fork`.
    #[cfg(not(alloc_loom))]
    pub(crate) fn after_fork(&self) {
        // SAFETY: the caller is the child's only thread, and the value is plain.
        unsafe { self.0.reset_after_fork() };
    }
}

#[cfg(not(alloc_loom))]
const NOTHING: Share = Share { blocks: 0, bytes: 0 };

impl Row {
    pub(crate) fn figures(&self) -> RowFigures {
        let pair = |blocks: &AtomicU64, bytes: &AtomicU64| Share {
            blocks: blocks.load(Ordering::Relaxed),
            bytes: bytes.load(Ordering::Relaxed),
        };
        RowFigures {
            allocated: pair(&self.allocs, &self.alloc_bytes),
            live: pair(&self.live, &self.live_bytes),
            most: pair(&self.max_blocks, &self.max_bytes),
        }
    }
}

/// Adds under the lock: no exchange is needed. Relaxed: the lock orders it.
#[inline]
fn add(figure: &AtomicU64, amount: u64) -> u64 {
    let sum = figure.load(Ordering::Relaxed).wrapping_add(amount);
    figure.store(sum, Ordering::Relaxed);
    sum
}
