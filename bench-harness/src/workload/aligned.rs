//! Blocks of every alignment up to a page.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::hint::black_box;
use std::ptr::NonNull;

use super::random::{Random, mix};
use super::{Job, Outcome, Workload, team};

/// The workload `aligned`.
pub(super) struct Aligned;

/// Units per scale.
const UNITS: usize = 64;
/// Slots of one unit.
const SLOTS: usize = 256;
/// Replacements in one unit.
const STEPS: usize = 3072;
/// Alignments are these powers of two.
const SHIFTS: (u32, u32) = (4, 12);
/// A block is so many times its alignment large, 1 to this.
const TIMES: usize = 3;
const SALT: u64 = u64::from_le_bytes(*b"aligned.");

/// A block that starts and ends with a mark.
struct Block {
    start: NonNull<u64>,
    layout: Layout,
}

impl Block {
    /// Allocates a block whose layout is drawn from `random`, and marks it.
    fn draw(random: &mut Random) -> Block {
        let align = 1 << (SHIFTS.0 + random.below((SHIFTS.1 - SHIFTS.0 + 1) as usize) as u32);
        let size = align * (1 + random.below(TIMES));
        let layout = Layout::from_size_align(size, align).expect("a power of two and far from the limit");
        // SAFETY: `layout` has a size of at least one alignment, so not zero.
        let start = black_box(unsafe { alloc(layout) });
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        let block = Block { start: start.cast::<u64>(), layout };
        let tag = random.next();
        // SAFETY: the block has 16 bytes at least and the marks are its first and last 8; it is ours. The unaligned
        // write asks for no alignment, so that an allocator that gets it wrong is found by `fold` and does not crash.
        unsafe { block.start.write_unaligned(tag) };
        // SAFETY: as above.
        unsafe { block.last().write_unaligned(mix(tag)) };
        block
    }

    /// The last 8 bytes.
    fn last(&self) -> NonNull<u64> {
        // SAFETY: the size is at least 16, so the offset stays in the block.
        unsafe { self.start.byte_add(self.layout.size() - size_of::<u64>()) }
    }

    /// What the marks say, and where the block is if that is no multiple of its alignment.
    fn fold(&self) -> u64 {
        // SAFETY: `draw` initialised the first 8 bytes of the block, which is live.
        let first = unsafe { self.start.read_unaligned() };
        // SAFETY: `draw` initialised the last 8 bytes of the block, which is live.
        let last = unsafe { self.last().read_unaligned() };
        let astray = misalignment(self.start.addr().get(), self.layout.align());
        mix(first).wrapping_add(mix(last.rotate_left(1))).wrapping_add(mix(astray))
    }
}

/// How far `address` is past a multiple of `align`.
fn misalignment(address: usize, align: usize) -> u64 {
    (address & (align - 1)) as u64
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: `start` came from `alloc` with this very layout and is given back once, here.
        unsafe { dealloc(self.start.as_ptr().cast::<u8>(), self.layout) };
    }
}

fn unit(mut random: Random) -> u64 {
    let mut slots: Vec<Block> = (0..SLOTS).map(|_| Block::draw(&mut random)).collect();
    let mut sum = 0_u64;
    for _ in 0..STEPS {
        let slot = random.below(SLOTS);
        let old = std::mem::replace(&mut slots[slot], Block::draw(&mut random));
        sum = sum.wrapping_add(old.fold());
    }
    slots.iter().fold(sum, |sum, block| sum.wrapping_add(block.fold()))
}

fn blocks(job: &Job<'_>) -> usize {
    UNITS * (SLOTS + STEPS) * job.scale as usize
}

impl Workload for Aligned {
    fn name(&self) -> &'static str {
        "aligned"
    }

    fn about(&self) -> &'static str {
        "Replaces random blocks whose alignment is a power of two from 16 to 4096, all as often, and whose size is one \
         to three times that, in tables of 256; one operation allocates a block and frees one (after rptest of \
         rpmalloc-benchmark, with more alignments)."
    }

    fn traffic(&self, job: &Job<'_>) -> u64 {
        let shifts = (SHIFTS.1 - SHIFTS.0 + 1) as usize;
        let mean_align = ((1 << (SHIFTS.1 + 1)) - (1 << SHIFTS.0)) / shifts;
        (blocks(job) * mean_align * (1 + TIMES) / 2) as u64
    }

    fn run(&self, job: &Job<'_>) -> Outcome {
        let shared = team::share(job.threads, UNITS * job.scale as usize, |number| {
            unit(Random::new(job.seed, SALT, number))
        });
        Outcome { operations: blocks(job) as u64, elapsed: shared.elapsed, checksum: shared.sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misalignment_is_the_rest_over_the_alignment() {
        assert_eq!(misalignment(8192, 4096), 0);
        assert_eq!(misalignment(8192 + 16, 4096), 16);
        assert_eq!(misalignment(48, 16), 0);
    }

    #[test]
    fn a_changed_mark_changes_the_answer() {
        let block = Block::draw(&mut Random::new(1, 2, 3));
        let good = block.fold();
        // SAFETY: the first 8 bytes of a live block of 16 at least.
        unsafe { block.start.write_unaligned(0) };
        assert_ne!(block.fold(), good);
    }
}
