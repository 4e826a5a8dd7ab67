//! The verbs on an arena: by era, against a model, with broken chunks, and without memory.

mod broken;
mod eras;
mod exhaustion;
mod growth;
mod limits;
mod memory;
mod model;
mod purging;
mod rebuilding;
mod resizing;

use core::ptr::NonNull;
use std::boxed::Box;

use alloc_core::OnMisuse;
use alloc_core::backend::{Backend, PagesBackend};
use alloc_core::os::unix::Os;

use super::{Arena, State, create_arena, destroy_arena};
use crate::chunk::Chunk;
use crate::config::{Config, Era};
use crate::magazine::Magazine;
use crate::source::Source;

pub(super) const ERAS: [Era; 3] = [Era::Classic, Era::Modern, Era::Ours];

/// One arena of its own.
pub(super) struct Rig<B: Backend> {
    pub(super) source: Box<Source<B>>,
    arena: NonNull<Arena>,
}

impl Rig<PagesBackend<Os>> {
    /// An arena with the defaults of an era, that goes on after misuse.
    pub(super) fn new(era: Era) -> Self {
        Self::with(PagesBackend::new(Os), Config { on_misuse: OnMisuse::Ignore, ..Config::new(era) })
    }
}

impl<B: Backend> Rig<B> {
    pub(super) fn with(backend: B, config: Config) -> Self {
        let source = Box::new(Source::new(backend, config, crate::key::key()));
        let arena = create_arena(&source, true).expect("memory for an arena");
        Self { source, arena }
    }

    /// Works on the locked arena, and checks it whole.
    pub(super) fn work<R>(&self, work: impl FnOnce(&mut State, &Source<B>) -> R) -> R {
        // SAFETY: the arena lives as long as the rig.
        let mut state = unsafe { self.arena.as_ref() }.state.lock();
        let done = work(&mut state, &self.source);
        // SAFETY: the arena is locked.
        if let Err(fault) = unsafe { state.check(&self.source) } {
            panic!("{fault}");
        }
        done
    }

    /// As [`work`](Self::work), on an arena that need not be sound.
    pub(super) fn work_unchecked<R>(&self, work: impl FnOnce(&mut State, &Source<B>) -> R) -> R {
        // SAFETY: the arena lives as long as the rig.
        let mut state = unsafe { self.arena.as_ref() }.state.lock();
        work(&mut state, &self.source)
    }

    pub(super) fn allocate(&self, size: usize) -> Chunk {
        // SAFETY: the tests ask for chunk sizes.
        self.work(|state, source| unsafe { state.allocate(source, size) }).expect("memory").chunk
    }

    /// A chunk from top, whatever the bins hold.
    pub(super) fn allocate_from_top(&self, size: usize) -> Chunk {
        self.work(|state, source| {
            // SAFETY: the tests ask for chunk sizes.
            assert!(unsafe { state.grow(source, size) });
            // SAFETY: as above.
            unsafe { state.carve_top(source, size) }
        })
        .expect("memory")
        .chunk
    }

    pub(super) fn free(&self, chunk: Chunk) {
        // SAFETY: the tests give back what they hold, or test what happens otherwise.
        self.work(|state, source| unsafe { state.free(source, chunk) });
    }

    pub(super) fn fill(&self, class: usize, want: usize) -> Magazine {
        // SAFETY: the tests ask for classes.
        self.work(|state, source| unsafe { state.fill(source, class, want) })
    }

    pub(super) fn keep(&self, magazine: Magazine) {
        // SAFETY: the tests give back what they hold.
        self.work(|state, source| unsafe { state.keep(source, magazine) });
    }

    pub(super) fn consolidate(&self) -> usize {
        // SAFETY: the source is the arena's.
        self.work(|state, source| unsafe { state.consolidate(source) })
    }

    /// Chunks of these sizes, none beside another: between them, and after the last, are chunks in use.
    pub(super) fn apart<const N: usize>(&self, sizes: [usize; N]) -> [Chunk; N] {
        sizes.map(|size| {
            let chunk = self.allocate(size);
            self.allocate(32);
            chunk
        })
    }
}

impl<B: Backend> Drop for Rig<B> {
    fn drop(&mut self) {
        // SAFETY: the arena came from this source, and nobody uses it any more.
        unsafe { destroy_arena(&self.source, self.arena) };
    }
}

/// The chunks of a magazine, first to last.
pub(super) fn chunks_of(mut magazine: Magazine) -> std::vec::Vec<Chunk> {
    let mut chunks = std::vec::Vec::new();
    // SAFETY: the magazine is the test's.
    while let Some(block) = unsafe { magazine.pop() } {
        // SAFETY: a magazine holds blocks of chunks.
        chunks.push(unsafe { Chunk::of_block(block) });
    }
    assert!(magazine.count == 0 && magazine.head.is_null());
    chunks
}
