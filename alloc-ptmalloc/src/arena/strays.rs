//! Blocks of other arenas, found when the depot is taken apart.
//!
//! Whose a block is matters to nobody while it goes from thread to thread in a magazine: only merging it with its neighbours
//! needs its own arena's lock. So whoever flushes a magazine looks at a few of its blocks and takes the others for the same
//! arena's (`tcache/flush.rs`), since to look at all of them is one wait for memory after the other. Where that was wrong, it
//! shows here:
//!
//! ```text
//!  depot:  | mine | mine | theirs | mine |       taken apart under this arena's lock
//!             v      v        |      v
//!           merged, binned    +--> strays        set aside until the lock is free, then into their arena's inbox
//! ```

use core::ptr;

use alloc_core::backend::Backend;
use alloc_core::sync::atomic::Ordering;

use super::State;
use crate::magazine::{Magazine, Node, Stack};
use crate::owner;
use crate::source::Source;

/// Tells an arena's blocks from others.
#[derive(Clone, Copy)]
pub(super) struct Mine {
    /// The arena's id, or `None` while there is no other arena.
    id: Option<u16>,
}

impl Mine {
    /// Whether a block lies in one of the arena's heaps.
    #[inline]
    pub(super) fn holds(self, node: *mut Node) -> bool {
        self.id.is_none_or(|id| owner::of(node.addr()) == id)
    }
}

impl State {
    /// What tells this arena's blocks from others.
    pub(super) fn mine<B: Backend>(&self, source: &Source<B>) -> Mine {
        // Relaxed: a block of a second arena came here by an order of its own, after the arena was counted.
        let others = source.arenas.load(Ordering::Relaxed) > 1;
        // SAFETY: the newest heap is live.
        Mine { id: others.then(|| unsafe { self.heap.as_ref() }.id()) }
    }

    /// The blocks that were set aside, each a magazine. Whoever takes the arena's lock takes them before giving it back.
    #[inline]
    pub(crate) fn take_strays(&mut self) -> Stack {
        core::mem::replace(&mut self.strays, Stack::EMPTY)
    }
}

/// Sets a block of another arena aside.
///
/// # Safety
/// The block came out of a magazine of `class`, and is nobody else's.
#[cold]
pub(super) unsafe fn set_aside(strays: &mut Stack, class: usize, node: *mut Node) {
    // SAFETY: the caller's promise.
    unsafe { Node::set_next(node, ptr::null_mut()) };
    // SAFETY: one whole block.
    unsafe { strays.push(Magazine { head: node, count: 1, class }) };
}
