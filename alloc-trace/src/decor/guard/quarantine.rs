//! Freed blocks that are held back, so that writes to them are found before their memory is served again.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::own::Mapped;

/// A queue of freed blocks, first in, first out. Used by one thread at a time.
#[derive(Debug)]
pub(crate) struct Quarantine {
    /// Their addresses; `None` where there was no memory for the queue, which then holds nothing.
    ring: Option<Mapped<AtomicUsize>>,
    head: usize,
    count: usize,
    /// Users' bytes in it.
    bytes: usize,
}

/// Blocks that it holds at most.
pub(crate) const BLOCKS: usize = 8192;

impl Quarantine {
    pub(crate) const fn new() -> Self {
        Self { ring: None, head: 0, count: 0, bytes: 0 }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Whether a block of `size` bytes may be pushed without exceeding `budget` bytes or the number of places.
    pub(crate) fn has_room(&self, size: usize, budget: usize) -> bool {
        self.count < BLOCKS && self.bytes.saturating_add(size) <= budget
    }

    /// Appends a block. Whether there was a place for it.
    pub(crate) fn push(&mut self, user: NonNull<u8>, size: usize) -> bool {
        if self.ring.is_none() {
            self.ring = Mapped::new(BLOCKS);
        }
        let Some(place) = self.ring.as_ref().and_then(|ring| ring.get((self.head + self.count) % BLOCKS))
        else {
            return false;
        };
        if self.count == BLOCKS {
            return false;
        }
        place.store(user.expose_provenance().get(), Ordering::Relaxed);
        self.count += 1;
        self.bytes += size;
        true
    }

    /// The block that has been in it longest.
    pub(crate) fn first(&self) -> Option<NonNull<u8>> {
        if self.count == 0 {
            return None;
        }
        let address = self.ring.as_ref()?.get(self.head)?.load(Ordering::Relaxed);
        NonNull::new(core::ptr::with_exposed_provenance_mut(address))
    }

    /// Removes the first block, which has `size` bytes.
    pub(crate) fn pop(&mut self, size: usize) {
        self.head = (self.head + 1) % BLOCKS;
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
    }
}

/// Blocks that were freed while a thread used the quarantine: they wait here until it, or the next one, is done there.
#[derive(Debug)]
pub(crate) struct Waiting([AtomicUsize; Waiting::PLACES]);

impl Waiting {
    const PLACES: usize = 64;

    pub(crate) const fn new() -> Self {
        Self([const { AtomicUsize::new(0) }; Self::PLACES])
    }

    /// Puts a block here. Whether there was a place for it.
    pub(crate) fn push(&self, user: NonNull<u8>) -> bool {
        let address = user.expose_provenance().get();
        // Release: whoever takes it sees it filled.
        self.0
            .iter()
            .any(|place| place.compare_exchange(0, address, Ordering::Release, Ordering::Relaxed).is_ok())
    }

    /// Takes the blocks out, one by one.
    pub(crate) fn take(&self) -> impl Iterator<Item = NonNull<u8>> {
        self.0.iter().filter_map(|place| {
            // Relaxed: usually there is none, and one that is missed is taken the next time.
            if place.load(Ordering::Relaxed) == 0 {
                return None;
            }
            NonNull::new(core::ptr::with_exposed_provenance_mut(place.swap(0, Ordering::Acquire)))
        })
    }
}
