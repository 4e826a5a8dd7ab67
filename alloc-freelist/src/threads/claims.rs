//! The calling thread's cache, and claims on those of all threads.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::backend::Backend;
use alloc_core::sync::RawLock;
use alloc_core::sync::atomic::Ordering;
use alloc_core::{AllocError, Strategy};

use super::cache::{Cache, NOBODY, State, next};
use super::class::size_of_class;
use super::{SyncFreeList, fence, pool, word};
use crate::config::Config;
use crate::lock::Held;

impl<C: Config, B: Backend, W: Backend> SyncFreeList<C, B, W> {
    /// The calling thread's cache, if it is the one that the thread used last.
    #[inline(always)]
    pub(super) fn front(&self) -> Option<&'static Cache> {
        // Relaxed, both: a number that the thread itself drew or gave, or that nobody else's equals.
        let id = self.id.load(Ordering::Relaxed);
        word::front().filter(|cache| cache.id.load(Ordering::Relaxed) == id)
    }

    /// The calling thread's cache, which it gets now if it has none. `None` for threads without caches.
    #[cold]
    #[inline(never)]
    pub(super) fn cache(&self) -> Option<&'static Cache> {
        if word::is_closed() {
            return None;
        }
        let first = word::front();
        let id = self.id();
        // The list's order is that of last use.
        let mut before: Option<&'static Cache> = None;
        let mut unused = None;
        let mut at = first;
        while let Some(cache) = at {
            match cache.id.load(Ordering::Relaxed) {
                found if found == id => {
                    if let Some(before) = before {
                        before.next.set(cache.next.get());
                        cache.next.set(first);
                        word::set(Some(cache));
                    }
                    return Some(cache);
                }
                NOBODY => unused = Some(cache),
                _ => {}
            }
            (before, at) = (at, cache.next.get());
        }
        match unused {
            Some(cache) => {
                let _held = Held::acquire(&self.claims);
                cache.start(C::THREAD_CACHE);
                // Release: who finds the number finds the cache in order.
                cache.id.store(id, Ordering::Release);
                // Now it is found where it is.
                Some(cache)
            }
            None => self.attach(first, id),
        }
    }

    /// A new cache for the calling thread, whose first one is `first`.
    fn attach(&self, first: Option<&'static Cache>, id: u64) -> Option<&'static Cache> {
        // What the calls below allocate by way of the program's `malloc` comes without a cache.
        word::close();
        let noticed = first.is_some() || pool::notice_end();
        let cache = if noticed {
            let _held = Held::acquire(&self.claims);
            pool::obtain(id, C::THREAD_CACHE)
        } else {
            None
        };
        match cache {
            Some(cache) => {
                cache.next.set(first);
                word::set(Some(cache));
            }
            // For now, where memory is short; for good, where its end would not be noticed.
            None if noticed => word::set(first),
            None => {}
        }
        cache
    }

    /// This heap's number.
    fn id(&self) -> u64 {
        // Relaxed: the number alone is shared, no memory behind it.
        match self.id.load(Ordering::Relaxed) {
            0 => {
                let drawn = pool::new_id();
                match self.id.compare_exchange(0, drawn, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => drawn,
                    Err(other) => other,
                }
            }
            id => id,
        }
    }

    /// Claims the caches that `wanted` names. While the answer lives, no thread uses, gets or loses one of them.
    pub(super) fn claim(&self, wanted: impl Fn(&Cache) -> bool) -> Claims<'_> {
        let held = Held::acquire(&self.claims);
        // Relaxed: a heap that others have used since has had its number before they came to know it.
        let id = self.id.load(Ordering::Relaxed);
        let claims = Claims { id, _held: held };
        if id == 0 {
            return claims;
        }
        let mut any = false;
        for cache in pool::caches_of(id).filter(|cache| wanted(cache)) {
            cache.claim();
            any = true;
        }
        if any {
            fence::heavy();
            claims.caches().for_each(Cache::await_owner);
        }
        claims
    }

    /// Claims all caches.
    pub(super) fn claim_all(&self) -> Claims<'_> {
        self.claim(|_| true)
    }

    /// Gives what claimed caches hold back to the heap. Whether that was anything.
    pub(super) fn drain(&self, claims: &Claims<'_>) -> bool {
        let mut any = false;
        for cache in claims.caches() {
            for (class, bin) in cache.bins.iter().enumerate() {
                let blocks = bin.cut(0);
                if blocks.is_some() {
                    any = true;
                    let _held = Held::acquire(&self.list.lock);
                    self.give_list(blocks, size_of_class(class));
                }
            }
        }
        any
    }

    /// Gives a list of blocks of one size to the heap, whose lock is held.
    pub(super) fn give_list(&self, mut list: Option<NonNull<u8>>, size: u32) {
        while let Some(block) = list {
            // SAFETY: linked by a bin, and not given yet.
            list = unsafe { next(block) };
            self.list.heap.give_back(block, size);
        }
    }

    /// Takes back what threads left that have ended.
    #[cold]
    #[inline(never)]
    pub(super) fn bury_orphans(&self) {
        let claims = self.claim(|cache| cache.is(State::Orphan));
        self.drain(&claims);
        for cache in claims.caches() {
            cache.unclaim();
            pool::retire_orphan(cache, claims.id);
        }
    }

    /// A last attempt, with everything that caches hold given back.
    #[cold]
    #[inline(never)]
    pub(super) fn reclaim(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        // Not for what the heap would never have room for.
        let hopeless = {
            let _held = Held::acquire(&self.list.lock);
            layout.size() > self.list.heap.committed()
        };
        if !Self::CACHES || hopeless {
            return Err(AllocError);
        }
        let claims = self.claim_all();
        if !self.drain(&claims) {
            return Err(AllocError);
        }
        drop(claims);
        self.list.allocate(layout)
    }
}

/// The caches of a heap that the holder claimed.
pub(super) struct Claims<'a> {
    id: u64,
    _held: Held<'a, RawLock>,
}

impl Claims<'_> {
    pub(super) fn caches(&self) -> impl Iterator<Item = &'static Cache> {
        // Nobody else claims caches of this heap.
        pool::caches_of(self.id).filter(|cache| cache.is_claimed())
    }
}

impl Drop for Claims<'_> {
    fn drop(&mut self) {
        self.caches().for_each(Cache::unclaim);
    }
}
