//! The first bytes of a zone.

use core::cell::Cell;

use crate::size::BINS;

/// Quick lists of a zone: one for each size up to 1 KiB, or for each class. The first one is not used.
pub(crate) const QUICK: usize = 128;

/// Words with a bit for each bin, a power of two of them, since an index into them is masked.
pub(crate) const MAP_WORDS: usize = BINS.div_ceil(64).next_power_of_two();

/// What a zone knows of itself, without a pointer. One thread or process at a time uses it.
///
/// The bins' heads follow it, as many as the zone's `limit` asks for, then the stacks of the quick lists.
#[repr(C)]
pub(crate) struct ZoneHeader {
    /// Granules from the base to the end.
    pub(crate) size: Cell<u32>,
    /// Position 0 is nobody's, and its links are written to in place of a test: this is the second one, where links are
    /// a block's first words.
    scratch: Cell<u32>,
    /// Blocks in use by the edge map: live ones, and those in quick lists.
    pub(crate) taken: Cell<u32>,
    /// Granules that the tables cover.
    pub(crate) covered: Cell<u32>,
    /// Position of the block that the tables lie in. It is in use, and walks show it as metadata.
    pub(crate) tables: Cell<u32>,
    /// Granules that the zone may grow to: the bins' heads suffice for it.
    pub(crate) limit: Cell<u32>,
    /// Position of the first block.
    pub(crate) first: Cell<u32>,
    /// As `scratch`, where links come after a checked header.
    scratch_checked: Cell<u32>,
    /// Position from which on blocks are of their class, and granules from there to the end: see [`tight`](super::tight).
    pub(crate) classed_from: Cell<u32>,
    pub(crate) classed: Cell<u32>,
    /// A bit for each bin that is not empty.
    pub(crate) filled: [Cell<u64>; MAP_WORDS],
    /// Next fit: where the next search starts. Best fit: the root of its tree.
    pub(crate) cursor: Cell<u32>,
    /// Size of the tables' block in granules.
    pub(crate) tables_size: Cell<u32>,
    /// Places of the quick lists' uppermost blocks.
    pub(crate) tops: [Cell<u32>; QUICK],
}

// Where the second of two links lies, for headers without and with 24 bytes before them.
const _: () = assert!(core::mem::offset_of!(ZoneHeader, scratch) == 4);
const _: () = assert!(core::mem::offset_of!(ZoneHeader, scratch_checked) == 24 + 4);

/// The place of the bins' heads.
pub(crate) const HEADS: usize = size_of::<ZoneHeader>();

impl ZoneHeader {
    /// A header of an empty zone. Words that the other fields do not fill are 0.
    pub(crate) fn new(size: u32, limit: u32, tables: u32, tables_size: u32, classed_from: u32) -> Self {
        Self {
            size: Cell::new(size),
            scratch: Cell::new(0),
            taken: Cell::new(0),
            covered: Cell::new(size),
            tables: Cell::new(tables),
            limit: Cell::new(limit),
            first: Cell::new(tables + tables_size),
            scratch_checked: Cell::new(0),
            classed_from: Cell::new(classed_from),
            classed: Cell::new(size.saturating_sub(classed_from)),
            filled: [const { Cell::new(0) }; MAP_WORDS],
            cursor: Cell::new(0),
            tables_size: Cell::new(tables_size),
            tops: [const { Cell::new(0) }; QUICK],
        }
    }

    /// Counts `taken` blocks more.
    #[inline(always)]
    pub(crate) fn count(&self, taken: i32) {
        self.taken.set(self.taken.get().wrapping_add_signed(taken));
    }
}
