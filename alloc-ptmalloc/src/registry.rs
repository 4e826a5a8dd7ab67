//! Which arenas and thread caches an instance has, and which threads they are attached to.

use core::ptr::{self, NonNull};

use alloc_core::backend::{Backend, Span};
use alloc_core::sync::atomic::Ordering;

use crate::arena::{Arena, create_arena};
use crate::config::Era;
use crate::source::Source;
use crate::tcache::ThreadCache;

/// Arenas for each processor when the user sets no limit: in the eras of glibc as many as there.
const ARENAS_OF_GLIBC: usize = 8;
/// In ours a thread comes to its arena once for a magazine, so that two threads seldom meet there, and what one arena has in
/// pieces serves all of them. Eight threads on two processors took as long with three arenas as with two (1.01 over 15 workloads,
/// 21 rounds) and 1.06 times the memory.
const ARENAS_OF_OURS: usize = 1;

/// Bytes taken from the backend for thread caches at once.
const CACHES_SPAN: usize = 64 << 10;

/// What the registry's mutex protects.
#[derive(Debug)]
pub(crate) struct Registry {
    /// The first arena, which is the main one. The others follow by their `next`.
    first: *mut Arena,
    last: *mut Arena,
    count: usize,
    /// How many there may be; 0 while nobody has asked how many processors there are.
    limit: usize,
    /// Arenas without threads, newest first.
    free_arenas: *mut Arena,
    /// All thread caches ever made, newest first.
    caches: *mut ThreadCache,
    /// Those without a thread.
    free_caches: *mut ThreadCache,
    /// Where thread caches lie, newest first.
    spans: *mut CacheSpan,
}

/// What thread caches hold.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cached {
    /// The caches.
    pub(crate) caches: usize,
    /// Blocks in them.
    pub(crate) blocks: usize,
    /// Bytes of the blocks' chunks.
    pub(crate) bytes: usize,
}

/// The head of a span of thread caches.
#[derive(Debug)]
#[repr(C, align(64))]
struct CacheSpan {
    next: *mut CacheSpan,
    size: usize,
    /// Offset of the first byte that is no cache yet.
    used: usize,
}

// SAFETY: what it points to is the instance's own, bound to no thread, and reached through the registry's mutex.
unsafe impl Send for Registry {}

