//! The suite that every strategy passes, over every combination of policies.

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use alloc_core::backend::{Limited, PagesBackend, Region, SystemBackend};
use alloc_core::os::unix::Os;
use alloc_core::sync::RawLock;
use alloc_freelist::coalesce::{Classed, Deferred, Immediate};
use alloc_freelist::header::{self, Checked, Keyed};
use alloc_freelist::{
    Config, FixedFreeList, FreeList, LockedFreeList, Nothing, OsPages, PagesFreeList, Policy, Sbrk,
    SharedFreeList, SyncFreeList, fit,
};
use alloc_testkit::{Limits, conformance};

const BUFFER: usize = 1 << 20;
const FIXED: Limits = Limits::bytes(BUFFER).serving(BUFFER / 4);

fn buffer() -> Vec<MaybeUninit<u8>> {
    vec![MaybeUninit::uninit(); BUFFER]
}

/// Zones small and wide blocks early, so that the suite meets many of both.
struct Small<F, H, C>(core::marker::PhantomData<(F, H, C)>);

impl<F: fit::Fit, H: header::Header, C: alloc_freelist::coalesce::Coalesce> Config for Small<F, H, C> {
    type Fit = F;
    type Header = H;
    type Coalesce = C;
    const GROW: usize = 4096;
    const GROW_SHARE: usize = 0;
    const WIDE: usize = 64 << 10;
}

/// Each fit, header and coalescing, over one buffer, over pages, and over small zones of a heap.
macro_rules! stamp {
    ($($name:ident: $fit:ty, $header:ty, $coalesce:ty $(, $sized:ident)?;)*) => {$(
        mod $name {
            use super::*;

            type Plain = Policy<$fit, $header, $coalesce>;
            type Zones = FreeList<SystemBackend, Small<$fit, $header, $coalesce>, SystemBackend, RawLock>;

            fn zones() -> Zones {
                Zones::from_parts(SystemBackend, SystemBackend, RawLock::new())
            }

            conformance! {
                fixed: FixedFreeList::<Plain>::over_in(&mut buffer()) $(, $sized)?, limits = FIXED, exhaustible;
                pages: PagesFreeList::<Plain>::with_policy() $(, $sized)?;
                zones: zones() $(, $sized)?, sync, limits = Limits::UNLIMITED.serving(1 << 30);
            }
        }
    )*};
}

stamp! {
    good_none: fit::Good, header::None, Immediate;
    good_none_deferred: fit::Good, header::None, Deferred;
    good_none_classed: fit::Good, header::None, Classed;
    good_packed: fit::Good, header::Packed, Immediate;
    good_packed_deferred: fit::Good, header::Packed, Deferred;
    good_packed_classed: fit::Good, header::Packed, Classed;
    best_packed: fit::Best, header::Packed, Immediate;
    best_packed_deferred: fit::Best, header::Packed, Deferred<256, 4096>;
    best_packed_classed: fit::Best, header::Packed, Classed<65536>;
    good_sized: fit::Good, header::Sized, Immediate, sized;
    good_sized_classed: fit::Good, header::Sized, Classed<65536>, sized;
    first_checked_classed: fit::First, Checked<Keyed>, Classed, sized;
    best_none_classed: fit::Best, header::None, Classed;
    first_none_classed: fit::First, header::None, Classed<65536>;
    first_sized_classed: fit::First, header::Sized, Classed, sized;
    next_none_classed: fit::Next, header::None, Classed;
    next_sized_classed: fit::Next, header::Sized, Classed<65536>, sized;
    next_checked_classed: fit::Next, Checked, Classed, sized;
    best_sized_classed: fit::Best, header::Sized, Classed, sized;
    best_checked_classed: fit::Best, Checked<Keyed>, Classed<65536>, sized;
    good_checked_classed: fit::Good, Checked, Classed, sized;
    good_sized_deferred: fit::Good, header::Sized, Deferred, sized;
    good_checked: fit::Good, Checked, Immediate, sized;
    good_checked_deferred: fit::Good, Checked<Keyed>, Deferred, sized;
    first_none: fit::First, header::None, Immediate;
    first_none_deferred: fit::First, header::None, Deferred<256, 4096>;
    first_sized: fit::First, header::Sized, Immediate, sized;
    first_sized_deferred: fit::First, header::Sized, Deferred, sized;
    first_checked: fit::First, Checked<Keyed>, Immediate, sized;
    first_checked_deferred: fit::First, Checked, Deferred, sized;
    next_none: fit::Next, header::None, Immediate;
    next_none_deferred: fit::Next, header::None, Deferred;
    next_sized: fit::Next, header::Sized, Immediate, sized;
    next_sized_deferred: fit::Next, header::Sized, Deferred<512>, sized;
    next_checked: fit::Next, Checked, Immediate, sized;
    next_checked_deferred: fit::Next, Checked<Keyed>, Deferred, sized;
    best_none: fit::Best, header::None, Immediate;
    best_none_deferred: fit::Best, header::None, Deferred;
    best_sized: fit::Best, header::Sized, Immediate, sized;
    best_sized_deferred: fit::Best, header::Sized, Deferred, sized;
    best_checked: fit::Best, Checked<Keyed>, Immediate, sized;
    best_checked_deferred: fit::Best, Checked, Deferred, sized;
}

