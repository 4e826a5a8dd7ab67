//! Blocks that carry marks: the first and the last word of each say what was written when it was allocated.

use std::hint::black_box;
use std::mem::MaybeUninit;

use super::random::mix;

/// A block of memory from the global allocator, of 8 bytes at least. Only its marks are written.
pub(super) struct Block {
    /// The first [`MARK`] and the last [`MARK`] bytes are initialised.
    bytes: Box<[MaybeUninit<u8>]>,
}

/// Bytes in a mark.
const MARK: usize = size_of::<u64>();

impl Block {
    /// Allocates `size` bytes and marks both ends with `tag`.
    pub(super) fn new(size: usize, tag: u64) -> Block {
        // Black-boxed, so that the compiler sees neither that nothing else reads the block nor where it came from,
        // and can leave out no allocation.
        let mut bytes = black_box(Box::new_uninit_slice(size));
        bytes[..MARK].write_copy_of_slice(&tag.to_ne_bytes());
        // In a block shorter than two marks the last overlaps the first, and both are read as written here.
        bytes[size - MARK..].write_copy_of_slice(&mix(tag).to_ne_bytes());
        Block { bytes }
    }

    /// Writes one byte in each `stride` bytes of the block, and its marks again with `tag`.
    pub(super) fn touch(&mut self, stride: usize, tag: u64) {
        for byte in self.bytes.iter_mut().step_by(stride) {
            byte.write(1);
        }
        let size = self.bytes.len();
        self.bytes[..MARK].write_copy_of_slice(&tag.to_ne_bytes());
        self.bytes[size - MARK..].write_copy_of_slice(&mix(tag).to_ne_bytes());
    }

    /// Frees the block and returns what its marks say.
    pub(super) fn fold(self) -> u64 {
        let size = self.bytes.len();
        let mark = |start: usize| -> u64 {
            let bytes: *const [MaybeUninit<u8>] = &raw const self.bytes[start..start + MARK];
            // SAFETY: the pointer comes from a slice of `MARK` bytes within the block, the first or the last of it,
            // which `new` initialised; `read_unaligned` asks for no alignment, and every bit pattern is a u64.
            unsafe { bytes.cast::<u64>().read_unaligned() }
        };
        combine(mark(0), mark(size - MARK))
    }
}

/// What the two marks of a block add to the answer. One mark wrong changes it.
fn combine(first: u64, last: u64) -> u64 {
    mix(first).wrapping_add(mix(last.rotate_left(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_depends_on_the_tag_and_not_on_the_address() {
        for size in [8, 9, 15, 16, 17, 4096] {
            let (one, two) = (Block::new(size, 1), Block::new(size, 1));
            let other = Block::new(size, 2).fold();
            let one = one.fold();
            assert_eq!(one, two.fold());
            assert_ne!(one, other);
        }
    }

    #[test]
    fn one_flipped_bit_in_either_mark_changes_the_answer() {
        for size in [8, 12, 16, 100] {
            let good = Block::new(size, 42).fold();
            for place in (0..MARK).chain(size - MARK..size) {
                for bit in 0..8 {
                    let mut block = Block::new(size, 42);
                    // SAFETY: `place` lies within a mark, and marks are initialised.
                    let byte = unsafe { block.bytes[place].assume_init_mut() };
                    *byte ^= 1 << bit;
                    assert_ne!(block.fold(), good, "size {size}, byte {place}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_block_laid_over_another_changes_the_sum() {
        let apart = Block::new(32, 1).fold().wrapping_add(Block::new(32, 2).fold());
        let mut over = Block::new(32, 1);
        over.touch(4096, 2);
        assert_ne!(over.fold().wrapping_add(Block::new(32, 2).fold()), apart);
    }

    #[test]
    fn touching_keeps_the_marks() {
        let mut block = Block::new(10_000, 5);
        block.touch(4096, 5);
        assert_eq!(block.fold(), Block::new(10_000, 5).fold());
    }
}
