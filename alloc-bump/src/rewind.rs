//! Giving back many blocks at once: marks, rewinding, resets.

use core::num::NonZeroUsize;
use core::ptr::NonNull;

use crate::arena::Arena;
use crate::chunk::ChunkRef;
use crate::config::Config;

/// A place to rewind to.
pub(crate) struct Mark<C> {
    chunk: Option<ChunkRef<C>>,
    cursor: NonNull<u8>,
}

impl<C> Mark<C> {
    pub(crate) fn cursor(self) -> NonNull<u8> {
        self.cursor
    }
}

impl<C> Clone for Mark<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Mark<C> {}

impl<C: Config> Arena<C> {
    pub(crate) fn mark(&self) -> Mark<C> {
        Mark { chunk: self.current.get(), cursor: self.window.cursor() }
    }

    /// Gives back every block that was taken since `mark`. Chunks stay, as spare ones.
    ///
    /// # Safety
    /// The mark was made by this arena, which since then was neither reset nor rewound to an earlier mark; no block taken
    /// or grown since is used any more.
    pub(crate) unsafe fn rewind(&self, mark: Mark<C>) {
        if mark.chunk == self.current.get() {
            let cursor = Self::earlier(mark.cursor, self.window.cursor());
            // SAFETY: a former cursor of the same chunk, and the limit has never been behind the present one.
            unsafe { self.window.move_to(cursor, self.window.limit()) };
        } else if let Some(chunk) = mark.chunk {
            self.activate(chunk, Self::earlier(mark.cursor, chunk.get().cursor.get()));
        } else if let Some(first) = self.first.get() {
            // The mark is older than the first chunk.
            self.activate(first, first.origin());
        }
        self.deep_check();
    }

    /// The cursor with fewer blocks behind it. Blocks from before a mark may have been given back after it, and what was
    /// beyond the cursor then may have been trimmed.
    fn earlier(a: NonNull<u8>, b: NonNull<u8>) -> NonNull<u8> {
        if (a < b) == C::UP { a } else { b }
    }

    /// Gives back every block.
    #[inline]
    pub(crate) fn reset(&mut self) {
        if self.current.get() != self.first.get() {
            self.reset_slow();
        }
        // SAFETY: `origin` is never zero.
        let origin = unsafe { NonZeroUsize::new_unchecked(self.origin.get()) };
        // SAFETY: the whole of the chunk, or of the buffer, is free, and its cursor's provenance covers it.
        unsafe { self.window.move_to(self.window.cursor().with_addr(origin), self.window.limit()) };
        self.deep_check();
    }

    /// Makes the larger of the current and the first chunk the first, so that rounds of equal work end in one chunk.
    #[cold]
    #[inline(never)]
    fn reset_slow(&mut self) {
        let (Some(current), Some(first)) = (self.current.get(), self.first.get()) else { return };
        if current.capacity() > first.capacity() {
            self.unlink(current);
            current.get().previous.set(None);
            current.get().next.set(Some(first));
            first.get().previous.set(Some(current));
            self.first.set(Some(current));
        } else {
            self.activate(first, first.origin());
        }
    }
}
