//! The one language of operations: for property tests, fuzzing, sweeps, threads and replay.
//!
//! An [`Op`] names blocks by slot, never by address, so that any sequence of them is a legal program whatever the
//! strategy answers: slots are taken modulo the number of live blocks, and operations on blocks do nothing while none
//! is live. [`bytes`] writes sequences down; [`generate`] draws them at random.

#![forbid(unsafe_code)]

pub mod bytes;
pub mod generate;

/// The highest alignment exponent in the language: 2^30, the 1 GiB that every strategy must serve.
pub const MAX_ALIGN_SHIFT: u8 = 30;

/// One operation. Slots are those of [`Shadow`](crate::shadow::Shadow), modulo their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `allocate` or `allocate_zeroed`. The new block takes the next free slot.
    Allocate {
        /// Bytes.
        size: usize,
        /// Alignment as an exponent of two, at most [`MAX_ALIGN_SHIFT`].
        align_shift: u8,
        /// Whether it must read as zero.
        zeroed: bool,
    },
    /// `deallocate` with a layout that fits. The last block takes over the slot.
    Deallocate {
        /// Which block.
        slot: u32,
    },
    /// `grow` or `grow_zeroed`.
    Grow {
        /// Which block.
        slot: u32,
        /// Bytes to add to its size.
        by: usize,
        /// Whether these must read as zero.
        zeroed: bool,
    },
    /// `shrink`.
    Shrink {
        /// Which block.
        slot: u32,
        /// Bytes to take from its size, modulo that size plus one.
        by: usize,
    },
    /// `free` by pointer alone; `deallocate` on strategies without it.
    Free {
        /// Which block. The last takes over its slot.
        slot: u32,
    },
    /// `reallocate` by pointer alone; `grow` or `shrink` on strategies without it.
    Reallocate {
        /// Which block.
        slot: u32,
        /// Its new size in bytes.
        size: usize,
    },
    /// Reads the block, compares its usable size where there is one, and writes it anew.
    Touch {
        /// Which block.
        slot: u32,
    },
    /// `owns` on both ends of the block, and on foreign addresses.
    Owns {
        /// Which block.
        slot: u32,
    },
    /// `trim`, after which every block is verified.
    Trim {
        /// Bytes to keep ready.
        keep: usize,
    },
    /// `walk`, compared with the live blocks.
    Walk,
    /// `stats`, whose equations are checked and compared with the live blocks.
    Stats,
}
