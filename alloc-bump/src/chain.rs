//! The list of an arena's chunks: which comes next, where new ones come from, and when they go back.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::arith::align_up;
use alloc_core::backend::Backend;

use crate::arena::{Arena, granule};
use crate::bumping;
use crate::chunk::{BumpChunk, ChunkRef};
use crate::config::Config;
use crate::growth::{self, HUGE_PAGE};
#[cfg(feature = "libc")]
use crate::pages::{LEAD, Parked};

impl<C: Config> Arena<C> {
    /// Makes a chunk current that can be opened far enough for `layout`: a spare one, or a new one.
    pub(crate) fn advance<B: Backend>(&self, backend: &B, layout: Layout) -> Result<(), AllocError> {
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
        if !self.fits(chunk, layout) {
            // The budget falls short by the padding.
            self.release(backend, chunk);
            return Err(AllocError);
        }
        self.link_after_current(chunk);
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
        let granule = granule(backend);
        let preferred = match self.ask.get() {
            0 => growth::first_chunk(granule, C::FIRST_CHUNK, C::RESERVE),
            ask => ask,
        };
        // Over a source whose spans cost memory at once, a chunk beyond the budget would be paid for and not used.
        let preferred = if granule < growth::PAGES { preferred.min(left) } else { preferred };
        let mut size = preferred.max(least);
        let (span, lead) = loop {
            let lead = growth::lead(size, granule, C::HUGE_FROM);
            if lead > 0
                && let Ok(span) = backend.allocate_span(growth::span(size, lead), HUGE_PAGE)
            {
                break (span, lead);
            }
            match backend.allocate_span(size, align) {
                Ok(span) => break (span, 0),
                Err(AllocError) => size = growth::smaller(size, least).ok_or(AllocError)?,
            }
        };
        self.ask.set(growth::larger(size));
        self.reserved.set(self.reserved.get() + span.size);
        self.add_opened(header);
        // SAFETY: a span of `least` bytes or more, fresh from the backend and aligned as was asked; `release` gives it
        // back, after which no chunk reference to it is kept.
        Ok(unsafe { ChunkRef::write(span, lead) })
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
        self.add_opened(depth);
        // SAFETY: a span of pages that is ours alone, aligned to a page and larger than `least`; `release` gives it back.
        let chunk = unsafe { ChunkRef::write(parked.span, LEAD) };
        chunk.get().limit.set(chunk.at(depth).addr().get());
        Some(chunk)
    }

    pub(crate) fn link_after_current(&self, chunk: ChunkRef<C>) {
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

    pub(crate) fn unlink(&self, chunk: ChunkRef<C>) {
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
    pub(crate) fn activate(&self, chunk: ChunkRef<C>, cursor: NonNull<u8>) {
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

    /// Gives spare chunks back, and the pages of the current one beyond `keep` free bytes. Returns the bytes given back,
    /// of those that were open.
    pub(crate) fn trim<B: Backend>(&self, backend: &B, keep: usize) -> usize {
        let Some(chunk) = self.current.get() else { return 0 };
        let before = self.opened.get();
        while let Some(spare) = self.spares() {
            self.unlink(spare);
            self.release(backend, spare);
        }
        let granule = granule(backend);
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
        self.deep_check();
        before - self.opened.get()
    }

    /// Gives a chunk back that is not in the list.
    pub(crate) fn release<B: Backend>(&self, backend: &B, chunk: ChunkRef<C>) {
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
}
