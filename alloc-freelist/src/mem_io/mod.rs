//! `mem_io`: first fit over the program break, with headers that are checked.
//!
//! The allocator of the same name, as a configuration of this crate: blocks with size, previous, next, flags and the
//! magic number `0xDEADBEEF`; a heap that grows by `sbrk` in steps of pages; mappings for large blocks; one lock; blocks
//! split and merged; and two logs.

mod flags;
mod log;
mod seek;
#[cfg(feature = "libc")]
mod text;

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use alloc_core::backend::PagesBackend;
use alloc_core::os::{Break, Pages};
use alloc_core::sync::RawLock;
use alloc_core::sync::static_atomic::{AtomicUsize, Ordering};
use alloc_core::{
    AllocError, Block, Field, Inspect, OnMisuse, Ownership, Peek, SizedBlocks, Stats, Step, Strategy, Visit,
    Walked,
};

pub use flags::Flags;
pub use seek::BlockInfo;

use crate::Fault;
use crate::coalesce::Immediate;
use crate::config::Config;
use crate::fit::First;
use crate::freelist::FreeList;
use crate::header::Checked;
use crate::lock::Held;
use crate::sbrk::Sbrk;

/// The policies of `mem_io`: blocks larger than `MMAP` bytes get a mapping of their own, and misuse stops the program
/// where `ABORT` says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seed<const MMAP: usize, const ABORT: bool>;

impl<const MMAP: usize, const ABORT: bool> Config for Seed<MMAP, ABORT> {
    type Fit = First;
    type Header = Checked;
    type Coalesce = Immediate;
    const NAME: &'static str = "mem_io";
    const GROW: usize = 4096;
    const GROW_SHARE: usize = 0;
    const WIDE: usize = MMAP + 1;
    const WIDE_MOST: usize = 0;
    const ON_MISUSE: OnMisuse = if ABORT { OnMisuse::Abort } else { OnMisuse::Ignore };
}

/// The default of `MMAP`: 128 KiB.
pub const MMAP_THRESHOLD: usize = 128 << 10;

#[cfg(feature = "libc")]
type DefaultOs = alloc_core::os::unix::Os;

/// The allocator. `K` moves the program break, `P` maps pages; blocks larger than `MMAP` bytes are mapped. Misuse is
/// written to standard error, counted and ignored, unless `ABORT` is set.
///
/// ```
/// use alloc_core::{SizedBlocks, Strategy};
/// use alloc_freelist::mem_io::{Flags, MemIo};
/// use core::alloc::Layout;
///
/// let heap = MemIo::new();
/// let numbers = heap.allocate(Layout::array::<u32>(10)?)?;
/// assert_eq!(heap.flags(numbers.as_ptr()), Some(Flags::USED));
///
/// let mut text = String::new();
/// heap.log_state(&mut text)?;
/// heap.log_blocks(&mut text)?;
/// assert!(text.contains("magic 0xdeadbeef"));
///
/// // SAFETY: the block is live and this heap's.
/// unsafe { heap.free(numbers) };
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[cfg(feature = "libc")]
pub struct MemIo<
    K: Break + Pages = DefaultOs,
    P: Pages = DefaultOs,
    const MMAP: usize = MMAP_THRESHOLD,
    const ABORT: bool = false,
> {
    list: FreeList<Sbrk<K>, Seed<MMAP, ABORT>, PagesBackend<P>, RawLock>,
    calls: Calls,
}

/// The allocator. `K` moves the program break, `P` maps pages; blocks larger than `MMAP` bytes are mapped. Misuse is
/// told, counted and ignored, unless `ABORT` is set.
#[cfg(not(feature = "libc"))]
pub struct MemIo<K: Break + Pages, P: Pages, const MMAP: usize = MMAP_THRESHOLD, const ABORT: bool = false> {
    list: FreeList<Sbrk<K>, Seed<MMAP, ABORT>, PagesBackend<P>, RawLock>,
    calls: Calls,
}

/// Calls so far. Relaxed throughout: figures that order nothing.
#[derive(Debug)]
struct Calls {
    allocations: AtomicUsize,
    frees: AtomicUsize,
    resizes: AtomicUsize,
    refused: AtomicUsize,
}

#[cfg(feature = "libc")]
impl MemIo {
    /// The allocator over the running kernel, with the seed's parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self::on_os()
    }
}

