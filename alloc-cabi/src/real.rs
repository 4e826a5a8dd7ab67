//! The C library's own allocator, under a process whose `malloc` is ours.
//!
//! Its functions are looked up by name behind this library (`RTLD_NEXT`), once: calling `malloc` here by its name would
//! call ourselves. Where another allocator is preloaded behind us, that one is found.

use core::alloc::Layout;
use core::ffi::{CStr, c_int, c_void};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use alloc_core::arith::size_rounded_to_align;
use alloc_core::{
    AllocError, Gauge, Inspect, Ownership, SizedBlocks, Stats, Step, Strategy, Visit, Walked, move_block,
};

use crate::spare::C_ALIGN;

/// A function that is looked up.
#[derive(Debug)]
struct Found(AtomicPtr<c_void>);

impl Found {
    const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Relaxed: the functions are code of the C library, there since before we ran.
    fn set(&self, name: &CStr) {
        self.0.store(find(name), Ordering::Relaxed);
    }

    /// The function as `F`, a type of function pointers.
    ///
    /// # Safety
    /// `F` is the function's type.
    unsafe fn get<F: Copy>(&self) -> Option<F> {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        // Relaxed: as in `set`.
        let found = self.0.load(Ordering::Relaxed);
        if found.is_null() {
            return None;
        }
        // SAFETY: a function's address, of this type by the caller's promise, and of the same size.
        Some(unsafe { core::mem::transmute_copy::<*mut c_void, F>(&found) })
    }
}

macro_rules! functions {
    ($($(#[$doc:meta])* $static:ident = $name:literal: $call:ident($($argument:ident: $type:ty),*) $(-> $answer:ty)?;)*) => {
        $(static $static: Found = Found::new();)*

        $(
            $(#[$doc])*
            ///
            /// # Safety
            /// The conditions of the C function of this name.
            pub(crate) unsafe fn $call($($argument: $type),*) -> Option<functions!(@answer $($answer)?)> {
                // SAFETY: the type is that of the C function.
                let function = unsafe { $static.get::<unsafe extern "C" fn($($type),*) $(-> $answer)?>() }?;
                // SAFETY: promised by the caller.
                Some(unsafe { function($($argument),*) })
            }
        )*

        fn find_all() {
            $($static.set($name);)*
        }
    };
    (@answer) => { () };
    (@answer $answer:ty) => { $answer };
}

functions! {
    /// `malloc`, or `None` where there is none.
    MALLOC = c"malloc": malloc(size: usize) -> *mut u8;
    /// `calloc`, or `None` where there is none.
    CALLOC = c"calloc": calloc(count: usize, size: usize) -> *mut u8;
    /// `realloc`, or `None` where there is none.
    REALLOC = c"realloc": realloc(block: *mut u8, size: usize) -> *mut u8;
    /// `free`, or `None` where there is none.
    FREE = c"free": free(block: *mut u8);
    /// `aligned_alloc`, or `None` where there is none.
    ALIGNED_ALLOC = c"aligned_alloc": aligned_alloc(align: usize, size: usize) -> *mut u8;
    /// `malloc_usable_size`, or `None` where there is none.
    USABLE_SIZE = c"malloc_usable_size": malloc_usable_size(block: *mut u8) -> usize;
    /// `mallinfo2`, or `None` where there is none.
    MALLINFO2 = c"mallinfo2": mallinfo2() -> libc::mallinfo2;
    /// `malloc_trim`, or `None` where there is none.
    MALLOC_TRIM = c"malloc_trim": malloc_trim(pad: usize) -> c_int;
    /// `mallopt`, or `None` where there is none.
    MALLOPT = c"mallopt": mallopt(parameter: c_int, value: c_int) -> c_int;
    /// `malloc_stats`, or `None` where there is none.
    MALLOC_STATS = c"malloc_stats": malloc_stats();
    /// `malloc_info`, or `None` where there is none.
    MALLOC_INFO = c"malloc_info": malloc_info(options: c_int, stream: *mut libc::FILE) -> c_int;
}

/// The function of this name in what was loaded after us, or else first of all. Null where there is none but ours.
fn find(name: &CStr) -> *mut c_void {
    // SAFETY: `name` ends with a zero byte.
    let next = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    if !next.is_null() {
        return next;
    }
    // Loaded late (`dlopen`), nothing may come after us.
    // SAFETY: as above.
    let any = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if is_ours(any) { ptr::null_mut() } else { any }
}

/// Whether an address is one of this library's functions.
fn is_ours(function: *mut c_void) -> bool {
    let base = |address: *mut c_void| {
        // SAFETY: a C structure of addresses and pointers, for which zeroes are valid.
        let mut info: libc::Dl_info = unsafe { core::mem::zeroed() };
        // SAFETY: any address may be asked for, and `info` is writable.
        (unsafe { libc::dladdr(address, &raw mut info) } != 0).then_some(info.dli_fbase)
    };
    base(function) == base((find as fn(&CStr) -> *mut c_void as *mut ()).cast())
}

/// Finds the functions, where that was not done yet. Whether those are there without which nothing can be served.
///
/// The loader may allocate meanwhile.
pub(crate) fn look_up() -> bool {
    let complete = || {
        [&MALLOC, &CALLOC, &REALLOC, &FREE, &ALIGNED_ALLOC, &USABLE_SIZE]
            .iter()
            .all(|function| !function.0.load(Ordering::Relaxed).is_null())
    };
    if !complete() {
        find_all();
    }
    complete()
}

/// The strategy. Serves nothing until [`look_up`] has found the functions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Real;

fn block(answer: Option<*mut u8>) -> Result<NonNull<u8>, AllocError> {
    answer.and_then(NonNull::new).ok_or(AllocError)
}

// SAFETY: C's allocation functions return null or live blocks of the size and alignment asked for, which stay live until
// they are freed. Nothing here unwinds.
unsafe impl Strategy for Real {
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.align() <= C_ALIGN {
            // At least as much as the alignment: smaller blocks may be aligned to less.
            // SAFETY: `malloc` takes any size.
            return block(unsafe { malloc(layout.size().max(layout.align())) });
        }
        // SAFETY: a power of two, more than a word, and a size that is a multiple of it.
        block(unsafe { aligned_alloc(layout.align(), size_rounded_to_align(layout).max(layout.align())) })
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.align() <= C_ALIGN {
            // SAFETY: `calloc` takes any size.
            return block(unsafe { calloc(1, layout.size().max(layout.align())) });
        }
        let new = self.allocate(layout)?;
        // SAFETY: a new block of so many bytes.
        unsafe { new.write_bytes(0, layout.size()) };
        Ok(new)
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, _layout: Layout) {
        // SAFETY: the caller promises a live block of ours.
        unsafe { SizedBlocks::free(self, block) };
    }

    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        if new.align() <= C_ALIGN {
            // SAFETY: the caller's promises are the callee's.
            return unsafe { self.reallocate(block, new.size().max(new.align())) };
        }
        // SAFETY: as above.
        unsafe { move_block(self, block, old, new) }
    }

    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.grow(block, old, new) }
    }
}

