//! Bins, fastbins and the depot, list by list.

use super::{Checked, Fault, Tally, What, ensure};
use crate::bins::Bins;
use crate::bins::fast::{Fastbins, NFASTBINS};
use crate::bins::map::{self, BINS, MIN_LARGE, UNSORTED};
use crate::chunk::Chunk;
use crate::class::{self, CLASSES};
use crate::depot::Depot;
use crate::links::{BIN, Mask, Ring, SIZES};
use crate::owner;
use crate::size::{ALIGN, MIN_CHUNK};

/// The neighbour of `chunk` on a ring, which leads back to it.
///
/// # Safety
/// `chunk` is a free chunk of an arena that is held.
unsafe fn step(ring: Ring, chunk: Chunk, what: What) -> Checked<Chunk> {
    let fault = Fault { what, address: chunk.address() };
    // SAFETY: the caller's promise.
    let next = unsafe { ring.after(chunk) }.ok_or(fault)?;
    // SAFETY: a chunk could be there.
    ensure(unsafe { ring.before(next) } == Some(chunk), what, next.address())?;
    Ok(next)
}

/// The size of a chunk that a list leads to, which is free.
///
/// # Safety
/// `chunk` lies in a heap of an arena that is held.
unsafe fn free_size(chunk: Chunk) -> Checked<usize> {
    // SAFETY: the caller's promise.
    let size = unsafe { chunk.size() };
    let ends = chunk.is_near(chunk.address().wrapping_add(size));
    ensure(size >= MIN_CHUNK && ends, What::Size, chunk.address())?;
    // SAFETY: it ends in its heap.
    ensure(!unsafe { chunk.in_use() }, What::Links, chunk.address())?;
    Ok(size)
}

/// Walks all bins of arena `id`. Returns what is in them.
///
/// # Safety
/// The arena is held.
pub(super) unsafe fn check_bins(bins: &Bins, id: u16, most: usize) -> Checked<Tally> {
    let mut all = Tally::default();
    for bin in UNSORTED..BINS {
        let head = bins.head(bin);
        if bin != UNSORTED {
            ensure(bins.map().get(bin) == head.is_some(), What::Binmap, bin)?;
        }
        let Some(head) = head else { continue };
        ensure(owner::of(head.address()) == id, What::Links, head.address())?;
        // SAFETY: the caller's promise; the head lies in a heap of the arena.
        unsafe { check_bin(bin, head, most, &mut all) }?;
    }
    ensure(bins.map().next(BINS).is_none(), What::Binmap, BINS)?;
    Ok(all)
}

/// # Safety
/// `head` lies in a heap of an arena that is held.
unsafe fn check_bin(bin: usize, head: Chunk, most: usize, all: &mut Tally) -> Checked<()> {
    let (mut at, mut before) = (head, 0);
    loop {
        // SAFETY: lists lead from heap to heap of one arena.
        let size = unsafe { free_size(at) }?;
        if bin == UNSORTED {
            // SAFETY: the chunk is free, and large enough for these links if it says so.
            let sorted = size >= MIN_LARGE && unsafe { SIZES.is_on(at) };
            ensure(!sorted, What::Sorted, at.address())?;
        } else {
            ensure(map::index(size) == bin, What::Bin, at.address())?;
            ensure(size >= before, What::Sorted, at.address())?;
        }
        if bin != UNSORTED && size >= MIN_LARGE {
            // The first of each size, and it alone, is on the ring of sizes.
            // SAFETY: the chunk is free and large.
            ensure(unsafe { SIZES.is_on(at) } == (size > before), What::Sorted, at.address())?;
            if size > before {
                // SAFETY: as above.
                unsafe { check_size(at, head, size) }?;
            }
        }
        all.add(at.address(), size);
        ensure(all.chunks <= most, What::Links, at.address())?;
        before = size;
        // SAFETY: the chunk is free.
        at = unsafe { step(BIN, at, What::Links) }?;
        if at == head {
            return Ok(());
        }
    }
}