#[cfg(feature = "libc")]
impl<const MMAP: usize, const ABORT: bool> MemIo<DefaultOs, DefaultOs, MMAP, ABORT> {
    /// As [`new`](MemIo::new), with any parameters.
    #[must_use]
    pub const fn on_os() -> Self {
        use alloc_core::os::unix::Os;
        // SAFETY: the kernel takes advice on all pages of the process.
        let heap = unsafe { Sbrk::purging(Os) };
        Self::from_parts(heap, PagesBackend::new(Os))
    }
}

#[cfg(feature = "libc")]
impl<const MMAP: usize, const ABORT: bool> Default for MemIo<DefaultOs, DefaultOs, MMAP, ABORT> {
    fn default() -> Self {
        Self::on_os()
    }
}

impl<K: Break + Pages, P: Pages, const MMAP: usize, const ABORT: bool> MemIo<K, P, MMAP, ABORT> {
    /// The allocator over a program break and a source of pages.
    #[must_use]
    pub const fn from_parts(heap: Sbrk<K>, pages: PagesBackend<P>) -> Self {
        Self {
            list: FreeList::from_parts(heap, pages, RawLock::new()),
            calls: Calls {
                allocations: AtomicUsize::new(0),
                frees: AtomicUsize::new(0),
                resizes: AtomicUsize::new(0),
                refused: AtomicUsize::new(0),
            },
        }
    }

    /// The flags of the block, in use or free, that starts at `pointer`; of a byte inside of a free block, those of the
    /// block. `None` where no block of this heap starts. Any address may be asked for.
    #[must_use]
    pub fn flags(&self, pointer: *const u8) -> Option<Flags> {
        let _held = Held::acquire(&self.list.lock);
        self.list.heap.flags(pointer.addr()).ok()
    }

    /// The block with the lowest address from `address` on, and so, from one past that on, all of them one by one.
    #[must_use]
    pub fn block_from(&self, address: usize) -> Option<BlockInfo> {
        let _held = Held::acquire(&self.list.lock);
        self.list.heap.block_from(address)
    }

    /// Misuse found so far.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.list.errors()
    }

    /// As [`FreeList::check`].
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Fault> {
        self.list.check()
    }

    fn noted(
        &self,
        call: &AtomicUsize,
        answer: Result<NonNull<u8>, AllocError>,
    ) -> Result<NonNull<u8>, AllocError> {
        call.fetch_add(1, Ordering::Relaxed);
        if answer.is_err() {
            self.calls.refused.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }
}

impl<K: Break + Pages, P: Pages, const MMAP: usize, const ABORT: bool> fmt::Debug
    for MemIo<K, P, MMAP, ABORT>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemIo").field("list", &self.list).field("calls", &self.calls).finish()
    }
}

// SAFETY: every method forwards to the same method of the free list, whose promises are ours.
unsafe impl<K: Break + Pages, P: Pages, const MMAP: usize, const ABORT: bool> Strategy
    for MemIo<K, P, MMAP, ABORT>
{
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.noted(&self.calls.allocations, self.list.allocate(layout))
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        self.calls.frees.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.list.deallocate(block, layout) };
    }

    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        self.noted(&self.calls.resizes, unsafe { self.list.grow(block, old, new) })
    }

    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        self.noted(&self.calls.resizes, unsafe { self.list.shrink(block, old, new) })
    }
}

// SAFETY: as above.
unsafe impl<K: Break + Pages, P: Pages, const MMAP: usize, const ABORT: bool> SizedBlocks
    for MemIo<K, P, MMAP, ABORT>
{
    unsafe fn free(&self, block: NonNull<u8>) {
        self.calls.frees.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.list.free(block) };
    }

    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.list.usable_size(block) }
    }

    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        self.noted(&self.calls.resizes, unsafe { self.list.reallocate(block, new_size) })
    }
}

impl<K: Break + Pages, P: Pages, const MMAP: usize, const ABORT: bool> Inspect for MemIo<K, P, MMAP, ABORT> {
    fn name(&self) -> &'static str {
        self.list.name()
    }

    fn stats(&self) -> Stats {
        self.list.stats()
    }

    fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        self.list.walk(visit)
    }

    fn owns(&self, address: NonNull<u8>) -> Ownership {
        self.list.owns(address)
    }

    fn trim(&self, keep: usize) -> usize {
        self.list.trim(keep)
    }

    fn header(&self, block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
        self.list.header(block, peek, show);
    }
}

alloc_core::impl_allocator_api2!(
    [K: Break + Pages, P: Pages, const MMAP: usize, const ABORT: bool] MemIo<K, P, MMAP, ABORT>
);
