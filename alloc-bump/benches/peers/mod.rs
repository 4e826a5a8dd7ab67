//! The arenas that are measured, behind one trait, so that all of them do the same work.

#![allow(dead_code, reason = "each bench uses a part")]

use std::alloc::Layout;
use std::ptr::NonNull;

use alloc_bump::{Bump, Config, Down, Pages, SyncBump, Up};
use alloc_core::Strategy;
use allocator_api2_04::alloc::{Allocator, Global};
use blink_alloc::{Blink, BlinkAlloc};
use bump_scope::settings::BumpSettings;

pub(crate) type BumpScope<const MIN: usize, const UP: bool> = bump_scope::Bump<Global, BumpSettings<MIN, UP>>;

/// An arena of one thread.
#[expect(clippy::mut_from_ref, reason = "every call returns other memory")]
pub(crate) trait Arena: Default {
    fn u32(&self, value: u32) -> &mut u32;
    fn line(&self, value: [u64; 8]) -> &mut [u64; 8];
    fn layout(&self, layout: Layout) -> *mut u8;
    /// # Safety
    /// A live block with the layout `old`; `new` is larger and aligned alike.
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> *mut u8;
    /// # Safety
    /// A live block with the layout.
    unsafe fn free(&self, block: NonNull<u8>, layout: Layout);
    fn reset(&mut self);
    /// Gives back to the system what dropped arenas have kept.
    fn cool() {}
    /// Pushes `0..count` to a `Vec` of allocator-api2 in the arena. Returns the sum, so that it is not optimised away.
    fn vec(&self, count: u64) -> u64;
}

/// The body of [`Arena::vec`]: the same for every version of the trait, which are different types.
macro_rules! vec_sum {
    ($api:ident, $allocator:expr, $count:expr) => {{
        let mut values = $api::vec::Vec::new_in($allocator);
        for value in 0..$count {
            values.push(value);
        }
        values.iter().sum()
    }};
}

impl<C: Config> Arena for Bump<Pages, C> {
    fn cool() {
        Pages::release_parked();
    }

    #[inline(always)]
    fn u32(&self, value: u32) -> &mut u32 {
        self.alloc(value)
    }

    #[inline(always)]
    fn line(&self, value: [u64; 8]) -> &mut [u64; 8] {
        self.alloc(value)
    }

    #[inline(always)]
    fn layout(&self, layout: Layout) -> *mut u8 {
        Strategy::allocate(self, layout).map_or(std::ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline(always)]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the callee's.
        unsafe { Strategy::grow(self, block, old, new) }.map_or(std::ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline(always)]
    unsafe fn free(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { Strategy::deallocate(self, block, layout) };
    }

    #[inline(always)]
    fn reset(&mut self) {
        Self::reset(self);
    }

    fn vec(&self, count: u64) -> u64 {
        vec_sum!(allocator_api2_04, self, count)
    }
}

/// Ours that threads share, used by one.
impl Arena for SyncBump {
    fn cool() {
        Pages::release_parked();
    }

    #[inline(always)]
    fn u32(&self, value: u32) -> &mut u32 {
        self.alloc(value)
    }

    #[inline(always)]
    fn line(&self, value: [u64; 8]) -> &mut [u64; 8] {
        self.alloc(value)
    }

    #[inline(always)]
    fn layout(&self, layout: Layout) -> *mut u8 {
        Strategy::allocate(self, layout).map_or(std::ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline(always)]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the callee's.
        unsafe { Strategy::grow(self, block, old, new) }.map_or(std::ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline(always)]
    unsafe fn free(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { Strategy::deallocate(self, block, layout) };
    }

    #[inline(always)]
    fn reset(&mut self) {
        Self::reset(self);
    }

    fn vec(&self, count: u64) -> u64 {
        vec_sum!(allocator_api2_04, self, count)
    }
}

/// `bumpalo` has no constructor by `Default` for other alignments than 1, so it is wrapped.
pub(crate) struct Bumpalo<const MIN: usize>(bumpalo::Bump<MIN>);

impl<const MIN: usize> Default for Bumpalo<MIN> {
    fn default() -> Self {
        Self(bumpalo::Bump::with_min_align())
    }
}

impl<const MIN: usize> Arena for Bumpalo<MIN> {
    #[inline(always)]
    fn u32(&self, value: u32) -> &mut u32 {
        self.0.alloc(value)
    }

