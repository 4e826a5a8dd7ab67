//! What a thread allocated, and a limit on it.
//!
//! Counts belong to one thread each, so that a test that asks for them sees its own allocations alone, whatever the test
//! runner does on other threads.

use core::cell::Cell;
use core::ops::Sub;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::thread::{self, Thread};

/// A thread's counts. Valid when all bytes are zero.
#[derive(Debug)]
pub(crate) struct Counts {
    allocs: Cell<u64>,
    bytes: Cell<u64>,
    frees: Cell<u64>,
    resizes: Cell<u64>,
}

/// What a thread asked of all [`Counting`](crate::Counting) strategies together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    /// Blocks handed out.
    pub allocs: u64,
    /// Bytes asked for: those of blocks handed out, and those by which blocks grew.
    pub bytes: u64,
    /// Blocks given back.
    pub frees: u64,
    /// Blocks resized.
    pub resizes: u64,
}

impl Sub for Allocations {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            allocs: self.allocs.wrapping_sub(before.allocs),
            bytes: self.bytes.wrapping_sub(before.bytes),
            frees: self.frees.wrapping_sub(before.frees),
            resizes: self.resizes.wrapping_sub(before.resizes),
        }
    }
}

/// Whether anything was ever counted.
static COUNTED: AtomicBool = AtomicBool::new(false);

/// Says that counting has begun, once it is certain that some strategy counts.
#[cold]
fn first() {
    COUNTED.store(true, Ordering::Relaxed);
}

#[inline]
fn on(count: impl Fn(&Thread)) {
    if !COUNTED.load(Ordering::Relaxed) {
        first();
    }
    if let Some(thread) = thread::current() {
        count(thread);
    }
}

#[inline]
fn add(cell: &Cell<u64>, by: u64) {
    cell.set(cell.get().wrapping_add(by));
}

#[inline]
pub(crate) fn allocated(size: usize) {
    on(|thread| {
        add(&thread.counts.allocs, 1);
        add(&thread.counts.bytes, size as u64);
    });
}

#[inline]
pub(crate) fn freed() {
    on(|thread| add(&thread.counts.frees, 1));
}

#[inline]
pub(crate) fn resized(old: usize, new: usize) {
    on(|thread| {
        add(&thread.counts.resizes, 1);
        add(&thread.counts.bytes, new.saturating_sub(old) as u64);
    });
}

/// The calling thread's counts so far. `None` while no [`Counting`](crate::Counting) strategy has been used at all, since
/// the counts then say nothing.
#[must_use]
pub fn allocations() -> Option<Allocations> {
    if !COUNTED.load(Ordering::Relaxed) {
        return None;
    }
    let counts = &thread::current()?.counts;
    Some(Allocations {
        allocs: counts.allocs.get(),
        bytes: counts.bytes.get(),
        frees: counts.frees.get(),
        resizes: counts.resizes.get(),
    })
}

/// Runs a body; answers with its result and what the calling thread allocated in it.
///
/// # Panics
/// When nothing was ever counted: the program's allocator is no [`Counting`](crate::Counting) strategy.
#[track_caller]
pub fn measure<R>(body: impl FnOnce() -> R) -> (R, Allocations) {
    let Some(before) = allocations() else {
        panic!("alloc-trace: nothing counts allocations: make `Counting` the program's global allocator")
    };
    let result = body();
    let after = allocations().unwrap_or(before);
    (result, after - before)
}

/// Runs a block and asserts how often it allocated: on the calling thread, from any [`Counting`](crate::Counting)
/// strategy; resizes count as allocations. Its value is the block's.
///
/// The relation is one of `<=`, `<`, `==`, `>=`, `>`. With `bytes`, the bytes asked for are compared instead.
///
/// ```
/// use alloc_core::{Libc, compat::Global};
/// use alloc_trace::{Counting, assert_allocs};
///
/// #[global_allocator]
/// static GLOBAL: Global<Counting<Libc>> = Global::new(Counting::new(Libc));
///
/// let list = assert_allocs!(<= 1, { (0..100).collect::<Vec<u32>>() });
/// assert_allocs!(== 0, { list.iter().sum::<u32>() });
/// assert_allocs!(bytes <= 64, { Box::new([0_u8; 64]) });
/// ```
#[macro_export]
macro_rules! assert_allocs {
    (bytes <= $limit:expr, $body:block) => { $crate::assert_allocs!(@ bytes "bytes", <=, $limit, $body) };
    (bytes < $limit:expr, $body:block) => { $crate::assert_allocs!(@ bytes "bytes", <, $limit, $body) };
    (bytes == $limit:expr, $body:block) => { $crate::assert_allocs!(@ bytes "bytes", ==, $limit, $body) };
    (bytes >= $limit:expr, $body:block) => { $crate::assert_allocs!(@ bytes "bytes", >=, $limit, $body) };
    (bytes > $limit:expr, $body:block) => { $crate::assert_allocs!(@ bytes "bytes", >, $limit, $body) };
    (<= $limit:expr, $body:block) => { $crate::assert_allocs!(@ calls "allocations", <=, $limit, $body) };
    (< $limit:expr, $body:block) => { $crate::assert_allocs!(@ calls "allocations", <, $limit, $body) };
    (== $limit:expr, $body:block) => { $crate::assert_allocs!(@ calls "allocations", ==, $limit, $body) };
    (>= $limit:expr, $body:block) => { $crate::assert_allocs!(@ calls "allocations", >=, $limit, $body) };
    (> $limit:expr, $body:block) => { $crate::assert_allocs!(@ calls "allocations", >, $limit, $body) };
    (@ $figure:ident $what:literal, $relation:tt, $limit:expr, $body:block) => {{
        let (result, made) = $crate::measure(|| $body);
        let (figure, limit): (u64, u64) = ($crate::Allocations::$figure(&made), $limit);
        assert!(
            figure $relation limit,
            "the block made {figure} {}, not {} {limit}: {made:?}", $what, stringify!($relation)
        );
        result
    }};
}

impl Allocations {
    /// Calls that a budget counts: allocations and resizes.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.allocs + self.resizes
    }

    /// Bytes that a budget counts.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}
