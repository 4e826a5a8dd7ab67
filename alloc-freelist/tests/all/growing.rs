//! A backend whose spans grow in place, and zones that do.

use core::cell::Cell;
use core::ptr::NonNull;

use alloc_core::backend::{Backend, Span, SystemBackend};
use alloc_core::{AllocError, Inspect, Strategy};
use alloc_freelist::header::{Checked, Sized};
use alloc_freelist::{Config, FreeList, coalesce, fit};

use crate::support::{give, layout, take};

/// Hands out the first bytes of a reserve, and more of it when the span is to grow: one span at a time, and other spans
/// from `B`.
pub(crate) struct Stretching<B: Backend> {
    reserve: Span,
    inner: B,
    stretched: Cell<usize>,
    outstanding: Cell<usize>,
}

impl<B: Backend> Stretching<B> {
    pub(crate) fn new(reserve: usize, inner: B) -> Self {
        let reserve = inner.allocate_span(reserve, 16).expect("a reserve");
        Self { reserve, inner, stretched: Cell::new(0), outstanding: Cell::new(0) }
    }

    /// Spans in use.
    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.get()
    }

    fn is_ours(&self, span: Span) -> bool {
        span.start == self.reserve.start
    }
}

impl<B: Backend> Drop for Stretching<B> {
    fn drop(&mut self) {
        // SAFETY: the reserve is the inner backend's, and whoever used it is gone.
        unsafe { self.inner.release_span(self.reserve) };
    }
}

// SAFETY: the reserve's first bytes are handed out once until they come back, and grow at their end only.
unsafe impl<B: Backend> Backend for Stretching<B> {
    const ZEROED: bool = false;

    fn granule(&self) -> usize {
        16
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        let size = size.next_multiple_of(16);
        let span = if self.stretched.get() == 0 && size <= self.reserve.size && align <= 16 {
            self.stretched.set(size);
            Span { start: self.reserve.start, size }
        } else {
            self.inner.allocate_span(size, align)?
        };
        self.outstanding.set(self.outstanding.get() + 1);
        Ok(span)
    }

    unsafe fn release_span(&self, span: Span) {
        self.outstanding.set(self.outstanding.get() - 1);
        if self.is_ours(span) {
            assert_eq!(span.size, self.stretched.replace(0), "the span is as it was last returned");
        } else {
            // SAFETY: not the reserve, hence from the inner backend.
            unsafe { self.inner.release_span(span) };
        }
    }

    unsafe fn grow_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        let size = size.next_multiple_of(16);
        if !self.is_ours(span) || size > self.reserve.size {
            return Err(AllocError);
        }
        assert_eq!(span.size, self.stretched.replace(size), "the span is as it was last returned");
        Ok(Span { start: span.start, size })
    }
}

struct Steps<F, H>(core::marker::PhantomData<(F, H)>);

impl<F: fit::Fit, H: alloc_freelist::header::Header> Config for Steps<F, H> {
    type Fit = F;
    type Header = H;
    type Coalesce = coalesce::Immediate;
    const GROW: usize = 4096;
    const GROW_SHARE: usize = 0;
}

/// One zone grows from a page to a megabyte, its tables moving several times, and every block keeps its bytes.
fn one_zone_grows<F: fit::Fit, H: alloc_freelist::header::Header>() {
    let source = Stretching::new(1 << 20, SystemBackend);
    let heap = FreeList::<_, Steps<F, H>>::new_in(&source);
    let mut blocks: Vec<(NonNull<u8>, usize)> = Vec::new();
    for index in 0..800 {
        let size = 16 + index * 37 % 1800;
        let block = take(&heap, size);
        // SAFETY: the block is live and has so many bytes.
        unsafe { block.write_bytes(index as u8, size) };
        blocks.push((block, size));
        if index % 3 == 2 {
            let (block, size) = blocks.swap_remove(index * 7 % blocks.len());
            give(&heap, block, size);
        }
        heap.check().expect("a whole heap");
    }
    let mut tags: Vec<u8> = Vec::new();
    for &(block, size) in &blocks {
        // SAFETY: the block is live, and was written to its size.
        let bytes = unsafe { core::slice::from_raw_parts(block.as_ptr(), size) };
        assert!(bytes.iter().all(|&byte| byte == bytes[0]), "a block's bytes changed");
        tags.push(bytes[0]);
    }
    assert_eq!(tags.len(), blocks.len());
    let committed = heap.stats().committed.get();
    assert!(committed > Some(256 << 10), "the zone grew: {committed:?}");
    assert_eq!(source.outstanding(), 1, "it stayed one zone");
    for (block, size) in blocks {
        give(&heap, block, size);
    }
    heap.check().expect("a whole heap");
    let stats = heap.stats();
    assert!(stats.free_blocks.get() <= Some(2), "all is merged but for the tables: {stats:?}");
}

#[test]
fn a_zone_grows_in_place_with_every_fit() {
    one_zone_grows::<fit::First, alloc_freelist::header::None>();
    one_zone_grows::<fit::First, Checked>();
    one_zone_grows::<fit::Next, Sized>();
    one_zone_grows::<fit::Best, alloc_freelist::header::None>();
    one_zone_grows::<fit::Best, Checked>();
}

/// Blocks grow and shrink where they are as far as their neighbours allow.
#[test]
fn blocks_grow_and_shrink_in_place() {
    let heap = FreeList::<_, Steps<fit::First, alloc_freelist::header::None>>::new_in(SystemBackend);
    let block = take(&heap, 100);
    let neighbour = take(&heap, 1000);
    let guard = take(&heap, 16);
    give(&heap, neighbour, 1000);
    // SAFETY: the block is live, with this layout.
    let grown = unsafe { heap.grow(block, layout(100, 16), layout(1000, 16)) };
    assert_eq!(grown, Ok(block), "the free neighbour is taken over");
    heap.check().expect("a whole heap");
    // SAFETY: as above.
    let shrunk = unsafe { heap.shrink(block, layout(1000, 16), layout(10, 16)) };
    assert_eq!(shrunk, Ok(block));
    heap.check().expect("a whole heap");
    assert_eq!(
        take(&heap, 900).as_ptr() as usize,
        block.as_ptr() as usize + 16,
        "what was cut off is free at once"
    );
    give(&heap, guard, 16);
}