impl Registry {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            first: ptr::null_mut(),
            last: ptr::null_mut(),
            count: 0,
            limit,
            free_arenas: ptr::null_mut(),
            caches: ptr::null_mut(),
            free_caches: ptr::null_mut(),
            spans: ptr::null_mut(),
        }
    }

    /// The main arena, or null before there is one.
    pub(crate) fn first(&self) -> *mut Arena {
        self.first
    }

    /// Changes how many arenas there may be, 0 for so many for each processor; those that are there stay.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Whether there may be one arena more. The first may be, whatever the limit: a program of one thread never asks the kernel
    /// for its processors, nor has the page of the C library that does.
    fn has_room(&mut self, era: Era) -> bool {
        if self.count > 0 && self.limit == 0 {
            self.limit = arenas_for(processors(), era);
        }
        self.count == 0 || self.count < self.limit.min(usize::from(u16::MAX))
    }

    /// What the caches hold that have a thread.
    pub(crate) fn cached(&self) -> Cached {
        let mut sum = Cached::default();
        let mut next = self.caches;
        while let Some(cache) = NonNull::new(next) {
            // SAFETY: caches live as long as the registry.
            let cache = unsafe { cache.as_ref() };
            if cache.token() != 0 {
                let (bytes, blocks) = cache.cached();
                sum =
                    Cached { caches: sum.caches + 1, blocks: sum.blocks + blocks, bytes: sum.bytes + bytes };
            }
            next = cache.next();
        }
        sum
    }

    /// Arenas made.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The arena for a thread that comes: one that no thread has, else a new one while there may be more, else the one
    /// with the fewest threads. `None` when there is none and memory for none.
    pub(crate) fn attach<B: Backend>(&mut self, source: &Source<B>) -> Option<NonNull<Arena>> {
        let arena = self
            .take_free()
            .or_else(|| if self.has_room(source.config.era) { self.create(source) } else { None })
            .or_else(|| self.least_attached())?;
        // SAFETY: arenas of the registry live as long as it.
        let threads = unsafe { &(*arena.as_ptr()).attached_threads };
        // Relaxed: written behind the registry's lock; others read it as a hint.
        threads.store(threads.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Some(arena)
    }

    /// Takes a thread off an arena, which waits for the next one when it was the last.
    pub(crate) fn detach(&mut self, arena: NonNull<Arena>) {
        // SAFETY: arenas of the registry live as long as it.
        let shared = unsafe { arena.as_ref() };
        let threads = shared.attached_threads.load(Ordering::Relaxed) - 1;
        shared.attached_threads.store(threads, Ordering::Relaxed);
        if threads == 0 {
            shared.next_free.store(self.free_arenas, Ordering::Relaxed);
            self.free_arenas = arena.as_ptr();
        }
    }

    fn take_free(&mut self) -> Option<NonNull<Arena>> {
        let arena = NonNull::new(self.free_arenas)?;
        // SAFETY: arenas of the registry live as long as it.
        self.free_arenas = unsafe { arena.as_ref() }.next_free.load(Ordering::Relaxed);
        Some(arena)
    }

    fn create<B: Backend>(&mut self, source: &Source<B>) -> Option<NonNull<Arena>> {
        let arena = create_arena(source, self.first.is_null())?;
        if self.first.is_null() {
            self.first = arena.as_ptr();
        } else {
            // SAFETY: arenas of the registry live as long as it.
            let last = unsafe { &*self.last };
            // Release: whoever walks the list without the lock sees a whole arena.
            last.next.store(arena.as_ptr(), Ordering::Release);
        }
        self.last = arena.as_ptr();
        self.count += 1;
        Some(arena)
    }

    fn least_attached(&self) -> Option<NonNull<Arena>> {
        let mut least: Option<NonNull<Arena>> = None;
        let mut next = self.first;
        while let Some(arena) = NonNull::new(next) {
            // SAFETY: arenas of the registry live as long as it.
            let threads =
                |arena: NonNull<Arena>| unsafe { arena.as_ref() }.attached_threads.load(Ordering::Relaxed);
            if least.is_none_or(|least| threads(arena) < threads(least)) {
                least = Some(arena);
            }
            // SAFETY: as above.
            next = unsafe { arena.as_ref() }.next.load(Ordering::Relaxed);
        }
        least
    }

    /// A thread cache that nobody uses, empty; `None` without memory.
    pub(crate) fn take_cache<B: Backend>(&mut self, source: &Source<B>) -> Option<NonNull<ThreadCache>> {
        if let Some(cache) = NonNull::new(self.free_caches) {
            // SAFETY: caches live as long as the registry.
            self.free_caches = unsafe { cache.as_ref() }.next_free();
            return Some(cache);
        }
        let cache = self.carve_cache(source)?;
        // SAFETY: fresh, and read as zero, which is an empty cache.
        unsafe { cache.as_ref() }.link(self.caches, source.key);
        self.caches = cache.as_ptr();
        Some(cache)
    }

    /// Takes a cache back, flushed.
    pub(crate) fn give_cache(&mut self, cache: NonNull<ThreadCache>) {
        // SAFETY: caches live as long as the registry.
        unsafe { cache.as_ref() }.retire(self.free_caches);
        self.free_caches = cache.as_ptr();
    }

    /// The cache of the thread with `token`.
    pub(crate) fn find_cache(&self, token: usize) -> Option<NonNull<ThreadCache>> {
        let mut next = self.caches;
        while let Some(cache) = NonNull::new(next) {
            // SAFETY: caches live as long as the registry.
            let shared = unsafe { cache.as_ref() };
            if shared.token() == token {
                return Some(cache);
            }
            next = shared.next();
        }
        None
    }

    fn carve_cache<B: Backend>(&mut self, source: &Source<B>) -> Option<NonNull<ThreadCache>> {
        const SIZE: usize = size_of::<ThreadCache>();
        let room = NonNull::new(self.spans).filter(|span| {
            // SAFETY: spans live as long as the registry and are reached through its lock alone.
            let head = unsafe { span.as_ref() };
            head.used + SIZE <= head.size
        });
        let span = match room {
            Some(span) => span,
            None => {
                let fresh = source.backend.allocate_span(CACHES_SPAN, align_of::<CacheSpan>()).ok()?;
                if !B::ZEROED {
                    // SAFETY: a fresh span of that size.
                    unsafe { fresh.start.write_bytes(0, fresh.size) };
                }
                let head = fresh.start.cast::<CacheSpan>();
                // SAFETY: the span is ours, aligned for a head, and larger than one.
                unsafe {
                    head.write(CacheSpan {
                        next: self.spans,
                        size: fresh.size,
                        used: size_of::<CacheSpan>(),
                    });
                };
                self.spans = head.as_ptr();
                head
            }
        };
        // SAFETY: as for `room`.
        let used = unsafe { &mut (*span.as_ptr()).used };
        // SAFETY: `used + SIZE` bytes lie in the span; both sizes are multiples of the alignment of a cache.
        let cache = unsafe { span.cast::<u8>().add(*used) };
        *used += SIZE;
        Some(cache.cast())
    }

    /// Shows every span of thread caches.
    pub(crate) fn each_span(&self, mut show: impl FnMut(Span)) {
        let mut next = self.spans;
        while let Some(span) = NonNull::new(next) {
            // SAFETY: a head that `carve_cache` wrote, and spans live as long as the registry.
            let head = unsafe { span.as_ref() };
            show(Span { start: span.cast(), size: head.size });
            next = head.next;
        }
    }

    /// Gives the memory of all thread caches back.
    ///
    /// # Safety
    /// Nothing uses a cache of this registry any more.
    pub(crate) unsafe fn release_caches<B: Backend>(&mut self, backend: &B) {
        self.caches = ptr::null_mut();
        self.free_caches = ptr::null_mut();
        while let Some(span) = NonNull::new(self.spans) {
            // SAFETY: a head that `carve_cache` wrote.
            let CacheSpan { next, size, .. } = unsafe { span.read() };
            self.spans = next;
            // SAFETY: the span came from this backend, and nothing uses it by the caller's promise.
            unsafe { backend.release_span(Span { start: span.cast(), size }) };
        }
    }

    /// After a fork, in the child: of the threads only the one with `token` is left.
    pub(crate) fn forget_other_threads(&mut self, token: usize) {
        let mine = self.find_cache(token);
        self.free_arenas = ptr::null_mut();
        let mut next = self.first;
        while let Some(arena) = NonNull::new(next) {
            // SAFETY: arenas of the registry live as long as it.
            let shared = unsafe { arena.as_ref() };
            next = shared.next.load(Ordering::Relaxed);
            // SAFETY: caches live as long as the registry.
            let attached = mine.is_some_and(|cache| core::ptr::eq(unsafe { cache.as_ref() }.arena(), shared));
            shared.attached_threads.store(usize::from(attached), Ordering::Relaxed);
            if !attached {
                shared.next_free.store(self.free_arenas, Ordering::Relaxed);
                self.free_arenas = arena.as_ptr();
            }
        }
        // The other caches' blocks are lost, as their threads' stacks are: a thread may have been in the middle of a change.
        let mut next = self.caches;
        while let Some(cache) = NonNull::new(next) {
            // SAFETY: caches live as long as the registry.
            let shared = unsafe { cache.as_ref() };
            next = shared.next();
            if mine != Some(cache) {
                shared.orphan();
            }
        }
    }
}

/// Arenas that there may be with so many processors, when the user sets no limit.
fn arenas_for(processors: usize, era: Era) -> usize {
    processors.saturating_mul(if era == Era::Ours { ARENAS_OF_OURS } else { ARENAS_OF_GLIBC })
}

/// Processors that this process may use, at least 1.
fn processors() -> usize {
    let _errno = alloc_core::errno::KeepErrno::new();
    // Not sysconf, which reads files.
    // SAFETY: an all-zero set is a set.
    let mut set: libc::cpu_set_t = unsafe { core::mem::zeroed() };
    // SAFETY: the set is ours and of the size given.
    if unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) } != 0 {
        return 1;
    }
    // SAFETY: the kernel filled the set.
    let count = unsafe { libc::CPU_COUNT(&set) };
    usize::try_from(count).unwrap_or(1).max(1)
}
