//! What the tests of growing, purging and resizing share: backends with habits, and looks at bytes.

use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::backend::{Backend, PagesBackend, Span};
use alloc_core::os::unix::Os;

use super::Rig;
use crate::arena::Found;
use crate::chunk::Chunk;
use crate::size;

/// A backend that has address space for spans of `LARGEST` bytes at most.
pub(super) struct Cramped<const LARGEST: usize>(PagesBackend<Os>);

impl<const LARGEST: usize> Cramped<LARGEST> {
    pub(super) fn new() -> Self {
        Self(PagesBackend::new(Os))
    }
}

// SAFETY: spans are those of the pages backend, as they are.
unsafe impl<const LARGEST: usize> Backend for Cramped<LARGEST> {
    const ZEROED: bool = true;

    fn granule(&self) -> usize {
        self.0.granule()
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        if size > LARGEST {
            return Err(AllocError);
        }
        self.0.allocate_span(size, align)
    }

    unsafe fn release_span(&self, span: Span) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.0.release_span(span) };
    }

    unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.0.purge(start, size) }
    }
}

/// A backend that takes pages back and does not say what they hold from then on.
pub(super) struct Stale(pub(super) PagesBackend<Os>);

// SAFETY: spans are those of the pages backend, as they are.
unsafe impl Backend for Stale {
    const ZEROED: bool = false;

    fn granule(&self) -> usize {
        self.0.granule()
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        self.0.allocate_span(size, align)
    }

    unsafe fn release_span(&self, span: Span) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.0.release_span(span) };
    }

    unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize {
        // SAFETY: the caller gave the contents up.
        unsafe { start.write_bytes(0xc7, size) };
        size
    }
}

/// The usable bytes of a chunk that the test holds.
pub(super) fn usable(chunk: Chunk) -> usize {
    // SAFETY: the chunk is in use.
    size::usable(unsafe { chunk.size() })
}

/// Fills a chunk that the test holds.
pub(super) fn fill(chunk: Chunk, byte: u8) {
    // SAFETY: the block is the test's, and so large.
    unsafe { chunk.block().as_ptr().write_bytes(byte, usable(chunk)) };
}

/// Whether the bytes from `from` to `to` of a chunk's block are all `byte`.
pub(super) fn holds(chunk: Chunk, from: usize, to: usize, byte: u8) -> bool {
    assert!(from <= to && to <= usable(chunk));
    // SAFETY: the bytes lie in the block.
    let start = unsafe { chunk.block().add(from) };
    // SAFETY: as above.
    let bytes = unsafe { core::slice::from_raw_parts(start.as_ptr(), to - from) };
    // SAFETY: any eight bytes are a number.
    let (head, words, tail) = unsafe { bytes.align_to::<u64>() };
    let word = u64::from_ne_bytes([byte; 8]);
    head.iter().chain(tail).all(|&found| found == byte) && words.iter().all(|&found| found == word)
}

/// How many bytes at the end of a new chunk are said to be zero. They are.
pub(super) fn clean(found: Found) -> usize {
    let start = found.chunk.block().addr().get();
    let end = start + usable(found.chunk);
    assert!(found.clean_from >= start, "it speaks of what is not the block");
    let from = found.clean_from.min(end);
    assert!(holds(found.chunk, from - start, end - start, 0), "what is called clean is not");
    end - from
}

impl<B: Backend> Rig<B> {
    /// A new chunk, filled, and how many bytes of it were said to be zero.
    pub(super) fn dirty(&self, size: usize) -> (Chunk, usize) {
        // SAFETY: the tests ask for chunk sizes.
        let found = self.work(|state, source| unsafe { state.allocate(source, size) }).expect("memory");
        let zero = clean(found);
        fill(found.chunk, 0xd7);
        (found.chunk, zero)
    }

    pub(super) fn resize(&self, chunk: Chunk, size: usize) -> bool {
        // SAFETY: the tests resize what they hold to chunk sizes.
        self.work(|state, source| unsafe { state.resize(source, chunk, size) })
    }

    pub(super) fn aligned(&self, size: usize, align: usize) -> Option<Found> {
        // SAFETY: the tests ask for chunk sizes and powers of two.
        self.work(|state, source| unsafe { state.allocate_aligned(source, size, align) })
    }

    pub(super) fn trim(&self, pad: usize) -> usize {
        // SAFETY: the source is the arena's.
        self.work(|state, source| unsafe { state.trim(source, pad) })
    }

    pub(super) fn tick(&self, now_ms: u64) {
        // SAFETY: the source is the arena's.
        self.work(|state, source| unsafe { state.tick(source, now_ms) });
    }

    /// The arena's heaps.
    pub(super) fn heaps(&self) -> usize {
        self.work(|state, _| {
            let (mut heaps, mut next) = (0, Some(state.heap));
            while let Some(heap) = next {
                heaps += 1;
                // SAFETY: the heaps of an arena are live as long as it is.
                next = unsafe { heap.as_ref() }.previous();
            }
            heaps
        })
    }
}
