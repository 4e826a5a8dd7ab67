//! The oracle: an interval map of the blocks that are live, kept beside the strategy under test.
//!
//! It knows nothing of how blocks come about, and looks at no memory. Blocks are named by *slots*: their index in the
//! order of arrival, where removing one moves the last into its place. Tools that translate traces count the same way.

#![forbid(unsafe_code)]

use core::alloc::Layout;
use core::ptr::NonNull;
use std::collections::BTreeMap;

use alloc_core::arith::{MAX_SIZE, is_aligned};

use crate::breach::Breach;

/// A live block as its holder knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// First byte.
    pub block: NonNull<u8>,
    /// The layout last asked for.
    pub layout: Layout,
    /// Bytes that the holder may use: the usable size where the strategy tells it, else the size asked for.
    pub extent: usize,
    /// Bytes of the extent, from its start, that hold the pattern.
    pub filled: usize,
    /// Seed of the pattern.
    pub seed: u64,
}

impl Tracked {
    /// First address.
    #[must_use]
    pub fn address(&self) -> usize {
        self.block.addr().get()
    }
}

/// The live blocks, no two of which overlap.
#[derive(Clone, Debug, Default)]
pub struct Shadow {
    live: Vec<Tracked>,
    /// Start to end of every block with a byte in it.
    ranges: BTreeMap<usize, usize>,
    requested: usize,
    extents: usize,
}

impl Shadow {
    /// Nothing is live.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Blocks that are live, empty ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether no block is live.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// The sum of the sizes asked for, in bytes.
    #[must_use]
    pub fn requested(&self) -> usize {
        self.requested
    }

    /// The sum of the extents, in bytes.
    #[must_use]
    pub fn extents(&self) -> usize {
        self.extents
    }

    /// The live blocks by slot.
    #[must_use]
    pub fn blocks(&self) -> &[Tracked] {
        &self.live
    }

    /// The block in a slot, where that is taken.
    #[must_use]
    pub fn get(&self, slot: usize) -> Option<&Tracked> {
        self.live.get(slot)
    }

    /// Says that the contents of a block were rewritten with the pattern of `seed`.
    ///
    /// # Panics
    /// When no block is in the slot.
    pub fn reseed(&mut self, slot: usize, seed: u64) {
        self.live[slot].seed = seed;
    }

    /// Takes a new block in, after checking it, and returns its slot.
    ///
    /// # Errors
    /// [`Breach::UsableTooSmall`], [`Breach::Misaligned`], [`Breach::OutOfBounds`] or [`Breach::Overlap`]. The shadow
    /// is then as it was.
    pub fn insert(&mut self, tracked: Tracked) -> Result<usize, Breach> {
        self.claim(&tracked)?;
        self.live.push(tracked);
        Ok(self.live.len() - 1)
    }

    /// Takes a block out. The last block moves into its slot.
    ///
    /// # Panics
    /// When no block is in the slot.
    pub fn remove(&mut self, slot: usize) -> Tracked {
        let tracked = self.live.swap_remove(slot);
        self.release(&tracked);
        tracked
    }

    /// Puts `tracked` into the place of the block in `slot`, which it came from by resizing.
    ///
    /// # Errors
    /// As for [`insert`](Self::insert). The shadow is then as it was.
    ///
    /// # Panics
    /// When no block is in the slot.
    pub fn resize(&mut self, slot: usize, tracked: Tracked) -> Result<(), Breach> {
        let old = self.live[slot];
        self.release(&old);
        match self.claim(&tracked) {
            Ok(()) => {
                self.live[slot] = tracked;
                Ok(())
            }
            Err(breach) => {
                self.reclaim(&old);
                Err(breach)
            }
        }
    }

    /// The live block that holds `address`, as its first and one-past-last address.
    #[must_use]
    pub fn covering(&self, address: usize) -> Option<(usize, usize)> {
        let (&start, &end) = self.ranges.range(..=address).next_back()?;
        (address < end).then_some((start, end))
    }

    fn claim(&mut self, tracked: &Tracked) -> Result<(), Breach> {
        let address = tracked.address();
        let Tracked { layout, extent: size, .. } = *tracked;
        if size < layout.size() {
            return Err(Breach::UsableTooSmall { address, usable: size, size: layout.size() });
        }
        if !is_aligned(address, layout.align()) {
            return Err(Breach::Misaligned { address, align: layout.align() });
        }
        let end = match address.checked_add(size) {
            Some(end) if size <= MAX_SIZE => end,
            _ => return Err(Breach::OutOfBounds { address, size }),
        };
        // Ranges in the map are disjoint, so of those that start before `end` only the last can reach past `address`.
        if let Some((&other, &other_end)) = self.ranges.range(..end).next_back()
            && other_end > address
            && size > 0
        {
            return Err(Breach::Overlap { address, size, other, other_size: other_end - other });
        }
        self.reclaim(tracked);
        Ok(())
    }

