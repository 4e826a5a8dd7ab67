//! A traced heap tells its sink while that is on, whichever it is and however it is known.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use alloc_core::{Handle, Libc, SizedBlocks, Strategy};
use alloc_trace::thread::Thread;
use alloc_trace::{Event, History, Sink, Traced};

use crate::support::layout;

/// A program's own, which knows nothing of the switch that this crate's sinks have together.
#[derive(Default)]
struct Own {
    on: AtomicBool,
    heard: AtomicUsize,
}

// SAFETY: it counts, which allocates nothing, takes no lock and does not unwind.
unsafe impl Sink for Own {
    fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    fn record(&self, _: &Thread, _: Event) {
        self.heard.fetch_add(1, Ordering::Relaxed);
    }
}

/// Events of each kind.
fn work(heap: &impl Strategy) {
    let (small, large) = (layout(24, 8), layout(500, 8));
    let first = heap.allocate(small).unwrap();
    let second = heap.allocate_zeroed(small).unwrap();
    // SAFETY: a live block of this heap, with its layout; so below.
    let first = unsafe { heap.grow(first, small, large) }.unwrap();
    // SAFETY: as above.
    let second = unsafe { heap.grow_zeroed(second, small, large) }.unwrap();
    // SAFETY: as above.
    let second = unsafe { heap.shrink(second, large, small) }.unwrap();
    // SAFETY: as above.
    unsafe { heap.deallocate(first, large) };
    // SAFETY: as above.
    unsafe { heap.deallocate(second, small) };
}

const EVENTS: usize = 7;

#[test]
fn a_programs_own_sink_is_heard_while_it_is_on() {
    let own = Own::default();
    let heard = || own.heard.swap(0, Ordering::Relaxed);
    let (heap, handle) = (Traced::new(Libc, &own), Traced::new(Handle::libc(), &own as &dyn Sink));
    for on in [false, true, false, true] {
        own.on.store(on, Ordering::Relaxed);
        let expected = if on { EVENTS } else { 0 };
        work(&heap);
        assert_eq!(heard(), expected, "on: {on}");
        work(&handle);
        assert_eq!(heard(), expected, "as a `dyn Sink`, on: {on}");
        let block = heap.allocate(layout(24, 8)).unwrap();
        // SAFETY: a live block.
        let block = unsafe { heap.reallocate(block, 100) }.unwrap();
        // SAFETY: as above.
        unsafe { heap.free(block) };
        assert_eq!(heard(), if on { 3 } else { 0 }, "by address alone, on: {on}");
    }
}

#[test]
fn sinks_of_this_crate_are_heard_while_they_are_on_each_by_itself() {
    let (one, other) = (History::new(), History::new());
    let (heap, also) = (Traced::new(Libc, &one), Traced::new(Libc, &other as &dyn Sink));
    let kept = |history: &History| {
        let mut kept = 0;
        history.all(&mut |_| kept += 1);
        kept
    };
    work(&heap);
    assert_eq!((kept(&one), kept(&other)), (0, 0));
    assert!(one.start(100) && other.start(100));
    one.stop();
    work(&heap);
    work(&also);
    assert_eq!((kept(&one), kept(&other)), (0, EVENTS));
    assert!(one.start(100));
    other.stop();
    work(&heap);
    work(&also);
    assert_eq!((kept(&one), kept(&other)), (EVENTS, EVENTS));
}
