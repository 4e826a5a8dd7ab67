//! The decorator that tells.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::{AllocError, Inspect, SizedBlocks, Strategy};

use crate::event::{Event, Moment, Place};
use crate::sink::Sink;
use crate::thread;

/// The alignment that [`SizedBlocks::reallocate`] promises.
const PLAIN_ALIGN: usize = 2 * size_of::<usize>();

/// A strategy that tells a [`Sink`] what it does. A [`Handle`](alloc_core::Handle) is a strategy, so that it can be
/// traced too, at run time.
///
/// While no sink is on, each call costs a comparison and a branch more than the strategy's own.
///
/// ```
/// use alloc_core::{Handle, Strategy};
/// use alloc_trace::{History, Traced, Event};
/// use std::alloc::Layout;
///
/// static HISTORY: History = History::new();
/// HISTORY.start(1000);
/// let heap = Traced::new(Handle::libc(), &HISTORY);
/// let block = heap.allocate(Layout::new::<u64>()).unwrap();
/// let mut seen = 0;
/// HISTORY.of(block.addr().get(), &mut |entry| seen += usize::from(matches!(entry.event, Event::Alloc(_))));
/// assert_eq!(seen, 1);
/// // SAFETY: the block came from `heap`, with this layout.
/// unsafe { heap.deallocate(block, Layout::new::<u64>()) };
/// ```
#[derive(Debug)]
pub struct Traced<S, K> {
    inner: S,
    sink: K,
}

impl<S, K> Traced<S, K> {
    /// `inner`, telling `sink`.
    #[must_use]
    pub const fn new(inner: S, sink: K) -> Self {
        Self { inner, sink }
    }

    /// The traced strategy.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The sink.
    pub const fn sink(&self) -> &K {
        &self.sink
    }
}

fn place(block: NonNull<u8>, layout: Layout) -> Place {
    Place { address: block.addr().get(), size: layout.size(), align: layout.align() }
}

/// `layout`: where it is known.
#[inline(always)]
fn freed(block: NonNull<u8>, layout: Option<Layout>) -> Event {
    Event::Free(layout.map_or(Place::bare(block.addr().get()), |layout| place(block, layout)))
}

impl<S: Strategy, K: Sink> Traced<S, K> {
    /// Inlined into one function for each kind of event: an event that is passed on in memory is written in words and read in
    /// pairs of them, for which the processor waits.
    #[inline(always)]
    fn tell(&self, event: Event) {
        // A thread that is inside a sink already is not heard: what it allocates there is the tracer's business.
        if let Some(thread) = thread::enter() {
            self.sink.record(&thread, event);
        }
    }

    #[inline(always)]
    fn tell_allocated(&self, block: NonNull<u8>, layout: Layout) {
        match thread::enter_again() {
            Some(thread) => self.sink.record(&thread, Event::Alloc(place(block, layout))),
            None => self.tell_first_allocated(block, layout),
        }
    }

    #[inline(always)]
    fn tell_freed(&self, block: NonNull<u8>, layout: Option<Layout>) {
        match thread::enter_again() {
            Some(thread) => self.sink.record(&thread, freed(block, layout)),
            None => self.tell_first_freed(block, layout),
        }
    }

    /// From a thread that has no record yet, or no more, or is inside.
    #[cold]
    #[inline(never)]
    fn tell_first_allocated(&self, block: NonNull<u8>, layout: Layout) {
        self.tell(Event::Alloc(place(block, layout)));
    }

    /// Likewise.
    #[cold]
    #[inline(never)]
    fn tell_first_freed(&self, block: NonNull<u8>, layout: Option<Layout>) {
        self.tell(freed(block, layout));
    }

    // The functions below do the strategy's part too, so that a caller that finds the sink off has nothing to keep over any call.
    // It reaches them by way of the cold ones; they themselves are compiled as what is hot while the sink is on.
    //
    // What asks a sink behind the switch stays with the caller: where it is called, allocations that are no samples take two jumps and
    // two nanoseconds more. While no sink is on, the caller jumps over it.

    #[cold]
    #[inline(never)]
    fn allocate_cold(
        &self,
        layout: Layout,
        allocate: impl FnOnce(&S, Layout) -> Result<NonNull<u8>, AllocError>,
    ) -> Result<NonNull<u8>, AllocError> {
        self.allocate_told(layout, allocate)
    }

