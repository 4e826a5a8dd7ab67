//! The erased forms of a strategy.

use alloc_core::handle::Null;
use alloc_core::{
    AllocError, Handle, Inspect, Libc, OwnedHandle, Ownership, SizedBlocks, Stats, Step, Strategy, Visit,
    Walked,
};
use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Forwards to `Libc`, counts calls by method, and tells when it is dropped.
#[derive(Debug, Default)]
struct Counted {
    calls: [AtomicUsize; 9],
    drops: Arc<AtomicUsize>,
}

impl Counted {
    fn telling(drops: &Arc<AtomicUsize>) -> Self {
        Self { calls: Default::default(), drops: Arc::clone(drops) }
    }

    fn count(&self, method: usize) {
        self.calls[method].fetch_add(1, Ordering::Relaxed);
    }

    fn calls(&self) -> [usize; 9] {
        std::array::from_fn(|method| self.calls[method].load(Ordering::Relaxed))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every method is `Libc`'s.
unsafe impl Strategy for Counted {
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.count(0);
        Libc.allocate(layout)
    }
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.count(1);
        Libc.allocate_zeroed(layout)
    }
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        self.count(2);
        // SAFETY: the caller's promises are the callee's.
        unsafe { Libc.deallocate(block, layout) };
    }
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        self.count(3);
        // SAFETY: the caller's promises are the callee's.
        unsafe { Libc.grow(block, old, new) }
    }
    unsafe fn grow_zeroed(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        self.count(4);
        // SAFETY: the caller's promises are the callee's.
        unsafe { Libc.grow_zeroed(block, old, new) }
    }
    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        self.count(5);
        // SAFETY: the caller's promises are the callee's.
        unsafe { Libc.shrink(block, old, new) }
    }
}

// SAFETY: every method is `Libc`'s.
unsafe impl SizedBlocks for Counted {
    unsafe fn free(&self, block: NonNull<u8>) {
        self.count(6);
        // SAFETY: the caller's promises are the callee's.
        unsafe { Libc.free(block) };
    }
    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        self.count(7);
        // SAFETY: the caller's promises are the callee's.
        unsafe { Libc.usable_size(block) }
    }
    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        self.count(8);
        // SAFETY: the caller's promises are the callee's.
        unsafe { Libc.reallocate(block, new_size) }
    }
}

impl Inspect for Counted {
    fn name(&self) -> &'static str {
        "counted"
    }
    fn stats(&self) -> Stats {
        Stats { live_blocks: alloc_core::Gauge::of(41), ..Stats::UNKNOWN }
    }
    fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        use alloc_core::{Block, BlockState, Zone};
        let steps = [
            Step::Zone(Zone { address: 4096, size: 8192 }),
            Step::Block(Block { address: 4096, size: 100, state: BlockState::Used }),
            Step::Block(Block { address: 5000, size: 200, state: BlockState::Corrupted }),
        ];
        for step in steps {
            if visit(step).is_break() {
                return Walked::Stopped;
            }
        }
        Walked::Complete
    }
    fn owns(&self, address: NonNull<u8>) -> Ownership {
        if address.addr().get() < 4096 { Ownership::NotMine } else { Ownership::Mine }
    }
    fn trim(&self, keep: usize) -> usize {
        keep + 1
    }
}

/// Calls every method of both traits once.
fn use_all<S: SizedBlocks>(heap: &S) {
    let layout = |size| Layout::from_size_align(size, 32).unwrap();
    // SAFETY: each block is live and used with the layout it was last given.
    unsafe {
        let block = heap.allocate(layout(10)).unwrap();
        block.write_bytes(7, 10);
        let block = heap.grow(block, layout(10), layout(100)).unwrap();
        let block = heap.grow_zeroed(block, layout(100), layout(200)).unwrap();
        let bytes = NonNull::slice_from_raw_parts(block, 200).as_ref();
        assert_eq!(bytes[..10], [7; 10]);
        assert_eq!(bytes[100..], [0; 100]);
        let block = heap.shrink(block, layout(200), layout(5)).unwrap();
        assert_eq!(NonNull::slice_from_raw_parts(block, 5).as_ref(), [7; 5]);
        heap.deallocate(block, layout(5));

        let block = heap.allocate_zeroed(layout(64)).unwrap();
        assert_eq!(NonNull::slice_from_raw_parts(block, 64).as_ref(), [0; 64]);
        assert!(heap.usable_size(block) >= 64);
        let block = heap.reallocate(block, 1000).unwrap();
        heap.free(block);
    }
}

