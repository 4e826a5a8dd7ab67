//! Pages of the operating system, as one source for the whole process, and the chunks that dropped arenas leave for the
//! next ones.
//!
//! An arena for each request, made and dropped, is a common way to use one. Mapping its memory, faulting it in page by
//! page, and unmapping it again costs about a hundred times as much as filling it. So the first chunk of a
//! dropped arena is *parked*: it keeps its address space and at most [`KEPT`] bytes of memory, and the next arena starts
//! in it.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use alloc_core::AllocError;
use alloc_core::backend::{Backend, PagesBackend, Span};
use alloc_core::os::unix::Os;

use crate::chunk::{BumpChunk, ChunkRef};
use crate::config::{Config, Up};
use crate::growth;

static SOURCE: PagesBackend<Os> = PagesBackend::new(Os);

/// Pages of the operating system: the backend of arenas unless told otherwise. All values are the same one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pages;

impl Pages {
    /// Gives the memory that dropped arenas left for the next ones back to the system: up to 512 KiB for
    /// each of the eight that may be kept. Returns the bytes of address space given back.
    pub fn release_parked() -> usize {
        let mut released = 0;
        for lot in [&UPWARDS, &DOWNWARDS] {
            while let Some(parked) = lot.take(|_| true) {
                released += parked.span.size;
                // SAFETY: the span came from `SOURCE`, and whoever takes a parked chunk has it to himself.
                unsafe { SOURCE.release_span(parked.span) };
            }
        }
        released
    }
}

// SAFETY: every method forwards to the same method of one `PagesBackend` with the same arguments, so its promises are ours.
unsafe impl Backend for Pages {
    const ZEROED: bool = PagesBackend::<Os>::ZEROED;

    #[inline]
    fn granule(&self) -> usize {
        SOURCE.granule()
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        SOURCE.allocate_span(size, align)
    }

    unsafe fn release_span(&self, span: Span) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { SOURCE.release_span(span) };
    }

    unsafe fn grow_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { SOURCE.grow_span(span, size) }
    }

    unsafe fn populate(&self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { SOURCE.populate(start, size) };
    }

    unsafe fn advise_huge(&self, start: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { SOURCE.advise_huge(start, size) };
    }

    unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize {
        // SAFETY: the caller's promises are the callee's.
        unsafe { SOURCE.purge(start, size) }
    }
}

/// Bytes of memory that a parked chunk keeps.
const KEPT: usize = Up::<1>::HUGE_FROM;

/// The size of chunks that are parked: those that the configurations of this crate begin with.
const SIZE: usize = Up::<1>::RESERVE;

/// The lead of those chunks.
pub(crate) const LEAD: usize = growth::lead(SIZE, growth::PAGES, Up::<1>::HUGE_FROM);

const PLACES: usize = 4;

static UPWARDS: Lot = Lot([const { AtomicPtr::new(ptr::null_mut()) }; PLACES]);
static DOWNWARDS: Lot = Lot([const { AtomicPtr::new(ptr::null_mut()) }; PLACES]);

/// Places for chunks of [`Pages`] that are filled in one direction. A chunk has its header still, whose span and limit
/// count.
pub(crate) struct Lot([AtomicPtr<Header>; PLACES]);

/// The header of a chunk, whatever the configuration it was written for.
type Header = BumpChunk<()>;

/// A chunk on offer: its span, and how deep it was open.
#[derive(Clone, Copy)]
pub(crate) struct Parked {
    pub(crate) span: Span,
    pub(crate) depth: usize,
}

impl Lot {
    /// The lot for arenas of this configuration, if any.
    pub(crate) const fn of<C: Config>() -> Option<&'static Self> {
        if C::RESERVE != SIZE || C::HUGE_FROM != KEPT {
            None
        } else if C::UP {
            Some(&UPWARDS)
        } else {
            Some(&DOWNWARDS)
        }
    }

    /// A parked chunk that `wanted` agrees to. It is the caller's alone from then on.
    pub(crate) fn take(&self, wanted: impl Fn(Parked) -> bool) -> Option<Parked> {
        for place in &self.0 {
            if place.load(Ordering::Relaxed).is_null() {
                continue;
            }
            // Acquire: what the last arena wrote to the header, and the memory's purge, come before this thread's use.
            let Some(header) = NonNull::new(place.swap(ptr::null_mut(), Ordering::Acquire)) else { continue };
            // SAFETY: only `put` stores anything else than null, namely a whole header, and the exchange made it ours.
            let parked = unsafe { header.as_ref() }.parked();
            if wanted(parked) {
                return Some(parked);
            }
            if !self.keep(header) {
                // SAFETY: the span came from `SOURCE`, and the exchange made the chunk ours.
                unsafe { SOURCE.release_span(parked.span) };
            }
        }
        None
    }

    /// Takes a chunk over, if it is of the right size and there is a place.
    ///
    /// # Safety
    /// The chunk is one of [`Pages`], filled in the direction of this lot, and the caller gives it up when the answer is
    /// yes.
    pub(crate) unsafe fn put<C: Config>(&self, chunk: ChunkRef<C>) -> bool {
        if chunk.span().size != growth::span(SIZE, LEAD)
            || self.0.iter().all(|place| !place.load(Ordering::Relaxed).is_null())
        {
            return false;
        }
        let opened = chunk.depth(chunk.get().limit.get());
        if opened > KEPT {
            let low = if C::UP { KEPT } else { opened };
            // SAFETY: the range lies in the span, and the caller uses none of it.
            if unsafe { SOURCE.purge(chunk.at(low), opened - KEPT) } < opened - KEPT {
                return false;
            }
            chunk.get().limit.set(chunk.at(KEPT).addr().get());
        }
        self.keep(chunk.erased())
    }

    fn keep(&self, header: NonNull<Header>) -> bool {
        self.0.iter().any(|place| {
            // Release: see `take`. Relaxed on failure: nothing was read.
            place
                .compare_exchange(ptr::null_mut(), header.as_ptr(), Ordering::Release, Ordering::Relaxed)
                .is_ok()
        })
    }
}
