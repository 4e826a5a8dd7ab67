//! A heap: zones from several sources, and wide blocks beside them.
//!
//! One thread at a time uses a heap; [`FreeList`](crate::FreeList) sees to that. Its fields are cells, so that its
//! methods take `&self`.

mod misuse;
mod node;
mod resize;
mod search;
mod trim;
mod wide;

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::backend::Backend;

use crate::config::Config;
use crate::header::Header;
use crate::size::MAX_ZONE;
use crate::zone::Zone;
use crate::zone::carve::block_size;

pub(crate) use misuse::Found;
pub(crate) use node::NodeRef;
use node::Owner;
pub(crate) use wide::Wide;

/// Zones and wide blocks. What is written here is the process's own; a zone knows nothing of it.
pub(crate) struct Heap<C: Config> {
    /// Where requests go first: the zone that served last, or the lowest one where the fit goes by address.
    current: Cell<Option<Zone<C>>>,
    /// All zones, from low to high addresses.
    lowest: Cell<Option<NodeRef<C>>>,
    /// The zone that came from the backend last: it may grow in place.
    newest: Cell<Option<NodeRef<C>>>,
    /// Requests of so many bytes and more get spans of their own: [`Config::WIDE`] at first.
    threshold: Cell<usize>,
    /// Bytes in blocks of [`Config::WIDE`] bytes and more that were given back to zones and not handed out again since
    /// pages were last given back: an estimate of what free memory holds pages.
    spare: Cell<usize>,
    /// Blocks with a span of their own, the newest first.
    wide: Cell<Option<Wide>>,
    /// Bytes in zones' and wide blocks' spans.
    committed: Cell<usize>,
    committed_peak: Cell<usize>,
    errors: Cell<usize>,
}

impl<C: Config> Heap<C> {
    pub(crate) const fn new() -> Self {
        let () = C::VALID;
        Self {
            current: Cell::new(None),
            lowest: Cell::new(None),
            newest: Cell::new(None),
            threshold: Cell::new(C::WIDE),
            spare: Cell::new(0),
            wide: Cell::new(None),
            committed: Cell::new(0),
            committed_peak: Cell::new(0),
            errors: Cell::new(0),
        }
    }

    pub(crate) fn committed(&self) -> usize {
        self.committed.get()
    }

    pub(crate) fn committed_peak(&self) -> usize {
        self.committed_peak.get()
    }