#[test]
fn no_method_is_lost_on_the_way_through_a_handle() {
    let direct = Counted::default();
    use_all(&direct);
    assert!(direct.calls().iter().all(|&calls| calls > 0));

    let erased = Counted::default();
    use_all(&Handle::new_sized(&erased).sized().unwrap());
    assert_eq!(direct.calls(), erased.calls(), "a handle must call the method of the same name");

    let reference = Counted::default();
    use_all(&&reference);
    assert_eq!(direct.calls(), reference.calls(), "a reference must call the method of the same name");
}

#[test]
fn looking_in_through_a_handle_sees_what_the_strategy_shows() {
    let strategy = Counted::default();
    for handle in [Handle::new(&strategy), Handle::new_sized(&strategy)] {
        assert_eq!(handle.name(), "counted");
        assert_eq!(handle.stats(), strategy.stats());
        assert_eq!(handle.trim(9), 10);
        let low = NonNull::new(std::ptr::without_provenance_mut(16)).unwrap();
        let high = NonNull::new(std::ptr::without_provenance_mut(4096)).unwrap();
        assert_eq!((handle.owns(low), handle.owns(high)), (Ownership::NotMine, Ownership::Mine));

        let (mut direct, mut erased) = (Vec::new(), Vec::new());
        assert_eq!(strategy.walk(&mut |step| collect(&mut direct, step)), Walked::Complete);
        assert_eq!(handle.walk(&mut |step| collect(&mut erased, step)), Walked::Complete);
        assert_eq!(direct, erased);
        assert_eq!(handle.walk(&mut |_| Visit::Break(())), Walked::Stopped);
    }
}

fn collect(into: &mut Vec<Step>, step: Step) -> Visit {
    into.push(step);
    Visit::Continue(())
}

#[test]
fn only_strategies_that_know_sizes_give_a_sized_handle() {
    let strategy = Counted::default();
    assert!(Handle::new(&strategy).sized().is_none());
    assert!(Handle::new_sized(&strategy).sized().is_some());
    assert!(Handle::libc().sized().is_some());
}

#[test]
fn the_null_handle_refuses_everything_and_is_told_apart() {
    let null = Handle::null();
    assert!(null.is_null());
    assert!(!Handle::libc().is_null());
    assert!(!Handle::new(&Libc).is_null());
    assert_eq!(null.allocate(Layout::new::<u8>()), Err(AllocError));
    assert_eq!(null.allocate_zeroed(Layout::new::<[u64; 0]>()), Err(AllocError));
    assert_eq!(null.name(), "null");
    assert_eq!(null.walk(&mut |_| panic!("nothing to show")), Walked::Complete);
    let copy = null;
    assert!(copy.is_null());
}

#[test]
fn a_handle_is_two_words_and_crosses_threads() {
    assert_eq!(size_of::<Handle<'_>>(), 2 * size_of::<usize>());
    let handle = Handle::libc();
    let layout = Layout::new::<u64>();
    let block = handle.allocate(layout).unwrap().expose_provenance();
    let freed_elsewhere = std::thread::scope(|scope| {
        scope
            .spawn(move || {
                let block = NonNull::new(std::ptr::with_exposed_provenance_mut(block.get())).unwrap();
                // SAFETY: a live block of the C library, whose owner any copy of the handle stands for.
                unsafe { handle.deallocate(block, layout) };
                true
            })
            .join()
            .unwrap()
    });
    assert!(freed_elsewhere);
}

#[test]
fn an_owned_handle_drops_its_strategy_once_and_returns_the_memory() {
    let drops = Arc::new(AtomicUsize::new(0));
    let memory: &'static Counted = Box::leak(Box::default());
    let strategy = Counted::telling(&drops);
    let owned = OwnedHandle::new_sized_in(strategy, Handle::new(memory)).unwrap();
    use_all(&owned.handle().sized().unwrap());
    assert_eq!(owned.handle().name(), "counted");
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    std::thread::spawn(move || drop(owned)).join().unwrap();
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    assert_eq!(memory.calls()[..3], [1, 0, 1], "one block taken, one given back");
}

#[test]
fn an_owned_handle_without_memory_fails_and_drops_the_strategy() {
    let drops = Arc::new(AtomicUsize::new(0));
    let strategy = Counted::telling(&drops);
    assert!(OwnedHandle::new_in(strategy, Handle::new(&Null)).is_err());
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}
