//! What each decorator promises of its own.

use alloc_core::os::schedule::Schedule;
use alloc_core::{Block, BlockState, Inspect, Libc, OnMisuse, SizedBlocks, Step, Strategy, Visit};
use alloc_core::{Handle, SizedHandle};
use alloc_trace::{Counting, FaultInject, Guard, History, Perturb, Quota, Sink, Traced};

use crate::support::{self, layout};

fn blocks(strategy: &impl Inspect) -> Vec<Block> {
    let mut blocks = Vec::new();
    let _ = strategy.walk(&mut |step| {
        if let Step::Block(block) = step {
            blocks.push(block);
        }
        Visit::Continue(())
    });
    blocks
}

#[test]
fn counting_counts_calls_bytes_and_the_peak() {
    let heap = Counting::new(Libc);
    let layout = layout(100, 8);
    let list: Vec<_> = (0..5).map(|_| heap.allocate(layout).unwrap()).collect();
    assert!(heap.allocate(self::layout(isize::MAX as usize - 4096, 1)).is_err());
    for block in list {
        // SAFETY: each block came from the heap, with this layout.
        unsafe { heap.deallocate(block, layout) };
    }
    let counts = heap.counts();
    assert_eq!((counts.allocs, counts.frees, counts.refused), (5, 5, 1));
    assert_eq!((counts.bytes, counts.peak_blocks, counts.live_blocks()), (500, 5, 0));
}

#[test]
fn the_kth_request_fails_and_the_rest_do_not() {
    let heap = FaultInject::new(Libc, Schedule::Nth(3));
    let layout = layout(10, 1);
    let served: Vec<_> = (0..5).map(|_| heap.allocate(layout)).collect();
    assert_eq!(served.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false, true, true]);
    assert_eq!((heap.calls(), heap.refused()), (5, 1));
    for block in served.into_iter().flatten() {
        // SAFETY: each block came from the heap, with this layout.
        unsafe { heap.deallocate(block, layout) };
    }
}

#[test]
fn a_failed_resize_leaves_the_block() {
    let heap = FaultInject::new(Libc, Schedule::From(2));
    let (small, large) = (layout(8, 8), layout(80, 8));
    let block = heap.allocate(small).unwrap();
    // SAFETY: eight bytes of a live block.
    unsafe { block.cast::<u64>().write(0x1234) };
    // SAFETY: a live block, with the layout that it was asked for with.
    assert!(unsafe { heap.grow(block, small, large) }.is_err());
    // SAFETY: a live block.
    assert!(unsafe { heap.reallocate(block, 80) }.is_err());
    // SAFETY: as for the write.
    assert_eq!(unsafe { block.cast::<u64>().read() }, 0x1234);
    // SAFETY: as for the grow.
    unsafe { heap.deallocate(block, small) };
}

#[test]
fn a_quota_is_given_back_whole() {
    let heap = Quota::new(support::heap(), 1000);
    let (half, most) = (layout(500, 8), layout(501, 8));
    for _ in 0..10 {
        let first = heap.allocate(half).unwrap();
        assert!(heap.allocate(most).is_err());
        let second = heap.allocate(half).unwrap();
        assert_eq!(heap.used(), 1000);
        assert!(heap.allocate(layout(1, 1)).is_err());
        // SAFETY: a live block, with the layout that it was asked for with.
        assert!(unsafe { heap.grow(first, half, layout(501, 8)) }.is_err());
        // SAFETY: as above.
        let first = unsafe { heap.shrink(first, half, layout(100, 8)) }.unwrap();
        assert_eq!(heap.used(), 600);
        // SAFETY: a live block, with the layout that it was shrunk to.
        unsafe { heap.deallocate(first, layout(100, 8)) };
        // SAFETY: a live block, with the layout that it was asked for with.
        unsafe { heap.deallocate(second, half) };
        assert_eq!(heap.used(), 0);
    }
}

#[test]
fn fresh_and_freed_memory_is_filled() {
    let heap = Perturb::new(support::heap(), 0xa5);
    let layout = layout(64, 8);
    let block = heap.allocate(layout).unwrap();
    // SAFETY: 64 bytes of a live block, all written by the heap.
    let bytes = unsafe { block.cast::<[u8; 64]>().read() };
    assert_eq!(bytes, [!0xa5; 64]);
    // SAFETY: the block came from the heap, with this layout.
    unsafe { heap.deallocate(block, layout) };
    let zeroed = heap.allocate_zeroed(layout).unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { zeroed.cast::<[u8; 64]>().read() }, [0; 64]);
    // SAFETY: the block came from the heap, with this layout.
    unsafe { heap.deallocate(zeroed, layout) };
}