/// The next size after that of `at` is the one that its chunk leads to along the list.
///
/// # Safety
/// `at` is a free large chunk of a sorted bin of an arena that is held.
unsafe fn check_size(at: Chunk, head: Chunk, size: usize) -> Checked<()> {
    // SAFETY: the caller's promise.
    let larger = unsafe { step(SIZES, at, What::Sorted) }?;
    if larger == head {
        return Ok(());
    }
    // SAFETY: the ring of sizes leads from heap to heap of one arena.
    let above = unsafe { free_size(larger) }?;
    // SAFETY: as above.
    let before = unsafe { step_back(larger) }?;
    // SAFETY: as above.
    ensure(above > size && unsafe { before.size() } == size, What::Sorted, larger.address())
}

/// # Safety
/// As for [`step`].
unsafe fn step_back(chunk: Chunk) -> Checked<Chunk> {
    // SAFETY: the caller's promise.
    unsafe { BIN.before(chunk) }.ok_or(Fault { what: What::Links, address: chunk.address() })
}

/// Walks the fastbins of arena `id`.
///
/// # Safety
/// The arena is held.
pub(super) unsafe fn check_fastbins(fastbins: &Fastbins, id: u16, mask: Mask) -> Checked<()> {
    let mut all = Tally::default();
    for bin in 0..NFASTBINS {
        let mut next = fastbins.head(bin);
        while let Some(chunk) = next {
            let address = chunk.address();
            ensure(owner::of(address) == id && all.chunks < fastbins.chunks(), What::Fastbins, address)?;
            // SAFETY: the chunk lies in a heap of the arena.
            let size = unsafe { chunk.size() };
            ensure(size == Fastbins::size_of(bin), What::Fastbins, address)?;
            ensure(chunk.is_near(address + size), What::Size, address)?;
            // SAFETY: it ends in its heap.
            ensure(unsafe { chunk.in_use() }, What::Fastbins, address)?;
            all.add(address, size);
            // SAFETY: the chunk is on the list, which was written with this mask.
            next = unsafe { mask.read(chunk) }.map_err(|_| Fault { what: What::Fastbins, address })?;
        }
    }
    ensure((all.chunks, all.bytes) == (fastbins.chunks(), fastbins.bytes()), What::Fastbins, 0)
}

/// Walks the magazines of arena `id`.
///
/// # Safety
/// The arena is held.
pub(super) unsafe fn check_depot(depot: &Depot, id: u16, key: usize) -> Checked<()> {
    let mut bytes = 0;
    for class in 0..CLASSES {
        let (mut stack, mut count) = (depot.stack(class), 0);
        // A copy of the stack: taking from it leaves the depot's as it is.
        // SAFETY: the arena is held.
        while let Some(mut magazine) = unsafe { stack.pop() } {
            count += 1;
            let address = magazine.head.addr();
            ensure(count <= depot.count(class) && magazine.class == class, What::Depot, address)?;
            bytes += magazine.count * class::chunk_size(class);
            for _ in 0..magazine.count {
                let address = magazine.head.addr();
                ensure(owner::of(address) != 0 && address % ALIGN == 0, What::Depot, address)?;
                // SAFETY: the block lies in a heap, and its first word is the link.
                let Some(block) = (unsafe { magazine.pop() }) else {
                    return Err(Fault { what: What::Depot, address });
                };
                // SAFETY: the second word of a block on the list.
                let second = unsafe { block.cast::<usize>().add(1) };
                // SAFETY: as above.
                ensure(unsafe { second.read() } == key, What::Depot, address)?;
                if owner::of(address) != id {
                    // What surrounds it is behind another lock.
                    continue;
                }
                // SAFETY: blocks belong to chunks.
                let chunk = unsafe { Chunk::of_block(block) };
                // SAFETY: a chunk is there.
                let size = unsafe { chunk.size() };
                // A block that shrank where it was comes back by its last size: its chunk is larger.
                ensure(size >= class::chunk_size(class), What::Depot, address)?;
                ensure(chunk.is_near(chunk.address() + size), What::Size, address)?;
                // SAFETY: it ends in its heap.
                ensure(unsafe { chunk.in_use() }, What::Depot, address)?;
            }
            ensure(magazine.head.is_null(), What::Depot, address)?;
        }
        ensure(count == depot.count(class), What::Depot, 0)?;
    }
    ensure(bytes == depot.bytes(), What::Depot, 0)
}
