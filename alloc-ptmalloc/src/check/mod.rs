//! The walkers: they derive everything anew, from the chunks up, and compare it with what the arena goes by.
//!
//! [`chunk`] walks the chunks of a heap, [`bins`] the lists, and [`arena`] sees to it that both speak of the same chunks. None
//! allocates, follows a link that leads out of the arena, or runs in circles: they are made for arenas that are broken.

mod arena;
mod bins;
mod chunk;

use core::fmt;

use alloc_core::Misuse;

/// Where an arena contradicts itself: the first place found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What does not hold.
    pub(crate) what: What,
    /// Near which address.
    pub(crate) address: usize,
}

/// What should hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A chunk's size is that of a chunk and ends in its heap.
    Size,
    /// A chunk has the flags of its arena and no others.
    Flags,
    /// P is set after a chunk in use.
    PrevInUse,
    /// A free chunk's foot is its size.
    Foot,
    /// Free chunks are merged.
    Merged,
    /// Top ends where the accounting says.
    Top,
    /// The heaps' sizes sum up to `system_mem`.
    SystemMem,
    /// A list leads both ways, through free chunks of this arena.
    Links,
    /// A chunk is in the bin of its size.
    Bin,
    /// A large bin is sorted, and its sizes are linked.
    Sorted,
    /// A bit of the binmap is set for each bin that holds a chunk.
    Binmap,
    /// The bins, and the last remainder, are the free chunks.
    FreeChunks,
    /// The last remainder is a free chunk.
    LastRemainder,
    /// The fastbins hold chunks in use of their sizes, as many as counted.
    Fastbins,
    /// The depot holds magazines of their classes, as many and as large as counted.
    Depot,
}

impl What {
    /// In words.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Size => "a chunk's size is one and ends in its heap",
            Self::Flags => "a chunk has the flags of its arena",
            Self::PrevInUse => "a chunk before top or a fence is told in use by it",
            Self::Foot => "a free chunk's foot is its size",
            Self::Merged => "free chunks are merged with their neighbours",
            Self::Top => "top is the end of the newest heap",
            Self::SystemMem => "the arena's memory is accounted for",
            Self::Links => "a list leads both ways through free chunks",
            Self::Bin => "a chunk is in the bin of its size",
            Self::Sorted => "a large bin is sorted and its sizes are linked",
            Self::Binmap => "the binmap tells which bins hold chunks",
            Self::FreeChunks => "every free chunk is in one bin",
            Self::LastRemainder => "the last remainder is a free chunk",
            Self::Fastbins => "fastbins hold chunks in use of their sizes",
            Self::Depot => "the depot holds magazines of their classes",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not so: {} (near {:#x})", self.what.text(), self.address)
    }
}

impl core::error::Error for Fault {}

impl Fault {
    /// What a program did that shows like this.
    pub(crate) const fn misuse(self) -> Misuse {
        match self.what {
            What::Size
            | What::Flags
            | What::PrevInUse
            | What::Foot
            | What::Merged
            | What::Top
            | What::SystemMem => Misuse::CorruptedHeader,
            What::Links
            | What::Bin
            | What::Sorted
            | What::Binmap
            | What::FreeChunks
            | What::LastRemainder
            | What::Fastbins
            | What::Depot => Misuse::CorruptedLink,
        }
    }
}

/// How many chunks are in bins that are sound and of no heap.
///
/// # Safety
/// The bins' chunks are the caller's.
#[cfg(test)]
pub(crate) unsafe fn check_bins_of(bins: &crate::bins::Bins, most: usize) -> Checked<usize> {
    // SAFETY: the caller's promise.
    unsafe { bins::check_bins(bins, 0, most) }.map(|found| found.chunks)
}

/// What a walker answers.
pub(crate) type Checked<T> = Result<T, Fault>;

/// Holds a walker to what should hold.
#[inline]
const fn ensure(holds: bool, what: What, address: usize) -> Checked<()> {
    if holds { Ok(()) } else { Err(Fault { what, address }) }
}

/// A set of chunks, as far as its size and sums tell: enough to see whether two walks met the same ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    chunks: usize,
    bytes: usize,
    addresses: usize,
}

impl Tally {
    fn add(&mut self, address: usize, size: usize) {
        self.chunks += 1;
        self.bytes += size;
        // Spread, so that sums of different addresses are different sums.
        let spread = (address >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.addresses = self.addresses.wrapping_add(spread ^ (spread >> 29));
    }

    fn append(&mut self, other: Self) {
        self.chunks += other.chunks;
        self.bytes += other.bytes;
        self.addresses = self.addresses.wrapping_add(other.addresses);
    }

    fn remove(&mut self, other: Self) {
        self.chunks = self.chunks.wrapping_sub(other.chunks);
        self.bytes = self.bytes.wrapping_sub(other.bytes);
        self.addresses = self.addresses.wrapping_sub(other.addresses);
    }
}
