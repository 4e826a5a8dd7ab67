//! Requests that the current zone does not serve, and growing.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::backend::{Backend, Span};

use super::Heap;
use super::node::{NodeRef, Owner};
use crate::config::Config;
use crate::fit::Fit;
use crate::header::Header;
use crate::size::{ALIGN, MAX_ZONE};
use crate::zone::carve::block_size;
use crate::zone::grow::Growth;
use crate::zone::{Zone, bytes};

impl<C: Config> Heap<C> {
    /// Zones of a backend may grow in place where room for all bins is not much of a step.
    const GROWTH: Growth = if C::GROW >= 1 << 16 || !C::Fit::BINS { Growth::InPlace } else { Growth::Fixed };

    #[cold]
    #[inline(never)]
    pub(super) fn allocate_slow(
        &self,
        backend: &impl Backend,
        wide: &impl Backend,
        layout: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        if layout.size() >= self.threshold.get() {
            // Refused, it may still find room in the zones.
            if let Ok(block) = self.allocate_wide(wide, layout) {
                return Ok(block);
            }
        }
        if let Some(block) = self.search(layout) {
            return Ok(block);
        }
        let mut flushed = false;
        for node in self.nodes() {
            flushed |= node.zone().flush();
        }
        if flushed {
            if let Some(block) = self.search(layout) {
                return Ok(block);
            }
        }
        match self.grow(backend, layout) {
            Ok(()) => self.search(layout).ok_or(AllocError),
            Err(AllocError) => self.search_in(layout, |_| true).ok_or(AllocError),
        }
    }

    /// A block from the zones that are there for such.
    fn search(&self, layout: Layout) -> Option<NonNull<u8>> {
        let large = layout.size() >= C::WIDE && self.takes_large();
        self.search_in(layout, |node| node.get().large.get() == large)
    }

    /// A block from any zone that `suits`.
    fn search_in(&self, layout: Layout, suits: impl Fn(NodeRef<C>) -> bool) -> Option<NonNull<u8>> {
        let size = u32::try_from(block_size::<C>(layout.size())).ok().filter(|&size| size < MAX_ZONE)?;
        for node in self.nodes().filter(|&node| suits(node)) {
            let zone = node.zone();
            if let Some(block) = Self::take_from(zone, size, layout) {
                if layout.size() >= C::WIDE {
                    self.spare.set(self.spare.get().saturating_sub(layout.size()));
                }
                // Large blocks stay among themselves, so that the room they leave is found whole again.
                if !C::Fit::BY_ADDRESS && layout.size() < C::WIDE {
                    self.current.set(Some(zone));
                }
                return Some(block);
            }
        }
        None
    }

    fn take_from(zone: Zone<C>, size: u32, layout: Layout) -> Option<NonNull<u8>> {
        let (align, bytes) = (layout.align(), layout.size());
        let at = if align <= C::Header::GRANULE {
            zone.take(size, bytes)
        } else {
            zone.take_aligned(size, align, bytes)
        }?;
        zone.header().count(1);
        Some(zone.payload(at))
    }

    /// More memory from the backend, enough for `layout`.
    fn grow(&self, backend: &impl Backend, layout: Layout) -> Result<(), AllocError> {
        let slack =
            if layout.align() > C::Header::GRANULE { layout.align() / C::Header::GRANULE + 2 } else { 0 };
        // Once for what the alignment leaves over, and once for what the fit does: it passes over a block from which it could not cut.
        let slack = slack + 2 * Zone::<C>::MORE as usize;
        let need = block_size::<C>(layout.size()).checked_add(slack).ok_or(AllocError)?;
        let share = self.committed.get().checked_div(C::GROW_SHARE).unwrap_or(0);
        let step = C::GROW.max(share);
        // Room for several large blocks, which then take turns in the same pages. Costs none until it is used.
        let large = layout.size() >= C::WIDE && self.takes_large();
        let step = if large {
            step.max(self.threshold.get().saturating_mul(4).min(C::WIDE_MOST.saturating_mul(2)))
        } else {
            step
        };
        if self.newest.get().is_some_and(|node| node.get().large.get() == large)
            && self.grow_in_place(backend, need, step)
        {
            return Ok(());
        }
        let least = NodeRef::<C>::span_for(need, Self::GROWTH).ok_or(AllocError)?;
        let mut answer = Err(AllocError);
        for size in [step, C::GROW, C::GROW / 4, C::GROW / 16, least] {
            if size >= least {
                answer = backend.allocate_span(size, ALIGN);
            }
            if answer.is_ok() {
                break;
            }
        }
        let span = answer?;
        let zeroed = zeroed_by(backend);
        // SAFETY: a span of the backend is readable, writable and ours.
        let node = unsafe { NodeRef::make(span, Owner::Backend, Self::GROWTH, zeroed) };
        match node {
            Some(node) => {
                node.get().large.set(large);
                self.newest.set(Some(node));
                self.link(node, layout.size() < C::WIDE);
                Ok(())
            }
            None => {
                // SAFETY: the span is as it came, and unused.
                unsafe { backend.release_span(span) };
                Err(AllocError)
            }
        }
    }

