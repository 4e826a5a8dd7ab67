//! What stands behind a strategy once it is used: its source, its registry, its arenas.
//!
//! An instance lies in a span of its own backend, so that it stays where it is when the strategy that owns it is moved:
//! arenas, thread caches and the process's list of instances point to it.

use core::ptr::{self, NonNull};

use alloc_core::backend::{Backend, Span};
use alloc_core::sync::RankedMutex;
use alloc_core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use alloc_core::sync::static_atomic::AtomicU64;

use crate::arena::{Arena, State, destroy_arena};
use crate::clock;
use crate::config::{CheckLevel, Config};
use crate::key;
use crate::process::{self, Member};
use crate::ranks;
use crate::registry::Registry;
use crate::source::Source;
use crate::tcache::ThreadCache;
use crate::tcache::slot::{CacheRef, Slot, token};

/// A strategy in use.
#[derive(Debug)]
pub(crate) struct Instance<B: Backend> {
    /// What all arenas share.
    pub(crate) source: Source<B>,
    /// Arenas and thread caches.
    pub(crate) registry: RankedMutex<{ ranks::REGISTRY }, Registry>,
    /// Never used again for another instance, so that what a thread remembers of one that is gone is never taken for one
    /// that is there.
    pub(crate) id: u64,
    /// The main arena, null until there is one.
    first: AtomicPtr<Arena>,
    /// Arenas made.
    arenas: AtomicUsize,
    /// Calls until an arena is walked again, and walks so far, where the user asked for walks.
    unexamined: AtomicUsize,
    walks: AtomicUsize,
    member: Member,
    span: Span,
}

