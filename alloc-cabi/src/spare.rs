//! Memory for calls that no heap can serve at that moment.
//!
//! Two kinds of call need it, and have a region each: those made while the strategy is being chosen ([`EARLY`]: the loader's
//! look-up of the C library's own functions may allocate), which no strategy ever hears of; and those of signal handlers that
//! interrupt their own thread inside of a heap ([`BESIDE`]), whose blocks are blocks of that strategy, and go back by way of
//! it and whatever lies over it. Both are few and small. The regions are part of the library's zero pages, and cost nothing
//! until they are touched.
//!
//! ```text
//!   | unused, for alignment | header | block            |    a piece: 64 bytes times a power of two
//!   ^ piece                 <- 16 ->
//! ```
//!
//! Pieces are cut off the region one after another. A piece that is given back goes on the stack of its size (after R. K.
//! Treiber), from which the next request of that size takes it. A stack's word holds the place of its first piece and the
//! number of changes so far, so that a piece which left and came back in between is not mistaken for one that stayed. There
//! is no lock, hence no deadlock in any handler.

use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use alloc_core::AllocError;
use alloc_core::arith::align_up;

/// The alignment of a block whose request names none: two words.
pub(crate) const C_ALIGN: usize = 2 * size_of::<usize>();

const SIZE: u32 = 1 << 20;
const LEAST: u32 = 64;
/// Pieces of 64 bytes to half of the region.
const CLASSES: usize = 14;
/// No place: pieces start at multiples of `LEAST`.
const NOWHERE: u32 = u32::MAX;

/// Before each block.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Header {
    size: u32,
    piece: u32,
    class: u32,
}

const HEADER: usize = size_of::<Header>();
const _: () = assert!(HEADER == C_ALIGN);

/// The region and what is free in it.
#[derive(Debug)]
#[repr(align(4096))]
pub(crate) struct Spare {
    bytes: UnsafeCell<[MaybeUninit<u8>; SIZE as usize]>,
    /// Bytes cut off so far.
    used: AtomicU32,
    /// For each class the complement of its first free piece's place, and the number of changes, so that zeroes are empty.
    free: [AtomicU64; CLASSES],
}

// SAFETY: threads reach disjoint pieces, each of which is handed out to one at a time.
unsafe impl Sync for Spare {}

/// The region for calls while the strategy is being chosen.
pub(crate) static EARLY: Spare = Spare::new();

/// The region for signal handlers that interrupt a heap.
pub(crate) static BESIDE: Spare = Spare::new();

/// A stack's word: the place of its first piece, and the number of changes.
#[derive(Clone, Copy)]
struct Top {
    piece: u32,
    changes: u32,
}

impl Top {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
    const fn of(word: u64) -> Self {
        Self { piece: !(word >> 32) as u32, changes: word as u32 }
    }

    /// The word after a change that puts `piece` on top.
    const fn changed_to(self, piece: u32) -> u64 {
        (!piece as u64) << 32 | self.changes.wrapping_add(1) as u64
    }
}

/// The class of the pieces that have room for as much.
fn class_of(bytes: usize) -> Option<usize> {
    let pieces = bytes.div_ceil(LEAST as usize).checked_next_power_of_two()?;
    Some(pieces.trailing_zeros() as usize).filter(|&class| class < CLASSES)
}

impl Spare {
    const fn new() -> Self {
        Self {
            bytes: UnsafeCell::new([MaybeUninit::uninit(); SIZE as usize]),
            used: AtomicU32::new(0),
            free: [const { AtomicU64::new(0) }; CLASSES],
        }
    }

    #[inline]
    fn base(&self) -> NonNull<u8> {
        NonNull::from(&self.bytes).cast()
    }

    /// Whether the address lies in this region.
    #[inline]
    pub(crate) fn owns(&self, block: NonNull<u8>) -> bool {
        block.addr().get().wrapping_sub(self.base().addr().get()) < SIZE as usize
    }

