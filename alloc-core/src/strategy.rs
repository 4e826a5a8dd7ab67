//! The core trait: what a program asks of its memory allocator.
//!
//! # Contract words
//!
//! These words mean one thing everywhere in the project.
//!
//! * **Live block**: the bytes `[p, p + n)` that a strategy handed out and that have not been given back. From the
//!   moment it is returned until it is passed to a deallocating method, nobody but its holder reads or writes it, and
//!   it overlaps no other live block. A method that returns `Err` leaves the block it was given live and unchanged.
//! * **Fits**: a layout *fits* a live block when its alignment is the one the block was requested with, and its size
//!   lies between the size last requested for the block and the block's usable size. Every method that takes a block
//!   and a layout requires that the layout fits.
//! * **Owner**: the strategy instance that handed a block out. Only the owner, a copy of its handle, or a reference to
//!   it may be given the block. A strategy that is moved keeps owning its blocks.
//! * **Usable size**: the bytes at a block's start that its holder may use; at least the requested size. Only
//!   strategies with [sized blocks](crate::SizedBlocks) can say what it is.
//!
//! # Edges, the same for all
//!
//! * **Size 0** succeeds: the pointer is aligned and not null, may equal that of another zero-sized block, and must be
//!   given back like any other.
//! * **Alignment** of every power of two up to [`MAX_ALIGN`](crate::arith::MAX_ALIGN) (1 GiB) is honoured where memory
//!   suffices; beyond it a strategy may answer `Err`.
//! * **Sizes** up to `isize::MAX` are legal requests; impossible ones answer `Err`.
//! * **Exhaustion** is `Err`, never a panic, an abort or a null pointer; the heap stays whole, and later requests
//!   succeed when memory is back.

use core::alloc::Layout;
use core::ptr::NonNull;

use crate::error::AllocError;
use crate::inspect::Inspect;

/// A memory allocator: the trait that every strategy, decorator and handle implements.
///
/// All methods take `&self`. A strategy that is `Sync` may be called from many threads at once.
///
/// # Safety
///
/// Implementors promise, in the [contract words](self):
///
/// * every `Ok` is a live block of at least the requested size and alignment, and stays live until it is given back,
///   or until the strategy is dropped or reset, which Rust's borrow rules allow only when nobody can use it any more;
/// * moving the strategy does not move, free or change live blocks;
/// * no method unwinds, and none allocates from the heap that it serves;
/// * the edges above hold.
pub unsafe trait Strategy: Inspect {
    /// A new live block of `layout.size()` bytes at a multiple of `layout.align()`. Its contents are not initialised.
    ///
    /// # Errors
    /// [`AllocError`] when the request cannot be served.
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError>;

    /// As [`allocate`](Self::allocate), with the first `layout.size()` bytes zero.
    ///
    /// # Errors
    /// [`AllocError`] when the request cannot be served.
    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let block = self.allocate(layout)?;
        // SAFETY: `allocate` returned a live block of at least `layout.size()` bytes that only we know of.
        unsafe { block.write_bytes(0, layout.size()) };
        Ok(block)
    }

    /// Gives a block back. It is no longer live.
    ///
    /// # Safety
    /// * `block` is a live block whose owner is `self`.
    /// * `layout` fits it.
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout);

    /// Makes a block larger, in place or by moving it. The first `old.size()` bytes keep their contents, the rest is
    /// not initialised. On `Ok` only the returned block is live, on `Err` the old one still is.
    ///
    /// # Safety
    /// * `block` is a live block whose owner is `self`, and `old` fits it.
    /// * `new.size() >= old.size()` and `new.align() == old.align()`.
    ///
    /// # Errors
    /// [`AllocError`] when the request cannot be served.
    #[inline]
    unsafe fn grow(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are those of `move_block`, which asks no more than that `old` fits.
        unsafe { move_block(self, block, old, new) }
    }

    /// As [`grow`](Self::grow), with the bytes from `old.size()` to `new.size()` zero.
    ///
    /// # Safety
    /// As for [`grow`](Self::grow).
    ///
    /// # Errors
    /// [`AllocError`] when the request cannot be served.
    #[inline]
    unsafe fn grow_zeroed(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are those of `grow`.
        let grown = unsafe { self.grow(block, old, new) }?;
        // SAFETY: the block has `new.size()` bytes, of which the caller keeps `old.size()`.
        unsafe { zero_tail(grown, old.size(), new.size()) };
        Ok(grown)
    }

    /// Makes a block smaller, in place or by moving it. The first `new.size()` bytes keep their contents. On `Ok` only
    /// the returned block is live, on `Err` the old one still is.
    ///
    /// # Safety
    /// * `block` is a live block whose owner is `self`, and `old` fits it.
    /// * `new.size() <= old.size()` and `new.align() == old.align()`.
    ///
    /// # Errors
    /// [`AllocError`] when the request cannot be served.
    #[inline]
    unsafe fn shrink(&self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's promises are those of `move_block`, which asks no more than that `old` fits.
        unsafe { move_block(self, block, old, new) }
    }
}