type Shared<C> = FreeList<OsPages, C, OsPages, RawLock>;
type Cached<F, H, C> = SyncFreeList<Small<F, H, C>, SystemBackend, SystemBackend>;

fn cached<F: fit::Fit, H: header::Header, C: alloc_freelist::coalesce::Coalesce>() -> Cached<F, H, C> {
    SyncFreeList::from_parts(SystemBackend, SystemBackend)
}

fn cached_in_a_region(buffer: &mut [MaybeUninit<u8>]) -> SyncFreeList<Policy, Region<'_>, Nothing<'static>> {
    SyncFreeList::from_parts(Region::new(buffer), Nothing::new())
}
type Capped = Limited<PagesBackend<Os>>;

fn capped() -> FreeList<Capped, Policy, Capped, RawLock> {
    let source = || Limited::new(PagesBackend::new(Os), 4 << 20);
    FreeList::from_parts(source(), source(), RawLock::new())
}

fn parts(buffer: &mut [MaybeUninit<u8>]) -> FixedFreeList<'_> {
    let heap = FixedFreeList::new_in(Nothing::new());
    for part in buffer.chunks_mut(BUFFER / 4) {
        heap.add(part).expect("a part makes a zone");
    }
    heap
}

fn in_shared_memory<C: Config>(buffer: &mut [MaybeUninit<u8>]) -> SharedFreeList<'_, C> {
    let lead = buffer.as_ptr().addr().wrapping_neg() % 16;
    let buffer = &mut buffer[lead..];
    let memory = NonNull::slice_from_raw_parts(NonNull::from(&mut *buffer).cast::<u8>(), buffer.len());
    // SAFETY: exclusively borrowed for as long as the heap.
    unsafe { SharedFreeList::create(memory) }.expect("room for a heap")
}

conformance! {
    in_memory: in_shared_memory::<Policy>(&mut buffer()), sync, limits = FIXED, exhaustible;
    in_memory_deferred: in_shared_memory::<Policy<fit::Best, header::Sized, Deferred>>(&mut buffer()), sync,
        limits = FIXED, exhaustible;
    in_memory_packed: in_shared_memory::<Policy<fit::Good, header::Packed, Deferred>>(&mut buffer()), sync,
        limits = FIXED, exhaustible;
    locked: LockedFreeList::new(), sync;
    cached: SyncFreeList::new(), sync;
    cached_none: cached::<fit::First, header::None, Immediate>(), sync;
    cached_sized: cached::<fit::Good, header::Sized, Deferred>(), sized, sync;
    cached_best: cached::<fit::Best, header::Sized, Immediate>(), sized, sync;
    cached_next: cached::<fit::Next, header::None, Deferred>(), sync;
    cached_classed: cached::<fit::Good, header::Sized, Classed>(), sized, sync;
    cached_packed: cached::<fit::Good, header::Packed, Deferred>(), sync;
    cached_best_packed: cached::<fit::Best, header::Packed, Immediate>(), sync;
    cached_checked: cached::<fit::Good, Checked<Keyed>, Deferred>(), sized, sync;
    cached_in_a_region: cached_in_a_region(&mut buffer()), sync, limits = FIXED.serving(BUFFER / 8), exhaustible;
    shared_sized: Shared::<Policy<fit::Good, header::Sized, Deferred>>::from_parts(
        PagesBackend::new(Os), PagesBackend::new(Os), RawLock::new()), sized, sync;
    capped: capped(), sync, limits = Limits::bytes(8 << 20).serving(1 << 20);
    region: FreeList::<_, Small<fit::Good, header::None, Immediate>>::new_in(Region::new(&mut buffer())),
        limits = FIXED.serving(BUFFER / 8), exhaustible;
    parts: parts(&mut buffer()), limits = FIXED.serving(BUFFER / 16), exhaustible;
    sbrk: FreeList::<_, Policy>::new_in(Sbrk::new(alloc_core::os::fake::FakeOs::new(4096).with_break(64 << 20))), limits = Limits::bytes(64 << 20).serving(16 << 20);
}
