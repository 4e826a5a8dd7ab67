//! No method of the contract is lost on the way through a decorator.

use std::alloc::Layout;
use std::cell::RefCell;
use std::ptr::NonNull;

use alloc_core::os::schedule::Schedule;
use alloc_core::{
    AllocError, Block, BlockState, Field, Inspect, Libc, Ownership, Peek, SizedBlocks, Stats, Step, Strategy,
    Visit, Walked,
};
use alloc_trace::{Counting, FaultInject, History, Null, Perturb, Quota, Traced};

/// Remembers which of its methods was called, and serves from the C library.
#[derive(Default)]
struct Spy(RefCell<Vec<&'static str>>);

impl Spy {
    fn note(&self, method: &'static str) {
        self.0.borrow_mut().push(method);
    }
}

macro_rules! spied {
    ($self:ident, $name:literal, $call:expr) => {{
        $self.note($name);
        $call
    }};
}

// SAFETY: every method is the C library's strategy's.
unsafe impl Strategy for Spy {
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        spied!(self, "allocate", Libc.allocate(layout))
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        spied!(self, "allocate_zeroed", Libc.allocate_zeroed(layout))
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promises are the callee's.
        spied!(self, "deallocate", unsafe { Libc.deallocate(block, layout) });
    }

    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        spied!(self, "grow", unsafe { Libc.grow(block, old, new) })
    }

    unsafe fn grow_zeroed(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        spied!(self, "grow_zeroed", unsafe { Libc.grow_zeroed(block, old, new) })
    }

    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        spied!(self, "shrink", unsafe { Libc.shrink(block, old, new) })
    }
}

// SAFETY: as above.
unsafe impl SizedBlocks for Spy {
    unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: the caller's promises are the callee's.
        spied!(self, "free", unsafe { Libc.free(block) });
    }

    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        // SAFETY: the caller's promises are the callee's.
        spied!(self, "usable_size", unsafe { Libc.usable_size(block) })
    }

    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        spied!(self, "reallocate", unsafe { Libc.reallocate(block, new_size) })
    }
}

impl Inspect for Spy {
    fn name(&self) -> &'static str {
        spied!(self, "name", "spy")
    }

    fn stats(&self) -> Stats {
        spied!(self, "stats", Stats::UNKNOWN)
    }

    fn walk(&self, _visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        spied!(self, "walk", Walked::Unsupported)
    }

    fn owns(&self, _address: NonNull<u8>) -> Ownership {
        spied!(self, "owns", Ownership::Unknown)
    }

    fn trim(&self, _keep: usize) -> usize {
        spied!(self, "trim", 77)
    }

    fn header(&self, _block: Block, _peek: Peek<'_>, _show: &mut dyn FnMut(Field)) {
        spied!(self, "header", ());
    }
}

/// Every method of the contract, in the order in which `call_all` calls them.
const METHODS: [&str; 15] = [
    "allocate",
    "allocate_zeroed",
    "grow",
    "grow_zeroed",
    "shrink",
    "reallocate",
    "usable_size",
    "deallocate",
    "free",
    "name",
    "stats",
    "walk",
    "owns",
    "trim",
    "header",
];

/// Calls each method once, and hands over what the spy saw for each.
fn call_all<D: SizedBlocks>(decorated: &D, spy: &Spy) -> Vec<Vec<&'static str>> {
    let mut seen = Vec::new();
    let mut then = |spy: &Spy| seen.push(spy.0.borrow_mut().drain(..).collect::<Vec<_>>());
    let small = Layout::from_size_align(24, 8).unwrap();
    let large = Layout::from_size_align(500, 8).unwrap();
    let first = decorated.allocate(small).unwrap();
    then(spy);
    let second = decorated.allocate_zeroed(small).unwrap();
    then(spy);
    // SAFETY: a live block of 24 bytes, with the layout it was asked for with.
    let first = unsafe { decorated.grow(first, small, large) }.unwrap();
    then(spy);
    // SAFETY: as above.
    let second = unsafe { decorated.grow_zeroed(second, small, large) }.unwrap();
    then(spy);
    // SAFETY: a live block of 500 bytes, with the layout that it was grown to.
    let first = unsafe { decorated.shrink(first, large, small) }.unwrap();
    then(spy);
    // SAFETY: a live block.
    let second = unsafe { decorated.reallocate(second, 100) }.unwrap();
    then(spy);
    // SAFETY: a live block.
    assert!(unsafe { decorated.usable_size(second) } >= 100);
    then(spy);
    // SAFETY: a live block, with the layout that it was shrunk to.
    unsafe { decorated.deallocate(first, small) };
    then(spy);
    // SAFETY: a live block.
    unsafe { decorated.free(second) };
    then(spy);
    assert_eq!(decorated.name(), "spy");
    then(spy);
    assert_eq!(decorated.stats(), Stats::UNKNOWN);
    then(spy);
    assert_eq!(decorated.walk(&mut |_| Visit::Continue(())), Walked::Unsupported);
    then(spy);
    assert_eq!(decorated.owns(first), Ownership::Unknown);
    then(spy);
    assert_eq!(decorated.trim(0), 77);
    then(spy);
    let block = Block { address: 16, size: 16, state: BlockState::Used };
    decorated.header(block, &|_, _| false, &mut |_| {});
    then(spy);
    seen
}

/// Each method arrives as itself; besides it, only block sizes may have been asked for.
fn assert_forwards<D: SizedBlocks>(decorated: &D, spy: &Spy) {
    for (method, seen) in METHODS.iter().zip(call_all(decorated, spy)) {
        let calls: Vec<_> =
            seen.iter().filter(|&&call| call != "usable_size" || *method == "usable_size").collect();
        assert_eq!(calls, [method], "calls behind `{method}`");
    }
}

#[test]
fn every_method_arrives_as_itself() {
    static HISTORY: History = History::new();
    assert!(HISTORY.start(100));
    let spy = Spy::default();
    assert_forwards(&Traced::new(&spy, Null), &spy);
    assert_forwards(&Traced::new(&spy, &HISTORY), &spy);
    // Off, where another is on.
    assert_forwards(&Traced::new(&spy, &History::new()), &spy);
    assert_forwards(&Counting::new(&spy), &spy);
    assert_forwards(&FaultInject::new(&spy, Schedule::Never), &spy);
    assert_forwards(&Perturb::new(&spy, 1), &spy);
    assert_forwards(&Quota::sized(&spy, 1 << 20), &spy);
}

#[test]
fn no_method_of_the_contract_is_missing_here() {
    let sources = [
        (include_str!("../../../alloc-core/src/strategy.rs"), "pub unsafe trait Strategy"),
        (include_str!("../../../alloc-core/src/sized.rs"), "pub unsafe trait SizedBlocks"),
        (include_str!("../../../alloc-core/src/inspect.rs"), "pub trait Inspect"),
    ];
    let mut declared = Vec::new();
    for (source, name) in sources {
        let body = source.split_once(name).unwrap().1.split_once("\n}\n").unwrap().0;
        for line in body.lines().map(str::trim) {
            let line = line.strip_prefix("unsafe ").unwrap_or(line);
            if let Some(rest) = line.strip_prefix("fn ") {
                declared.push(rest.split_once('(').unwrap().0.to_owned());
            }
        }
    }
    declared.sort();
    let mut tested: Vec<_> = METHODS.iter().map(ToString::to_string).collect();
    tested.sort();
    assert_eq!(declared, tested);
}
