//! Sources of memory that are this crate's own: nothing, and a static array.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::backend::{Backend, Span};
use alloc_core::sync::static_atomic::{AtomicBool, Ordering};

/// No source: refuses every span. Heaps over it live on what is [added](crate::FreeList::add) to them, which they borrow
/// for `'m`.
// Invariant: a heap over it must not be taken for one that lives shorter, to be given memory that lives no longer.
#[derive(Clone, Debug, Default)]
pub struct Nothing<'m>(PhantomData<fn(&'m ()) -> &'m ()>);

impl Nothing<'_> {
    /// No source.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

// SAFETY: it never answers `Ok`.
unsafe impl Backend for Nothing<'_> {
    const ZEROED: bool = false;

    fn granule(&self) -> usize {
        1
    }

    #[inline]
    fn allocate_span(&self, _size: usize, _align: usize) -> Result<Span, AllocError> {
        Err(AllocError)
    }

    unsafe fn release_span(&self, _span: Span) {}
}

/// `N` bytes in a `static`, which one heap takes whole: `&'static StaticBytes<N>` is a backend of one span.
///
/// ```
/// use alloc_core::compat::Global;
/// use alloc_core::sync::RawLock;
/// use alloc_freelist::{FreeList, Nothing, Policy, StaticBytes};
///
/// static BYTES: StaticBytes<65536> = StaticBytes::new();
/// static HEAP: FreeList<&StaticBytes<65536>, Policy, Nothing, RawLock> =
///     FreeList::from_parts(&BYTES, Nothing::new(), RawLock::new());
///
/// # use alloc_core::Strategy;
/// assert!(HEAP.allocate(core::alloc::Layout::new::<[u8; 1000]>()).is_ok());
/// ```
pub struct StaticBytes<const N: usize> {
    bytes: UnsafeCell<Aligned<N>>,
    taken: AtomicBool,
}

#[repr(C, align(16))]
struct Aligned<const N: usize>(MaybeUninit<[u8; N]>);

// SAFETY: the bytes are reached through `allocate_span` alone, which hands them out once until they come back.
unsafe impl<const N: usize> Sync for StaticBytes<N> {}

impl<const N: usize> StaticBytes<N> {
    /// The bytes, which nobody has taken.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: UnsafeCell::new(Aligned(MaybeUninit::uninit())), taken: AtomicBool::new(false) }
    }
}

impl<const N: usize> Default for StaticBytes<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for StaticBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticBytes").field("size", &N).field("taken", &self.taken).finish()
    }
}

// SAFETY: the span is the whole array, which the reference keeps alive and in place, and which is handed out to one
// holder at a time. Nothing here allocates or unwinds.
unsafe impl<const N: usize> Backend for &'static StaticBytes<N> {
    const ZEROED: bool = false;

    fn granule(&self) -> usize {
        1
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        // Acquire: what the last holder wrote is ordered before what the next one does.
        if size > N || align > align_of::<Aligned<N>>() || self.taken.swap(true, Ordering::Acquire) {
            return Err(AllocError);
        }
        Ok(Span { start: NonNull::from(&self.bytes).cast(), size: N })
    }

    unsafe fn release_span(&self, _span: Span) {
        // Release: see `allocate_span`.
        self.taken.store(false, Ordering::Release);
    }
}