/// The next instance's number. 0 is that of strategies not used yet.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl<B: Backend> Instance<B> {
    /// Puts a backend to use. `None` without memory, and then the backend is where it was.
    pub(crate) fn create(backend: &mut Option<B>, config: Config) -> Option<NonNull<Self>> {
        let span = backend.as_ref()?.allocate_span(size_of::<Self>(), align_of::<Self>()).ok()?;
        let place = span.start.cast::<Self>();
        let source = Source::new(backend.take()?, config, key::key());
        let instance = Self {
            source,
            registry: RankedMutex::new(Registry::new(config.arena_max)),
            // Relaxed: only that numbers differ matters.
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            first: AtomicPtr::new(ptr::null_mut()),
            arenas: AtomicUsize::new(0),
            unexamined: AtomicUsize::new(0),
            walks: AtomicUsize::new(0),
            member: Member::of::<B>(place),
            span,
        };
        // SAFETY: the span is ours, and large and aligned enough.
        unsafe { place.write(instance) };
        // SAFETY: just written.
        let member = unsafe { &place.as_ref().member };
        // SAFETY: it stays until `destroy`, which takes it off the list first.
        unsafe { process::enter(member) };
        Some(place)
    }

    /// Gives everything back, and drops the backend.
    ///
    /// # Safety
    /// The instance came from [`create`](Self::create), nobody uses it or a block of it any more.
    pub(crate) unsafe fn destroy(place: NonNull<Self>) {
        // SAFETY: the caller promises that it is there and not used otherwise.
        let instance = unsafe { &mut *place.as_ptr() };
        process::leave(&instance.member);
        let registry = instance.registry.get_mut();
        let first = registry.first();
        // SAFETY: nobody uses a cache of this instance: threads that remember one compare its number first.
        unsafe { registry.release_caches(&instance.source.backend) };
        // SAFETY: nobody uses a block of this instance.
        unsafe { instance.source.mapped.release_all(&instance.source) };
        let mut next = first;
        while let Some(arena) = NonNull::new(next) {
            // SAFETY: arenas stay until the next line.
            next = unsafe { arena.as_ref() }.next.load(Ordering::Relaxed);
            // SAFETY: nobody uses a block of this instance, and the arena is off the list.
            unsafe { destroy_arena(&instance.source, arena) };
        }
        let span = instance.span;
        // SAFETY: whole, ours, and not used after this.
        let Self { source, .. } = unsafe { place.read() };
        // SAFETY: the span came from this backend, and what lay in it was moved out.
        unsafe { source.backend.release_span(span) };
    }

    /// Where it lies.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Whether blocks are kept in thread caches at all.
    fn caches(&self) -> bool {
        let config = &self.source.config;
        config.tcache_bytes != 0 && config.check == CheckLevel::Default && self.source.perturb().is_none()
    }

    /// The calling thread's cache. `None` when it has none and gets none: without memory, after its exit hook, or when the
    /// user wants none.
    pub(crate) fn cache<S: Slot>(&self, found: CacheRef) -> Option<&'static ThreadCache> {
        if found.0.is_real() {
            return Some(found.0);
        }
        if found.is_dead() || !self.caches() {
            return None;
        }
        self.open::<S>()
    }

    #[cold]
    fn open<S: Slot>(&self) -> Option<&'static ThreadCache> {
        let token = token();
        let mut registry = self.registry.lock();
        let cache = match registry.find_cache(token) {
            // Another instance took its place in the thread's memory.
            Some(cache) => cache,
            None => {
                let arena = registry.attach(&self.source)?;
                self.note_arenas(&registry);
                let Some(cache) = registry.take_cache(&self.source) else {
                    registry.detach(arena);
                    return None;
                };
                // SAFETY: caches live as long as the instance.
                unsafe { cache.as_ref() }.adopt(arena, token);
                cache
            }
        };
        drop(registry);
        // SAFETY: a cache lives as long as its instance, and is reached through the slot only under the instance's number or,
        // in the process's own slot, for an instance that is never destroyed.
        let cache: &'static ThreadCache = unsafe { cache.as_ref() };
        S::set(self.id, CacheRef(cache));
        if process::watch_thread() {
            Some(cache)
        } else {
            // Nobody would empty it when the thread ends.
            S::close();
            self.thread_exit(token);
            None
        }
    }

    fn note_arenas(&self, registry: &Registry) {
        // Release, and Acquire where they are read: whoever sees the arena sees it whole.
        self.first.store(registry.first(), Ordering::Release);
        self.arenas.store(registry.count(), Ordering::Release);
    }

    /// The calling thread ends: its cache is emptied and freed for the next one.
    pub(crate) fn thread_exit(&self, token: usize) {
        let found = self.registry.lock().find_cache(token);
        let Some(cache) = found else { return };
        // SAFETY: caches live as long as the instance.
        let shared = unsafe { cache.as_ref() };
        // SAFETY: the calling thread's cache.
        unsafe { shared.flush(self) };
        let arena = NonNull::from(shared.arena());
        let mut registry = self.registry.lock();
        registry.give_cache(cache);
        registry.detach(arena);
        drop(registry);
        // SAFETY: arenas live as long as the instance.
        self.help(unsafe { arena.as_ref() });
    }

    /// Arenas made.
    pub(crate) fn arenas(&self) -> usize {
        self.arenas.load(Ordering::Acquire)
    }

    /// Whether all blocks come from one arena.
    #[inline]
    pub(crate) fn has_one_arena(&self) -> bool {
        // Relaxed: a block of a second arena reaches this thread by an order of its own, after the arena was counted.
        self.arenas.load(Ordering::Relaxed) <= 1
    }

    /// Calls `visit` with every arena, until it returns something.
    pub(crate) fn each_arena<T>(&self, mut visit: impl FnMut(&Arena) -> Option<T>) -> Option<T> {
        let mut next = self.first.load(Ordering::Acquire);
        while let Some(arena) = NonNull::new(next) {
            // SAFETY: arenas live as long as the instance.
            let arena = unsafe { arena.as_ref() };
            if let Some(found) = visit(arena) {
                return Some(found);
            }
            next = arena.next.load(Ordering::Acquire);
        }
        None
    }

    /// Works on the home arena of a cache, under its lock.
    #[inline]
    pub(crate) fn with_arena<R>(
        &self,
        cache: &ThreadCache,
        work: impl FnOnce(&mut State, &Source<B>) -> R,
    ) -> R {
        let arena = cache.arena();
        let mut state = arena.state.lock();
        self.drain(arena, &mut state);
        let done = work(&mut state, &self.source);
        self.examine(&state);
        if cache.visit(state.system_mem) {
            // SAFETY: the arena is locked.
            unsafe { state.tick(&self.source, clock::now_ms()) };
        }
        let strays = state.take_strays();
        drop(state);
        self.send_home(strays);
        done
    }

    /// What a cache does now and then beside its work, with no arena locked.
    #[inline]
    pub(crate) fn housekeep(&self, cache: &ThreadCache) {
        if cache.is_due() {
            // SAFETY: the calling thread's cache, and no arena is locked.
            unsafe { cache.sweep(self) };
        }
    }

    /// Works on one arena after the other, under its lock, the calling thread's first, until `work` has an answer. Makes the
    /// main arena when there is none.
    pub(crate) fn try_arenas<R>(
        &self,
        cache: Option<&ThreadCache>,
        mut work: impl FnMut(&mut State, &Source<B>) -> Option<R>,
    ) -> Option<R> {
        if let Some(cache) = cache
            && let Some(done) = self.with_arena(cache, &mut work)
        {
            return Some(done);
        }
        if self.first.load(Ordering::Acquire).is_null() {
            let mut registry = self.registry.lock();
            let arena = registry.attach(&self.source)?;
            registry.detach(arena);
            self.note_arenas(&registry);
        }
        let home = cache.map(|cache| ptr::from_ref(cache.arena()));
        self.each_arena(|arena| {
            if home == Some(ptr::from_ref(arena)) {
                return None;
            }
            self.locked(arena, |state| {
                let done = work(state, &self.source);
                self.examine(state);
                done
            })
        })
    }

    /// Walks an arena where the user asked for that, and says what is wrong with it: at each call while it is small, and then
    /// at fewer the larger it is, so that a call's part of the walks stays the same.
    #[inline]
    pub(crate) fn examine(&self, state: &State) {
        if self.source.config.check == CheckLevel::Full {
            self.examine_in_turn(state);
        }
    }

    #[cold]
    fn examine_in_turn(&self, state: &State) {
        // Relaxed: where threads take the same number, a walk comes a call later.
        let left = self.unexamined.load(Ordering::Relaxed);
        if left > 0 {
            return self.unexamined.store(left - 1, Ordering::Relaxed);
        }
        self.unexamined.store(state.calls_between_walks(), Ordering::Relaxed);
        self.walks.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the arena is locked.
        if let Err(fault) = unsafe { state.check(&self.source) } {
            // What is wrong with sums is wrong nowhere in particular.
            let at = NonNull::new(ptr::without_provenance_mut(fault.address)).unwrap_or(state.top.block());
            self.source.misuse(fault.misuse(), at);
        }
    }

    /// Gives every cached block of the calling thread, and everything handed over, back to the bins: what is done before a
    /// request is refused.
    #[cold]
    pub(crate) fn reclaim(&self, cache: Option<&ThreadCache>) {
        if let Some(cache) = cache {
            // SAFETY: the calling thread's cache.
            unsafe { cache.flush(self) };
        }
        self.source.mapped.release_cache(&self.source);
        self.consolidate();
    }

    /// Takes apart what the arenas keep: fastbins and depots.
    pub(crate) fn consolidate(&self) {
        self.each_arena(|arena| {
            // SAFETY: the arena is locked.
            self.locked(arena, |state| unsafe { state.consolidate(&self.source) });
            None::<()>
        });
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use core::sync::atomic::Ordering;
    use std::vec::Vec;

    use alloc_core::SizedBlocks;

    use crate::config::{CheckLevel, Config, Era};
    use crate::ptmalloc::Ptmalloc;

    /// What [`CheckLevel::Full`] costs a call does not grow with the heap.
    #[test]
    fn a_heap_is_walked_at_each_call_while_it_is_small_and_at_fewer_the_larger_it_is() {
        let heap: Ptmalloc = Ptmalloc::new(Config { check: CheckLevel::Full, ..Config::new(Era::Ours) });
        let walks = || heap.used().map_or(0, |instance| instance.walks.load(Ordering::Relaxed));
        let pairs = |count: usize| {
            let before = walks();
            for _ in 0..count {
                let block = heap.malloc(100).unwrap();
                // SAFETY: a live block of the heap.
                unsafe { heap.free(block) };
            }
            walks() - before
        };
        pairs(1);
        assert!(pairs(100) >= 200, "each call of a small heap");
        let kept: Vec<_> = (0..8192).map(|_| heap.malloc(1000).unwrap()).collect();
        // 8 MiB and little more: one call in 129 or so, of 2000.
        let large = pairs(1000);
        assert!((8..=16).contains(&large), "{large} walks of a large heap");
        for block in kept {
            // SAFETY: as above.
            unsafe { heap.free(block) };
        }
    }
}
