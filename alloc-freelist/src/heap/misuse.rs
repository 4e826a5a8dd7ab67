//! What checked headers find.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::Misuse;
use alloc_core::arith::is_aligned;
use alloc_core::backend::Backend;

use super::Heap;
use super::wide::Wide;
use crate::config::Config;
use crate::header::{CORRUPTED, FLAGS, Header, REQUESTED};
use crate::zone::{Zone, bytes};

/// A block in use, where it was found.
pub(crate) enum Found<C: Config> {
    /// In a zone, at a position.
    InZone(Zone<C>, u32),
    /// With a span of its own.
    Wide(Wide),
}

impl<C: Config> Heap<C> {
    /// The block in use that starts at `address`, or what is wrong with the address. Believes no header that its maps do
    /// not confirm, and no wide block that is not on the list.
    pub(crate) fn find(&self, address: usize) -> Result<Found<C>, Misuse> {
        if let Some(zone) = self.zone_of(address) {
            return C::Header::examine(zone, address).map(|at| Found::InZone(zone, at));
        }
        for wide in self.wides() {
            let payload = wide.payload().addr().get();
            if payload == address {
                return Ok(Found::Wide(wide));
            }
            if wide.span().contains(address) {
                return Err(if is_aligned(address, C::Header::GRANULE) {
                    Misuse::InteriorPointer
                } else {
                    Misuse::MisalignedPointer
                });
            }
        }
        Err(Misuse::ForeignPointer)
    }

    /// As [`find`](Self::find), and compares the layout that its holder claims, where one is given.
    pub(crate) fn examine(&self, block: NonNull<u8>, layout: Option<Layout>) -> Result<Found<C>, Misuse> {
        let found = self.find(block.addr().get())?;
        let Some(layout) = layout else { return Ok(found) };
        let (least, most) = match &found {
            Found::InZone(zone, at) => {
                let most = bytes::<C>(C::Header::used_size(*zone, *at)) - C::Header::BYTES;
                // A request that 32 bits do not hold is at least as large as their largest number.
                ((zone.field(*at, REQUESTED) as usize).min(most), most)
            }
            Found::Wide(wide) => (0, wide.size()),
        };
        if layout.size() < least || layout.size() > most || !is_aligned(block.addr().get(), layout.align()) {
            return Err(Misuse::LayoutMismatch);
        }
        Ok(found)
    }

    /// Frees a block after a close look, or reports what is wrong and leaves it alone.
    ///
    /// # Safety
    /// Where nothing wrong is found, `block` is a live block of this heap. Both are the backends that it is always used with.
    pub(super) unsafe fn examine_and_free(
        &self,
        backend: &impl Backend,
        wide: &impl Backend,
        block: NonNull<u8>,
        layout: Option<Layout>,
    ) {
        match self.examine(block, layout) {
            Ok(Found::InZone(zone, at)) => self.give(backend, zone, at, 0),
            // SAFETY: it is on the list of wide blocks, and its holder gives it up.
            Ok(Found::Wide(found)) => unsafe { self.free_wide(wide, found.payload()) },
            Err(misuse) => self.report(misuse, block.addr().get()),
        }
    }

    /// Counts a fault, marks a block whose header is smashed, and says and does what the configuration wants.
    #[cold]
    #[inline(never)]
    pub(crate) fn report(&self, misuse: Misuse, address: usize) {
        self.errors.set(self.errors.get() + 1);
        if misuse == Misuse::CorruptedHeader {
            if let Some(zone) = self.zone_of(address) {
                // `examine` found a block there by the maps.
                let at = ((zone.distance(address) - C::Header::BYTES) >> C::Header::SHIFT) as u32;
                zone.set_field(at, FLAGS, CORRUPTED);
            }
        }
        C::ON_MISUSE.handle(misuse, C::NAME, address);
    }
}