// SAFETY: C promises `malloc_usable_size` bytes of a live block to its holder.
unsafe impl SizedBlocks for Real {
    unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: the caller promises a live block, and it is the C library's.
        unsafe { free(block.as_ptr()) };
    }

    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        // SAFETY: the caller promises a live block, and it is the C library's.
        unsafe { malloc_usable_size(block.as_ptr()) }.unwrap_or(0)
    }

    unsafe fn reallocate(&self, old: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        // At least 1: with 0, `realloc` frees the block and returns null, which would read as a failure.
        let size = new_size.max(1);
        // SAFETY: the caller promises a live block, and it is the C library's.
        block(unsafe { realloc(old.as_ptr(), size) })
    }
}

impl Inspect for Real {
    fn name(&self) -> &'static str {
        "libc"
    }

    /// The figures of `mallinfo2`. glibc's thread caches count as live there.
    fn stats(&self) -> Stats {
        // SAFETY: without conditions.
        let Some(info) = (unsafe { mallinfo2() }) else { return Stats::UNKNOWN };
        Stats {
            committed: Gauge::of(info.arena + info.hblkhd),
            live: Gauge::of(info.uordblks + info.hblkhd),
            cached: Gauge::of(info.fsmblks),
            cached_blocks: Gauge::of(info.smblks),
            free: Gauge::of(info.fordblks.saturating_sub(info.fsmblks)),
            free_blocks: Gauge::of(info.ordblks),
            mapped: Gauge::of(info.hblkhd),
            mapped_blocks: Gauge::of(info.hblks),
            metadata: Gauge::of(0),
            ..Stats::UNKNOWN
        }
    }

    fn walk(&self, _visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        Walked::Unsupported
    }

    fn owns(&self, _address: NonNull<u8>) -> Ownership {
        Ownership::Unknown
    }

    /// The answer counts what left the heap at its end; pages given back within it are not told.
    fn trim(&self, keep: usize) -> usize {
        // SAFETY: without conditions.
        let arena = || unsafe { mallinfo2() }.map_or(0, |info| info.arena);
        let before = arena();
        // SAFETY: any number of bytes may be asked for.
        unsafe { malloc_trim(keep) };
        before.saturating_sub(arena())
    }
}
