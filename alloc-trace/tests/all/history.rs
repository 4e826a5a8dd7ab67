//! The last events, in the process.

use alloc_core::{Libc, SizedBlocks, Strategy};
use alloc_trace::{Event, History, Place, Traced, frames};

use crate::support::{heap, layout};

#[test]
fn an_address_remembers_what_happened_to_it() {
    let history: &'static History = Box::leak(Box::new(History::new()));
    assert!(history.start(64));
    let heap = Traced::new(Libc, history);
    let block = heap.allocate(layout(100, 8)).unwrap();
    let address = block.addr().get();
    // SAFETY: a live block, with the layout that it was asked for with.
    unsafe { heap.deallocate(block, layout(100, 8)) };
    let mut events = Vec::new();
    history.of(address + 50, &mut |entry| {
        assert!(frames(entry.stack).count() > 2, "{entry:?}");
        events.push(entry.event);
    });
    let place = Place { address, size: 100, align: 8 };
    assert_eq!(events, [Event::Alloc(place), Event::Free(place)]);
}

/// Who frees or resizes by the address alone tells no size: an address within the block is told of all the same.
#[test]
fn an_address_within_a_block_remembers_its_end() {
    let history: &'static History = Box::leak(Box::new(History::new()));
    assert!(history.start(64));
    // One thread's own heap, in which `keep` stands behind `second`: growth has to move it.
    let heap = Traced::new(heap(), history);
    let kinds = |address: usize| {
        let mut kinds = Vec::new();
        history.of(address, &mut |entry| {
            kinds.push(match entry.event {
                Event::Alloc(_) => "came",
                Event::Free(_) => "went",
                Event::Resize { new, .. } if new.address == address - 50 => "resized to here",
                Event::Resize { .. } => "resized away",
                Event::Refused { .. } => "refused",
            });
        });
        kinds
    };
    let [first, second, keep] = [100, 100, 100].map(|size| heap.allocate(layout(size, 8)).unwrap());
    let (within, after) = (first.addr().get() + 50, second.addr().get() + 50);
    // SAFETY: a live block; so below.
    unsafe { heap.free(first) };
    assert_eq!(kinds(within), ["came", "went"]);
    // SAFETY: as above.
    let moved = unsafe { heap.reallocate(second, 500_000) }.unwrap();
    assert_ne!(moved, second, "the test proves nothing");
    assert_eq!(kinds(after), ["came", "resized away"]);
    assert_eq!(kinds(moved.addr().get() + 50), ["resized to here"]);
    // SAFETY: as above.
    unsafe { heap.free(moved) };
    assert_eq!(kinds(moved.addr().get() + 50), ["resized to here", "went"]);
    assert_eq!(kinds(keep.addr().get() + 50), ["came"]);
    // SAFETY: as above.
    unsafe { heap.free(keep) };
}

#[test]
fn the_ring_keeps_the_last() {
    let history: &'static History = Box::leak(Box::new(History::new()));
    assert!(history.start(10));
    let heap = Traced::new(Libc, history);
    for size in 1..100 {
        let block = heap.allocate(layout(size, 1)).unwrap();
        // SAFETY: a live block.
        let block = unsafe { heap.reallocate(block, size * 2) }.unwrap();
        // SAFETY: a live block.
        unsafe { heap.free(block) };
    }
    let mut numbers = Vec::new();
    history.all(&mut |entry| numbers.push(entry.number));
    assert_eq!(numbers, (287..297).collect::<Vec<_>>());
    history.stop();
    let block = heap.allocate(layout(1, 1)).unwrap();
    // SAFETY: a live block.
    unsafe { heap.free(block) };
    let mut count = 0;
    history.all(&mut |_| count += 1);
    assert_eq!(count, 10);
}

#[test]
fn threads_do_not_mix_their_entries() {
    let history: &'static History = Box::leak(Box::new(History::new()));
    assert!(history.start(1 << 16));
    std::thread::scope(|scope| {
        for thread in 1..5_usize {
            scope.spawn(move || {
                let heap = Traced::new(Libc, history);
                for _ in 0..2000 {
                    let block = heap.allocate(layout(thread * 100, 8)).unwrap();
                    // SAFETY: a live block, with the layout that it was asked for with.
                    unsafe { heap.deallocate(block, layout(thread * 100, 8)) };
                }
            });
        }
    });
    let mut counts = std::collections::HashMap::new();
    history.all(&mut |entry| match entry.event {
        Event::Alloc(place) | Event::Free(place) => {
            *counts.entry((entry.thread, place.size)).or_insert(0) += 1;
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(counts.len(), 4, "{counts:?}");
    assert!(counts.values().all(|&count| count == 4000), "{counts:?}");
}

/// What the callback below found: how many of its frames lie in `sorts`.
static FOUND: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

extern "C" fn compare(_: *const libc::c_void, _: *const libc::c_void) -> i32 {
    static HISTORY: History = History::new();
    assert!(HISTORY.start(4));
    let heap = Traced::new(Libc, &HISTORY);
    let block = heap.allocate(layout(8, 8)).unwrap();
    let sorts = sorts as *const () as usize;
    HISTORY.of(block.addr().get(), &mut |entry| {
        let found = frames(entry.stack).filter(|frame| (sorts..sorts + 1024).contains(frame)).count();
        FOUND.store(found, std::sync::atomic::Ordering::Relaxed);
    });
    // SAFETY: a live block, with the layout that it was asked for with.
    unsafe { heap.deallocate(block, layout(8, 8)) };
    0
}

#[inline(never)]
fn sorts() {
    let mut two = std::hint::black_box([2_u32, 1]);
    // SAFETY: two elements of four bytes, and a comparison that does not unwind.
    unsafe { libc::qsort(two.as_mut_ptr().cast(), 2, 4, Some(compare)) };
    std::hint::black_box(two);
}

/// Distributions build the C library without frame pointers: its unwind tables lead on.
#[test]
fn a_stack_leads_through_the_c_library() {
    sorts();
    assert_ne!(FOUND.load(std::sync::atomic::Ordering::Relaxed), 0);
}