#[test]
fn a_walk_shows_what_was_written_over() {
    let heap = Guard::sized(support::heap()).on_fault(OnMisuse::Ignore).quarantine(4096);
    let layout = layout(40, 8);
    let [whole, over, freed] = [(); 3].map(|()| heap.allocate(layout).unwrap());
    // SAFETY: the block came from the heap, with this layout.
    unsafe { heap.deallocate(freed, layout) };
    let state = |block: std::ptr::NonNull<u8>| {
        blocks(&heap)
            .iter()
            .find(|shown| shown.address == block.addr().get())
            .map(|shown| (shown.size, shown.state))
    };
    assert_eq!(state(whole), Some((40, BlockState::Used)));
    assert_eq!(state(over), Some((40, BlockState::Used)));
    assert_eq!(state(freed), Some((40, BlockState::Cached)));
    // SAFETY: the byte lies within the strategy's memory, behind the block: the fault that is to be found.
    let behind = unsafe { over.add(40) };
    // SAFETY: as above.
    let before = unsafe { behind.read() };
    // SAFETY: as above.
    unsafe { behind.write(!before) };
    assert_eq!(state(over), Some((40, BlockState::Corrupted)));
    // SAFETY: as above: put right again.
    unsafe { behind.write(before) };
    assert_eq!(state(over), Some((40, BlockState::Used)));
    for block in [whole, over] {
        // SAFETY: the block came from the heap, with this layout.
        unsafe { heap.deallocate(block, layout) };
    }
    heap.drain();
    assert_eq!(heap.faults(), 0);
    assert!(
        blocks(&heap).iter().all(|block| !matches!(block.state, BlockState::Used | BlockState::Corrupted))
    );
}

#[test]
fn bytes_of_a_guarded_heap_add_up() {
    let heap = Guard::sized(support::heap()).quarantine(1 << 16);
    let held: Vec<_> =
        (0..100).map(|i| (heap.allocate(layout(i * 7, 8)).unwrap(), layout(i * 7, 8))).collect();
    let asked: usize = held.iter().map(|(_, layout)| layout.size()).sum();
    let used: usize =
        blocks(&heap).iter().filter(|block| block.state == BlockState::Used).map(|block| block.size).sum();
    assert_eq!(used, asked);
    assert_eq!(heap.stats().live.get(), Some(asked as u64));
    for (block, layout) in held {
        // SAFETY: the block came from the heap, with this layout.
        unsafe { heap.deallocate(block, layout) };
    }
    assert_eq!(heap.stats().cached.get(), Some(asked as u64));
}

/// The decorators, by number.
const DECORATORS: usize = 6;

fn sized<S: SizedBlocks + Sync>(strategy: &S) -> SizedHandle<'_> {
    Handle::new_sized(strategy).sized().unwrap()
}

/// Puts one decorator after the other over a handle, the last of `order` first, and works on what comes of it.
fn stack(below: SizedHandle<'_>, order: &[usize]) {
    static HISTORY: History = History::new();
    let Some((&next, rest)) = order.split_last() else { return work(below) };
    match next {
        0 => stack(sized(&Guard::sized(below).quarantine(1 << 12).pages_every(7)), rest),
        1 => stack(sized(&Quota::sized(below, 1 << 20)), rest),
        2 => stack(sized(&FaultInject::new(below, Schedule::Never)), rest),
        3 => stack(sized(&Perturb::new(below, 0x5a)), rest),
        4 => stack(sized(&Counting::new(below)), rest),
        _ => {
            assert!(HISTORY.is_on() || HISTORY.start(64));
            stack(sized(&Traced::new(below, &HISTORY)), rest);
        }
    }
}

/// Blocks of several sizes are filled, resized, looked at and given back.
fn work(heap: SizedHandle<'_>) {
    let filled = |block: std::ptr::NonNull<u8>, size: usize, value: u8| {
        // SAFETY: a live block of at least so many bytes.
        unsafe { std::slice::from_raw_parts(block.as_ptr(), size) }.iter().all(|&byte| byte == value)
    };
    let mut live = Vec::new();
    for (index, size) in [1, 40, 300, 5000, 20_000].into_iter().enumerate() {
        let value = index as u8 + 1;
        let block = heap.allocate(layout(size, 16)).unwrap();
        // SAFETY: a live block of `size` bytes.
        unsafe { block.write_bytes(value, size) };
        // SAFETY: a live block.
        let block = unsafe { heap.reallocate(block, size * 2) }.unwrap();
        assert!(filled(block, size, value));
        // SAFETY: a live block of twice the size by now.
        unsafe { block.write_bytes(value, size * 2) };
        live.push((block, size * 2, value));
    }
    let zeroed = heap.allocate_zeroed(layout(700, 64)).unwrap();
    assert!(filled(zeroed, 700, 0));
    // SAFETY: a live block, with its layout.
    unsafe { heap.deallocate(zeroed, layout(700, 64)) };
    for (block, size, value) in live {
        assert!(filled(block, size, value));
        // SAFETY: a live block.
        unsafe { heap.free(block) };
    }
}

/// Every order of a list from `at` on.
fn orders(list: &mut [usize; DECORATORS], at: usize, show: &mut dyn FnMut(&[usize])) {
    if at == DECORATORS {
        return show(list);
    }
    for other in at..DECORATORS {
        list.swap(at, other);
        orders(list, at + 1, show);
        list.swap(at, other);
    }
}

#[test]
fn all_decorators_stack_in_every_order() {
    let (heap, mem_io) = (support::heap(), alloc_freelist::mem_io::MemIo::new());
    let mut count = 0;
    orders(&mut core::array::from_fn(|index| index), 0, &mut |order| {
        stack(sized(&heap), order);
        stack(sized(&mem_io), order);
        stack(sized(&Libc), order);
        count += 1;
    });
    assert_eq!(count, 720);
    heap.check().unwrap();
}
