//! The front door: the paths that end in the thread cache, and the way from there to arenas and mappings.

use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use alloc_core::backend::{Backend, PagesBackend};
use alloc_core::os::unix::Os;
use alloc_core::sync::Mutex;
use alloc_core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use alloc_core::{AllocError, Misuse};

use crate::arena::Found;
use crate::chunk::Chunk;
use crate::class::{self, MAX_CACHED, MAX_SMALL};
use crate::config::{Config, Era, Tunables};
use crate::heap;
use crate::instance::Instance;
use crate::magazine::Node;
use crate::owner;
use crate::size::{self, ALIGN};
use crate::tcache::ThreadCache;
use crate::tcache::slot::{ProcessSlot, SharedSlot, Slot};

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
    slot: PhantomData<S>,
    /// Owns the instance, and with it the backend.
    owns: PhantomData<UnsafeCell<B>>,
}

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

impl<B: Backend> Ptmalloc<B, SharedSlot> {
    /// A heap over `backend`.
    #[must_use]
    pub const fn with_backend(backend: B, config: Config) -> Self {
        Self::in_slot(backend, config)
    }
}

/// What a request got: a block, and from which address on it reads as zero.
pub(crate) type Block = (NonNull<u8>, usize);

impl<B: Backend, S: Slot> Ptmalloc<B, S> {
    const fn in_slot(backend: B, config: Config) -> Self {
        Self {
            instance: AtomicPtr::new(ptr::null_mut()),
            id: AtomicU64::new(0),
            seed: Mutex::new(Seed(Some(backend))),
            config,
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
        self.used().ok_or(AllocError)
    }

    /// As it was made.
    pub(crate) fn config(&self) -> &Config {
        &self.config
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
    fn here(&self) -> &'static ThreadCache {
        S::get(&self.id).0
    }

    /// A block for `layout`.
    #[inline]
    pub(crate) fn allocate_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.size() <= MAX_SMALL && layout.align() <= ALIGN {
            let class = class::small(layout.size());
            // SAFETY: the calling thread's cache.
            match unsafe { self.here().pop(class) } {
                Some(block) => Ok(block),
                None => self.miss(class),
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
        if layout.size() <= MAX_SMALL && layout.align() <= ALIGN {
            let class = class::small(layout.size());
            // SAFETY: the calling thread's cache; a block that `layout` fits lies in a chunk of its class or larger.
            if !unsafe { self.here().push(class, block) } {
                // SAFETY: as above.
                unsafe { self.full(class, block) };
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
            let class = class::of_request(request);
            // SAFETY: the calling thread's cache.
            match unsafe { self.here().pop(class) } {
                Some(block) => Ok(block),
                None => self.miss(class),
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
            // SAFETY: the calling thread's cache; the chunk's own class.
            if size < class::FIRST_MEDIUM * ALIGN
                && mark != key
                && unsafe { cache.push_marked(size / ALIGN, block, key) }
            {
                return;
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.free_beyond(block) };
    }

    /// A class without a block in the loaded magazine.
    #[cold]
    #[inline(never)]
    fn miss(&self, class: usize) -> Result<NonNull<u8>, AllocError> {
        let instance = self.instance()?;
        if let Some(cache) = instance.cache::<S>(S::get(&self.id)) {
            // A cache that was just opened is empty; one that another instance had displaced may not be.
            // SAFETY: the calling thread's cache.
            if let Some(block) = unsafe { cache.pop(class) } {
                return Ok(block);
            }
            // SAFETY: the calling thread's cache for this instance.
            if let Some(block) = unsafe { cache.refill(instance, class) } {
                instance.housekeep(cache);
                return Ok(block);
            }
        }
        let request = size::usable(class::chunk_size(class));
        let (block, _) = self.allocate_from_arenas(instance, class::chunk_size(class), request)?;
        // SAFETY: a new block of so many bytes.
        unsafe { instance.source.perturb_new(block, request) };
        Ok(block)
    }

    /// A class without room in the loaded magazine.
    ///
    /// # Safety
    /// `block` is in use, of a chunk of `class` or larger, and given up by its holder.
    #[cold]
    #[inline(never)]
    unsafe fn full(&self, class: usize, block: NonNull<u8>) {
        let Some(instance) = self.used() else {
            return self.foreign(block);
        };
        match instance.cache::<S>(S::get(&self.id)) {
            // SAFETY: the calling thread's cache for this instance; the caller's promise.
            Some(cache) => unsafe { cache.overflow(instance, class, block) },
            // SAFETY: the caller's promise.
            None => unsafe { instance.give_back(block) },
        }
    }

    /// Requests above the small ones, and aligned ones.
    #[inline(never)]
    fn allocate_other(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.align() <= ALIGN {
            self.allocate_beyond(layout.size())
        } else {
            let (block, _) = self.allocate_aligned(layout)?;
            self.perturb_new(block, layout.size());
            Ok(block)
        }
    }

    /// Requests above the small ones.
    #[inline(never)]
    fn allocate_beyond(&self, request: usize) -> Result<NonNull<u8>, AllocError> {
        if request <= MAX_CACHED && self.config.era as u8 == Era::Ours as u8 {
            let class = class::medium(request);
            // SAFETY: the calling thread's cache.
            match unsafe { self.here().pop(class) } {
                Some(block) => Ok(block),
                None => self.miss(class),
            }
        } else {
            if let Some(block) = self.large_hit(request) {
                return Ok(block);
            }
            let (block, _) = self.allocate_large(request)?;
            self.perturb_new(block, request);
            Ok(block)
        }
    }

    /// A large block of exactly the chunk size of `request` from the thread cache. Era `Modern`.
    fn large_hit(&self, request: usize) -> Option<NonNull<u8>> {
        if self.config.era != Era::Modern || request > self.config.tcache_max {
            return None;
        }
        // SAFETY: the calling thread's cache.
        unsafe { self.here().pop_large(size::chunk_size(request)?) }
    }

    /// Keeps a block whose chunk is of `size` in the thread cache, if it is one for [`large_hit`](Self::large_hit).
    ///
    /// # Safety
    /// As for `ThreadCache::push_large`.
    unsafe fn keep_large(&self, cache: &ThreadCache, size: usize, block: NonNull<u8>) -> bool {
        let limit = size::chunk_size(self.config.tcache_max).unwrap_or(usize::MAX);
        // SAFETY: the caller's promises are the callee's.
        self.config.era == Era::Modern && size <= limit && unsafe { cache.push_large(size, block) }
    }

    /// Fills a new block of `bytes`, if the user wants that.
    fn perturb_new(&self, block: NonNull<u8>, bytes: usize) {
        if let Some(instance) = self.used() {
            // SAFETY: only called with blocks that were just allocated, with their requests.
            unsafe { instance.source.perturb_new(block, bytes) };
        }
    }

    /// The chunk size for a request beyond the small classes.
    pub(crate) fn chunk_size(&self, request: usize) -> Result<usize, AllocError> {
        if self.config.era != Era::Ours {
            size::chunk_size(request).ok_or(AllocError)
        } else if request <= MAX_CACHED {
            Ok(class::chunk_size(class::of_request(request)))
        } else {
            size::chunk_size(request).map(|size| size.max(class::LEAST_BEYOND)).ok_or(AllocError)
        }
    }

    /// A request that no magazine serves.
    fn allocate_large(&self, request: usize) -> Result<Block, AllocError> {
        let size = self.chunk_size(request)?;
        let instance = self.instance()?;
        let source = &instance.source;
        if request > MAX_CACHED
            && request >= Tunables::get(&source.tunables.mmap_threshold)
            && let Some(block) = source.mapped.allocate(source, request, ALIGN)
        {
            return Ok(zeroed_from(block));
        }
        self.allocate_from_arenas(instance, size, request)
    }

    /// One chunk from any arena; from a mapping where that fails and may be; at last, once more after everything cached
    /// was put back.
    fn allocate_from_arenas(
        &self,
        instance: &Instance<B>,
        size: usize,
        request: usize,
    ) -> Result<Block, AllocError> {
        let cache = instance.cache::<S>(S::get(&self.id));
        let attempt = || {
            instance
                // SAFETY: the arena is locked.
                .try_arenas(cache, |state, source| unsafe { state.allocate(source, size) })
                // SAFETY: the chunk was handed to us.
                .map(|found| unsafe { unmarked(found) })
                .or_else(|| {
                    // Blocks that a magazine may hold never have a mapping: whoever knows their size does not look.
                    let source = &instance.source;
                    (request > MAX_CACHED)
                        .then(|| source.mapped.allocate(source, request, ALIGN))?
                        .map(zeroed_from)
                })
        };
        if let Some(found) = attempt() {
            return Ok(found);
        }
        instance.reclaim(cache);
        attempt().ok_or(AllocError)
    }

    /// A block for `layout` whose bytes are zero.
    #[inline]
    pub(crate) fn allocate_layout_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let (request, align) = (layout.size(), layout.align());
        let (block, clean_from) = if align > ALIGN {
            self.allocate_aligned(layout)?
        } else if request > MAX_CACHED {
            self.allocate_large(request)?
        } else {
            (self.allocate_layout(layout)?, usize::MAX)
        };
        let dirty = request.min(clean_from - block.addr().get());
        // SAFETY: the block has `request` bytes and is only ours.
        unsafe { block.write_bytes(0, dirty) };
        Ok(block)
    }

    /// A block for a layout with an alignment above 16, and from which address on it reads as zero.
    fn allocate_aligned(&self, layout: Layout) -> Result<Block, AllocError> {
        let (request, align) = (layout.size(), layout.align());
        let size = self.chunk_size(request)?;
        let instance = self.instance()?;
        let source = &instance.source;
        // Blocks that a magazine may hold never have a mapping, unless their alignment says where to look.
        let mapped = || source.mapped.allocate(source, request.max(1), align).map(zeroed_from);
        if (align > MAX_ALIGN_IN_HEAP || request >= Tunables::get(&source.tunables.mmap_threshold))
            && let Some(block) = mapped()
        {
            return Ok(block);
        }
        let cache = instance.cache::<S>(S::get(&self.id));
        if let Some(cache) = cache
            && request <= MAX_CACHED
            // SAFETY: the calling thread's cache.
            && let Some(block) = unsafe { cache.pop_aligned(class::of_request(request), align) }
        {
            return Ok((block, usize::MAX));
        }
        let attempt = || {
            instance
                // SAFETY: the arena is locked.
                .try_arenas(cache, |state, source| unsafe { state.allocate_aligned(source, size, align) })
                // SAFETY: the chunk was handed to us.
                .map(|found| unsafe { unmarked(found) })
        };
        attempt()
            .or_else(|| {
                instance.reclaim(cache);
                attempt()
            })
            .or_else(mapped)
            .ok_or(AllocError)
    }

    /// # Safety
    /// As for `Strategy::deallocate`.
    #[inline(never)]
    unsafe fn free_other(&self, block: NonNull<u8>, layout: Layout) {
        let request = layout.size();
        if layout.align() <= ALIGN && request <= MAX_CACHED && self.config.era == Era::Ours {
            let class = class::medium(request);
            // SAFETY: the calling thread's cache; a block that `layout` fits lies in a chunk of its class or larger.
            if !unsafe { self.here().push(class, block) } {
                // SAFETY: as above.
                unsafe { self.full(class, block) };
            }
        } else if request <= MAX_CACHED
            && self.config.era == Era::Ours
            && heap::holds(block.addr().get())
            && let Some(instance) = self.used()
            && let Some(cache) = instance.cache::<S>(S::get(&self.id))
        {
            // SAFETY: the calling thread's cache for this instance; a block in a heap that `layout` fits lies in a chunk of its
            // class or larger.
            unsafe { cache.push_aligned(instance, class::of_request(request), layout.align(), block) };
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.free_beyond(block) };
        }
    }

    /// Blocks that the first look at their header did not put in a magazine.
    ///
    /// # Safety
    /// As for [`free_block`](Self::free_block).
    #[inline(never)]
    unsafe fn free_beyond(&self, block: NonNull<u8>) {
        let Some(instance) = self.used() else {
            return self.foreign(block);
        };
        let address = block.addr().get();
        if address % ALIGN != 0 {
            return instance.source.misuse(Misuse::MisalignedPointer, block);
        }
        if !heap::holds(address) {
            // SAFETY: whether it is one of ours is what is asked; if it is, its holder gave it up.
            if !unsafe { instance.source.mapped.free(&instance.source, block) } {
                instance.source.misuse(Misuse::ForeignPointer, block);
            }
            return;
        }
        let Some(cache) = instance.cache::<S>(S::get(&self.id)) else {
            // SAFETY: in a heap; the caller's promise.
            return unsafe { instance.give_back(block) };
        };
        // SAFETY: in a heap, hence the words before and of the block can be read.
        let chunk = unsafe { Chunk::of_block(block) };
        // SAFETY: as above.
        let size = unsafe { chunk.size() };
        let class = class::of_chunk(size)
            .filter(|_| size < class::FIRST_MEDIUM * ALIGN || self.config.era == Era::Ours);
        // SAFETY: as above.
        let mark = unsafe { Node::key(Node::of(block)) };
        if mark == instance.source.key {
            let class = class.unwrap_or_default();
            // SAFETY: the calling thread's cache.
            let held = unsafe { cache.holds(class, block) };
            // SAFETY: as above.
            if held || unsafe { cache.holds_large(size, block) } || instance.keeps(class, block) {
                return instance.source.misuse(Misuse::DoubleFree, block);
            }
        }
        match class {
            Some(class) if class > class::TINY => {
                // SAFETY: the calling thread's cache; the chunk's own class; the caller's promise.
                if !unsafe { cache.push(class, block) } {
                    // SAFETY: as above.
                    unsafe { cache.overflow(instance, class, block) };
                }
            }
            // SAFETY: the calling thread's cache; the caller's promise.
            _ if unsafe { self.keep_large(cache, size, block) } => {}
            // SAFETY: in a heap; the caller's promise.
            _ => unsafe { instance.give_back(block) },
        }
    }

    /// A block is given back to a heap that never gave one.
    #[cold]
    fn foreign(&self, block: NonNull<u8>) {
        self.config.on_misuse.handle(Misuse::ForeignPointer, crate::source::NAME, block.addr().get());
    }
}

/// The largest alignment that is served within a heap.
const MAX_ALIGN_IN_HEAP: usize = 1 << 20;

/// A chunk's block, without the mark that it may still bear from when it was cached.
///
/// # Safety
/// The chunk is in use, and its block nobody's but the caller's.
unsafe fn unmarked(Found { chunk, clean_from }: Found) -> Block {
    let block = chunk.block();
    // SAFETY: the smallest block holds a node. What reads as zero stays so.
    unsafe { Node::set_key(Node::of(block), 0) };
    (block, clean_from)
}

/// A mapped block, as others are told.
fn zeroed_from((block, zeroed): (NonNull<u8>, bool)) -> Block {
    (block, if zeroed { block.addr().get() } else { usize::MAX })
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
