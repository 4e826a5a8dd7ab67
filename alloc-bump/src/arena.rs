//! The core that every arena of this crate is made of: a window over the current chunk, the list of chunks, and the
//! slow path that opens more. The backend is passed in, so that one thread's arena and the shared one use the same code.

use core::alloc::Layout;
use core::cell::Cell;
use core::marker::PhantomData;
use core::num::NonZeroUsize;
use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::arith::{align_down, align_up};
use alloc_core::backend::{Backend, Span};

use crate::bumping;
use crate::chunk::ChunkRef;
use crate::config::{self, Config};
use crate::growth::{self, HUGE_PAGE};
#[cfg(feature = "libc")]
use crate::pages::Lot;
use crate::window::Window;

/// The backend's granule for [`growth`]: what a source that does not promise zeroes hands out is memory, paid for at once,
/// however large its granule.
pub(crate) fn granule<B: Backend>(backend: &B) -> usize {
    if B::ZEROED { backend.granule() } else { 1 }
}

/// A block from the slow path, and the part of it that may hold other bytes than zero.
#[derive(Clone, Copy)]
pub(crate) struct Refilled {
    pub(crate) block: NonNull<u8>,
    dirty_start: usize,
    dirty_size: usize,
}

impl Refilled {
    /// Zeroes what is not zero already.
    ///
    /// # Safety
    /// The block is still live.
    pub(crate) unsafe fn clear(self) -> NonNull<u8> {
        // SAFETY: the dirty part lies within the block.
        let dirty = unsafe { self.block.add(self.dirty_start) };
        // SAFETY: as above.
        unsafe { dirty.write_bytes(0, self.dirty_size) };
        self.block
    }
}

/// ```text
///   first ─► chunk ⇄ chunk ⇄ chunk ⇄ chunk ⇄ chunk
///            full    full    current spare   spare
/// ```
///
/// A fixed arena has no chunk: its window is the caller's buffer, all of it.
pub(crate) struct Arena<C> {
    pub(crate) window: Window,
    /// Where the cursor of the current chunk, or of the buffer, begins.
    pub(crate) origin: Cell<usize>,
    pub(crate) current: Cell<Option<ChunkRef<C>>>,
    pub(crate) first: Cell<Option<ChunkRef<C>>>,
    /// Bytes of spans.
    pub(crate) reserved: Cell<usize>,
    /// Bytes opened: the depth of every chunk, headers included.
    pub(crate) opened: Cell<usize>,
    pub(crate) opened_peak: Cell<usize>,
    /// What `opened` must not exceed.
    pub(crate) budget: Cell<usize>,
    /// What to ask the backend for next; 0 before the first time.
    pub(crate) ask: Cell<usize>,
    /// Where the backend's chunks come from first, and are left at the end.
    #[cfg(feature = "libc")]
    pub(crate) lot: Option<&'static Lot>,
    config: PhantomData<fn() -> C>,
}

// SAFETY: the pointers lead to memory that the arena has to itself, and to chunks that only it reaches.
unsafe impl<C> Send for Arena<C> {}

impl<C: Config> Arena<C> {
    /// An arena without memory.
    pub(crate) const fn new() -> Self {
        const { config::validate::<C>() };
        Self {
            window: Window::empty(),
            origin: Cell::new(crate::window::NOWHERE),
            current: Cell::new(None),
            first: Cell::new(None),
            reserved: Cell::new(0),
            opened: Cell::new(0),
            opened_peak: Cell::new(0),
            budget: Cell::new(usize::MAX),
            ask: Cell::new(0),
            #[cfg(feature = "libc")]
            lot: None,
            config: PhantomData,
        }
    }

    /// An arena without memory that will be used with [`Pages`](crate::Pages) only.
    #[cfg(feature = "libc")]
    pub(crate) const fn of_pages() -> Self {
        Self { lot: Lot::of::<C>(), ..Self::new() }
    }

    /// An arena of the bytes of a buffer, without the few at its ends that are not aligned to `C::MIN_ALIGN`.
    ///
    /// # Safety
    /// The buffer is readable, writable, and the arena's alone while the arena is used.
    pub(crate) unsafe fn over(buffer: NonNull<[u8]>) -> Self {
        let arena = Self::new();
        let start: NonNull<u8> = buffer.cast();
        let low = align_up(start.addr().get(), C::MIN_ALIGN);
        let high = align_down(start.addr().get() + buffer.len(), C::MIN_ALIGN);
        if let Some(low) = low.filter(|&low| low < high) {
            let (origin, limit) = if C::UP { (low, high) } else { (high, low) };
            // SAFETY: `origin` is the address of a byte of the buffer, or its end.
            let cursor = unsafe { start.add(origin - start.addr().get()) };
            // SAFETY: both ends are aligned, and the bytes between them belong to the arena, as the caller promises.
            unsafe { arena.window.move_to(cursor, limit) };
            arena.origin.set(origin);
            arena.reserved.set(high - low);
            arena.opened.set(high - low);
            arena.opened_peak.set(high - low);
        }
        arena
    }

    #[inline(always)]
    pub(crate) fn window(&self) -> &Window {
        &self.window
    }

    pub(crate) fn origin(&self) -> usize {
        self.origin.get()
    }

    pub(crate) fn reserved(&self) -> usize {
        self.reserved.get()
    }

    pub(crate) fn opened(&self) -> usize {
        self.opened.get()
    }

    pub(crate) fn opened_peak(&self) -> usize {
        self.opened_peak.get()
    }

