//! A place in an arena to go back to.

use core::fmt;

use alloc_core::backend::Backend;

use crate::bump::Bump;
use crate::config::Config;
use crate::rewind::Mark;

/// A moment in the life of an arena, from [`Bump::checkpoint`].
pub struct Checkpoint<C: Config>(pub(crate) Mark<C>);

impl<C: Config> Clone for Checkpoint<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Config> Copy for Checkpoint<C> {}

impl<C: Config> fmt::Debug for Checkpoint<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Checkpoint").field(&self.0.cursor()).finish()
    }
}

impl<B: Backend, C: Config> Bump<B, C> {
    /// The present moment.
    #[inline]
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint<C> {
        Checkpoint(self.arena.mark())
    }

    /// Gives back every block that was taken since the checkpoint, in constant time. [`scope`](Self::scope) does the
    /// same, and lets the compiler see that nothing of it is used any more.
    ///
    /// ```
    /// # #[cfg(feature = "libc")] {
    /// let bump = alloc_bump::Bump::new();
    /// let kept = bump.alloc(1_u64);
    /// let checkpoint = bump.checkpoint();
    /// let first = core::ptr::from_mut(bump.alloc(2_u64));
    /// // SAFETY: a checkpoint of this arena, which was not reset since; the block after it is not used again.
    /// unsafe { bump.rewind(checkpoint) };
    /// assert_eq!(core::ptr::from_mut(bump.alloc(3_u64)), first);
    /// assert_eq!(*kept, 1);
    /// # }
    /// ```
    ///
    /// # Safety
    /// * The checkpoint is one of this arena, which since then was neither reset nor rewound to an earlier one.
    /// * No block that was taken or grown since the checkpoint is used any more.
    #[inline]
    pub unsafe fn rewind(&self, checkpoint: Checkpoint<C>) {
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.arena.rewind(checkpoint.0) };
    }
}