    /// The word of a free piece that tells the next one.
    fn link(&self, piece: u32) -> &AtomicU32 {
        // SAFETY: pieces lie within the region.
        let place = unsafe { self.base().add(piece as usize) }.cast::<AtomicU32>();
        // SAFETY: aligned as pieces are, and never unmapped. The piece may have been handed out meanwhile, and be written to by
        // its holder: what is read then is not used, since the stack has changed.
        unsafe { place.as_ref() }
    }

    fn pop(&self, stack: &AtomicU64) -> Option<u32> {
        loop {
            // Acquire, for the Release in `push`: the link is read as it was written.
            let word = stack.load(Ordering::Acquire);
            let top = Top::of(word);
            if top.piece == NOWHERE {
                return None;
            }
            let next = self.link(top.piece).load(Ordering::Relaxed);
            // Acquire: the last holder is done with the piece.
            let after = top.changed_to(next);
            if stack.compare_exchange(word, after, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return Some(top.piece);
            }
        }
    }

    fn push(&self, stack: &AtomicU64, piece: u32) {
        loop {
            // Relaxed: the exchange decides.
            let word = stack.load(Ordering::Relaxed);
            let top = Top::of(word);
            self.link(piece).store(top.piece, Ordering::Relaxed);
            // Release: the link, and the end of the holder's use.
            let after = top.changed_to(piece);
            if stack.compare_exchange(word, after, Ordering::Release, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }

    fn cut(&self, class: usize) -> Option<u32> {
        let size = LEAST << class;
        // Relaxed: the number alone matters, nobody has written to what lies beyond it.
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(size).filter(|&end| end <= SIZE)
            })
            .ok()
    }

    /// A block, not initialised, or an error when the region is used up.
    pub(crate) fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.take(layout.size(), layout.align()).ok_or(AllocError)
    }

    /// A block of zeroes.
    pub(crate) fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let block = self.allocate(layout)?;
        // SAFETY: a new block of so many bytes.
        unsafe { block.write_bytes(0, layout.size()) };
        Ok(block)
    }

    fn take(&self, size: usize, align: usize) -> Option<NonNull<u8>> {
        // Pieces are aligned to 64 bytes at least.
        let lead = if align <= HEADER { HEADER } else { HEADER.checked_add(align)? };
        let class = class_of(size.checked_add(lead)?)?;
        let piece = match self.pop(self.free.get(class)?) {
            Some(piece) => piece,
            None => self.cut(class)?,
        };
        let base = self.base().addr().get();
        let offset = align_up(base + piece as usize + HEADER, align.max(HEADER))? - base;
        let header = Header { size: u32::try_from(size).ok()?, piece, class: u32::try_from(class).ok()? };
        // SAFETY: the piece has room for the header and the alignment before the block, as computed above.
        let block = unsafe { self.base().add(offset) };
        // SAFETY: as above.
        let place = unsafe { block.cast::<Header>().sub(1) };
        // SAFETY: ours with the piece, and aligned to 16.
        unsafe { place.write(header) };
        Some(block)
    }

    /// The size that a block was requested with.
    ///
    /// # Safety
    /// The block is live and of this region.
    #[expect(clippy::unused_self, reason = "the region is what the promise is about")]
    pub(crate) unsafe fn size(&self, block: NonNull<u8>) -> usize {
        // SAFETY: promised by the caller.
        unsafe { header(block) }.size as usize
    }

    /// Moves a block out of this region, to a new one of `size` bytes.
    ///
    /// # Safety
    /// The block is live and of this region, and the new one, if there is one, has so many bytes.
    pub(crate) unsafe fn replace(
        &self,
        block: NonNull<u8>,
        size: usize,
        new: Result<NonNull<u8>, AllocError>,
    ) -> Result<NonNull<u8>, AllocError> {
        let new = new?;
        // SAFETY: promised by the caller.
        let old = unsafe { self.size(block) };
        // SAFETY: two live blocks, hence apart, of at least so many bytes each.
        unsafe { new.copy_from_nonoverlapping(block, old.min(size)) };
        // SAFETY: promised by the caller.
        unsafe { self.free(block) };
        Ok(new)
    }

    /// Gives a block back.
    ///
    /// # Safety
    /// The block is live and of this region.
    pub(crate) unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: promised by the caller.
        let Header { piece, class, .. } = unsafe { header(block) };
        if let Some(stack) = self.free.get(class as usize) {
            self.push(stack, piece);
        }
    }
}