/// Moves a block: allocates `new`, copies what both layouts have in common, gives the old block back. The fallback of
/// [`Strategy::grow`] and [`Strategy::shrink`], and the way to change an alignment.
///
/// # Safety
/// * `block` is a live block whose owner is `strategy`.
/// * `old` fits it.
///
/// # Errors
/// [`AllocError`] when the request cannot be served; `block` is then still live.
#[inline]
pub unsafe fn move_block<S: Strategy + ?Sized>(
    strategy: &S,
    block: NonNull<u8>,
    old: Layout,
    new: Layout,
) -> Result<NonNull<u8>, AllocError> {
    let moved = strategy.allocate(new)?;
    let common = old.size().min(new.size());
    // SAFETY: both are live blocks, hence do not overlap, and each has at least `common` bytes.
    unsafe { moved.copy_from_nonoverlapping(block, common) };
    // SAFETY: the caller promises a live block of `strategy` that `old` fits.
    unsafe { strategy.deallocate(block, old) };
    Ok(moved)
}

/// As [`move_block`], with the bytes from `old.size()` to `new.size()` zero.
///
/// # Safety
/// As for [`move_block`], and `new.size() >= old.size()`.
///
/// # Errors
/// [`AllocError`] when the request cannot be served; `block` is then still live.
#[inline]
pub unsafe fn move_block_zeroed<S: Strategy + ?Sized>(
    strategy: &S,
    block: NonNull<u8>,
    old: Layout,
    new: Layout,
) -> Result<NonNull<u8>, AllocError> {
    // SAFETY: the caller's promises are the callee's.
    let moved = unsafe { move_block(strategy, block, old, new) }?;
    // SAFETY: the block has `new.size()` bytes, of which the caller keeps `old.size()`.
    unsafe { zero_tail(moved, old.size(), new.size()) };
    Ok(moved)
}

/// Zeroes the bytes of a block from `from` to `to`.
///
/// # Safety
/// `block` points to at least `to >= from` writable bytes.
#[inline]
pub(crate) unsafe fn zero_tail(block: NonNull<u8>, from: usize, to: usize) {
    // SAFETY: `from <= to`, so the offset stays within the block.
    let tail = unsafe { block.add(from) };
    // SAFETY: `to - from` bytes of the block follow `tail`.
    unsafe { tail.write_bytes(0, to - from) };
}

/// The methods of [`Strategy`], each calling the same method of `$target`, an expression over `$self`.
macro_rules! forward_strategy {
    ($self:ident => $target:expr) => {
        #[inline]
        fn allocate(&$self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
            $target.allocate(layout)
        }

        #[inline]
        fn allocate_zeroed(&$self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
            $target.allocate_zeroed(layout)
        }

        #[inline]
        unsafe fn deallocate(&$self, block: NonNull<u8>, layout: Layout) {
            // SAFETY: the caller's promises are the callee's.
            unsafe { $target.deallocate(block, layout) };
        }

        #[inline]
        unsafe fn grow(&$self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
            // SAFETY: the caller's promises are the callee's.
            unsafe { $target.grow(block, old, new) }
        }

        #[inline]
        unsafe fn grow_zeroed(
            &$self,
            block: NonNull<u8>,
            old: Layout,
            new: Layout,
        ) -> Result<NonNull<u8>, AllocError> {
            // SAFETY: the caller's promises are the callee's.
            unsafe { $target.grow_zeroed(block, old, new) }
        }

        #[inline]
        unsafe fn shrink(&$self, block: NonNull<u8>, old: Layout, new: Layout) -> Result<NonNull<u8>, AllocError> {
            // SAFETY: the caller's promises are the callee's.
            unsafe { $target.shrink(block, old, new) }
        }
    };
}
pub(crate) use forward_strategy;

// SAFETY: every method forwards to the same method of `S` with the same arguments, so `S`'s promises are ours.
unsafe impl<S: Strategy + ?Sized> Strategy for &S {
    forward_strategy!(self => (**self));
}
