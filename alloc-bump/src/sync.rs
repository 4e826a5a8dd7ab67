//! The arena that threads share.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

use alloc_core::backend::Backend;
use alloc_core::sync::{CachePadded, Mutex};
use alloc_core::{AllocError, Inspect, Ownership, Stats, Step, Strategy, Visit, Walked, move_block};

use crate::DefaultBackend;
use crate::arena::Arena;
use crate::check::Flaw;
use crate::config::Up;
use crate::growth;
use crate::methods::typed_methods;
#[cfg(feature = "libc")]
use crate::pages::Pages;
use crate::tlab::{self, LARGEST, NO_EPOCH, SMALLEST, Slot};
use crate::typed::Fast;

/// How threads fill their sub-buffers.
type Fill = Up;

/// How the shared arena is filled. To the byte, as sub-buffers are: a block of one that borders on the shared cursor without
/// any padding may be given back there, since what its sub-buffer has left after it is then nothing. Padding in between would
/// belong to two.
type Share = Up;

/// What sub-buffers are aligned to, so that threads do not write to the same cache lines (or pairs of them).
const APART: usize = 128;

/// Requests of this size, or alignment, and above come from the shared arena itself, unless the sub-buffer happens to have
/// the room: no more than that is lost at the end of one.
const DIRECT: usize = 8 << 10;

/// An arena that threads allocate from at the same time, each in a sub-buffer of its own.
///
/// A request is served from the thread's sub-buffer, without a lock or an atomic operation that writes. A new one
/// is taken under a lock when the old one is used up: 4 KiB at first, then a quarter of what the thread has taken. What a thread leaves of its sub-buffer when it ends
/// comes back with the next [`reset`](Self::reset).
///
/// ```
/// # #[cfg(feature = "libc")] {
/// use alloc_bump::SyncBump;
///
/// static NAMES: SyncBump = SyncBump::new();
///
/// let names: Vec<&str> = std::thread::scope(|scope| {
///     let threads = [1, 2].map(|n| scope.spawn(move || &*NAMES.alloc_fmt(format_args!("thread {n}"))));
///     threads.map(|thread| thread.join().unwrap()).into()
/// });
/// assert_eq!(names, ["thread 1", "thread 2"]);
/// # }
/// ```
pub struct SyncBump<B: Backend = DefaultBackend> {
    /// Read by every request, written by resets: away from the lock that others write.
    epoch: AtomicU64,
    backend: B,
    shared: CachePadded<Mutex<Arena<Share>>>,
}

#[cfg(feature = "libc")]
impl SyncBump {
    /// An arena over pages of the operating system. Takes memory at the first request.
    #[must_use]
    pub const fn new() -> Self {
        let shared = CachePadded::new(Mutex::new(Arena::of_pages()));
        Self { epoch: AtomicU64::new(NO_EPOCH), backend: Pages, shared }
    }
}

#[cfg(feature = "libc")]
impl Default for SyncBump {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Backend> SyncBump<B> {
    /// An arena over spans of `backend`. Takes memory at the first request.
    #[must_use]
    pub const fn new_in(backend: B) -> Self {
        let shared = CachePadded::new(Mutex::new(Arena::new()));
        Self { epoch: AtomicU64::new(NO_EPOCH), backend, shared }
    }

    /// Where the memory comes from.
    #[must_use]
    pub const fn backend(&self) -> &B {
        &self.backend
    }

    /// Gives every block of every thread back, in constant time, and keeps the memory for coming ones.
    pub fn reset(&mut self) {
        // Threads still remember sub-buffers of the old epoch, and find by comparison that they are no good.
        *self.epoch.get_mut() = NO_EPOCH;
        self.shared.get_mut().reset();
    }

    /// Lets the arena open at most `bytes` of memory, headers of chunks included; `None` lifts the limit. Sub-buffers
    /// that threads hold count as a whole.
    pub fn set_limit(&self, bytes: Option<usize>) {
        self.shared.lock().set_budget(bytes.unwrap_or(usize::MAX));
    }

    /// The limit, where there is one.
    #[must_use]
    pub fn limit(&self) -> Option<usize> {
        Some(self.shared.lock().budget()).filter(|&budget| budget != usize::MAX)
    }

    /// Looks for contradictions in the shared arena's own structures, which only a stray write could have made.
    ///
    /// # Errors
    /// The first [`Flaw`].
    pub fn check(&self) -> Result<(), Flaw> {
        self.shared.lock().check()
    }

