//! `mem_io`'s logs to a file descriptor allocate nothing: neither from the heap that they tell of, nor from any other. On one
//! thread, since the break is the process's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};

use alloc_core::{Inspect, Strategy};
use alloc_freelist::mem_io::MemIo;

static ASKED: AtomicU32 = AtomicU32::new(0);

/// Counts requests.
struct Counting;

// SAFETY: all memory is the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are the callee's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

fn main() {
    let heap = MemIo::new();
    let layout = Layout::new::<[u64; 25]>();
    let blocks: Vec<_> = (0..500).map(|_| heap.allocate(layout).expect("memory suffices")).collect();
    for &block in blocks.iter().step_by(3) {
        // SAFETY: the block is live, with this layout.
        unsafe { heap.deallocate(block, layout) };
    }
    let place = File::options().write(true).open("/dev/null").expect("a place for text");
    let stats = heap.stats();
    let before = ASKED.load(Ordering::Relaxed);
    assert!(before > 0, "requests are counted");
    heap.log_state_to_fd(place.as_raw_fd()).expect("the place takes all text");
    heap.log_blocks_to_fd(place.as_raw_fd()).expect("the place takes all text");
    assert_eq!(ASKED.load(Ordering::Relaxed), before);
    assert_eq!(heap.stats(), stats);
    println!("log_without_memory: ok");
}
