//! Classes that a thread does not use any more: their blocks go back, and their part of the budget to others.

use alloc_core::backend::Backend;
use alloc_core::sync::atomic::Ordering;

use super::ThreadCache;
use crate::class::{self, CLASSES, TINY};
use crate::instance::Instance;

impl ThreadCache {
    /// Empties the bins whose first block is the one that it was at the last sweep.
    ///
    /// A class in use may by chance show the same first block twice and loses its magazines then: it gets others.
    ///
    /// # Safety
    /// This is the calling thread's real cache for `instance`, and no arena is locked.
    pub(crate) unsafe fn sweep<B: Backend>(&self, instance: &Instance<B>) {
        for class in TINY..CLASSES {
            let (bin, spare) = (self.bin(class), self.spare(class));
            let cap = bin.cap();
            if cap == 0 {
                continue;
            }
            let head = bin.head().addr();
            if spare.seen.swap(head, Ordering::Relaxed) != head {
                continue;
            }
            for magazine in [spare.take(class), bin.unload(class)] {
                if magazine.count > 0 {
                    // SAFETY: the magazine was this cache's, and is out of it.
                    unsafe { self.hand_back(instance, magazine) };
                }
            }
            let freed = 2 * cap as usize * class::chunk_size(class);
            let granted = self.granted.load(Ordering::Relaxed);
            // A magazine that came from another thread may have been larger than was granted here.
            self.granted.store(granted.saturating_sub(freed), Ordering::Relaxed);
            bin.set_cap(0);
            spare.seen.store(0, Ordering::Relaxed);
        }
    }
}