    /// # Safety
    /// As for [`Strategy::deallocate`].
    #[cold]
    #[inline(never)]
    unsafe fn deallocate_cold(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.deallocate_told(block, layout) };
    }

    #[inline(never)]
    fn allocate_told(
        &self,
        layout: Layout,
        allocate: impl FnOnce(&S, Layout) -> Result<NonNull<u8>, AllocError>,
    ) -> Result<NonNull<u8>, AllocError> {
        let result = allocate(&self.inner, layout);
        match result {
            Ok(block) => self.tell_allocated(block, layout),
            Err(AllocError) => self.tell_refused(layout),
        }
        result
    }

    #[cold]
    #[inline(never)]
    fn tell_refused(&self, layout: Layout) {
        self.tell(Event::Refused { size: layout.size(), align: layout.align(), kept: None });
    }

    /// # Safety
    /// As for [`Strategy::deallocate`].
    #[inline(never)]
    unsafe fn deallocate_told(&self, block: NonNull<u8>, layout: Layout) {
        self.tell_freed(block, Some(layout));
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.deallocate(block, layout) };
    }

    #[cold]
    #[inline(never)]
    fn tell_resize(
        &self,
        old: Place,
        new: (usize, usize),
        resize: impl FnOnce(&S) -> Result<NonNull<u8>, AllocError>,
    ) -> Result<NonNull<u8>, AllocError> {
        // A thread that is inside is not heard in any case: see `tell`.
        if !self.sink.is_on() || thread::is_inside() {
            return resize(&self.inner);
        }
        let leaves = self.sink.wants_free(old.address);
        let before = if leaves { self.sink.leaving(old.address) } else { Moment(0) };
        let result = resize(&self.inner);
        let (size, align) = new;
        // Asked in any case: a sink may count on it.
        if self.sink.wants_alloc(size) || leaves {
            self.tell(match result {
                Ok(block) => {
                    Event::Resize { old, new: Place { address: block.addr().get(), size, align }, before }
                }
                Err(AllocError) => Event::Refused { size, align, kept: Some((old.address, before)) },
            });
        }
        result
    }
}

// SAFETY: every method asks `S` for the same with the same arguments and passes its answer on, so `S`'s promises are ours;
// sinks neither unwind nor allocate from the traced heap but behind the guard.
unsafe impl<S: Strategy, K: Sink> Strategy for Traced<S, K> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if self.sink.may_be_on() && self.sink.wants_alloc(layout.size()) {
            return self.allocate_cold(layout, S::allocate);
        }
        self.inner.allocate(layout)
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if self.sink.may_be_on() && self.sink.wants_alloc(layout.size()) {
            return self.allocate_cold(layout, S::allocate_zeroed);
        }
        self.inner.allocate_zeroed(layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        if self.sink.may_be_on() && self.sink.wants_free(block.addr().get()) {
            // SAFETY: the caller's promises are the callee's.
            return unsafe { self.deallocate_cold(block, layout) };
        }
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.deallocate(block, layout) };
    }

    #[inline]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let resize = |inner: &S| unsafe { inner.grow(block, old, new) };
        if self.sink.may_be_on() {
            return self.tell_resize(place(block, old), (new.size(), new.align()), resize);
        }
        resize(&self.inner)
    }

    #[inline]
    unsafe fn grow_zeroed(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let resize = |inner: &S| unsafe { inner.grow_zeroed(block, old, new) };
        if self.sink.may_be_on() {
            return self.tell_resize(place(block, old), (new.size(), new.align()), resize);
        }
        resize(&self.inner)
    }

    #[inline]
    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let resize = |inner: &S| unsafe { inner.shrink(block, old, new) };
        if self.sink.may_be_on() {
            return self.tell_resize(place(block, old), (new.size(), new.align()), resize);
        }
        resize(&self.inner)
    }
}

impl<S: SizedBlocks, K: Sink> Traced<S, K> {
    /// # Safety
    /// As for [`SizedBlocks::free`].
    #[cold]
    #[inline(never)]
    unsafe fn free_cold(&self, block: NonNull<u8>) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.free_told(block) };
    }

    /// # Safety
    /// As for [`SizedBlocks::free`].
    #[inline(never)]
    unsafe fn free_told(&self, block: NonNull<u8>) {
        self.tell_freed(block, None);
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.free(block) };
    }
}

// SAFETY: as above.
unsafe impl<S: SizedBlocks, K: Sink> SizedBlocks for Traced<S, K> {
    #[inline]
    unsafe fn free(&self, block: NonNull<u8>) {
        if self.sink.may_be_on() && self.sink.wants_free(block.addr().get()) {
            // SAFETY: the caller's promises are the callee's.
            return unsafe { self.free_cold(block) };
        }
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.free(block) };
    }

    #[inline]
    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.inner.usable_size(block) }
    }

    #[inline]
    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        let resize = |inner: &S| unsafe { inner.reallocate(block, new_size) };
        if self.sink.may_be_on() {
            return self.tell_resize(Place::bare(block.addr().get()), (new_size, PLAIN_ALIGN), resize);
        }
        resize(&self.inner)
    }
}

impl<S: Inspect, K> Inspect for Traced<S, K> {
    alloc_core::forward_inspect!(self => self.inner);
}

alloc_core::impl_allocator_api2!([S: Strategy, K: Sink] Traced<S, K>);
