//! One block after another, with the lock given back in between.

use alloc_core::Misuse;

use super::Flags;
use crate::config::Config;
use crate::header::{Header, MAGIC};
use crate::heap::{Found, Heap};
use crate::zone::{Zone, bytes};

/// A block as the block log shows it. Addresses are those that holders see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockInfo {
    /// First usable byte.
    pub address: usize,
    /// Usable bytes, by the heap's maps.
    pub size: usize,
    /// What the block is.
    pub flags: Flags,
    /// The magic number that its header holds; `None` for a mapping of its own, which has another header.
    pub magic: Option<u32>,
    /// The block before it, where there is one.
    pub previous: Option<usize>,
    /// The block after it, where there is one.
    pub next: Option<usize>,
}

impl<C: Config> Heap<C> {
    /// The block with the lowest address from `address` on, which need not be a block's.
    pub(super) fn block_from(&self, address: usize) -> Option<BlockInfo> {
        let in_zone = self.nodes().find_map(|node| in_zone(node.zone(), address));
        let wide = self
            .wides()
            .map(|wide| (wide.payload().addr().get(), wide.size()))
            .filter(|&(payload, _)| payload >= address)
            .min();
        let wide = wide.map(|(address, size)| BlockInfo {
            address,
            size,
            flags: Flags::USED.and(Flags::MMAP),
            magic: None,
            previous: None,
            next: None,
        });
        match (in_zone, wide) {
            (Some(zone), Some(wide)) => Some(if zone.address < wide.address { zone } else { wide }),
            (one, other) => one.or(other),
        }
    }

    /// The flags of the block that starts at `address`, free ones included.
    pub(super) fn flags(&self, address: usize) -> Result<Flags, Misuse> {
        match self.find(address) {
            Ok(Found::InZone(..)) => Ok(Flags::USED),
            Ok(Found::Wide(_)) => Ok(Flags::USED.and(Flags::MMAP)),
            // A free block, or one that was merged into it.
            Err(Misuse::DoubleFree) => Ok(Flags::FREE),
            Err(Misuse::CorruptedHeader) => Ok(Flags::USED.and(Flags::CORRUPTED)),
            Err(misuse) => Err(misuse),
        }
    }
}

/// The first block of a zone from an address on.
fn in_zone<C: Config>(zone: Zone<C>, address: usize) -> Option<BlockInfo> {
    let header = zone.header();
    let base = zone.base().addr().get();
    if address >= base + bytes::<C>(zone.size()) {
        return None;
    }
    let from = address.saturating_sub(base + C::Header::BYTES).div_ceil(bytes::<C>(1)) as u32;
    let mut at = zone.starts().next(from.max(header.first.get()), zone.size())?;
    if at == header.tables.get() {
        at = zone.starts().next(at + 1, zone.size())?;
    }
    let state = if zone.frees().get(at) { Flags::FREE } else { Flags::USED };
    let whole = C::Header::is_whole(zone, at);
    let payload = |at: u32| base + bytes::<C>(at) + C::Header::BYTES;
    let end = zone.starts().next(at + 1, zone.size()).unwrap_or(zone.size());
    let before = zone
        .starts()
        .previous(at - 1)
        .filter(|&before| before >= header.first.get() && before != header.tables.get());
    Some(BlockInfo {
        address: payload(at),
        size: bytes::<C>(end - at) - C::Header::BYTES,
        flags: if whole { state } else { state.and(Flags::CORRUPTED) },
        magic: Some(zone.field(at, MAGIC)),
        previous: before.map(payload),
        next: (end < zone.size()).then(|| payload(end)),
    })
}
