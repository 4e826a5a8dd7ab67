//! Where a block comes from that the loaded magazine does not have: a refill, an arena, a mapping of its own.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::arith::{align_down, align_up};
use alloc_core::backend::Backend;

use crate::arena::Found;
use crate::class::{self, MAX_CACHED};
use crate::config::{Era, HugePages, Tunables};
use crate::heap;
use crate::inside::Inside;
use crate::instance::Instance;
use crate::magazine::Node;
use crate::ptmalloc::Ptmalloc;
use crate::size::{self, ALIGN};
use crate::tcache::slot::Slot;

/// The largest alignment that is served within a heap.
const MAX_ALIGN_IN_HEAP: usize = 1 << 20;

/// A request of this size or more gets huge pages where they fit into it, unless it is for zeroed memory: who asks for that may
/// have a table made of which little is ever touched, while other memory has to be written before it can be read.
const HUGE_FROM: usize = 4 << 20;

const HUGE_PAGE: usize = 2 << 20;

/// Zeroed blocks up to this size have all their pages at once, beyond the classes that are cleared by hand. Whoever reads a page
/// first that was never touched gets the kernel's page of zeros, and the page itself by a second fault when he writes, at
/// which every processor that the process runs on is interrupted. Larger blocks may be tables of which little is ever touched.
const POPULATED: usize = 1 << 20;

/// What a request got: a block, and from which address on it reads as zero.
pub(crate) type Block = (NonNull<u8>, usize);

impl<B: Backend, S: Slot> Ptmalloc<B, S> {
    /// A class without a block in the loaded magazine. `at` is the class times 16, as for [`full`](Self::full).
    #[cold]
    #[inline(never)]
    pub(crate) fn miss(&self, at: usize) -> Result<NonNull<u8>, AllocError> {
        let class = at / ALIGN;
        let inside = self.enter().ok_or(AllocError)?;
        let instance = self.instance()?;
        if let Some(cache) = inside.cache(instance) {
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
        let (block, _) = allocate_from_arenas(&inside, instance, class::chunk_size(class), request)?;
        // SAFETY: a new block of so many bytes.
        unsafe { instance.source.perturb_new(block, request) };
        Ok(block)
    }

    /// Requests above the small ones, and aligned ones.
    #[inline(never)]
    pub(crate) fn allocate_other(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.align() <= ALIGN {
            self.allocate_beyond(layout.size())
        } else if layout.size() <= MAX_CACHED
            && self.config().era == Era::Ours
            // SAFETY: the calling thread's cache.
            && let Some(block) = unsafe { self.here().pop_aligned(class::of_request(layout.size()), layout.align()) }
        {
            Ok(block)
        } else {
            let (block, _) = self.allocate_aligned(layout)?;
            self.perturb_new(block, layout.size());
            Ok(block)
        }
    }

    /// Requests above the small ones.
    #[inline(never)]
    pub(crate) fn allocate_beyond(&self, request: usize) -> Result<NonNull<u8>, AllocError> {
        if request <= MAX_CACHED && self.config().era as u8 == Era::Ours as u8 {
            let class = class::medium(request);
            // SAFETY: the calling thread's cache.
            match unsafe { self.here().pop(class) } {
                Some(block) => Ok(block),
                None => self.miss(class * ALIGN),
            }
        } else {
            if let Some(block) = self.large_hit(request) {
                return Ok(block);
            }
            let (block, clean_from) = self.allocate_large(request)?;
            if request >= HUGE_FROM {
                self.ask_huge(block, clean_from, request);
            }
            self.perturb_new(block, request);
            Ok(block)
        }
    }

    /// A large block of exactly the chunk size of `request` from the thread cache. Era `Modern`.
    fn large_hit(&self, request: usize) -> Option<NonNull<u8>> {
        if self.config().era != Era::Modern || request > self.config().tcache_max {
            return None;
        }
        // SAFETY: the calling thread's cache.
        unsafe { self.here().pop_large(size::chunk_size(request)?) }
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
        if self.config().era != Era::Ours {
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
        let inside = self.enter().ok_or(AllocError)?;
        let instance = self.instance()?;
        let source = &instance.source;
        if request > MAX_CACHED
            && request >= Tunables::get(&source.tunables.mmap_threshold)
            && let Some(block) = source.mapped.allocate(source, request, ALIGN)
        {
            return Ok(zeroed_from(block));
        }
        allocate_from_arenas(&inside, instance, size, request)
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
        if dirty < request && request <= POPULATED {
            self.populate(block, dirty, request);
        }
        // SAFETY: the block has `request` bytes and is only ours.
        unsafe { block.write_bytes(0, dirty) };
        Ok(block)
    }

    /// Has pages put behind the part of a block that was never touched.
    #[cold]
    fn populate(&self, block: NonNull<u8>, from: usize, to: usize) {
        let (Some(_inside), Some(instance)) = (self.enter(), self.used()) else { return };
        if self.era() == Era::Ours {
            // SAFETY: within the block.
            let start = unsafe { block.add(from) };
            // SAFETY: up to the block's end; it lies in a live heap or mapping.
            unsafe { instance.source.backend.populate(start, to - from) };
        }
    }

    /// Asks for huge pages behind what was never touched of a block that is about to be filled.
    #[cold]
    fn ask_huge(&self, block: NonNull<u8>, clean_from: usize, request: usize) {
        let (Some(_inside), Some(instance)) = (self.enter(), self.used()) else { return };
        // Where they are always asked for, that was done for the heap or the mapping.
        if self.config().huge_pages != HugePages::Large {
            return;
        }
        let address = block.addr().get();
        if !heap::holds(address) {
            return instance.source.mapped.ask_huge(&instance.source, block);
        }
        let Some(from) = align_up(address.max(clean_from), HUGE_PAGE) else { return };
        let end = align_down(address + request, HUGE_PAGE);
        if from < end {
            // SAFETY: between the block's start and its end.
            let start = unsafe { block.add(from - address) };
            // SAFETY: whole pages of the block, which lies in a live heap.
            unsafe { instance.source.backend.advise_huge(start, end - from) };
        }
    }

    /// A block for a layout with an alignment above 16, and from which address on it reads as zero.
    fn allocate_aligned(&self, layout: Layout) -> Result<Block, AllocError> {
        let (request, align) = (layout.size(), layout.align());
        let size = self.chunk_size(request)?;
        let inside = self.enter().ok_or(AllocError)?;
        let instance = self.instance()?;
        let source = &instance.source;
        // Blocks that a magazine may hold never have a mapping, unless their alignment says where to look.
        let mapped = || source.mapped.allocate(source, request.max(1), align).map(zeroed_from);
        if (align > MAX_ALIGN_IN_HEAP || request >= Tunables::get(&source.tunables.mmap_threshold))
            && let Some(block) = mapped()
        {
            return Ok(block);
        }
        let cache = inside.cache(instance);
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
}

/// One chunk from any arena; from a mapping where that fails and may be; at last, once more after everything cached
/// was put back.
fn allocate_from_arenas<B: Backend, S: Slot>(
    inside: &Inside<'_, B, S>,
    instance: &Instance<B>,
    size: usize,
    request: usize,
) -> Result<Block, AllocError> {
    let cache = inside.cache(instance);
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
