//! What can be seen of a heap from outside, under ptmalloc's own names.

#![forbid(unsafe_code)]

use crate::bins::fast::NFASTBINS;
use crate::bins::map::{BINS, FIRST_LARGE};
use crate::size::{ALIGN, MIN_CHUNK};

/// The first small bin.
const FIRST_SMALL: usize = MIN_CHUNK / ALIGN;

/// The chunks of one bin, or of several. Sizes are those of chunks, in bytes, headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BinFigures {
    /// Size of the smallest chunk; 0 when there is none.
    pub smallest: usize,
    /// Size of the largest chunk; 0 when there is none.
    pub largest: usize,
    /// Chunks.
    pub chunks: usize,
    /// Bytes in all.
    pub bytes: usize,
}

impl BinFigures {
    pub(crate) fn add(&mut self, size: usize) {
        self.join(Self { smallest: size, largest: size, chunks: 1, bytes: size });
    }

    fn join(&mut self, other: Self) {
        if other.chunks == 0 {
            return;
        }
        self.smallest = if self.chunks == 0 { other.smallest } else { self.smallest.min(other.smallest) };
        self.largest = self.largest.max(other.largest);
        self.chunks += other.chunks;
        // A chunk whose size was overwritten may be of any.
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    fn sum(bins: &[Self]) -> Self {
        let mut sum = Self::default();
        bins.iter().for_each(|&bin| sum.join(bin));
        sum
    }
}

/// One arena: the figures of its `malloc_state`. A value takes about 11 KiB.
#[derive(Clone, Debug)]
pub struct ArenaFigures {
    /// Its place in the order in which arenas were made; 0 is the main arena.
    pub number: usize,
    /// Threads that have it as their home.
    pub attached_threads: usize,
    /// Heaps that its chunks lie in.
    pub heaps: usize,
    /// Bytes of its heaps that are, or may be, in use.
    pub system_mem: usize,
    /// The highest `system_mem` so far.
    pub max_system_mem: usize,
    /// Size of the top chunk.
    pub top: usize,
    /// Size of the last remainder; 0 when there is none. In the eras of glibc it is one of the unsorted chunks, in `Ours` it is
    /// in no bin.
    pub last_remainder: usize,
    /// Whether the last remainder is in no bin.
    pub(crate) remainder_apart: bool,
    /// The fastbins, from 32 bytes up. Era `Classic`.
    pub fastbins: [BinFigures; NFASTBINS],
    /// The unsorted bin. Eras `Classic` and `Modern`.
    pub unsorted: BinFigures,
    /// Magazines that were flushed and not yet taken apart. Era `Ours`.
    pub depot_magazines: usize,
    /// Bytes of their chunks.
    pub depot_bytes: usize,
    /// Bytes that other arenas' threads handed over and this one has not yet put away, about.
    pub inbox_bytes: usize,
    pub(crate) bins: [BinFigures; BINS],
}

impl ArenaFigures {
    pub(crate) const fn new(number: usize) -> Self {
        const NONE: BinFigures = BinFigures { smallest: 0, largest: 0, chunks: 0, bytes: 0 };
        Self {
            number,
            attached_threads: 0,
            heaps: 0,
            system_mem: 0,
            max_system_mem: 0,
            top: 0,
            last_remainder: 0,
            remainder_apart: false,
            fastbins: [NONE; NFASTBINS],
            unsorted: NONE,
            depot_magazines: 0,
            depot_bytes: 0,
            inbox_bytes: 0,
            bins: [NONE; BINS],
        }
    }

    /// The small bins: one for each chunk size from 32 to 1008 bytes.
    #[must_use]
    pub fn small_bins(&self) -> &[BinFigures] {
        self.bins.get(FIRST_SMALL..FIRST_LARGE).unwrap_or_default()
    }

    /// The large bins: 16 to a doubling from 1024 bytes on.
    #[must_use]
    pub fn large_bins(&self) -> &[BinFigures] {
        self.bins.get(FIRST_LARGE..).unwrap_or_default()
    }

    /// All fastbins together.
    #[must_use]
    pub fn fast(&self) -> BinFigures {
        BinFigures::sum(&self.fastbins)
    }

    /// All small bins together.
    #[must_use]
    pub fn small(&self) -> BinFigures {
        BinFigures::sum(self.small_bins())
    }

    /// All large bins together.
    #[must_use]
    pub fn large(&self) -> BinFigures {
        BinFigures::sum(self.large_bins())
    }

    /// Every free chunk that is merged with its neighbours: the unsorted bin, the small and the large bins, the last remainder,
    /// and top. `mallinfo`'s `ordblks` and `fordblks`, fastbins apart.
    #[must_use]
    pub fn free(&self) -> BinFigures {
        let mut free = self.unsorted;
        free.join(BinFigures::sum(&self.bins));
        if self.remainder_apart {
            free.add(self.last_remainder);
        }
        free.add(self.top);
        free
    }
}

/// A heap as a whole: the figures of its `malloc_par`, and what threads have cached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Arenas.
    pub arenas: usize,
    /// Blocks that have a mapping of their own.
    pub n_mmaps: usize,
    /// As many as may be at once.
    pub n_mmaps_max: usize,
    /// The highest `n_mmaps` so far.
    pub max_n_mmaps: usize,
    /// Bytes of those mappings.
    pub mmapped_mem: usize,
    /// The highest `mmapped_mem` so far.
    pub max_mmapped_mem: usize,
    /// Bytes of dead mappings that are kept for a moment. Era `Ours`.
    pub dead_mmapped_mem: usize,
    /// Requests from here on get a mapping of their own.
    pub mmap_threshold: usize,
    /// Free memory at the top of an arena that is kept from the kernel.
    pub trim_threshold: usize,
    /// Bytes asked for beyond need whenever an arena grows.
    pub top_pad: usize,
    /// Thread caches that have a thread.
    pub thread_caches: usize,
    /// Blocks in them, about: their threads may be at work.
    pub cached_blocks: usize,
    /// Bytes of these blocks' chunks, about.
    pub cached_bytes: usize,
}
