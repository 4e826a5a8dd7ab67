//! A strategy and the handle to it, in one owner.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use super::Handle;
use crate::error::AllocError;
use crate::sized::SizedBlocks;
use crate::strategy::Strategy;

/// Owns an erased strategy, whose own few words live in the memory of another one. Dropping it drops the strategy and
/// with it, as for any strategy, all its memory.
pub struct OwnedHandle {
    handle: Handle<'static>,
    memory: Handle<'static>,
    layout: Layout,
    drop: unsafe fn(NonNull<u8>),
}

impl OwnedHandle {
    /// Moves `strategy` into a block of `memory`.
    ///
    /// # Errors
    /// [`AllocError`] when `memory` has no room for it; the strategy is then dropped.
    pub fn new_in<S>(strategy: S, memory: Handle<'static>) -> Result<Self, AllocError>
    where
        S: Strategy + Send + Sync + 'static,
    {
        Self::place(strategy, memory, Handle::new)
    }

    /// Moves a strategy that knows its blocks' sizes into a block of `memory`.
    ///
    /// # Errors
    /// [`AllocError`] when `memory` has no room for it; the strategy is then dropped.
    pub fn new_sized_in<S>(strategy: S, memory: Handle<'static>) -> Result<Self, AllocError>
    where
        S: SizedBlocks + Send + Sync + 'static,
    {
        Self::place(strategy, memory, Handle::new_sized)
    }

    fn place<S: 'static>(
        strategy: S,
        memory: Handle<'static>,
        handle: fn(&'static S) -> Handle<'static>,
    ) -> Result<Self, AllocError> {
        unsafe fn drop<S>(place: NonNull<u8>) {
            // SAFETY: the only caller is `Drop` below, once, with the place that `place` filled with an `S`.
            unsafe { place.cast::<S>().drop_in_place() };
        }
        let layout = Layout::new::<S>();
        let place = memory.allocate(layout)?.cast::<S>();
        // SAFETY: a live block with the size and alignment of an `S` that only we know of.
        unsafe { place.write(strategy) };
        // SAFETY: the place holds an `S` until `Drop` below. No lifetime can name that span, so the borrow is called
        // static here; it leaves this type only through `handle`, which shortens it to a borrow of the owner.
        let strategy: &'static S = unsafe { place.as_ref() };
        Ok(Self { handle: handle(strategy), memory, layout, drop: drop::<S> })
    }

    /// The handle, borrowed from its owner.
    #[must_use]
    pub const fn handle(&self) -> Handle<'_> {
        self.handle
    }
}

impl Drop for OwnedHandle {
    fn drop(&mut self) {
        let Some(place) = NonNull::new(self.handle.data.cast::<u8>().cast_mut()) else { return };
        // SAFETY: `place` was filled when this owner was made, and nothing borrows from the owner any more.
        unsafe { (self.drop)(place) };
        // SAFETY: the block came from `memory` with this layout.
        unsafe { self.memory.deallocate(place, self.layout) };
    }
}

impl fmt::Debug for OwnedHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedHandle").field(&self.handle).finish()
    }
}
