//! Looking into heaps with thread caches, with all of these claimed.

use core::ptr::NonNull;

use alloc_core::backend::Backend;
use alloc_core::{Block, Field, Gauge, Inspect, Ownership, Peek, Stats, Step, Visit, Walked};

use super::SyncFreeList;
use super::cache::{Cache, next};
use super::claims::Claims;
use super::class::{CLASSES, most, size_of_class};
use crate::check::Fault;
use crate::config::Config;
use crate::header::Header;
use crate::lock::Held;
use crate::zone::bytes;

impl<C: Config, B: Backend, W: Backend> SyncFreeList<C, B, W> {
    /// As [`FreeList::check`](crate::FreeList::check), and the threads' caches too, whose blocks go back to the heap.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Fault> {
        let claims = self.claim_all();
        for cache in claims.caches() {
            self.check_cache(cache)?;
        }
        self.drain(&claims);
        self.list.check()
    }

    fn check_cache(&self, cache: &Cache) -> Result<(), Fault> {
        let fault = |what, address| Err(Fault { what, address });
        let mut allowed = cache.spare.get();
        for class in 1..CLASSES {
            let (bin, size) = (cache.bin(class), size_of_class(class));
            allowed += bin.limit.get() as usize * bytes::<C>(size);
            if bin.limit.get() > most(bytes::<C>(size)) || bin.count.get() > bin.limit.get() {
                return fault("a thread caches no more than it may", 0);
            }
            let mut count = 0;
            let mut block = bin.head.get();
            while let Some(found) = block {
                count += 1;
                if count > bin.count.get() || !self.is_block(found, size) {
                    return fault("a thread caches blocks of the heap", found.addr().get());
                }
                // SAFETY: a block on the list, in memory of the heap.
                block = unsafe { next(found) };
            }
            if count != bin.count.get() {
                return fault("blocks that threads cache are counted", 0);
            }
        }
        if allowed == C::THREAD_CACHE { Ok(()) } else { fault("a thread's limits are its budget", 0) }
    }

    /// Whether a block of this size may lie there: in a zone, in use for its maps, and marked as cached if it can be.
    fn is_block(&self, block: NonNull<u8>, size: u32) -> bool {
        let _held = Held::acquire(&self.list.lock);
        self.list.heap.zone_of(block.addr().get()).is_some_and(|zone| zone.may_cache(block, size))
    }

    /// Bytes that holders of cached blocks saw, and the number of these.
    fn cached(claims: &Claims<'_>) -> (usize, usize) {
        let mut sum = (0, 0);
        for cache in claims.caches() {
            for (class, bin) in cache.bins.iter().enumerate().skip(1) {
                let count = bin.count.get() as usize;
                sum.0 += count * (bytes::<C>(size_of_class(class)) - C::Header::BYTES);
                sum.1 += count;
            }
        }
        sum
    }
}

/// Adds to a figure that is known.
fn plus(gauge: Gauge, more: usize) -> Gauge {
    gauge.get().map_or(gauge, |value| Gauge::known(value + more as u64))
}

/// Takes from a figure that is known.
fn minus(gauge: Gauge, less: usize) -> Gauge {
    gauge.get().map_or(gauge, |value| Gauge::known(value - less as u64))
}

/// Figures and walks see all threads' caches as they are at one moment: other threads' requests wait meanwhile. As with
/// [`FreeList`](crate::FreeList), a walk over blocks without headers merges what is cached. Trimming takes back all that
/// threads cache.
impl<C: Config, B: Backend, W: Backend> Inspect for SyncFreeList<C, B, W> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn stats(&self) -> Stats {
        let claims = self.claim_all();
        let (cached, blocks) = Self::cached(&claims);
        // For the heap, blocks in caches are in use.
        let stats = self.list.stats();
        Stats {
            live: minus(stats.live, cached),
            live_blocks: minus(stats.live_blocks, blocks),
            cached: plus(stats.cached, cached),
            cached_blocks: plus(stats.cached_blocks, blocks),
            ..stats
        }
    }

    fn walk(&self, visit: &mut dyn FnMut(Step) -> Visit) -> Walked {
        let claims = self.claim_all();
        if !C::Header::SIZED {
            self.drain(&claims);
        }
        self.list.walk(visit)
    }

    fn owns(&self, address: NonNull<u8>) -> Ownership {
        self.list.owns(address)
    }

    fn trim(&self, keep: usize) -> usize {
        let claims = self.claim_all();
        self.drain(&claims);
        self.list.trim(keep)
    }

    fn header(&self, block: Block, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
        self.list.header(block, peek, show);
    }
}