/// Takes a block back that is of one of the regions. Whether it was.
///
/// # Safety
/// The block is given up by its holder.
pub(crate) unsafe fn take_back(block: NonNull<u8>) -> bool {
    let Some(region) = [&BESIDE, &EARLY].into_iter().find(|region| region.owns(block)) else { return false };
    // SAFETY: of this region, and given up.
    unsafe { region.free(block) };
    true
}

/// # Safety
/// The block is live and of a region.
unsafe fn header(block: NonNull<u8>) -> Header {
    // SAFETY: a header precedes every block.
    let place = unsafe { block.cast::<Header>().sub(1) };
    // SAFETY: `allocate` wrote it.
    unsafe { place.read() }
}

#[cfg(test)]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "one promise holds for all of a block")]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// Takes blocks until there are none, checks them all, and gives them back. Answers how many there were.
    fn fill(spare: &Spare) -> usize {
        let mut blocks = Vec::new();
        for round in 0_usize.. {
            let (wanted, align) = (1 + round * 37 % 3000, 1 << (round % 9));
            let Some(block) = spare.take(wanted, align) else { break };
            assert!(spare.owns(block));
            assert!(block.addr().get().is_multiple_of(align.max(16)));
            // SAFETY: live, and so many bytes long.
            unsafe { block.write_bytes(round as u8, wanted) };
            blocks.push((block, wanted, round as u8));
        }
        for &(block, wanted, byte) in &blocks {
            // SAFETY: live; as many bytes were written.
            let bytes = unsafe {
                assert_eq!(spare.size(block), wanted);
                std::slice::from_raw_parts(block.as_ptr(), wanted)
            };
            assert!(bytes.iter().all(|&found| found == byte), "two blocks overlap");
        }
        let count = blocks.len();
        for (block, ..) in blocks {
            // SAFETY: live until here.
            unsafe { spare.free(block) };
        }
        count
    }

    #[test]
    fn blocks_are_apart_aligned_measured_and_come_back() {
        static TESTED: Spare = Spare::new();
        let first = fill(&TESTED);
        assert!(first > 200, "{first} blocks before the region was full");
        for _ in 0..3 {
            assert_eq!(fill(&TESTED), first, "a piece was lost");
        }
        for (size, align) in [(SIZE as usize, 1), (usize::MAX, 1), (1, 1 << 62), (usize::MAX - 20, 16)] {
            assert!(TESTED.take(size, align).is_none());
        }
    }

    #[test]
    fn threads_never_share_a_piece_and_never_wait() {
        static TESTED: Spare = Spare::new();
        std::thread::scope(|scope| {
            for byte in 0..4_u8 {
                scope.spawn(move || {
                    let mut kept = None;
                    for round in 0..50_000_usize {
                        let block = TESTED.take(1 + round % 100, 16).expect("pieces come back");
                        // SAFETY: 1 byte of ours and more; live until it is freed, in the next round.
                        unsafe {
                            block.write_bytes(byte, 1 + round % 100);
                            if let Some((old, size)) = kept.replace((block, 1 + round % 100)) {
                                let old: NonNull<u8> = old;
                                let bytes = std::slice::from_raw_parts(old.as_ptr(), size);
                                assert!(bytes.iter().all(|&found| found == byte));
                                TESTED.free(old);
                            }
                        }
                    }
                });
            }
        });
        assert!(TESTED.used.load(Ordering::Relaxed) <= 4 * 3 * (64 + 128), "pieces were reused");
    }
}
