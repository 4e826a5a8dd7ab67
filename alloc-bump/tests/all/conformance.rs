//! The suite that every strategy passes, over every kind of arena.

use core::mem::MaybeUninit;

use alloc_bump::{Bump, Config, Down, FixedBump, Pages, SyncBump, Up};
use alloc_core::backend::{Limited, PagesBackend, SystemBackend};
use alloc_core::os::unix::Os;
use alloc_testkit::{Limits, Reuse, conformance};

/// A chunk size that the suite outgrows many times, so that chunks are chained over pages too.
struct SmallReserve;

impl Config for SmallReserve {
    const UP: bool = true;
    const RESERVE: usize = 1 << 16;
}

struct SmallReserveDown;

impl Config for SmallReserveDown {
    const UP: bool = false;
    const RESERVE: usize = 1 << 16;
}

const GROWING: Limits = Limits::UNLIMITED.reusing(Reuse::Last);
const BUFFER: usize = 1 << 20;
/// Blocks given back in reverse order come back to the last byte only where no padding lies between them, which
/// smaller alignments of the cursor than the blocks' own do not promise. [`exhaustion`](crate::exhaustion) refills those
/// arenas by resets.
const FIXED: Limits = Limits::bytes(BUFFER).reusing(Reuse::None).serving(BUFFER / 4);

fn buffer() -> Vec<MaybeUninit<u8>> {
    vec![MaybeUninit::uninit(); BUFFER]
}

fn limited(bytes: usize) -> Bump<Pages, Up> {
    let bump = Bump::new();
    bump.set_limit(Some(bytes));
    bump
}

macro_rules! stamp {
    ($($name:ident: $config:ty;)*) => {$(
        mod $name {
            use super::*;

            conformance! {
                pages: Bump::<Pages, $config>::default(), limits = GROWING;
                heap: Bump::<_, $config>::new_in(SystemBackend), limits = GROWING;
                fixed: FixedBump::<$config>::over_in(&mut buffer()), limits = FIXED, exhaustible;
            }
        }
    )*};
}

stamp! {
    up_1: Up;
    up_64: Up<64>;
    down_1: Down;
    down_8: Down<8>;
}

conformance! {
    fixed_16: FixedBump::<Up<16>>::over_in(&mut buffer()), limits = FIXED.reusing(Reuse::Last), exhaustible;
    fixed_16_down: FixedBump::<Down<16>>::over_in(&mut buffer()), limits = FIXED.reusing(Reuse::Last), exhaustible;
    chained_up: Bump::<Pages, SmallReserve>::default(), limits = GROWING;
    chained_down: Bump::<Pages, SmallReserveDown>::default(), limits = GROWING;
    budget: limited(BUFFER), limits = FIXED, exhaustible;
    capped_heap: Bump::<_, Down>::new_in(Limited::new(SystemBackend, BUFFER)), limits = FIXED.serving(BUFFER / 8);
    shared: SyncBump::new(), sync, limits = GROWING;
    shared_heap: SyncBump::new_in(SystemBackend), sync, limits = GROWING;
    shared_capped: SyncBump::new_in(Limited::new(PagesBackend::new(Os), 4 << 20)), sync,
        limits = Limits::bytes(4 << 20).reusing(Reuse::Last).serving(1 << 20);
}
