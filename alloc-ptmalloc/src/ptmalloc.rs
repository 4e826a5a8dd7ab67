//! The front door, and the paths that end in the thread cache. The ways beyond are in [`obtain`](crate::obtain) and
//! [`give`](crate::give).

use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use alloc_core::AllocError;
use alloc_core::backend::{Backend, PagesBackend};
use alloc_core::os::unix::Os;
use alloc_core::sync::Mutex;
use alloc_core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crate::chunk::Chunk;
use crate::class::{self, MAX_SMALL};
use crate::config::{Config, Era};
use crate::inside::Postponed;
use crate::instance::Instance;
use crate::magazine::Node;
use crate::owner;
use crate::process;
use crate::size::ALIGN;
use crate::tcache::ThreadCache;
#[cfg(feature = "std")]
use crate::tcache::slot::ProcessSlot;
use crate::tcache::slot::{LibrarySlot, SharedSlot, Slot};

/// A heap in the manner of ptmalloc, for all threads.
///
/// `B` is where memory comes from, `S` how a thread finds its cache. Making one is free: memory is taken at the first
/// request.
pub struct Ptmalloc<B: Backend = PagesBackend<Os>, S: Slot = SharedSlot> {
    instance: AtomicPtr<Instance<B>>,
    /// The instance's number; 0 until there is one.
    id: AtomicU64,
    /// What the instance is made of. The mutex is the one that makes it.
    seed: Mutex<Seed<B>>,
    config: Config,
    postponed: Postponed,
    elsewhere: Option<TakeBack>,
    slot: PhantomData<S>,
    /// Owns the instance, and with it the backend.
    owns: PhantomData<UnsafeCell<B>>,
}

/// Takes a block back that is in none of a heap's own, and answers true; or answers false where it never gave such a block.
/// The block is given up by its holder. Never calls the heap.
pub type TakeBack = unsafe fn(NonNull<u8>) -> bool;

struct Seed<B>(Option<B>);

// SAFETY: the instance is reached through its own locks, and the backend is used from any thread, hence `Sync`, and dropped
// by whichever drops this, hence `Send`.
unsafe impl<B: Backend + Send + Sync, S: Slot> Sync for Ptmalloc<B, S> {}
// SAFETY: as above; nothing of it is bound to a thread.
unsafe impl<B: Backend + Send + Sync, S: Slot> Send for Ptmalloc<B, S> {}

impl Ptmalloc {
    /// A heap over pages of the operating system.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self::with_backend(PagesBackend::new(Os), config)
    }
}

#[cfg(feature = "std")]
impl Ptmalloc<PagesBackend<Os>, ProcessSlot> {
    /// The process's own heap: its threads find their caches with a single load.
    ///
    /// # Safety
    /// There is one such value in the process, and it is never dropped: a `static`.
    #[must_use]
    pub const unsafe fn for_process(config: Config) -> Self {
        Self::in_slot(PagesBackend::new(Os), config)
    }
}

impl Ptmalloc<PagesBackend<Os>, LibrarySlot> {
    /// The heap of a shared library that serves the whole process, and requests of signal handlers that interrupt it
    /// ([`is_interrupted`](Self::is_interrupted)) from elsewhere. Blocks from there come back by
    /// [`SizedBlocks::free`](alloc_core::SizedBlocks::free) as all others do, and go to `take_back`.
    ///
    /// # Safety
    /// There is one such value in the process, and it is never dropped: a `static`.
    #[must_use]
    pub const unsafe fn for_library(config: Config, take_back: TakeBack) -> Self {
        let mut heap = Self::in_slot(PagesBackend::new(Os), config);
        heap.elsewhere = Some(take_back);
        heap
    }
}

impl<B: Backend> Ptmalloc<B, SharedSlot> {
    /// A heap over `backend`.
    #[must_use]
    pub const fn with_backend(backend: B, config: Config) -> Self {
        Self::in_slot(backend, config)
    }
}

impl<B: Backend, S: Slot> Ptmalloc<B, S> {
    const fn in_slot(backend: B, config: Config) -> Self {
        Self {
            instance: AtomicPtr::new(ptr::null_mut()),
            id: AtomicU64::new(0),
            seed: Mutex::new(Seed(Some(backend))),
            config,
            postponed: Postponed::new(),
            elsewhere: None,
            slot: PhantomData,
            owns: PhantomData,
        }
    }

    /// The instance, if the heap was used.
    #[inline]
    pub(crate) fn used(&self) -> Option<&Instance<B>> {
        // Acquire: pairs with the Release in `make`.
        let instance = NonNull::new(self.instance.load(Ordering::Acquire))?;
        // SAFETY: made by `make`, and there until this is dropped.
        Some(unsafe { instance.as_ref() })
    }

    #[inline]
    pub(crate) fn instance(&self) -> Result<&Instance<B>, AllocError> {
        match self.used() {
            Some(instance) => Ok(instance),
            None => self.make(),
        }
    }