    pub(crate) fn budget(&self) -> usize {
        self.budget.get()
    }

    pub(crate) fn set_budget(&self, budget: usize) {
        self.budget.set(budget);
    }

    /// Serves what the window has no room for.
    #[cold]
    #[inline(never)]
    pub(crate) fn refill<B: Backend>(&self, backend: &B, layout: Layout) -> Result<Refilled, AllocError> {
        if layout.size() == 0 {
            // Nothing to find room for: an aligned address that nobody will look behind.
            let align = NonZeroUsize::new(layout.align()).ok_or(AllocError)?;
            let block = NonNull::without_provenance(align);
            return Ok(Refilled { block, dirty_start: 0, dirty_size: 0 });
        }
        let dirty_limit = match self.open(backend, layout) {
            Ok(limit) => limit,
            Err(AllocError) => {
                self.advance(backend, layout)?;
                self.open(backend, layout)?
            }
        };
        let block = self.window.place::<C>(layout).ok_or(AllocError)?;
        self.deep_check();
        let (dirty_start, dirty_size) = if B::ZEROED {
            bumping::dirty::<C>(block.addr().get(), layout.size(), dirty_limit)
        } else {
            (0, layout.size())
        };
        Ok(Refilled { block, dirty_start, dirty_size })
    }

    /// How deep a chunk may be opened within the budget.
    pub(crate) fn reach(&self, chunk: ChunkRef<C>, limit: usize) -> usize {
        let left = self.budget.get().saturating_sub(self.opened.get());
        let reach = chunk.capacity().min(chunk.depth(limit).saturating_add(left));
        align_down(reach, C::MIN_ALIGN)
    }

    /// Moves the limit of the current chunk so far that the window has room for `layout`. Returns the old one: nothing
    /// beyond it was ever written to, or it was purged since.
    pub(crate) fn open<B: Backend>(&self, backend: &B, layout: Layout) -> Result<usize, AllocError> {
        let chunk = self.current.get().ok_or(AllocError)?;
        let (cursor, limit) = (self.window.cursor(), self.window.limit());
        let reach = self.reach(chunk, limit);
        let placed = bumping::place::<C>(cursor.addr().get(), chunk.at(reach).addr().get(), layout)
            .ok_or(AllocError)?;
        let needed = chunk.depth(if C::UP { placed.cursor } else { placed.start });
        let opened = chunk.depth(limit);
        if needed <= opened {
            return Ok(limit);
        }
        let depth = growth::opening(opened, needed, reach, granule(backend));
        self.advise(backend, chunk, opened, depth);
        // SAFETY: the cursor stays; the new limit is a depth within the chunk, and a multiple of `MIN_ALIGN`, as `reach` and
        // granules of pages are; all bytes up to it are the chunk's.
        unsafe { self.window.move_to(cursor, chunk.at(depth).addr().get()) };
        self.add_opened(depth - opened);
        Ok(limit)
    }

    pub(crate) fn add_opened(&self, bytes: usize) {
        self.opened.set(self.opened.get() + bytes);
        self.opened_peak.set(self.opened_peak.get().max(self.opened.get()));
    }

    /// When a chunk of pages is opened past [`Config::HUGE_FROM`]: asks for huge pages for the rest of it.
    fn advise<B: Backend>(&self, backend: &B, chunk: ChunkRef<C>, before: usize, now: usize) {
        if before > C::HUGE_FROM || now <= C::HUGE_FROM || granule(backend) < growth::PAGES {
            return;
        }
        let (a, b) = (chunk.at(C::HUGE_FROM).addr().get(), chunk.far_end());
        let (Some(low), high) = (align_up(a.min(b), HUGE_PAGE), align_down(a.max(b), HUGE_PAGE)) else {
            return;
        };
        if low < high {
            let span = chunk.span();
            // SAFETY: `low` lies in the span.
            let start = unsafe { span.start.add(low - span.start.addr().get()) };
            // SAFETY: the range lies in the span.
            unsafe { backend.advise_huge(start, high - low) };
        }
    }

    /// Grows the last block in place by opening more of its chunk.
    ///
    /// # Safety
    /// As for [`Window::grow`].
    pub(crate) unsafe fn regrow<B: Backend>(
        &self,
        backend: &B,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Option<NonNull<u8>> {
        let cursor = self.window.cursor();
        // SAFETY: the caller promises a live block that `old` fits.
        if !unsafe { self.window.take_back::<C>(block, old) } {
            return None;
        }
        let grown = match self.open(backend, new) {
            Ok(_) => self.window.place::<C>(new),
            Err(AllocError) => None,
        };
        let Some(grown) = grown else {
            // SAFETY: the window as it was: its cursor is back, its limit is where it was or further.
            unsafe { self.window.move_to(cursor, self.window.limit()) };
            return None;
        };
        if !C::UP {
            // SAFETY: `old.size()` bytes are the block's, and at least as many the new one's; nobody else took what was
            // taken back in between. The ranges may overlap.
            unsafe { grown.copy_from(block, old.size()) };
        }
        Some(grown)
    }

    /// The span or buffer ranges that the arena owns.
    pub(crate) fn owns(&self, address: usize) -> bool {
        if self.first.get().is_none() {
            let (a, b) = (self.origin.get(), self.window.limit());
            return a.min(b) <= address && address < a.max(b);
        }
        self.chunks().any(|(chunk, _, _)| Span::contains(chunk.span(), address))
    }
}
