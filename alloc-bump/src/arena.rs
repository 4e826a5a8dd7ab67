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
use crate::chunk::{BumpChunk, ChunkRef};
use crate::config::Config;
use crate::growth::{self, HUGE, HUGE_PAGE};
#[cfg(feature = "libc")]
use crate::pages::{Lot, Parked};
use crate::window::Window;

/// Who puts memory behind newly opened pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Populate {
    /// The slow path that opens them.
    Now,
    /// Whoever takes them, outside of any lock.
    Later,
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

/// A place to rewind to.
pub(crate) struct Mark<C> {
    chunk: Option<ChunkRef<C>>,
    cursor: NonNull<u8>,
}

impl<C> Mark<C> {
    pub(crate) fn cursor(self) -> NonNull<u8> {
        self.cursor
    }
}

impl<C> Clone for Mark<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Mark<C> {}

/// ```text
///   first ─► chunk ⇄ chunk ⇄ chunk ⇄ chunk ⇄ chunk
///            full    full    current spare   spare
/// ```
///
/// A fixed arena has no chunk: its window is the caller's buffer, all of it.
pub(crate) struct Arena<C> {
    window: Window,
    /// Where the cursor of the current chunk, or of the buffer, begins.
    origin: Cell<usize>,
    pub(crate) current: Cell<Option<ChunkRef<C>>>,
    pub(crate) first: Cell<Option<ChunkRef<C>>>,
    /// Bytes of spans.
    reserved: Cell<usize>,
    /// Bytes opened: the depth of every chunk, headers included.
    opened: Cell<usize>,
    opened_peak: Cell<usize>,
    /// What `opened` must not exceed.
    budget: Cell<usize>,
    /// What to ask the backend for next; 0 before the first time.
    ask: Cell<usize>,
    /// Where the backend's chunks come from first, and are left at the end.
    #[cfg(feature = "libc")]
    lot: Option<&'static Lot>,
    config: PhantomData<fn() -> C>,
}

// SAFETY: the pointers lead to memory that the arena has to itself, and to chunks that only it reaches.
unsafe impl<C> Send for Arena<C> {}