    #[cold]
    #[inline(never)]
    fn make(&self) -> Result<&Instance<B>, AllocError> {
        let mut seed = self.seed.lock();
        if let Some(instance) = self.used() {
            return Ok(instance);
        }
        let instance = Instance::create(&mut seed.0, self.config).ok_or(AllocError)?;
        // SAFETY: just made.
        self.id.store(unsafe { instance.as_ref() }.id, Ordering::Relaxed);
        // Release: whoever finds it finds it whole.
        self.instance.store(instance.as_ptr(), Ordering::Release);
        drop(seed);
        process::prepare_forks();
        self.used().ok_or(AllocError)
    }

    /// As it was made.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Who takes blocks back that are in no heap.
    pub(crate) fn elsewhere(&self) -> Option<TakeBack> {
        self.elsewhere
    }

    /// What signal handlers gave back while their thread was at work.
    pub(crate) fn postponed(&self) -> &Postponed {
        &self.postponed
    }

    /// The instance's number; 0 until there is one.
    pub(crate) fn id(&self) -> &AtomicU64 {
        &self.id
    }

    /// Whose habits.
    #[inline]
    pub(crate) fn era(&self) -> Era {
        self.config.era
    }

    /// The calling thread's cache, or one that stands for none.
    #[inline]
    pub(crate) fn here(&self) -> &'static ThreadCache {
        S::get(&self.id).0
    }

    /// A block for `layout`.
    #[inline]
    pub(crate) fn allocate_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if is_small(layout) {
            let at = class::small_at(layout.size());
            // SAFETY: the calling thread's cache, and a class.
            match unsafe { self.here().pop_at(at) } {
                Some(block) => Ok(block),
                None => self.miss(at),
            }
        } else {
            self.allocate_other(layout)
        }
    }

    /// Takes a block of `layout` back.
    ///
    /// # Safety
    /// As for `Strategy::deallocate`.
    #[inline]
    pub(crate) unsafe fn free_layout(&self, block: NonNull<u8>, layout: Layout) {
        if is_small(layout) {
            let at = class::small_at(layout.size());
            // SAFETY: the calling thread's cache; a block that `layout` fits lies in a chunk of its class or larger.
            if !unsafe { self.here().push_at(at, block) } {
                // SAFETY: as above.
                unsafe { self.full(at, block) };
            }
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.free_other(block, layout) };
        }
    }

    /// A block of `request` bytes or more, aligned to 16 bytes, for callers that give it back by pointer alone: the way of C.
    ///
    /// # Errors
    /// [`AllocError`] when the request cannot be served.
    #[inline]
    pub fn malloc(&self, request: usize) -> Result<NonNull<u8>, AllocError> {
        if request <= MAX_SMALL {
            // Never the class of tiny requests: blocks that come back by pointer alone do not go there.
            let at = class::any_small_at(request);
            // SAFETY: the calling thread's cache, and a class.
            match unsafe { self.here().pop_at(at) } {
                Some(block) => Ok(block),
                None => self.miss(at),
            }
        } else {
            self.allocate_beyond(request)
        }
    }

    /// Takes a block back whose size only its header tells.
    ///
    /// # Safety
    /// As for `SizedBlocks::free`; what is not a live block is found out where that is affordable.
    #[inline]
    pub(crate) unsafe fn free_block(&self, block: NonNull<u8>) {
        let address = block.addr().get();
        let cache = self.here();
        // Most blocks lie in the heap that the thread's last one lay in; the table answers for the others.
        if cache.is_near(address) || (owner::of_block(address) != 0 && cache.goes_near(address)) {
            // SAFETY: in a heap, hence the words before and of the block can be read.
            let chunk = unsafe { Chunk::of_block(block) };
            // SAFETY: as above.
            let size = unsafe { chunk.size() };
            // SAFETY: as above.
            let mark = unsafe { Node::key(Node::of(block)) };
            let key = cache.key();
            if size < class::FIRST_MEDIUM * ALIGN
                && mark != key
                // SAFETY: the calling thread's cache; the chunk's own class.
                && unsafe { cache.push_marked(size, block, key) }
            {
                return;
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.free_beyond(block) };
    }
}

/// Whether a layout is one of the small classes.
#[inline]
fn is_small(layout: Layout) -> bool {
    // Both differences are below 0, or their signs do not meet: one test and one branch, where two comparisons would be joined
    // in six instructions.
    // SAFETY: sizes of layouts are at most `isize::MAX`.
    let size = unsafe { (layout.size() as isize).unchecked_sub(MAX_SMALL as isize + 1) };
    let align = layout.align().wrapping_sub(ALIGN + 1) as isize;
    size & align < 0
}

impl<B: Backend, S: Slot> fmt::Debug for Ptmalloc<B, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ptmalloc")
            .field("config", &self.config)
            .field("used", &self.used().is_some())
            .finish_non_exhaustive()
    }
}

impl<B: Backend, S: Slot> Drop for Ptmalloc<B, S> {
    fn drop(&mut self) {
        if let Some(instance) = NonNull::new(*self.instance.get_mut()) {
            // SAFETY: made by `make`; an exclusive borrow means that nobody uses it, and blocks must not outlive it.
            unsafe { Instance::destroy(instance) };
        }
    }
}
