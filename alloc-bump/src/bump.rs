//! The arena of one thread.

use core::alloc::Layout;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::backend::Backend;

use crate::DefaultBackend;
use crate::arena::Arena;
use crate::buffer::Buffer;
use crate::check::Flaw;
use crate::config::{Config, Up};
use crate::methods::typed_methods;
#[cfg(feature = "libc")]
use crate::pages::Pages;

/// An arena: hands out blocks one after another, and gives them all back at once.
///
/// `B` is where its memory comes from, `C` how it is filled. Values in the arena are not dropped: what they own outside
/// of it is leaked unless they are taken out.
///
/// ```
/// # #[cfg(feature = "libc")] {
/// use alloc_bump::Bump;
///
/// let mut bump = Bump::new();
/// let name = bump.alloc_str("Ada");
/// let numbers = bump.alloc_slice_copy(&[1, 2, 3]);
/// numbers[0] = 7;
/// assert_eq!((&*name, &*numbers), ("Ada", &[7, 2, 3][..]));
/// bump.reset();
/// # }
/// ```
pub struct Bump<B: Backend = DefaultBackend, C: Config = Up> {
    pub(crate) arena: Arena<C>,
    pub(crate) backend: B,
}

/// An arena over a buffer of the caller's. Needs no operating system and no other allocator.
///
/// ```
/// use alloc_bump::{Down, FixedBump};
/// use core::mem::MaybeUninit;
///
/// let mut buffer = [const { MaybeUninit::uninit() }; 64];
/// let bump = FixedBump::over(&mut buffer);
/// assert!(bump.try_alloc([0_u8; 64]).is_ok());
/// assert!(bump.try_alloc(0_u8).is_err());
/// drop(bump);
///
/// let downwards = FixedBump::<Down<8>>::over_in(&mut buffer);
/// assert!(downwards.try_alloc(1_u32).is_ok());
/// ```
pub type FixedBump<'b, C = Up> = Bump<Buffer<'b>, C>;

#[cfg(feature = "libc")]
impl Bump {
    /// An arena that grows over pages of the operating system, filled upwards. Takes memory at the first request.
    #[must_use]
    pub const fn new() -> Self {
        Self { arena: Arena::of_pages(), backend: Pages }
    }
}

#[cfg(feature = "libc")]
impl<C: Config> Default for Bump<Pages, C> {
    /// As [`Bump::new`], in any configuration: `Bump::<Pages, Down>::default()`.
    fn default() -> Self {
        Self { arena: Arena::of_pages(), backend: Pages }
    }
}

impl<B: Backend, C: Config> Bump<B, C> {
    /// An arena that grows over spans of `backend`. Takes memory at the first request.
    #[must_use]
    pub const fn new_in(backend: B) -> Self {
        Self { arena: Arena::new(), backend }
    }

    /// Where the memory comes from.
    #[must_use]
    pub const fn backend(&self) -> &B {
        &self.backend
    }

    /// Gives every block back at once, in constant time, and keeps the memory for coming ones.
    ///
    /// Where several chunks had to be taken, the largest seen is filled first from then on.
    #[inline]
    pub fn reset(&mut self) {
        self.arena.reset();
    }

    /// Lets the arena open at most `bytes` of memory, headers of chunks included; `None` lifts the limit. Memory that
    /// is open already stays, and [`trim`](alloc_core::Inspect::trim) gives back what of it is free.
    pub fn set_limit(&self, bytes: Option<usize>) {
        self.arena.set_budget(bytes.unwrap_or(usize::MAX));
    }

    /// The limit, where there is one.
    #[must_use]
    pub fn limit(&self) -> Option<usize> {
        Some(self.arena.budget()).filter(|&budget| budget != usize::MAX)
    }

    /// Bytes that are free without a look at the backend.
    #[must_use]
    pub fn room(&self) -> usize {
        self.arena.window().room()
    }

    /// Looks for contradictions in the arena's own structures, which only a stray write could have made.
    ///
    /// # Errors
    /// The first [`Flaw`].
    pub fn check(&self) -> Result<(), Flaw> {
        self.arena.check()
    }

    #[inline(always)]
    pub(crate) fn take(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        match self.arena.window().place::<C>(layout) {
            Some(block) => Ok(block),
            None => self.take_slow(layout),
        }
    }

    #[cold]
    #[inline(never)]
    fn take_slow(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        Ok(self.arena.refill(&self.backend, layout)?.block)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn take_zeroed_slow(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let refilled = self.arena.refill(&self.backend, layout)?;
        // SAFETY: the block is new, and only we know of it.
        Ok(unsafe { refilled.clear() })
    }
}

impl<'b> FixedBump<'b> {
    /// An arena of the bytes of `buffer`, filled upwards. Nothing of the buffer is spent on anything but blocks.
    #[must_use]
    pub fn over(buffer: &'b mut [MaybeUninit<u8>]) -> Self {
        Self::over_in(buffer)
    }
}

impl<'b, C: Config> FixedBump<'b, C> {
    /// As [`over`](FixedBump::over), in any configuration: `FixedBump::<Down>::over_in(buffer)`. What is not aligned to
    /// [`C::MIN_ALIGN`](Config::MIN_ALIGN) at the buffer's ends is left out.
    #[must_use]
    pub fn over_in(buffer: &'b mut [MaybeUninit<u8>]) -> Self {
        let start = NonNull::from(&mut *buffer).cast::<u8>();
        let bytes = NonNull::slice_from_raw_parts(start, buffer.len());
        // SAFETY: the buffer is borrowed for `'b`, which the arena does not outlive: its backend has it in its type.
        Self { arena: unsafe { Arena::over(bytes) }, backend: Buffer::new() }
    }
}

#[expect(clippy::mut_from_ref, reason = "every call returns other memory")]
impl<B: Backend, C: Config> Bump<B, C> {
    typed_methods!(self, [*self] ['s] 's);
}

impl<B: Backend, C: Config> Drop for Bump<B, C> {
    fn drop(&mut self) {
        // SAFETY: blocks borrow the arena, and so does whoever was promised more in `unsafe` code; this is its last use.
        unsafe { self.arena.release_all(&self.backend) };
    }
}

impl<B: Backend, C: Config> fmt::Debug for Bump<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bump")
            .field("up", &C::UP)
            .field("min_align", &C::MIN_ALIGN)
            .field("opened", &self.arena.opened())
            .field("room", &self.room())
            .finish_non_exhaustive()
    }
}
