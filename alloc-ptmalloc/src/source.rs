//! What every arena of a strategy shares: where memory comes from, and what the user chose.

use core::ptr::NonNull;

use alloc_core::Misuse;
use alloc_core::backend::Backend;
use alloc_core::sync::atomic::AtomicUsize;

use crate::config::{Config, Tunables};
use crate::mapped::Mapped;

/// The name in messages.
pub(crate) const NAME: &str = "ptmalloc";

/// The source of an instance. Outlives its arenas.
#[derive(Debug)]
pub(crate) struct Source<B: Backend> {
    /// Where heaps, mappings and thread caches come from.
    pub(crate) backend: B,
    /// As the strategy was made.
    pub(crate) config: Config,
    /// What may change while it runs.
    pub(crate) tunables: Tunables,
    /// Blocks with a mapping of their own.
    pub(crate) mapped: Mapped,
    /// The second word of every cached block: see [`key`](crate::key).
    pub(crate) key: usize,
    /// Arenas that there are.
    pub(crate) arenas: AtomicUsize,
}

impl<B: Backend> Source<B> {
    /// The source of an instance without arenas.
    pub(crate) fn new(backend: B, config: Config, key: usize) -> Self {
        Self {
            backend,
            config,
            tunables: Tunables::new(&config),
            mapped: Mapped::new(),
            key,
            arenas: AtomicUsize::new(0),
        }
    }

    /// Says what is wrong with a block, and goes on only if the user chose so.
    #[cold]
    #[inline(never)]
    pub(crate) fn misuse(&self, misuse: Misuse, block: NonNull<u8>) {
        self.config.on_misuse.handle(misuse, NAME, block.addr().get());
    }
}
