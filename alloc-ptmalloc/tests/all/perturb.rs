//! New blocks are filled with the complement of the chosen byte, freed ones with the byte.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::{SizedBlocks, Strategy};
use alloc_ptmalloc::{Config, Era, Ptmalloc};

use crate::support::{give, layout, take};

const BYTE: u8 = 0x5a;
const ERAS: [Era; 3] = [Era::Classic, Era::Modern, Era::Ours];
/// One size for each way that a block is had: tiny, small, medium, large, mapped.
const SIZES: [usize; 7] = [1, 24, 700, 5_000, 60_000, 400_000, 9_000_000];

fn bytes<'a>(block: NonNull<u8>, size: usize) -> &'a [u8] {
    // SAFETY: the tests look at blocks of theirs, or at memory of a heap that nobody writes meanwhile.
    unsafe { core::slice::from_raw_parts(block.as_ptr(), size) }
}

fn all(block: NonNull<u8>, size: usize, byte: u8) -> bool {
    bytes(block, size).iter().all(|&found| found == byte)
}

#[test]
fn new_blocks_hold_the_complement_and_zeroed_ones_zeroes() {
    for era in ERAS {
        let heap = Ptmalloc::new(Config { perturb: BYTE, ..Config::new(era) });
        for size in SIZES {
            // Again, when what was freed in between is had.
            for _ in 0..3 {
                let block = take(&heap, size);
                assert!(all(block, size, !BYTE), "{era:?}: {size} bytes");
                let zeroed = heap.allocate_zeroed(layout(size)).expect("memory");
                assert!(all(zeroed, size, 0), "{era:?}: {size} zeroed bytes");
                let wide = Layout::from_size_align(size, 512).expect("a layout");
                let aligned = heap.allocate(wide).expect("memory");
                assert!(all(aligned, size, !BYTE), "{era:?}: {size} aligned bytes");
                let by_size = heap.malloc(size).expect("memory");
                assert!(all(by_size, size, !BYTE), "{era:?}: malloc of {size} bytes");
                give(&heap, block, size);
                give(&heap, zeroed, size);
                // SAFETY: live, with this layout.
                unsafe { heap.deallocate(aligned, wide) };
                // SAFETY: live.
                unsafe { heap.free(by_size) };
            }
        }
    }
}

/// What lies behind the links of a free chunk is the byte; the foot lies in the block's last word.
#[test]
fn freed_blocks_hold_the_byte() {
    const LINKS: usize = 64;
    for era in ERAS {
        let heap = Ptmalloc::new(Config { perturb: BYTE, ..Config::new(era) });
        for size in [700, 5_000, 60_000] {
            let (block, fence) = (take(&heap, size), take(&heap, size));
            // SAFETY: a live block of so many bytes.
            unsafe { block.write_bytes(1, size) };
            give(&heap, block, size);
            // SAFETY: within the freed block, in a heap that nobody else uses.
            let inside = unsafe { block.add(LINKS) };
            assert!(all(inside, size - LINKS - 8, BYTE), "{era:?}: {size} bytes");
            give(&heap, fence, size);
        }
    }
}

#[test]
fn contents_move_whole() {
    for era in ERAS {
        let heap = Ptmalloc::new(Config { perturb: BYTE, ..Config::new(era) });
        for (old, new) in [(100, 700), (700, 60_000), (60_000, 9_000_000), (9_000_000, 10_000_000)] {
            let block = take(&heap, old);
            // SAFETY: a live block of so many bytes.
            unsafe { block.write_bytes(7, old) };
            // SAFETY: as above.
            let moved = unsafe { heap.grow(block, layout(old), layout(new)) }.expect("memory");
            assert!(all(moved, old, 7), "{era:?}: {old} to {new}");
            give(&heap, moved, new);
        }
    }
}
