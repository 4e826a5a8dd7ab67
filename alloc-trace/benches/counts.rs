//! Functions to count the instructions of: `ci/count-trace.sh` runs this under callgrind.
//!
//! Each stands alone in a function that is not inlined, named `count_<operation>`, and is called [`CALLS`] times: an allocation and
//! a free of a program whose global allocator is a `Traced` one, while the tracer is off and while it samples, and the same
//! without a tracer. The strategy only moves a cursor.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use alloc_core::compat::Global;
use alloc_core::{AllocError, Inspect, Ownership, Stats, Step, Strategy, Visit, Walked};
use alloc_trace::{Settings, TRACER, Traced, Tracer};

/// Kept in step with `ci/count-trace.sh`.
const CALLS: usize = 100;

/// Hands out addresses one after the other, and touches nothing.
struct Line(AtomicUsize);

// SAFETY: not one: nobody writes to its blocks.
unsafe impl Strategy for Line {
    #[inline]
    fn allocate(&self, _: Layout) -> Result<NonNull<u8>, AllocError> {
        NonNull::new(std::ptr::without_provenance_mut(self.0.fetch_add(64, Ordering::Relaxed)))
            .ok_or(AllocError)
    }

    #[inline]
    unsafe fn deallocate(&self, _: NonNull<u8>, _: Layout) {
        self.0.store(1 << 40, Ordering::Relaxed);
    }
}

impl Inspect for Line {
    fn name(&self) -> &'static str {
        "line"
    }

    fn stats(&self) -> Stats {
        Stats::UNKNOWN
    }

    fn walk(&self, _visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        Walked::Unsupported
    }

    fn owns(&self, _address: NonNull<u8>) -> Ownership {
        Ownership::Unknown
    }

    fn trim(&self, _keep: usize) -> usize {
        0
    }
}

static BARE: Global<Line> = Global::new(Line(AtomicUsize::new(1 << 40)));
// Two, so that their functions are not one.
static OFF: Global<Traced<Line, &Tracer>> =
    Global::new(Traced::new(Line(AtomicUsize::new(1 << 41)), &TRACER));
static SAMPLED: Global<Traced<Line, &Tracer>> =
    Global::new(Traced::new(Line(AtomicUsize::new(1 << 42)), &TRACER));

macro_rules! counted {
    ($alloc:ident, $free:ident, $heap:expr) => {
        #[inline(never)]
        #[unsafe(no_mangle)]
        fn $alloc(layout: Layout) -> *mut u8 {
            // SAFETY: the layout is not empty.
            unsafe { $heap.alloc(layout) }
        }

        #[inline(never)]
        #[unsafe(no_mangle)]
        fn $free(block: *mut u8, layout: Layout) {
            // SAFETY: the strategy asks nothing of its callers.
            unsafe { $heap.dealloc(block, layout) }
        }
    };
}

counted!(count_bare_alloc, count_bare_free, BARE);
counted!(count_off_alloc, count_off_free, OFF);
counted!(count_sampled_alloc, count_sampled_free, SAMPLED);

fn run(alloc: fn(Layout) -> *mut u8, free: fn(*mut u8, Layout)) {
    let layout = Layout::from_size_align(black_box(48), black_box(16)).expect("a layout");
    for _ in 0..CALLS {
        black_box(free)(black_box(alloc)(layout), layout);
    }
}

fn main() {
    run(count_bare_alloc, count_bare_free);
    run(count_off_alloc, count_off_free);
    let mut settings = Settings::default();
    // So rare that the countdown reaches none of these.
    settings.set(b"STRATA_TRACE", b"sampled:/dev/null,rate=1G", std::process::id()).expect("a setting");
    TRACER.start(&settings);
    // The thread's record, and the first distance.
    let layout = Layout::new::<[u64; 2]>();
    // SAFETY: the layout is not empty.
    let first = unsafe { SAMPLED.alloc(layout) };
    run(count_sampled_alloc, count_sampled_free);
    // SAFETY: live, with this layout.
    unsafe { SAMPLED.dealloc(first, layout) };
    TRACER.finish(SAMPLED.strategy());
}