    /// Relaxed: an epoch only changes under an exclusive borrow, and whatever handed that on handed the number on, or in
    /// [`draw_epoch`](Self::draw_epoch), where any thread may see it late and come to draw as well.
    #[inline(always)]
    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// The epoch, drawing one if there is none.
    fn draw_epoch(&self) -> u64 {
        match self.epoch() {
            NO_EPOCH => {
                let drawn = tlab::new_epoch();
                // Relaxed, as in `epoch`: the number alone is shared, no memory behind it.
                match self.epoch.compare_exchange(NO_EPOCH, drawn, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => drawn,
                    Err(other) => other,
                }
            }
            epoch => epoch,
        }
    }

    #[inline(always)]
    fn take_fast(&self, layout: Layout) -> Option<NonNull<u8>> {
        tlab::with(|tlabs| tlabs.front(self.epoch())?.place::<Fill>(layout))
    }

    #[cold]
    #[inline(never)]
    fn take_slow(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.size() >= DIRECT || layout.align() >= DIRECT {
            let shared = self.shared.lock();
            return match shared.window().place::<Share>(layout) {
                Some(block) => Ok(block),
                None => Ok(shared.refill(&self.backend, layout)?.block),
            };
        }
        tlab::with(|tlabs| {
            let slot = tlabs.fetch(self.draw_epoch());
            match slot.window.place::<Fill>(layout) {
                Some(block) => Ok(block),
                None => self.refill(slot, layout),
            }
        })
    }

    /// A sub-buffer with room for `layout`, or `layout` alone where there is not that much left.
    fn refill(&self, slot: &Slot, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let least = layout.size() + layout.align();
        let size = growth::sub_buffer(slot.taken.get(), SMALLEST, LARGEST).max(least.next_multiple_of(APART));
        let Ok(start) = self.carve(size) else {
            return Ok(self.shared.lock().refill(&self.backend, layout)?.block);
        };
        slot.taken.set(slot.taken.get() + size);
        // A sub-buffer that continues the old one lets its last block grow on, and loses nothing of its end.
        let continued = slot.window.limit() == start.addr().get();
        let cursor = if continued { slot.window.cursor() } else { start };
        // SAFETY: `size` bytes from `start` are a live block of the shared arena, which gives them to nobody else, and
        // whose pointers reach all of its chunk; together with what the old window has right before them, if so.
        unsafe { slot.window.move_to(cursor, start.addr().get() + size) };
        slot.window.place::<Fill>(layout).ok_or(AllocError)
    }

    /// Takes `size` bytes of the shared arena.
    fn carve(&self, size: usize) -> Result<NonNull<u8>, AllocError> {
        let layout = Layout::from_size_align(size, APART).map_err(|_| AllocError)?;
        let shared = self.shared.lock();
        match shared.window().place::<Share>(layout) {
            Some(start) => Ok(start),
            None => Ok(shared.refill(&self.backend, layout)?.block),
        }
    }

    #[cold]
    #[inline(never)]
    fn take_zeroed_slow(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.size() < DIRECT {
            let block = self.take_slow(layout)?;
            // SAFETY: a new block of so many bytes.
            unsafe { block.write_bytes(0, layout.size()) };
            return Ok(block);
        }
        let refilled = {
            let shared = self.shared.lock();
            match shared.window().place::<Share>(layout) {
                Some(block) => Err(block),
                None => Ok(shared.refill(&self.backend, layout)?),
            }
        };
        // Clearing takes time, so not under the lock.
        match refilled {
            // SAFETY: the block is new, and only we know of it.
            Ok(refilled) => Ok(unsafe { refilled.clear() }),
            Err(block) => {
                // SAFETY: as above.
                unsafe { block.write_bytes(0, layout.size()) };
                Ok(block)
            }
        }
    }

    /// # Safety
    /// As for [`Strategy::deallocate`].
    #[cold]
    #[inline(never)]
    unsafe fn give_back_slow(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.shared.lock().window().take_back::<Share>(block, layout) };
    }

