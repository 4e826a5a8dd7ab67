//! Chunks: the pieces that a heap consists of, without gaps, each with its size in front.
//!
//! ```text
//! in use                                    free
//! chunk  -> +----------------------------+  chunk  -> +----------------------------+
//!           | (last word of the block    |            | (last word of the block    |
//!           |  before, while in use)     |            |  before, which is in use)  |
//!           +--------------------+-------+            +--------------------+-------+
//!           | size               | A|M|P |            | size               | A|0|P |
//! block  -> +--------------------+-------+  block  -> +--------------------+-------+
//!           | user data                  |            | fd: next of its list       |
//!           |                            |            | bk: previous of its list   |
//!           |                            |            | fd_nextsize  (large bins)  |
//!           |                            |            | bk_nextsize  (large bins)  |
//!           .                            .            | unused                     |
//! next   -> |                            |  next   -> +----------------------------+
//!           | user data, last word       |            | foot: size of this chunk   |
//!           +--------------------+-------+            +--------------------+-------+
//!           | size of next       |   |P=1|            | size of next       |   |P=0|
//!           +--------------------+-------+            +--------------------+-------+
//! ```
//!
//! Sizes are multiples of 16, which leaves the low bits for [`flags`]. A chunk overlaps the first word of the next one: while
//! it is in use that word is its block's last, and while it is free it is its **foot**, a copy of its size, from which
//! the next chunk finds its start. Whether a chunk is in use is told by P in the *next* chunk's size word. Boundary tags
//! are Knuth's, the overlap is Doug Lea's.

mod flags;
mod neighbours;

use core::ptr::NonNull;

pub(crate) use flags::{FLAGS, MAPPED, NON_MAIN_ARENA, NOTE, PREV_IN_USE, contradicts, size_of};
pub(crate) use neighbours::HEAP_ALIGN;

use crate::size::TO_BLOCK;

/// The address of a chunk: of its first word, which belongs to the chunk before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub(crate) struct Chunk(NonNull<u8>);

impl Chunk {
    /// The chunk that starts at `address`, wherever that is.
    #[inline]
    pub(crate) const fn at(address: NonNull<u8>) -> Self {
        Self(address)
    }

    /// The chunk of a block.
    ///
    /// # Safety
    /// `block` is the block of a chunk, in use or not.
    #[inline]
    pub(crate) unsafe fn of_block(block: NonNull<u8>) -> Self {
        // SAFETY: the chunk starts so far before its block, in the same heap or mapping.
        Self(unsafe { block.sub(TO_BLOCK) })
    }

    /// Its block: what the user holds while it is in use.
    #[inline]
    pub(crate) fn block(self) -> NonNull<u8> {
        // SAFETY: a chunk is at least 32 bytes, and its block starts 16 bytes into it.
        unsafe { self.0.add(TO_BLOCK) }
    }

    /// Its first byte.
    #[inline]
    pub(crate) const fn start(self) -> NonNull<u8> {
        self.0
    }

    /// Its address as a number.
    #[inline]
    pub(crate) fn address(self) -> usize {
        self.0.addr().get()
    }
}