    fn reclaim(&mut self, tracked: &Tracked) {
        let address = tracked.address();
        if tracked.extent > 0 {
            self.ranges.insert(address, address + tracked.extent);
        }
        self.requested += tracked.layout.size();
        self.extents += tracked.extent;
    }

    fn release(&mut self, tracked: &Tracked) {
        if tracked.extent > 0 {
            self.ranges.remove(&tracked.address());
        }
        self.requested -= tracked.layout.size();
        self.extents -= tracked.extent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(address: usize, size: usize, align: usize) -> Tracked {
        Tracked {
            block: NonNull::without_provenance(address.try_into().unwrap()),
            layout: Layout::from_size_align(size, align).unwrap(),
            extent: size,
            filled: size,
            seed: 0,
        }
    }

    #[test]
    fn neighbours_do_not_overlap_and_one_shared_byte_does() {
        let mut shadow = Shadow::new();
        shadow.insert(block(0x1000, 16, 16)).unwrap();
        shadow.insert(block(0x1010, 16, 16)).unwrap();
        shadow.insert(block(0xff0, 16, 16)).unwrap();
        for (address, size) in [(0x1000, 16), (0xfff, 2), (0x101f, 1), (0x1004, 1), (0xf00, 0x1000)] {
            let breach = shadow.insert(block(address, size, 1)).unwrap_err();
            assert!(matches!(breach, Breach::Overlap { .. }), "{address:#x}+{size}: {breach}");
        }
        assert_eq!((shadow.len(), shadow.requested()), (3, 48));
    }

    #[test]
    fn an_enclosing_block_far_to_the_left_is_found() {
        let mut shadow = Shadow::new();
        shadow.insert(block(0x1000, 0x1000, 16)).unwrap();
        shadow.insert(block(0x3000, 16, 16)).unwrap();
        assert_eq!(
            shadow.insert(block(0x1ff8, 16, 8)),
            Err(Breach::Overlap { address: 0x1ff8, size: 16, other: 0x1000, other_size: 0x1000 })
        );
    }

    #[test]
    fn empty_blocks_share_addresses() {
        let mut shadow = Shadow::new();
        shadow.insert(block(0x1000, 0, 16)).unwrap();
        shadow.insert(block(0x1000, 0, 16)).unwrap();
        shadow.insert(block(0x1000, 8, 16)).unwrap();
        shadow.insert(block(0x1000, 0, 16)).unwrap();
        shadow.remove(0);
        assert_eq!(shadow.covering(0x1000), Some((0x1000, 0x1008)));
        assert_eq!(shadow.len(), 3);
    }

    #[test]
    fn alignment_bounds_and_usable_size_are_checked() {
        let mut shadow = Shadow::new();
        assert_eq!(
            shadow.insert(block(0x1008, 16, 16)),
            Err(Breach::Misaligned { address: 0x1008, align: 16 })
        );
        assert_eq!(
            shadow.insert(block(usize::MAX - 7, 16, 8)),
            Err(Breach::OutOfBounds { address: usize::MAX - 7, size: 16 })
        );
        let short = Tracked { extent: 15, ..block(0x1000, 16, 16) };
        assert_eq!(
            shadow.insert(short),
            Err(Breach::UsableTooSmall { address: 0x1000, usable: 15, size: 16 })
        );
        assert!(shadow.is_empty());
    }

    #[test]
    fn a_failed_resize_keeps_the_old_block() {
        let mut shadow = Shadow::new();
        shadow.insert(block(0x1000, 16, 16)).unwrap();
        shadow.insert(block(0x1010, 16, 16)).unwrap();
        assert!(shadow.resize(0, block(0x1000, 17, 16)).is_err());
        assert_eq!(shadow.covering(0x100f), Some((0x1000, 0x1010)));
        shadow.resize(1, block(0x1010, 32, 16)).unwrap();
        assert_eq!((shadow.extents(), shadow.requested()), (48, 48));
    }

    #[test]
    fn removing_moves_the_last_into_the_slot() {
        let mut shadow = Shadow::new();
        for index in 0..4 {
            assert_eq!(shadow.insert(block(0x1000 + index * 16, 16, 16)), Ok(index));
        }
        assert_eq!(shadow.remove(1).address(), 0x1010);
        assert_eq!(shadow.get(1).map(Tracked::address), Some(0x1030));
        assert_eq!(shadow.covering(0x1010), None);
    }
}
