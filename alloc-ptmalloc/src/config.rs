//! What a user may choose when a strategy is made, and the thresholds that may change while it runs.

use alloc_core::OnMisuse;
use alloc_core::sync::atomic::{AtomicUsize, Ordering};

use crate::bins::fast::MAX_FAST;

/// Whose habits the allocator has: all three in one binary, chosen when a strategy is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Era {
    /// glibc up to 2.41: a thread cache of 7 blocks a size up to 1032 bytes, fastbins, and the unsorted bin, which every
    /// freed chunk passes through.
    Classic,
    /// glibc 2.43: a thread cache of 16 blocks a size, with sorted bins for large blocks where `tcache_max` allows
    /// them; no fastbins; small chunks go to their small bins at once.
    Modern,
    /// Magazines: a deep thread cache that trades whole lists of blocks with the arenas.
    #[default]
    Ours,
}

/// How much is checked beyond what always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckLevel {
    /// What the fast paths have room for.
    #[default]
    Default,
    /// No thread cache, so that every free is checked against its neighbours, and list links are masked.
    Hardened,
    /// As `Hardened`, and the arena is walked: on every call while it has up to 256 KiB, and then after one call for each
    /// 64 KiB that it has. For tests.
    Full,
}

/// When the kernel is asked for huge pages. Where it uses them unasked, heaps are kept from that until they are to have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HugePages {
    /// Never. The default, as under glibc: whether a huge page is there at once or takes many milliseconds is the machine's
    /// doing (`docs/decisions/0011-huge-pages.md`).
    #[default]
    Never,
    /// Where an arena is large, and behind large blocks, that are not for zeroed memory: where a huge page that is begun is
    /// likely to be used.
    Large,
    /// Behind every heap and mapping: fewest faults, and 2 MiB for what is begun of each.
    Always,
}

/// The choices that a strategy is made with. All sizes are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whose habits.
    pub era: Era,
    /// Arenas at most; 0 means one for each processor in era `Ours`, and eight in the others.
    pub arena_max: usize,
    /// Requests from here on get a mapping of their own. Rises with the mappings that are freed, unless set by hand.
    pub mmap_threshold: usize,
    /// Whether `mmap_threshold` and `trim_threshold` follow what the program frees.
    pub dynamic_threshold: bool,
    /// Mappings of their own that may live at once.
    pub n_mmaps_max: usize,
    /// Free memory at the top of an arena that is kept from the kernel.
    pub trim_threshold: usize,
    /// Bytes asked for beyond need whenever an arena grows, and kept when it is trimmed.
    pub top_pad: usize,
    /// Largest request that thread caches of the eras `Classic` and `Modern` keep.
    pub tcache_max: usize,
    /// Bytes that the magazines of one thread may hold in the era `Ours`; 0 turns the thread cache off.
    pub tcache_bytes: usize,
    /// Milliseconds that free memory stays with the process before it is given back.
    pub purge_delay: u32,
    /// When huge pages are asked for.
    pub huge_pages: HugePages,
    /// Not 0: new blocks are filled with its complement, freed ones with it.
    pub perturb: u8,
    /// How much is checked.
    pub check: CheckLevel,
    /// What follows a message about misuse.
    pub on_misuse: OnMisuse,
}

/// Largest value that `mmap_threshold` rises to by itself.
pub const MMAP_THRESHOLD_MAX: usize = 32 << 20;

impl Config {
    /// The defaults of an era.
    #[must_use]
    pub const fn new(era: Era) -> Self {
        Self {
            era,
            arena_max: 0,
            mmap_threshold: match era {
                Era::Classic | Era::Modern => 128 << 10,
                Era::Ours => MMAP_THRESHOLD_MAX,
            },
            dynamic_threshold: true,
            n_mmaps_max: 65536,
            trim_threshold: match era {
                Era::Classic | Era::Modern => 128 << 10,
                Era::Ours => 1 << 20,
            },
            top_pad: match era {
                Era::Classic | Era::Modern => 128 << 10,
                Era::Ours => 0,
            },
            tcache_max: 1032,
            tcache_bytes: 512 << 10,
            purge_delay: 50,
            huge_pages: HugePages::Never,
            perturb: 0,
            check: CheckLevel::Default,
            on_misuse: OnMisuse::Abort,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new(Era::default())
    }
}

/// The choices that `mallopt` may change while the program runs, and that every arena reads.
///
/// Relaxed throughout: each is a number of its own, and an arena that still reads the old one does nothing wrong.
#[derive(Debug)]
pub(crate) struct Tunables {
    pub(crate) mmap_threshold: AtomicUsize,
    pub(crate) dynamic_threshold: AtomicUsize,
    pub(crate) n_mmaps_max: AtomicUsize,
    pub(crate) trim_threshold: AtomicUsize,
    pub(crate) top_pad: AtomicUsize,
    pub(crate) perturb: AtomicUsize,
    /// The largest chunk that is kept in a fastbin; 0 for none.
    pub(crate) max_fast: AtomicUsize,
}

impl Tunables {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            mmap_threshold: AtomicUsize::new(config.mmap_threshold),
            dynamic_threshold: AtomicUsize::new(usize::from(config.dynamic_threshold)),
            n_mmaps_max: AtomicUsize::new(config.n_mmaps_max),
            trim_threshold: AtomicUsize::new(config.trim_threshold),
            top_pad: AtomicUsize::new(config.top_pad),
            perturb: AtomicUsize::new(usize::from(config.perturb)),
            max_fast: AtomicUsize::new(MAX_FAST),
        }
    }

    pub(crate) fn get(value: &AtomicUsize) -> usize {
        value.load(Ordering::Relaxed)
    }
}
