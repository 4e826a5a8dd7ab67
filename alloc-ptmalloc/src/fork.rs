//! What an instance does around a fork: all its locks, in the order of their ranks.

use alloc_core::backend::Backend;

use crate::instance::Instance;
use crate::tcache::slot::token;

impl<B: Backend> Instance<B> {
    /// Takes every lock, so that no other thread is in the middle of a change when the process forks.
    pub(crate) fn hold_all(&self) {
        self.registry.hold();
        self.each_arena(|arena| {
            arena.state.hold();
            None::<()>
        });
        self.source.mapped.hold();
    }

    /// Gives every lock back that [`hold_all`](Self::hold_all) took.
    ///
    /// # Safety
    /// The calling thread called `hold_all` before the process forked, and this is the parent.
    pub(crate) unsafe fn release_all(&self) {
        // SAFETY: held since `hold_all`.
        unsafe { self.source.mapped.release() };
        self.each_arena(|arena| {
            // SAFETY: held since `hold_all`: no arena was made meanwhile, since that takes the registry's lock.
            unsafe { arena.state.release() };
            None::<()>
        });
        // SAFETY: held since `hold_all`.
        unsafe { self.registry.release() };
    }

    /// Makes every lock free in the child, and forgets the threads that do not exist there.
    ///
    /// # Safety
    /// The thread that called `hold_all` forked, and this is its only child thread.
    pub(crate) unsafe fn reset_all(&self) {
        // SAFETY: the holder was the thread that forked.
        unsafe { self.source.mapped.reset_after_fork() };
        self.each_arena(|arena| {
            // SAFETY: as above.
            unsafe { arena.state.reset_after_fork() };
            None::<()>
        });
        // SAFETY: as above.
        unsafe { self.registry.reset_after_fork() };
        self.registry.lock().forget_other_threads(token());
    }
}
