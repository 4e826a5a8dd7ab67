//! A strategy that takes a span from its backend for every block; sound, or with one fault that only a hostile
//! backend brings to light.

use core::alloc::Layout;
use core::ptr::NonNull;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use alloc_core::backend::{Backend, Span};
use alloc_core::{
    AllocError, Block, BlockState, Inspect, Ownership, Stats, Step, Strategy, Visit, Walked, Zone,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Sound.
    None,
    /// Fresh spans are taken to be zero.
    TrustsZeros,
    /// Spans are taken to start at a page, whatever alignment was asked for.
    TrustsPages,
    /// Eight bytes are written behind each span.
    WritesBehind,
    /// A block that cannot grow loses its first byte.
    SpoilsOnFailure,
    /// Spans are kept when the strategy is dropped.
    KeepsSpans,
}

/// # Invariant
/// The table holds the span of every live block, by the block's address.
#[derive(Debug)]
pub(crate) struct Spans<B: Backend> {
    backend: B,
    habit: Habit,
    table: Mutex<BTreeMap<usize, Span>>,
}

impl<B: Backend> Spans<B> {
    pub(crate) fn new(backend: B, habit: Habit) -> Self {
        Self { backend, habit, table: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<usize, Span>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self, block: NonNull<u8>) {
        let Some(span) = self.table().remove(&block.addr().get()) else { return };
        if self.habit != Habit::KeepsSpans {
            // SAFETY: the span came from the backend, as it is, and its block's holder gave it up.
            unsafe { self.backend.release_span(span) };
        }
    }
}

impl<B: Backend> Drop for Spans<B> {
    fn drop(&mut self) {
        for span in core::mem::take(&mut *self.table()).into_values() {
            // SAFETY: the span came from the backend, as it is, and nobody can use the block any more.
            unsafe { self.backend.release_span(span) };
        }
    }
}

// SAFETY: every block is a span of its own, as large and as aligned as asked for, unless a habit spoils it.
unsafe impl<B: Backend> Strategy for Spans<B> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let align = if self.habit == Habit::TrustsPages { 1 } else { layout.align() };
        let span = self.backend.allocate_span(layout.size().max(1), align)?;
        if self.habit == Habit::WritesBehind {
            // SAFETY: the backends of these tests own a granule behind the span.
            let behind = unsafe { span.start.add(span.size) };
            // SAFETY: as above.
            unsafe { behind.write_bytes(0, 8) };
        }
        self.table().insert(span.start.addr().get(), span);
        Ok(span.start)
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let block = self.allocate(layout)?;
        if !B::ZEROED && self.habit != Habit::TrustsZeros {
            // SAFETY: a new block of at least `layout.size()` bytes.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        Ok(block)
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, _layout: Layout) {
        self.release(block);
    }

    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        let Ok(grown) = self.allocate(new) else {
            if self.habit == Habit::SpoilsOnFailure && old.size() > 0 {
                // SAFETY: the block is live and has a byte, which its holder wrote.
                let first = unsafe { block.read() };
                // SAFETY: as above.
                unsafe { block.write(!first) };
            }
            return Err(AllocError);
        };
        // SAFETY: both blocks have `old.size()` bytes, and spans do not overlap.
        unsafe { grown.copy_from_nonoverlapping(block, old.size()) };
        self.release(block);
        Ok(grown)
    }
}

impl<B: Backend> Inspect for Spans<B> {
    fn name(&self) -> &'static str {
        "spans"
    }

    fn stats(&self) -> Stats {
        Stats::UNKNOWN
    }

    fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        for (&address, &Span { size, .. }) in &*self.table() {
            let block = Block { address, size, state: BlockState::Mapped };
            for step in [Step::Zone(Zone { address, size }), Step::Block(block)] {
                if visit(step).is_break() {
                    return Walked::Stopped;
                }
            }
        }
        Walked::Complete
    }

    fn owns(&self, address: NonNull<u8>) -> Ownership {
        let mine = self.table().values().any(|span| span.contains(address.addr().get()));
        if mine { Ownership::Mine } else { Ownership::NotMine }
    }

    fn trim(&self, _keep: usize) -> usize {
        0
    }
}
