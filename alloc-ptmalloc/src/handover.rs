//! Blocks on their way home: magazines for the inboxes of other arenas, and single blocks for the arena that they came from.

use core::ptr::NonNull;

use alloc_core::Misuse;
use alloc_core::backend::Backend;
use alloc_core::sync::atomic::Ordering;

use crate::arena::{Arena, State};
use crate::chunk::Chunk;
use crate::class;
use crate::instance::Instance;
use crate::magazine::Magazine;
use crate::owner;

/// Bytes that may wait in an inbox before whoever brings more puts them away himself.
const HELP_FROM: usize = 256 << 10;

impl<B: Backend> Instance<B> {
    /// Puts away what other threads handed over. The arena is locked.
    pub(crate) fn drain(&self, arena: &Arena, state: &mut State) {
        let mut waiting = arena.inbox.take();
        // SAFETY: what was taken from the inbox is ours alone.
        while let Some(magazine) = unsafe { waiting.pop() } {
            // SAFETY: the arena is locked, and the blocks are its own.
            unsafe { state.keep(&self.source, magazine) };
        }
    }

    /// Puts away what other threads hand over to an arena that has no threads, which nobody else would.
    pub(crate) fn help(&self, arena: &Arena) {
        arena.inbox.help(|| {
            // Relaxed: after the fence in `help`, which pairs with the sender's.
            if arena.attached_threads.load(Ordering::Relaxed) != 0 {
                return false;
            }
            let Some(mut state) = arena.state.try_lock() else { return false };
            self.drain(arena, &mut state);
            true
        });
    }

    /// Works on an arena under its lock, after putting away what waits there.
    pub(crate) fn locked<R>(&self, arena: &Arena, work: impl FnOnce(&mut State) -> R) -> R {
        let mut state = arena.state.lock();
        self.drain(arena, &mut state);
        let done = work(&mut state);
        drop(state);
        if !self.has_one_arena() {
            // What came meanwhile may have been left to us.
            self.help(arena);
        }
        done
    }

    /// Hands a magazine over to the arena that its blocks came from.
    ///
    /// # Safety
    /// The magazine is not empty, its blocks are of the arena `id` and nobody else's.
    pub(crate) unsafe fn hand_over(&self, id: u16, magazine: Magazine) {
        let Some(arena) = owner::arena_of(id) else {
            // Only a block that was never ours can be of no arena.
            if let Some(block) = NonNull::new(magazine.head.cast()) {
                self.source.misuse(Misuse::ForeignPointer, block);
            }
            return;
        };
        // SAFETY: arenas live as long as their instance, hence as long as a block of theirs is in use.
        let arena = unsafe { arena.as_ref() };
        let bytes = magazine.count * class::chunk_size(magazine.class);
        // SAFETY: the caller's promise.
        let waiting = unsafe { arena.inbox.push(magazine, bytes) };
        // An owner that does not come leaves it to those who bring.
        // Relaxed: after the fence in `push`.
        if arena.attached_threads.load(Ordering::Relaxed) == 0 {
            self.help(arena);
        } else if waiting > HELP_FROM
            && let Some(mut state) = arena.state.try_lock()
        {
            self.drain(arena, &mut state);
        }
    }

    /// Whether `block` lies in the depot of its arena: for the closer look at a block that holds the key.
    #[cold]
    pub(crate) fn keeps(&self, class: usize, block: NonNull<u8>) -> bool {
        let Some(arena) = owner::arena_of(owner::of(block.addr().get())) else { return false };
        // SAFETY: arenas live as long as their instance.
        let arena = unsafe { arena.as_ref() };
        // SAFETY: the arena is locked.
        self.locked(arena, |state| unsafe { state.depot.holds(class, block) })
    }

    /// Gives one block back to its arena.
    ///
    /// # Safety
    /// The block lies in a heap, was handed out by this instance and given up by its holder; or it never was: that is what the
    /// checks are for.
    pub(crate) unsafe fn give_back(&self, block: NonNull<u8>) {
        let Some(arena) = owner::arena_of(owner::of(block.addr().get())) else {
            return self.source.misuse(Misuse::ForeignPointer, block);
        };
        // SAFETY: in a heap, where the chunk of a block lies before it.
        let chunk = unsafe { Chunk::of_block(block) };
        // SAFETY: arenas live as long as their instance.
        let arena = unsafe { arena.as_ref() };
        self.locked(arena, |state| {
            // SAFETY: the arena is locked; the caller's promise.
            unsafe { state.free(&self.source, chunk) };
            self.examine(state);
        });
    }
}
