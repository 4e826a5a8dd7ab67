//! The allocators that are measured, behind one trait, over one arena each.

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use alloc_core::Strategy;
use alloc_freelist::{Config, FixedFreeList, Nothing, SyncFreeList};

/// An allocator over a fixed arena, for one thread at a time.
pub(crate) trait Arena {
    const NAME: &'static str;

    fn over(memory: &'static mut [MaybeUninit<u8>]) -> Self;

    /// Null when it is refused.
    fn allocate(&self, layout: Layout) -> *mut u8;

    /// # Safety
    /// A live block with this layout.
    unsafe fn free(&self, block: *mut u8, layout: Layout);

    /// Null when it is refused.
    ///
    /// # Safety
    /// A live block with this layout.
    unsafe fn resize(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: sizes of these benches are far below the limit.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let moved = self.allocate(new);
        if !moved.is_null() {
            // SAFETY: both are live, and have so many bytes.
            unsafe { ptr::copy_nonoverlapping(block, moved, size.min(layout.size())) };
            // SAFETY: as the caller promises.
            unsafe { self.free(block, layout) };
        }
        moved
    }
}

/// A configuration with a name for the tables.
pub(crate) trait Named: Config {
    const TABLE: &'static str;
}

macro_rules! named {
    ($($name:ident: $table:literal, $fit:ty, $header:ty, $coalesce:ty;)*) => {$(
        pub(crate) struct $name;

        impl Config for $name {
            type Fit = $fit;
            type Header = $header;
            type Coalesce = $coalesce;
            const WIDE: usize = usize::MAX;
        }

        impl Named for $name {
            const TABLE: &'static str = $table;
        }
    )*};
}

named! {
    Immediate: "freelist", alloc_freelist::fit::Good, alloc_freelist::header::None, alloc_freelist::coalesce::Immediate;
    Deferred: "freelist deferred", alloc_freelist::fit::Good, alloc_freelist::header::None, alloc_freelist::coalesce::Deferred;
    Classed: "freelist classed", alloc_freelist::fit::Good, alloc_freelist::header::None, alloc_freelist::coalesce::Classed;
    Packed: "freelist packed", alloc_freelist::fit::Good, alloc_freelist::header::Packed, alloc_freelist::coalesce::Immediate;
    PackedClassed: "freelist packed, classed", alloc_freelist::fit::Good, alloc_freelist::header::Packed, alloc_freelist::coalesce::Classed;
    PackedBest: "freelist packed, best fit", alloc_freelist::fit::Best, alloc_freelist::header::Packed, alloc_freelist::coalesce::Immediate;
    Sized: "freelist sized", alloc_freelist::fit::Good, alloc_freelist::header::Sized, alloc_freelist::coalesce::Immediate;
    Threads: "freelist sync", alloc_freelist::fit::Good, alloc_freelist::header::None, alloc_freelist::coalesce::Deferred;
    First: "freelist first fit", alloc_freelist::fit::First, alloc_freelist::header::None, alloc_freelist::coalesce::Immediate;
    Best: "freelist best fit", alloc_freelist::fit::Best, alloc_freelist::header::None, alloc_freelist::coalesce::Immediate;
    Checked: "freelist checked", alloc_freelist::fit::Good, alloc_freelist::header::Checked, alloc_freelist::coalesce::Immediate;
}

/// Threads with a cache each, and no lock around them.
pub(crate) type Caches = SyncFreeList<Threads, Nothing<'static>, Nothing<'static>>;

/// Heaps of ours over an arena.
pub(crate) trait Over: Strategy {
    const TABLE: &'static str;

    fn over(memory: &'static mut [MaybeUninit<u8>]) -> Self;
}

impl<C: Named> Over for FixedFreeList<'static, C> {
    const TABLE: &'static str = C::TABLE;

    fn over(memory: &'static mut [MaybeUninit<u8>]) -> Self {
        Self::over_in(memory)
    }
}

impl Over for Caches {
    const TABLE: &'static str = Threads::TABLE;