    #[inline(always)]
    fn line(&self, value: [u64; 8]) -> &mut [u64; 8] {
        self.0.alloc(value)
    }

    #[inline(always)]
    fn layout(&self, layout: Layout) -> *mut u8 {
        self.0.try_alloc_layout(layout).map_or(std::ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline(always)]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> *mut u8 {
        use allocator_api2_02::alloc::Allocator;
        // SAFETY: the caller's promises are the callee's.
        let grown = unsafe { (&self.0).grow(block, old, new) };
        grown.map_or(std::ptr::null_mut(), |block| block.cast().as_ptr())
    }

    #[inline(always)]
    unsafe fn free(&self, block: NonNull<u8>, layout: Layout) {
        use allocator_api2_02::alloc::Allocator;
        // SAFETY: the caller's promises are the callee's.
        unsafe { (&self.0).deallocate(block, layout) };
    }

    #[inline(always)]
    fn reset(&mut self) {
        self.0.reset();
    }

    fn vec(&self, count: u64) -> u64 {
        vec_sum!(allocator_api2_02, &self.0, count)
    }
}

macro_rules! bump_scope_arena {
    ($($min:literal $up:literal),*) => {$(
        impl Arena for BumpScope<$min, $up> {
            #[inline(always)]
            fn u32(&self, value: u32) -> &mut u32 {
                bump_scope::BumpBox::leak(Self::alloc(self, value))
            }

            #[inline(always)]
            fn line(&self, value: [u64; 8]) -> &mut [u64; 8] {
                bump_scope::BumpBox::leak(Self::alloc(self, value))
            }

            #[inline(always)]
            fn layout(&self, layout: Layout) -> *mut u8 {
                Allocator::allocate(self, layout).map_or(std::ptr::null_mut(), |block| block.cast().as_ptr())
            }

            #[inline(always)]
            unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> *mut u8 {
                // SAFETY: the caller's promises are the callee's.
                let grown = unsafe { Allocator::grow(self, block, old, new) };
                grown.map_or(std::ptr::null_mut(), |block| block.cast().as_ptr())
            }

            #[inline(always)]
            unsafe fn free(&self, block: NonNull<u8>, layout: Layout) {
                // SAFETY: the caller's promises are the callee's.
                unsafe { Allocator::deallocate(self, block, layout) };
            }

            #[inline(always)]
            fn reset(&mut self) {
                Self::reset(self);
            }

            fn vec(&self, count: u64) -> u64 {
                vec_sum!(allocator_api2_04, self, count)
            }
        }
    )*};
}

bump_scope_arena!(1 true, 1 false, 8 true, 8 false);

impl Arena for Blink<BlinkAlloc<Global>> {
    #[inline(always)]
    fn u32(&self, value: u32) -> &mut u32 {
        self.put_no_drop(value)
    }

    #[inline(always)]
    fn line(&self, value: [u64; 8]) -> &mut [u64; 8] {
        self.put_no_drop(value)
    }

    #[inline(always)]
    fn layout(&self, layout: Layout) -> *mut u8 {
        self.allocator().allocate(layout).map_or(std::ptr::null_mut(), |block| block.cast().as_ptr())
    }

    #[inline(always)]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the callee's.
        let grown = unsafe { self.allocator().resize(block, old, new) };
        grown.map_or(std::ptr::null_mut(), |block| block.cast().as_ptr())
    }

    #[inline(always)]
    unsafe fn free(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.allocator().deallocate(block, layout.size()) };
    }

    #[inline(always)]
    fn reset(&mut self) {
        Self::reset(self);
    }

    fn vec(&self, count: u64) -> u64 {
        vec_sum!(allocator_api2_04, self.allocator(), count)
    }
}

pub(crate) type Ours = Bump<Pages, Up>;
pub(crate) type OursUp8 = Bump<Pages, Up<8>>;
pub(crate) type OursDown = Bump<Pages, Down>;
pub(crate) type OursDown8 = Bump<Pages, Down<8>>;
pub(crate) type BlinkArena = Blink<BlinkAlloc<Global>>;