    /// Misuse found so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors.get()
    }

    /// Whether the threshold has risen, so that zones serve what comes and goes in spans of its own at first.
    fn takes_large(&self) -> bool {
        C::WIDE_MOST > 0 && self.threshold.get() > C::WIDE
    }

    fn commit(&self, bytes: usize) {
        self.committed.set(self.committed.get() + bytes);
        self.committed_peak.set(self.committed_peak.get().max(self.committed.get()));
    }

    fn uncommit(&self, bytes: usize) {
        self.committed.set(self.committed.get() - bytes);
    }

    /// All zones, from low to high addresses.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeRef<C>> {
        core::iter::successors(self.lowest.get(), |node| node.get().next.get())
    }

    /// All wide blocks.
    pub(crate) fn wides(&self) -> impl Iterator<Item = Wide> {
        core::iter::successors(self.wide.get(), |wide| wide.get().next.get())
    }

    /// The zone that an address lies in.
    #[inline(always)]
    pub(crate) fn zone_of(&self, address: usize) -> Option<Zone<C>> {
        match self.current.get() {
            Some(zone) if zone.contains(address) => Some(zone),
            _ => self.search_zone(address),
        }
    }

    #[cold]
    #[inline(never)]
    fn search_zone(&self, address: usize) -> Option<Zone<C>> {
        self.nodes().map(NodeRef::zone).find(|zone| zone.contains(address))
    }

    #[inline(always)]
    pub(crate) fn allocate(
        &self,
        backend: &impl Backend,
        wide: &impl Backend,
        layout: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        if Zone::<C>::QUICK_MAX == 0 {
            return self.allocate_from_bins(backend, wide, layout);
        }
        if let (Some(list), Some(zone)) = (Zone::<C>::list_for(layout.size()), self.current.get()) {
            // Most blocks happen to lie well for what little more is asked of them.
            if let Some(at) = zone.pop_aligned(list, layout.align(), layout.size()) {
                return Ok(zone.payload(at));
            }
        }
        self.allocate_past_lists(backend, wide, layout)
    }

    /// Out of line, so that the way of a request that a quick list serves is short.
    #[inline(never)]
    fn allocate_past_lists(
        &self,
        backend: &impl Backend,
        wide: &impl Backend,
        layout: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        self.allocate_from_bins(backend, wide, layout)
    }

    #[inline(always)]
    fn allocate_from_bins(
        &self,
        backend: &impl Backend,
        wide: &impl Backend,
        layout: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        let (bytes, align) = (layout.size(), layout.align());
        let size = block_size::<C>(bytes);
        if bytes < C::WIDE && size < MAX_ZONE as usize {
            if let Some(zone) = self.current.get() {
                let size = size as u32;
                if align > C::Header::GRANULE {
                    return match Self::take_over_aligned(zone, size, layout) {
                        Some(block) => Ok(block),
                        None => self.allocate_slow(backend, wide, layout),
                    };
                }
                if let Some(at) = zone.take(size, bytes) {
                    zone.header().count(1);
                    return Ok(zone.payload(at));
                }
            }
        }
        self.allocate_slow(backend, wide, layout)
    }

    /// A block of an alignment beyond the granule from one zone: the next one of its size's quick list, if that happens to lie
    /// well.
    #[inline(never)]
    fn take_over_aligned(zone: Zone<C>, size: u32, layout: Layout) -> Option<NonNull<u8>> {
        let at = zone.take_quick_aligned(size, layout.align(), layout.size()).or_else(|| {
            let at = zone.take_aligned(size, layout.align(), layout.size())?;
            zone.header().count(1);
            Some(at)
        })?;
        Some(zone.payload(at))
    }

    /// # Safety
    /// `block` is a live block of this heap, which `layout` fits, and both are the backends that it is always used with.
    #[inline(always)]
    pub(crate) unsafe fn deallocate(
        &self,
        backend: &impl Backend,
        wide: &impl Backend,
        block: NonNull<u8>,
        layout: Layout,
    ) {
        if C::Header::TRUSTED {
            // SAFETY: the caller's promises are the callee's.
            return unsafe { self.examine_and_free(backend, wide, block, Some(layout)) };
        }
        if Zone::<C>::QUICK_MAX > 0 && !C::Header::SIZED {
            if let (Some(list), Some(zone)) = (Zone::<C>::list_for(layout.size()), self.current.get()) {
                if let Some(at) = zone.classed_position(block) {
                    if zone.push(list, at) {
                        return;
                    }
                }
            }
            // SAFETY: the caller's promises are the callee's.
            return unsafe { self.deallocate_past_lists(backend, wide, block, layout.size()) };
        }
        // SAFETY: as above.
        unsafe { self.deallocate_from(backend, wide, block, layout.size()) };
    }

    /// Out of line, as for requests.
    ///
    /// # Safety
    /// As for [`deallocate`](Self::deallocate), of a block for so many bytes.
    #[inline(never)]
    unsafe fn deallocate_past_lists(
        &self,
        backend: &impl Backend,
        wide: &impl Backend,
        block: NonNull<u8>,
        size: usize,
    ) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.deallocate_from(backend, wide, block, size) };
    }

    /// # Safety
    /// As for [`deallocate`](Self::deallocate), of a block for so many bytes where headers do not tell its size.
    #[inline(always)]
    unsafe fn deallocate_from(
        &self,
        backend: &impl Backend,
        wide: &impl Backend,
        block: NonNull<u8>,
        size: usize,
    ) {
        match self.zone_of(block.addr().get()) {
            Some(zone) => self.give(backend, zone, zone.position(block), size),
            // SAFETY: a live block of ours outside of all zones is a wide one.
            None => unsafe { self.free_wide(wide, block) },
        }
    }

    /// # Safety
    /// As for [`deallocate`](Self::deallocate), and the block's header knows its size.
    #[inline(always)]
    pub(crate) unsafe fn free(&self, backend: &impl Backend, wide: &impl Backend, block: NonNull<u8>) {
        if C::Header::TRUSTED {
            // SAFETY: the caller's promises are the callee's.
            return unsafe { self.examine_and_free(backend, wide, block, None) };
        }
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.deallocate_from(backend, wide, block, 0) };
    }

    /// Hands `each` up to `most` blocks of `size` granules, from the current zone.
    #[cfg(feature = "libc")]
    pub(crate) fn take_batch(&self, size: u32, most: u32, each: &mut impl FnMut(NonNull<u8>)) {
        let Some(zone) = self.current.get() else { return };
        let mut missing = most;
        while missing > 0 {
            let Some(at) = zone.take_quick(size, 0) else { break };
            each(zone.payload(at));
            missing -= 1;
        }
        // The larger the run, the fewer searches; blocks side by side suit the caches of a processor, too.
        let mut run = missing;
        while run > 0 {
            let Some(at) = zone.take_run(size, run) else {
                run /= 2;
                continue;
            };
            zone.header().count(run as i32);
            (0..run).rev().for_each(|index| each(zone.payload(at + index * size)));
            missing -= run;
            run = run.min(missing);
        }
    }

    /// Takes a block of `size` granules back, wherever it lies.
    #[cfg(feature = "libc")]
    pub(crate) fn give_back(&self, block: NonNull<u8>, size: u32) {
        if let Some(zone) = self.zone_of(block.addr().get()) {
            zone.give(zone.position(block), size);
        }
    }

    /// Gives the block at a position back to its zone. `bytes` were requested, where headers do not tell.
    #[inline(always)]
    fn give(&self, backend: &impl Backend, zone: Zone<C>, at: u32, bytes: usize) {
        let size =
            if C::Header::SIZED { C::Header::used_size(zone, at) } else { zone.size_at(at, bytes) as u32 };
        zone.give(at, size);
        if size as usize >= C::WIDE / C::Header::GRANULE && self.takes_large() {
            self.give_large(backend, zone, size);
        }
    }

    /// Gives back everything but the zones themselves.
    ///
    /// # Safety
    /// No block of the heap is used any more.
    pub(crate) unsafe fn reset(&self, wide: &impl Backend) {
        while let Some(block) = self.wide.get() {
            // SAFETY: wide blocks on the list are ours, and nobody uses them, as the caller promises.
            unsafe { self.free_wide(wide, block.payload()) };
        }
        for node in self.nodes() {
            node.zone().reset();
        }
    }

    /// Gives all memory back to where it came from.
    ///
    /// # Safety
    /// No block of the heap is used any more, and both are the backends that it was always used with.
    pub(crate) unsafe fn release(&self, backend: &impl Backend, wide: &impl Backend) {
        // SAFETY: the caller's promise is the callee's.
        unsafe { self.reset(wide) };
        self.current.set(None);
        self.newest.set(None);
        let mut next = self.lowest.take();
        while let Some(node) = next {
            next = node.get().next.get();
            let span = node.span();
            self.uncommit(span.size);
            if node.get().owner == Owner::Backend {
                // SAFETY: the node's span came from this backend, and neither blocks nor the zone are used any more.
                unsafe { backend.release_span(span) };
            }
        }
    }
}