    /// # Safety
    /// As for [`Strategy::shrink`].
    #[cold]
    #[inline(never)]
    unsafe fn shrink_slow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> NonNull<u8> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.shared.lock().window().shrink::<Share>(block, old, new) }.unwrap_or(block)
    }

    /// # Safety
    /// As for [`Strategy::grow`].
    #[cold]
    #[inline(never)]
    unsafe fn grow_slow(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        if old.size() >= DIRECT {
            let shared = self.shared.lock();
            // SAFETY: the caller's promises are the callee's.
            if let Some(grown) = unsafe { shared.window().grow::<Share>(block, old, new) } {
                return Ok(grown);
            }
            // SAFETY: as above.
            let grown = unsafe { shared.regrow(&self.backend, block, old, new) };
            if let Some(grown) = grown {
                return Ok(grown);
            }
        }
        // SAFETY: a live block of ours that `old` fits.
        unsafe { move_block(self, block, old, new) }
    }
}

// SAFETY: blocks are cut from sub-buffers of one thread each, or under the lock from the shared arena, and never overlap:
// the free extents of all windows are disjoint, and stay so when a block that borders on one is given back to it, whose
// ever it was. They lie in chunks, which the arena does not move, and stay until it is reset or dropped (exclusive).
// Nothing here unwinds.
unsafe impl<B: Backend> Strategy for SyncBump<B> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        match self.take_fast(layout) {
            Some(block) => Ok(block),
            None => self.take_slow(layout),
        }
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        match self.take_fast(layout) {
            Some(block) => {
                // SAFETY: a new block of so many bytes.
                unsafe { block.write_bytes(0, layout.size()) };
                Ok(block)
            }
            None => self.take_zeroed_slow(layout),
        }
    }

    /// Memory comes back when the block is the last one of the calling thread's sub-buffer, or the last large one.
    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        let taken = tlab::with(|tlabs| match tlabs.front(self.epoch()) {
            // SAFETY: the caller promises a live block that the layout fits.
            Some(window) => unsafe { window.take_back::<Fill>(block, layout) },
            None => false,
        });
        if !taken && layout.size() >= DIRECT {
            // SAFETY: as above.
            unsafe { self.give_back_slow(block, layout) };
        }
    }

    #[inline]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        let grown = tlab::with(|tlabs| {
            let window = tlabs.front(self.epoch())?;
            // SAFETY: the caller's promises are the callee's.
            unsafe { window.grow::<Fill>(block, old, new) }
        });
        match grown {
            Some(grown) => Ok(grown),
            // SAFETY: the caller's promises are the callee's.
            None => unsafe { self.grow_slow(block, old, new) },
        }
    }

    #[inline]
    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        let shrunk = tlab::with(|tlabs| {
            let window = tlabs.front(self.epoch())?;
            // SAFETY: the caller's promises are the callee's.
            unsafe { window.shrink::<Fill>(block, old, new) }
        });
        match shrunk {
            Some(shrunk) => Ok(shrunk),
            // SAFETY: as above; the sub-buffer has left the block as it was.
            None if old.size() >= DIRECT => Ok(unsafe { self.shrink_slow(block, old, new) }),
            None => Ok(block),
        }
    }
}

impl<B: Backend> Fast for SyncBump<B> {
    #[inline(always)]
    fn fast<T>(&self) -> Option<NonNull<T>> {
        tlab::with(|tlabs| tlabs.front(self.epoch())?.place_value::<Fill, T>())
    }
}

/// As for [`Bump`](crate::Bump). Sub-buffers count as used.
impl<B: Backend> Inspect for SyncBump<B> {
    fn name(&self) -> &'static str {
        "bump"
    }

    fn stats(&self) -> Stats {
        self.shared.lock().stats()
    }

    fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        self.shared.lock().walk(visit)
    }

    fn owns(&self, address: NonNull<u8>) -> Ownership {
        self.shared.lock().ownership(address)
    }

    fn trim(&self, keep: usize) -> usize {
        self.shared.lock().trim(&self.backend, keep)
    }
}

#[expect(clippy::mut_from_ref, reason = "every call returns other memory")]
impl<B: Backend> SyncBump<B> {
    typed_methods!(self, [*self] ['s] 's);
}

impl<B: Backend> Drop for SyncBump<B> {
    fn drop(&mut self) {
        // SAFETY: blocks borrow the arena, and this is its last use. Sub-buffers that threads remember are not touched
        // again: their epoch is this arena's, and no other will have it.
        unsafe { self.shared.get_mut().release_all(&self.backend) };
    }
}

impl<B: Backend> fmt::Debug for SyncBump<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncBump").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

alloc_core::impl_allocator_api2!([B: Backend] SyncBump<B>);
