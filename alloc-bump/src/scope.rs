//! Rewinding that the compiler checks.

use alloc_core::backend::Backend;

use crate::DefaultBackend;
use crate::bump::Bump;
use crate::checkpoint::Checkpoint;
use crate::config::{Config, Up};
use crate::methods::typed_methods;

/// A part of an arena's life. Blocks taken from it live for `'a`, and are all given back at its end.
///
/// A scope within it borrows it exclusively, so that while the inner one lasts nothing can be taken from the outer one
/// that the inner one's end would give back. Blocks that the outer one gave before stay usable throughout.
///
/// ```
/// # #[cfg(feature = "libc")] {
/// let mut bump = alloc_bump::Bump::new();
/// let longest = bump.scope(|outer| {
///     let words = outer.alloc_slice_copy(&["one", "three"]);
///     outer.scope(|inner| {
///         let lengths = inner.alloc_iter(words.iter().map(|word| word.len()));
///         lengths.iter().copied().max()
///     })
/// });
/// assert_eq!(longest, Some(5));
/// # }
/// ```
///
/// What a scope gives cannot leave it:
///
/// ```compile_fail
/// let mut bump = alloc_bump::Bump::new();
/// let escaped = bump.scope(|scope| scope.alloc(1));
/// ```
///
/// and the outer scope cannot be used while the inner one lasts:
///
/// ```compile_fail
/// let mut bump = alloc_bump::Bump::new();
/// bump.scope(|outer| {
///     let mut kept = outer.alloc(0);
///     outer.scope(|_inner| kept = outer.alloc(1));
///     *kept
/// });
/// ```
#[derive(Debug)]
pub struct Scope<'a, B: Backend = DefaultBackend, C: Config = Up> {
    bump: &'a Bump<B, C>,
}

/// Rewinds when it is dropped, unwinding included.
struct Rewind<'a, B: Backend, C: Config> {
    bump: &'a Bump<B, C>,
    checkpoint: Checkpoint<C>,
}

impl<B: Backend, C: Config> Drop for Rewind<'_, B, C> {
    fn drop(&mut self) {
        // SAFETY: the checkpoint is of this arena. While this value lived, the arena could be used through a scope of a
        // lifetime that is over, and inner ones, whose ends came before and rewound to later checkpoints; resetting it
        // takes an exclusive borrow. Blocks taken since had that lifetime; older ones cannot have grown, since
        // collections with older blocks hold a borrow that excludes making a scope.
        unsafe { self.bump.rewind(self.checkpoint) };
    }
}

fn enter<B: Backend, C: Config, R>(
    bump: &Bump<B, C>,
    f: impl for<'i> FnOnce(&mut Scope<'i, B, C>) -> R,
) -> R {
    let _rewind = Rewind { bump, checkpoint: bump.checkpoint() };
    f(&mut Scope { bump })
}

impl<B: Backend, C: Config> Bump<B, C> {
    /// Runs `f` with a scope, and gives back all blocks taken in it, also when `f` panics.
    #[inline]
    pub fn scope<R>(&mut self, f: impl for<'i> FnOnce(&mut Scope<'i, B, C>) -> R) -> R {
        enter(self, f)
    }

    /// The whole arena as a scope, whose blocks live as long as the borrow and stay usable in the scopes within it.
    #[inline]
    #[must_use]
    pub fn as_scope(&mut self) -> Scope<'_, B, C> {
        Scope { bump: self }
    }
}

impl<'a, B: Backend, C: Config> Scope<'a, B, C> {
    /// Runs `f` with a scope within this one, and gives back all blocks taken in it, also when `f` panics.
    #[inline]
    pub fn scope<R>(&mut self, f: impl for<'i> FnOnce(&mut Scope<'i, B, C>) -> R) -> R {
        enter(self.bump, f)
    }

    /// The arena, for collections that take an allocator. They last until the next inner scope at most.
    #[inline]
    #[must_use]
    pub fn arena(&self) -> &Bump<B, C> {
        self.bump
    }

    typed_methods!(self, [*self.bump] [] 'a);
}