    fn over(memory: &'static mut [MaybeUninit<u8>]) -> Self {
        let heap = Self::from_parts(Nothing::new(), Nothing::new());
        heap.add_static(memory).expect("the heap takes the arena");
        heap
    }
}

impl<S: Over> Arena for S {
    const NAME: &'static str = S::TABLE;

    fn over(memory: &'static mut [MaybeUninit<u8>]) -> Self {
        Over::over(memory)
    }

    #[inline(always)]
    fn allocate(&self, layout: Layout) -> *mut u8 {
        Strategy::allocate(self, layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline(always)]
    unsafe fn free(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller promises a live block, which is not null.
        let block = unsafe { NonNull::new_unchecked(block) };
        // SAFETY: the caller's promise.
        unsafe { self.deallocate(block, layout) };
    }

    #[inline(always)]
    unsafe fn resize(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: sizes of these benches are far below the limit.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the caller promises a live block, which is not null.
        let block = unsafe { NonNull::new_unchecked(block) };
        let answer = if size >= layout.size() {
            // SAFETY: the caller's promise.
            unsafe { self.grow(block, layout, new) }
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.shrink(block, layout, new) }
        };
        answer.map_or(ptr::null_mut(), NonNull::as_ptr)
    }
}

fn start(memory: &'static mut [MaybeUninit<u8>]) -> (*mut u8, usize) {
    (memory.as_mut_ptr().cast(), memory.len())
}

pub(crate) struct Talc(talc::TalcCell<talc::source::Manual>);

impl Arena for Talc {
    const NAME: &'static str = "talc";

    fn over(memory: &'static mut [MaybeUninit<u8>]) -> Self {
        let (start, size) = start(memory);
        let talc = talc::TalcCell::new(talc::source::Manual);
        // SAFETY: the memory is the allocator's alone.
        unsafe { talc.claim(start, size) }.expect("talc takes the arena");
        Self(talc)
    }

    #[inline(always)]
    fn allocate(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the size is not 0.
        unsafe { std::alloc::GlobalAlloc::alloc(&self.0, layout) }
    }

    #[inline(always)]
    unsafe fn free(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { std::alloc::GlobalAlloc::dealloc(&self.0, block, layout) };
    }

