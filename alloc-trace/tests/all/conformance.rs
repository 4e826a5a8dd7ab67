//! The suite on each decorator, on several strategies, and on stacks of all of them in both orders.

use alloc_bump::Bump;
use alloc_core::backend::{Limited, PagesBackend};
use alloc_core::os::schedule::Schedule;
use alloc_core::os::unix::Os;
use alloc_core::sync::RawLock;
use alloc_core::{Handle, Libc};
use alloc_freelist::{FreeList, Nothing};
use alloc_testkit::{Limits, Reuse, conformance};
use alloc_trace::{Counting, FaultInject, Guard, History, Null, Perturb, Quota, Traced};

use crate::support::{Sized, heap};

const LIBC: Limits = Limits::UNLIMITED.without_walk().shared_with_others();
/// Red zones of a block at 1 GiB take another GiB.
const ROOM: usize = (2 << 30) + (64 << 10) - 4096;

/// A history that is on.
fn history() -> &'static History {
    static HISTORY: History = History::new();
    assert!(HISTORY.start(4096));
    &HISTORY
}

fn bounded() -> FreeList<Limited<PagesBackend<Os>>, Sized, Nothing<'static>, RawLock> {
    FreeList::from_parts(Limited::new(PagesBackend::new(Os), 4 << 20), Nothing::new(), RawLock::new())
}

conformance! {
    traced_off: Traced::new(heap(), Null), sized, sync;
    traced: Traced::new(heap(), history()), sized, sync;
    traced_libc: Traced::new(Libc, history()), sized, sync, limits = LIBC;
    traced_handle: Traced::new(Handle::new(&heap()), history()), sync;
    counting: Counting::new(heap()), sized, sync;
    fault_inject: FaultInject::new(heap(), Schedule::Never), sized, sync;
    perturb: Perturb::new(heap(), 0xa5), sized, sync;
    quota: Quota::sized(heap(), 3 << 30), sized, sync;
    guard: Guard::sized(heap()), sized, sync, limits = Limits { serves: ROOM / 2, ..Limits::UNLIMITED };
    guard_quarantine: Guard::sized(heap()).quarantine(1 << 20), sized, sync,
        limits = Limits { serves: ROOM / 2, ..Limits::UNLIMITED };
    guard_pages: Guard::sized(heap()).pages_every(5), sized, sync,
        limits = Limits { serves: ROOM / 2, ..Limits::UNLIMITED };
    guard_libc: Guard::sized(Libc).quarantine(1 << 16), sized, sync,
        limits = Limits { serves: ROOM / 2, ..LIBC };
    guard_bounded: Guard::sized(bounded()).quarantine(1 << 20),
        sized, sync, exhaustible, limits = Limits::bytes(4 << 20).serving(256 << 10);
    guard_bump: Guard::new(Bump::new()),
        limits = Limits { serves: ROOM / 2, ..Limits::UNLIMITED.reusing(Reuse::None) };
    quota_bounded: Quota::sized(heap(), 1 << 20), sized, sync, exhaustible,
        limits = Limits::bytes((1 << 20) + 4096).serving(512 << 10);
    all_of_them: Traced::new(
            Counting::new(Perturb::new(Quota::sized(Guard::sized(
                FaultInject::new(heap(), Schedule::Never)).quarantine(1 << 18).pages_every(9), 3 << 30), 0x11)),
            history()),
        sized, sync, limits = Limits { serves: ROOM / 2, ..Limits::UNLIMITED };
    all_of_them_reversed: FaultInject::new(
            Guard::sized(Quota::sized(Perturb::new(Counting::new(
                Traced::new(heap(), history())), 0x22), 3 << 30)).quarantine(1 << 18).pages_every(9),
            Schedule::Never),
        sized, sync, limits = Limits { serves: ROOM / 2, ..Limits::UNLIMITED };
}