    /// Makes the zone that came last longer, where the backend can.
    fn grow_in_place(&self, backend: &impl Backend, need: usize, step: usize) -> bool {
        if Self::GROWTH == Growth::Fixed {
            return false;
        }
        let Some(node) = self.newest.get() else { return false };
        let zone = node.zone();
        let need =
            u32::try_from(need).unwrap_or(MAX_ZONE).saturating_sub(zone.free_at_end()).max(C::Header::MIN);
        let span = node.span();
        let slop = u32::try_from(backend.granule() / C::Header::GRANULE + 2).unwrap_or(MAX_ZONE);
        for step in [u32::try_from(step / C::Header::GRANULE).unwrap_or(MAX_ZONE), 0] {
            let Some(grown) = zone.growth(need, step, slop) else { continue };
            let Some(size) = span.size.checked_add(bytes::<C>(grown)) else { continue };
            // SAFETY: the node's span is as the backend last returned it, and the size does not fall.
            if let Ok(grown) = unsafe { backend.grow_span(span, size) } {
                self.commit(grown.size - span.size);
                node.get().span.set(grown);
                // SAFETY: the span's new bytes are ours, and follow the zone.
                return unsafe { zone.lengthen(grown.end()) };
            }
        }
        false
    }

    /// Adds memory of the caller's.
    ///
    /// # Safety
    /// As for [`NodeRef::make`], until the heap is released.
    pub(crate) unsafe fn add(&self, memory: NonNull<[u8]>) -> Result<(), AllocError> {
        let span = Span { start: memory.cast(), size: memory.len() };
        // SAFETY: the caller's promises are the callee's.
        let node = unsafe { NodeRef::make(span, Owner::Caller, Growth::Fixed, false) }.ok_or(AllocError)?;
        self.link(node, true);
        Ok(())
    }

    /// Puts a node on the list, by address. `serve` has requests go there first.
    fn link(&self, node: NodeRef<C>, serve: bool) {
        self.commit(node.span().size);
        let start = |node: NodeRef<C>| node.span().start;
        let mut before = None;
        let mut after = self.lowest.get();
        while let Some(higher) = after.filter(|higher| start(*higher) < start(node)) {
            before = after;
            after = higher.get().next.get();
        }
        node.get().next.set(after);
        match before {
            Some(lower) => lower.get().next.set(Some(node)),
            None => self.lowest.set(Some(node)),
        }
        // Fits by address look into the lowest zone first.
        if C::Fit::BY_ADDRESS {
            self.current.set(self.lowest.get().map(NodeRef::zone));
        } else if serve || self.current.get().is_none() {
            self.current.set(Some(node.zone()));
        }
    }

    /// Takes a node from the list.
    pub(super) fn unlink(&self, node: NodeRef<C>) {
        self.uncommit(node.span().size);
        let after = node.get().next.get();
        match self.nodes().find(|lower| lower.get().next.get() == Some(node)) {
            Some(lower) => lower.get().next.set(after),
            None => self.lowest.set(after),
        }
        if self.newest.get() == Some(node) {
            self.newest.set(None);
        }
        if C::Fit::BY_ADDRESS || self.current.get() == Some(node.zone()) {
            let serves = |node: &NodeRef<C>| C::Fit::BY_ADDRESS || !node.get().large.get();
            self.current.set(self.nodes().find(serves).map(NodeRef::zone));
        }
    }
}

/// Whether new spans of a backend read as zero.
fn zeroed_by<B: Backend>(_backend: &B) -> bool {
    B::ZEROED
}
