//! The strategy without memory.

use core::alloc::Layout;
use core::ptr::NonNull;

use super::vtable::VTable;
use crate::error::AllocError;
use crate::inspect::{Inspect, Ownership};
use crate::misuse::Misuse;
use crate::stats::{Gauge, Stats};
use crate::strategy::Strategy;
use crate::walk::{Step, Visit, Walked};

/// Refuses every request. What the null handle stands for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Null;

// A static and not a promoted constant: its address is what `Handle::is_null` compares.
static VTABLE: VTable = *VTable::of::<Null>();

pub(super) fn vtable() -> &'static VTable {
    &VTABLE
}

// SAFETY: it never hands out a block, so there is none that could overlap, move or be lost.
unsafe impl Strategy for Null {
    #[inline]
    fn allocate(&self, _layout: Layout) -> Result<NonNull<u8>, AllocError> {
        Err(AllocError)
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, _layout: Layout) {
        Misuse::ForeignPointer.stop(self.name(), block.addr().get());
    }
}

impl Inspect for Null {
    fn name(&self) -> &'static str {
        "null"
    }

    fn stats(&self) -> Stats {
        let none = Gauge::of(0);
        Stats {
            reserved: none,
            committed: none,
            committed_peak: none,
            live: none,
            live_blocks: none,
            cached: none,
            cached_blocks: none,
            free: none,
            free_blocks: none,
            free_largest: none,
            mapped: none,
            mapped_blocks: none,
            metadata: none,
        }
    }

    fn walk(&self, _visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        Walked::Complete
    }

    fn owns(&self, _address: NonNull<u8>) -> Ownership {
        Ownership::NotMine
    }

    fn trim(&self, _keep: usize) -> usize {
        0
    }
}