impl<C: Config> Arena<C> {
    /// An arena without memory.
    pub(crate) const fn new() -> Self {
        let () = C::VALID;
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
    pub(crate) fn refill<B: Backend>(
        &self,
        backend: &B,
        layout: Layout,
        populate: Populate,
    ) -> Result<Refilled, AllocError> {
        if layout.size() == 0 {
            // Nothing to find room for: an aligned address that nobody will look behind.
            let align = NonZeroUsize::new(layout.align()).ok_or(AllocError)?;
            let block = NonNull::without_provenance(align);
            return Ok(Refilled { block, dirty_start: 0, dirty_size: 0 });
        }
        let dirty_limit = match self.open(backend, layout, populate) {
            Ok(limit) => limit,
            Err(AllocError) => {
                self.advance(backend, layout)?;
                self.open(backend, layout, populate)?
            }
        };
        let block = self.window.place::<C>(layout).ok_or(AllocError)?;
        let (dirty_start, dirty_size) = if B::ZEROED {
            bumping::dirty::<C>(block.addr().get(), layout.size(), dirty_limit)
        } else {
            (0, layout.size())
        };
        Ok(Refilled { block, dirty_start, dirty_size })
    }

    /// How deep a chunk may be opened within the budget.
    fn reach(&self, chunk: ChunkRef<C>, limit: usize) -> usize {
        let left = self.budget.get().saturating_sub(self.opened.get());
        let reach = chunk.capacity().min(chunk.depth(limit).saturating_add(left));
        align_down(reach, C::MIN_ALIGN)
    }

    /// Moves the limit of the current chunk so far that the window has room for `layout`. Returns the old one: nothing
    /// beyond it was ever written to, or it was purged since.
    pub(crate) fn open<B: Backend>(
        &self,
        backend: &B,
        layout: Layout,
        populate: Populate,
    ) -> Result<usize, AllocError> {
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
        let opening = growth::opening(opened, needed, reach, backend.granule());
        // SAFETY: the cursor stays; the new limit is a depth within the chunk, of which `reach` is a multiple of
        // `MIN_ALIGN`, as granules of pages are; all bytes up to it are the chunk's.
        unsafe { self.window.move_to(cursor, chunk.at(opening.depth).addr().get()) };
        self.opened.set(self.opened.get() + (opening.depth - opened));
        self.opened_peak.set(self.opened_peak.get().max(self.opened.get()));
        self.advise(backend, chunk, opened, opening.depth);
        if populate == Populate::Now && opening.populate > 0 {
            let low = if C::UP { opened } else { opening.depth };
            // SAFETY: the range lies in the chunk's span.
            unsafe { backend.populate(chunk.at(low), opening.depth - opened) };
        }
        Ok(limit)
    }

    /// Once, when a chunk of pages is opened past [`HUGE`]: asks for huge pages for the rest of it.
    fn advise<B: Backend>(&self, backend: &B, chunk: ChunkRef<C>, before: usize, now: usize) {
        if before > HUGE || now <= HUGE || backend.granule() < growth::PAGES {
            return;
        }
        let span = chunk.span();
        let limit = chunk.at(before).addr().get();
        let (low, high) = if C::UP { (limit, span.end()) } else { (span.start.addr().get(), limit) };
        let (Some(low), high) = (align_up(low, HUGE_PAGE), align_down(high, HUGE_PAGE)) else { return };
        if low < high {
            // SAFETY: `low` lies in the span.
            let start = unsafe { span.start.add(low - span.start.addr().get()) };
            // SAFETY: the range lies in the span.
            unsafe { backend.advise_huge(start, high - low) };
        }
    }

    /// Makes a chunk current that can be opened far enough for `layout`: a spare one, or a new one.
    fn advance<B: Backend>(&self, backend: &B, layout: Layout) -> Result<(), AllocError> {
        let mut spare = self.spares();
        while let Some(chunk) = spare {
            if self.fits(chunk, layout) {
                self.unlink(chunk);
                self.link_after_current(chunk);
                self.activate(chunk, chunk.origin());
                return Ok(());
            }
            spare = chunk.get().next.get();
        }
        let chunk = self.new_chunk(backend, layout)?;
        self.link_after_current(chunk);
        if !self.fits(chunk, layout) {
            // The budget falls short by the padding. The chunk stays, as a spare one.
            return Err(AllocError);
        }
        self.activate(chunk, chunk.origin());
        Ok(())
    }

    /// Whether a chunk without live blocks can be opened far enough for `layout`.
    fn fits(&self, chunk: ChunkRef<C>, layout: Layout) -> bool {
        let reach = self.reach(chunk, chunk.get().limit.get());
        let (origin, end) = (chunk.origin().addr().get(), chunk.at(reach).addr().get());
        bumping::place::<C>(origin, end, layout).is_some()
    }

    /// The first spare chunk.
    fn spares(&self) -> Option<ChunkRef<C>> {
        match self.current.get() {
            Some(chunk) => chunk.get().next.get(),
            None => self.first.get(),
        }
    }

    fn new_chunk<B: Backend>(&self, backend: &B, layout: Layout) -> Result<ChunkRef<C>, AllocError> {
        let (header, align) = (BumpChunk::<C>::ORIGIN, BumpChunk::<C>::ALIGN);
        let least = growth::least_chunk(header, layout.size(), layout.align(), align).ok_or(AllocError)?;
        let left = self.budget.get().saturating_sub(self.opened.get());
        if left < header.saturating_add(layout.size()) {
            return Err(AllocError);
        }
        #[cfg(feature = "libc")]
        if let Some(chunk) = self.unpark(least, left) {
            return Ok(chunk);
        }
        let granule = backend.granule();
        let preferred = match self.ask.get() {
            0 => growth::first_chunk(granule, C::FIRST_CHUNK, C::RESERVE),
            ask => ask,
        };
        // Over a source whose spans cost memory at once, a chunk beyond the budget would be paid for and not used.
        let preferred = if granule < growth::PAGES { preferred.min(left) } else { preferred };
        let mut size = preferred.max(least);
        let span = loop {
            match backend.allocate_span(size, align) {
                Ok(span) => break span,
                Err(AllocError) => size = growth::smaller(size, least).ok_or(AllocError)?,
            }
        };
        self.ask.set(growth::larger(size));
        self.reserved.set(self.reserved.get() + span.size);
        self.opened.set(self.opened.get() + header);
        self.opened_peak.set(self.opened_peak.get().max(self.opened.get()));
        // SAFETY: a span of `least` bytes or more, fresh from the backend and aligned as was asked; `release` gives it
        // back, after which no chunk reference to it is kept.
        Ok(unsafe { ChunkRef::write(span) })
    }

    /// A chunk that another arena has left, as this one's first.
    #[cfg(feature = "libc")]
    fn unpark(&self, least: usize, left: usize) -> Option<ChunkRef<C>> {
        let lot = self.lot.filter(|_| self.first.get().is_none())?;
        // Its header may have been placed for a smaller alignment of the cursor.
        let depth = |parked: Parked| parked.depth.max(BumpChunk::<C>::ORIGIN).next_multiple_of(growth::PAGES);
        let parked = lot.take(|parked| parked.span.size >= least && depth(parked) <= left)?;
        let depth = depth(parked);
        self.ask.set(growth::larger(parked.span.size));
        self.reserved.set(parked.span.size);
        self.opened.set(depth);
        self.opened_peak.set(self.opened_peak.get().max(depth));
        // SAFETY: a span of pages that is ours alone, aligned to a page and larger than `least`; `release` gives it back.
        let chunk = unsafe { ChunkRef::write(parked.span) };
        chunk.get().limit.set(chunk.at(depth).addr().get());
        Some(chunk)
    }

    fn link_after_current(&self, chunk: ChunkRef<C>) {
        let previous = self.current.get();
        let next = match previous {
            Some(previous) => previous.get().next.replace(Some(chunk)),
            None => self.first.replace(Some(chunk)),
        };
        chunk.get().previous.set(previous);
        chunk.get().next.set(next);
        if let Some(next) = next {
            next.get().previous.set(Some(chunk));
        }
    }

    fn unlink(&self, chunk: ChunkRef<C>) {
        let (previous, next) = (chunk.get().previous.get(), chunk.get().next.get());
        match previous {
            Some(previous) => previous.get().next.set(next),
            None => self.first.set(next),
        }
        if let Some(next) = next {
            next.get().previous.set(previous);
        }
    }

    /// Puts the window over a chunk of the list, with its next block at `cursor`.
    fn activate(&self, chunk: ChunkRef<C>, cursor: NonNull<u8>) {
        if let Some(current) = self.current.get() {
            current.get().cursor.set(self.window.cursor());
            current.get().limit.set(self.window.limit());
        }
        self.current.set(Some(chunk));
        self.origin.set(chunk.origin().addr().get());
        // SAFETY: cursor and limit are those of a chunk that is open in between, at or after its last live block; the
        // chunk's provenance covers it whole.
        unsafe { self.window.move_to(cursor, chunk.get().limit.get()) };
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
        populate: Populate,
    ) -> Option<NonNull<u8>> {
        let cursor = self.window.cursor();
        // SAFETY: the caller promises a live block that `old` fits.
        if !unsafe { self.window.take_back::<C>(block, old) } {
            return None;
        }
        let grown = match self.open(backend, new, populate) {
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

    pub(crate) fn mark(&self) -> Mark<C> {
        Mark { chunk: self.current.get(), cursor: self.window.cursor() }
    }

    /// Gives back every block that was taken since `mark`. Chunks stay, as spare ones.
    ///
    /// # Safety
    /// The mark was made by this arena, which since then was neither reset nor rewound to an earlier mark; no block taken
    /// or grown since is used any more.
    pub(crate) unsafe fn rewind(&self, mark: Mark<C>) {
        if mark.chunk == self.current.get() {
            let cursor = Self::earlier(mark.cursor, self.window.cursor());
            // SAFETY: a former cursor of the same chunk, and the limit has never been behind the present one.
            unsafe { self.window.move_to(cursor, self.window.limit()) };
        } else if let Some(chunk) = mark.chunk {
            self.activate(chunk, Self::earlier(mark.cursor, chunk.get().cursor.get()));
        } else if let Some(first) = self.first.get() {
            // The mark is older than the first chunk.
            self.activate(first, first.origin());
        }
    }

    /// The cursor with fewer blocks behind it. Blocks from before a mark may have been given back after it, and what was
    /// beyond the cursor then may have been trimmed.
    fn earlier(a: NonNull<u8>, b: NonNull<u8>) -> NonNull<u8> {
        if (a < b) == C::UP { a } else { b }
    }

    /// Gives back every block.
    #[inline]
    pub(crate) fn reset(&mut self) {
        if self.current.get() != self.first.get() {
            self.reset_slow();
        }
        // SAFETY: `origin` is never zero.
        let origin = unsafe { NonZeroUsize::new_unchecked(self.origin.get()) };
        // SAFETY: the whole of the chunk, or of the buffer, is free, and its cursor's provenance covers it.
        unsafe { self.window.move_to(self.window.cursor().with_addr(origin), self.window.limit()) };
    }

    /// Makes the larger of the current and the first chunk the first, so that rounds of equal work end in one chunk.
    #[cold]
    #[inline(never)]
    fn reset_slow(&mut self) {
        let (Some(current), Some(first)) = (self.current.get(), self.first.get()) else { return };
        if current.capacity() > first.capacity() {
            self.unlink(current);
            current.get().previous.set(None);
            current.get().next.set(Some(first));
            first.get().previous.set(Some(current));
            self.first.set(Some(current));
        } else {
            self.activate(first, first.origin());
        }
    }

    /// Gives spare chunks back, and the pages of the current one beyond `keep` free bytes. Returns the bytes given back,
    /// of those that were open.
    pub(crate) fn trim<B: Backend>(&self, backend: &B, keep: usize) -> usize {
        let Some(chunk) = self.current.get() else { return 0 };
        let before = self.opened.get();
        while let Some(spare) = self.spares() {
            self.unlink(spare);
            self.release(backend, spare);
        }
        let granule = backend.granule();
        let (used, opened) =
            (chunk.depth(self.window.cursor().addr().get()), chunk.depth(self.window.limit()));
        if let Some(kept) = used.checked_add(keep).and_then(|kept| align_up(kept, granule))
            && granule >= growth::PAGES
            && kept < opened
        {
            let low = if C::UP { kept } else { opened };
            // SAFETY: the range lies in the span, and no block reaches into it: all end before `used`.
            let purged = unsafe { backend.purge(chunk.at(low), opened - kept) };
            // The limit tells what reads as zero, and may only come back over what was purged to the last byte.
            if purged >= opened - kept {
                // SAFETY: a depth between the cursor's and the old limit's, multiple of a granule of pages.
                unsafe { self.window.move_to(self.window.cursor(), chunk.at(kept).addr().get()) };
                self.opened.set(self.opened.get() - (opened - kept));
            }
        }
        before - self.opened.get()
    }

    /// Gives a chunk that is in the list no more back.
    fn release<B: Backend>(&self, backend: &B, chunk: ChunkRef<C>) {
        let (span, opened) = (chunk.span(), chunk.depth(chunk.get().limit.get()));
        self.opened.set(self.opened.get() - opened);
        self.reserved.set(self.reserved.get() - span.size);
        // SAFETY: the span came from this backend, and its chunk is out of the list.
        unsafe { backend.release_span(span) };
    }

    /// Gives every chunk back.
    ///
    /// # Safety
    /// No block is used any more, and neither is the arena. The backend is the one that was always passed.
    pub(crate) unsafe fn release_all<B: Backend>(&self, backend: &B) {
        if let Some(current) = self.current.get() {
            current.get().limit.set(self.window.limit());
        }
        let mut next = self.first.take();
        while let Some(chunk) = next {
            next = chunk.get().next.get();
            #[cfg(feature = "libc")]
            // SAFETY: with a lot, the backend is `Pages` and all chunks are filled in its direction; nothing refers to
            // this one any more.
            if self.lot.is_some_and(|lot| unsafe { lot.put(chunk) }) {
                continue;
            }
            // SAFETY: the span came from this backend, and nothing refers to its chunk any more.
            unsafe { backend.release_span(chunk.span()) };
        }
    }

    /// The chunks, first to last, each with its cursor and limit as of now. Spare ones are empty.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = (ChunkRef<C>, usize, usize)> {
        let mut next = self.first.get();
        let mut spare = false;
        core::iter::from_fn(move || {
            let chunk = next?;
            let header = chunk.get();
            next = header.next.get();
            Some(if Some(chunk) == self.current.get() {
                spare = true;
                (chunk, self.window.cursor().addr().get(), self.window.limit())
            } else if spare {
                (chunk, chunk.origin().addr().get(), header.limit.get())
            } else {
                (chunk, header.cursor.get().addr().get(), header.limit.get())
            })
        })
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
