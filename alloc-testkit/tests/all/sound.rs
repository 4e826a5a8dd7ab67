//! Sound strategies pass the suite in every form that it is stamped in.

use alloc_core::Libc;
use alloc_testkit::{Limits, Reuse, conformance};

use crate::arena::{Arena, CAPACITY};
use crate::defect::Defect;
use crate::kept::Kept;

conformance! {
    kept: Kept::default(), sized, sync;
    kept_without_sizes: Kept::default();
    arena: Arena::new(Defect::None), sized, sync, exhaustible, limits = Limits::bytes(CAPACITY);
    arena_reused_in_reverse: Arena::new(Defect::None), exhaustible,
        limits = Limits::bytes(CAPACITY).reusing(Reuse::Last);
    arena_by_reference: &Arena::new(Defect::None), sized, limits = Limits::bytes(CAPACITY);
    libc: Libc, sized, sync, limits = Limits::UNLIMITED.without_walk().shared_with_others();
}
