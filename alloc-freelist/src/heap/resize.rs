//! Changing the size of blocks in place.

use core::ptr::NonNull;

use alloc_core::backend::Backend;

use super::Heap;
use crate::config::Config;
use crate::header::Header;
use crate::size::MAX_ZONE;
use crate::zone::bytes;

impl<C: Config> Heap<C> {
    /// Makes a block at least `new` bytes large without copying it: where it is, or, of wide blocks, by moving its pages, with
    /// `align` kept. Where it is then. `old` bytes were requested last, where headers do not tell.
    ///
    /// # Safety
    /// `block` is a live block of this heap, and `old` its size as requested last. `wide` is the source of its wide blocks. On
    /// `Some`, nobody uses the old address.
    #[inline]
    pub(crate) unsafe fn extend(
        &self,
        wide: &impl Backend,
        block: NonNull<u8>,
        old: usize,
        new: usize,
        align: usize,
    ) -> Option<NonNull<u8>> {
        let Some(zone) = self.zone_of(block.addr().get()) else {
            // SAFETY: a live block of ours outside of all zones is a wide one.
            return unsafe { self.extend_wide(wide, block, new, align) };
        };
        let at = zone.position(block);
        let wanted = zone.size_at(at, new);
        if wanted >= MAX_ZONE as usize {
            return None;
        }
        let wanted = wanted as u32;
        let size =
            if C::Header::SIZED { C::Header::used_size(zone, at) } else { zone.size_at(at, old) as u32 };
        if wanted <= size {
            C::Header::become_used(zone, at, size, new);
            return Some(block);
        }
        zone.extend(at, size, wanted, new).then_some(block)
    }

    /// Makes a block `new` bytes large where it is, giving back what is left over. `false` for a wide block of which too
    /// much would stay unused, and for one that can only be moved.
    ///
    /// # Safety
    /// As for [`extend`](Self::extend), and `new <= old` or, where headers tell, at most the usable size.
    #[inline]
    pub(crate) unsafe fn shrink(&self, block: NonNull<u8>, old: usize, new: usize) -> bool {
        let Some(zone) = self.zone_of(block.addr().get()) else {
            // SAFETY: a live block of ours outside of all zones is a wide one.
            let size = unsafe { self.wide_size(block) };
            return new >= size / 2;
        };
        let at = zone.position(block);
        let size =
            if C::Header::SIZED { C::Header::used_size(zone, at) } else { zone.size_at(at, old) as u32 };
        // A block that kept what was too little to be cut off holds requests whose class is larger than it is.
        let wanted = (zone.size_at(at, new) as u32).min(size);
        zone.cut_back(at, size, wanted, new)
    }

    /// The usable size of a block whose header tells it.
    ///
    /// # Safety
    /// `block` is a live block of this heap.
    #[inline]
    pub(crate) unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        match self.zone_of(block.addr().get()) {
            Some(zone) => bytes::<C>(C::Header::used_size(zone, zone.position(block))) - C::Header::BYTES,
            // SAFETY: a live block of ours outside of all zones is a wide one.
            None => unsafe { self.wide_size(block) },
        }
    }
}
