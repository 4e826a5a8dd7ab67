//! A strategy as a program's global allocator.

use core::alloc::{GlobalAlloc, Layout};
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::error::AllocError;
use crate::line::Line;
use crate::misuse::abort;
use crate::strategy::Strategy;

/// What a global allocator does when its strategy cannot serve a request. Strategies only answer `Err`; whether a
/// program ends for it is decided here and nowhere else.
pub trait Exhaustion {
    /// Called with the request that failed. Returning lets the caller see a null pointer.
    fn exhausted(strategy: &'static str, layout: Layout);
}

/// The caller sees a null pointer. Rust's collections then call `handle_alloc_error`, or return an error from their `try_`
/// methods. The default.
#[derive(Clone, Copy, Debug)]
pub struct ReturnNull;

impl Exhaustion for ReturnNull {
    #[inline]
    fn exhausted(_strategy: &'static str, _layout: Layout) {}
}

/// One line on standard error, naming strategy and size, then abort: for programs that want to know at once.
#[derive(Clone, Copy, Debug)]
pub struct Abort;

impl Exhaustion for Abort {
    #[cold]
    #[inline(never)]
    fn exhausted(strategy: &'static str, layout: Layout) {
        Line::new()
            .text("strata: ")
            .text(strategy)
            .text(": out of memory: ")
            .decimal(layout.size() as u64)
            .text(" bytes aligned to ")
            .decimal(layout.align() as u64)
            .text(" were asked for")
            .emit();
        abort()
    }
}

/// Makes a strategy usable behind `#[global_allocator]`.
///
/// ```
/// # #[cfg(feature = "libc")]
/// # mod shown {
/// use alloc_core::{Libc, compat::Global};
///
/// #[global_allocator]
/// static GLOBAL: Global<Libc> = Global::new(Libc);
/// # }
/// # fn main() { assert_eq!(vec![1, 2, 3].len(), 3); }
/// ```
#[derive(Debug, Default)]
pub struct Global<S, E = ReturnNull> {
    strategy: S,
    exhaustion: PhantomData<fn() -> E>,
}

impl<S> Global<S> {
    /// A global allocator over `strategy` that answers null when memory is exhausted.
    pub const fn new(strategy: S) -> Self {
        Self { strategy, exhaustion: PhantomData }
    }
}

impl<S> Global<S, Abort> {
    /// A global allocator over `strategy` that stops the program with one line when memory is exhausted.
    pub const fn aborting(strategy: S) -> Self {
        Self { strategy, exhaustion: PhantomData }
    }
}

impl<S, E> Global<S, E> {
    /// The strategy, to look into it.
    pub const fn strategy(&self) -> &S {
        &self.strategy
    }
}

impl<S: Strategy, E: Exhaustion> Global<S, E> {
    #[inline]
    fn answer(&self, result: Result<NonNull<u8>, AllocError>, layout: Layout) -> *mut u8 {
        match result {
            Ok(block) => block.as_ptr(),
            Err(AllocError) => {
                E::exhausted(self.strategy.name(), layout);
                core::ptr::null_mut()
            }
        }
    }
}

// SAFETY: `Strategy` asks for what `GlobalAlloc` does: live blocks as large and aligned as the layout says, contents kept
// by a resize, no unwinding. Layouts pass through unchanged.
unsafe impl<S: Strategy, E: Exhaustion> GlobalAlloc for Global<S, E> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.answer(self.strategy.allocate(layout), layout)
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.answer(self.strategy.allocate_zeroed(layout), layout)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `GlobalAlloc` promises a block of this allocator, which is never null.
        let block = unsafe { NonNull::new_unchecked(block) };
        // SAFETY: it is a live block of the strategy, and has the layout it was requested or last resized with.
        unsafe { self.strategy.deallocate(block, layout) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, old: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: `GlobalAlloc` promises a block of this allocator, which is never null.
        let block = unsafe { NonNull::new_unchecked(block) };
        // SAFETY: `GlobalAlloc` promises that the new size, rounded up to the alignment, does not overflow.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, old.align()) };
        let resized = if new_size >= old.size() {
            // SAFETY: a live block that `old` fits; the size does not fall and the alignment is kept.
            unsafe { self.strategy.grow(block, old, new) }
        } else {
            // SAFETY: a live block that `old` fits; the size falls and the alignment is kept.
            unsafe { self.strategy.shrink(block, old, new) }
        };
        self.answer(resized, new)
    }
}
