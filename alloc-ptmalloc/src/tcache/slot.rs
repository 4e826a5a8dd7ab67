//! Where a thread finds its cache.

#[cfg(feature = "std")]
use core::cell::Cell;
use core::fmt::Debug;
use core::sync::atomic::compiler_fence;

use alloc_core::sync::static_atomic::{AtomicU64, AtomicUsize, Ordering};

pub(crate) use super::local::at_hand;
use super::local::{CLOSED, OTHERS, RECENT, library};
use super::{BUSY, DEAD, FRESH, ThreadCache};

mod sealed {
    pub trait Sealed {}
}

/// How the threads of a strategy find their caches.
pub trait Slot: sealed::Sealed + Debug + Send + Sync + 'static {
    /// The calling thread's cache for the instance `id`, or one that stands for none.
    #[doc(hidden)]
    fn get(id: &AtomicU64) -> CacheRef;
    /// Makes `cache` the calling thread's for the instance `id`.
    #[doc(hidden)]
    fn set(id: u64, cache: CacheRef);
    /// Forgets the calling thread's cache for the instance `id`.
    #[doc(hidden)]
    fn forget(id: u64);
    /// Forgets all caches of the calling thread, which gets none from now on.
    #[doc(hidden)]
    fn close();
    /// Whether a thread that [`enter`](Self::enter)s leaves a mark.
    #[doc(hidden)]
    const INTERRUPTIBLE: bool = false;
    /// The calling thread's cache, for work that may wait for locks: until [`leave`](Self::leave) the slot shows one without
    /// blocks and without room. `None` where it does so already.
    #[doc(hidden)]
    #[inline]
    fn enter(id: &AtomicU64) -> Option<CacheRef> {
        Some(Self::get(id))
    }
    /// Puts the cache back.
    #[doc(hidden)]
    #[inline]
    fn leave(_cache: CacheRef) {}
    /// Whether the calling thread has entered.
    #[doc(hidden)]
    #[inline]
    fn is_inside() -> bool {
        false
    }
}

/// A thread cache, opaque outside the crate.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct CacheRef(pub(crate) &'static ThreadCache);

impl CacheRef {
    /// Whether it stands for a thread whose exit hook has run.
    pub(crate) fn is_dead(self) -> bool {
        core::ptr::eq(self.0, &DEAD)
    }
}

/// One pointer in thread-local storage, and no question which instance it belongs to: for the one instance that is the
/// process's allocator.
#[cfg(feature = "std")]
#[derive(Debug)]
pub enum ProcessSlot {}

/// As `ProcessSlot`, for the heap of a shared library that serves the whole process: found by an offset from the thread
/// pointer, without asking the loader for it.
#[derive(Debug)]
pub enum LibrarySlot {}

/// A few pointers, each with its instance's number: for any number of instances. The one used last is found with one
/// comparison.
#[derive(Debug)]
pub enum SharedSlot {}

// Const and without a destructor, as those in `local`. In a program this is addressed with a constant, in one instruction.
#[cfg(feature = "std")]
std::thread_local! {
    static PROCESS: Cell<CacheRef> = const { Cell::new(CacheRef(&FRESH)) };
}

/// No instance has this number.
pub(super) const NOBODY: u64 = u64::MAX;

#[cfg(feature = "std")]
impl sealed::Sealed for ProcessSlot {}
impl sealed::Sealed for LibrarySlot {}
impl sealed::Sealed for SharedSlot {}

/// Which of its two words the library's heap uses: the one at hand, 0, or the one out of reach.
static WORD: AtomicUsize = AtomicUsize::new(1);

/// The calling thread's word of the library's heap.
macro_rules! library {
    () => {
        // Relaxed: set before the heap is used, by the thread that makes the others.
        library(WORD.load(Ordering::Relaxed))
    };
}

impl Slot for LibrarySlot {
    #[inline]
    fn get(_id: &AtomicU64) -> CacheRef {
        library!().get()
    }

    fn set(_id: u64, cache: CacheRef) {
        library!().set(cache);
    }

    fn forget(_id: u64) {
        library!().set(CacheRef(&FRESH));
    }

    fn close() {
        library!().set(CacheRef(&DEAD));
    }

    const INTERRUPTIBLE: bool = true;

    #[inline]
    fn enter(_id: &AtomicU64) -> Option<CacheRef> {
        let cache = library!().get();
        if core::ptr::eq(cache.0, &BUSY) {
            return None;
        }
        library!().set(CacheRef(&BUSY));
        // The thread's own handlers see the mark before anything that it protects.
        compiler_fence(Ordering::SeqCst);
        Some(cache)
    }

    #[inline]
    fn leave(cache: CacheRef) {
        // And until all of that is done.
        compiler_fence(Ordering::SeqCst);
        library!().set(cache);
    }

    #[inline]
    fn is_inside() -> bool {
        core::ptr::eq(library!().get().0, &BUSY)
    }
}

impl LibrarySlot {
    /// Lets callers take from the thread caches of the library's heap, and put back there, without asking it: `take`,
    /// `put`, `resize`. Before this, and without it, these find nothing.
    ///
    /// To be called before the heap is used.
    pub fn serve_at_hand() {
        WORD.store(0, Ordering::Relaxed);
    }
}

#[cfg(feature = "std")]
impl Slot for ProcessSlot {
    #[inline]
    fn get(_id: &AtomicU64) -> CacheRef {
        PROCESS.get()
    }

    fn set(_id: u64, cache: CacheRef) {
        PROCESS.set(cache);
    }

    fn forget(_id: u64) {
        PROCESS.set(CacheRef(&FRESH));
    }

    fn close() {
        PROCESS.set(CacheRef(&DEAD));
    }
}

impl Slot for SharedSlot {
    #[inline]
    fn get(id: &AtomicU64) -> CacheRef {
        // Relaxed: a thread that has a cache for this instance has seen its number.
        let id = id.load(Ordering::Relaxed);
        let (recent, cache) = RECENT.get();
        if recent == id { cache } else { find(id) }
    }

    fn set(id: u64, cache: CacheRef) {
        let [first, second, _] = OTHERS.get();
        OTHERS.set([RECENT.get(), first, second]);
        RECENT.set((id, cache));
    }

    fn forget(id: u64) {
        let blank = |entry: (u64, CacheRef)| if entry.0 == id { (NOBODY, CacheRef(&FRESH)) } else { entry };
        RECENT.set(blank(RECENT.get()));
        OTHERS.set(OTHERS.get().map(blank));
    }

    fn close() {
        RECENT.set((NOBODY, CacheRef(&DEAD)));
        OTHERS.set([(NOBODY, CacheRef(&DEAD)); 3]);
        CLOSED.set(true);
    }
}

/// A cache that was not used last: becomes the one that was.
#[cold]
#[inline(never)]
fn find(id: u64) -> CacheRef {
    if CLOSED.get() {
        return CacheRef(&DEAD);
    }
    let mut others = OTHERS.get();
    for entry in &mut others {
        if entry.0 == id {
            let found = entry.1;
            *entry = RECENT.replace((id, found));
            OTHERS.set(others);
            return found;
        }
    }
    CacheRef(&FRESH)
}

/// A number that no other living thread has: where this thread's storage lies.
pub(crate) fn token() -> usize {
    CLOSED.with(|closed| (&raw const *closed).addr())
}