    #[inline(always)]
    unsafe fn resize(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { std::alloc::GlobalAlloc::realloc(&self.0, block, layout, size) }
    }
}

pub(crate) struct Rlsf(UnsafeCell<rlsf::Tlsf<'static, u32, u32, 28, 32>>);

impl Arena for Rlsf {
    const NAME: &'static str = "rlsf";

    fn over(memory: &'static mut [MaybeUninit<u8>]) -> Self {
        let mut tlsf = rlsf::Tlsf::new();
        tlsf.insert_free_block(memory);
        Self(UnsafeCell::new(tlsf))
    }

    #[inline(always)]
    fn allocate(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread at a time, and no reference outlives the call; so below.
        unsafe { &mut *self.0.get() }.allocate(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline(always)]
    unsafe fn free(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller promises a live block, which is not null.
        let block = unsafe { NonNull::new_unchecked(block) };
        // SAFETY: see `allocate`.
        let tlsf = unsafe { &mut *self.0.get() };
        // SAFETY: the caller's promise.
        unsafe { tlsf.deallocate(block, layout.align()) };
    }

    #[inline(always)]
    unsafe fn resize(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: sizes of these benches are far below the limit.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the caller promises a live block, which is not null.
        let block = unsafe { NonNull::new_unchecked(block) };
        // SAFETY: see `allocate`.
        let tlsf = unsafe { &mut *self.0.get() };
        // SAFETY: the caller's promise.
        unsafe { tlsf.reallocate(block, new) }.map_or(ptr::null_mut(), NonNull::as_ptr)
    }
}

/// Gives dlmalloc the arena, once.
pub(crate) struct Once(UnsafeCell<Option<(*mut u8, usize)>>);

// SAFETY: one thread at a time uses it.
unsafe impl Send for Once {}

// SAFETY: the arena is handed out once, and never taken back.
unsafe impl dlmalloc::Allocator for Once {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        // SAFETY: one thread at a time.
        match unsafe { &mut *self.0.get() }.take() {
            Some((start, room)) if size <= room => (start, room, 1),
            _ => (ptr::null_mut(), 0, 0),
        }
    }

    fn remap(&self, _ptr: *mut u8, _old: usize, _new: usize, _can_move: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _ptr: *mut u8, _old: usize, _new: usize) -> bool {
        false
    }

    fn free(&self, _ptr: *mut u8, _size: usize) -> bool {
        false
    }

    fn can_release_part(&self, _flags: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        false
    }

    fn page_size(&self) -> usize {
        4096
    }
}

pub(crate) struct Dlmalloc(UnsafeCell<dlmalloc::Dlmalloc<Once>>);

impl Arena for Dlmalloc {
    const NAME: &'static str = "dlmalloc";

    fn over(memory: &'static mut [MaybeUninit<u8>]) -> Self {
        let once = Once(UnsafeCell::new(Some(start(memory))));
        Self(UnsafeCell::new(dlmalloc::Dlmalloc::new_with_allocator(once)))
    }

    #[inline(always)]
    fn allocate(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread at a time, and no reference outlives the call; so below.
        let heap = unsafe { &mut *self.0.get() };
        // SAFETY: the alignment is a power of two.
        unsafe { heap.malloc(layout.size(), layout.align()) }
    }

    #[inline(always)]
    unsafe fn free(&self, block: *mut u8, layout: Layout) {
        // SAFETY: see `allocate`.
        let heap = unsafe { &mut *self.0.get() };
        // SAFETY: the caller's promise.
        unsafe { heap.free(block, layout.size(), layout.align()) };
    }

    #[inline(always)]
    unsafe fn resize(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: see `allocate`.
        let heap = unsafe { &mut *self.0.get() };
        // SAFETY: the caller's promise.
        unsafe { heap.realloc(block, layout.size(), layout.align(), size) }
    }
}

pub(crate) struct LinkedList(UnsafeCell<linked_list_allocator::Heap>);

impl Arena for LinkedList {
    const NAME: &'static str = "linked_list_allocator";

    fn over(memory: &'static mut [MaybeUninit<u8>]) -> Self {
        Self(UnsafeCell::new(linked_list_allocator::Heap::from_slice(memory)))
    }

    #[inline(always)]
    fn allocate(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread at a time, and no reference outlives the call; so below.
        unsafe { &mut *self.0.get() }.allocate_first_fit(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline(always)]
    unsafe fn free(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller promises a live block, which is not null.
        let block = unsafe { NonNull::new_unchecked(block) };
        // SAFETY: see `allocate`.
        let heap = unsafe { &mut *self.0.get() };
        // SAFETY: the caller's promise.
        unsafe { heap.deallocate(block, layout) };
    }
}

pub(crate) struct Buddy(UnsafeCell<buddy_system_allocator::Heap<33>>);

impl Arena for Buddy {
    const NAME: &'static str = "buddy_system_allocator";

    fn over(memory: &'static mut [MaybeUninit<u8>]) -> Self {
        let (start, size) = start(memory);
        let mut heap = buddy_system_allocator::Heap::empty();
        // SAFETY: the memory is the allocator's alone.
        unsafe { heap.init(start.expose_provenance(), size) };
        Self(UnsafeCell::new(heap))
    }

    #[inline(always)]
    fn allocate(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread at a time, and no reference outlives the call; so below.
        unsafe { &mut *self.0.get() }.alloc(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline(always)]
    unsafe fn free(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller promises a live block, which is not null.
        let block = unsafe { NonNull::new_unchecked(block) };
        // SAFETY: see `allocate`.
        unsafe { &mut *self.0.get() }.dealloc(block, layout);
    }
}
