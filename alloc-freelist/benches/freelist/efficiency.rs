//! Bytes delivered until the first refusal.

use std::alloc::Layout;

use crate::peers::{self, Arena};
use crate::random::Random;
use crate::{Ours, memory};

const ARENA: usize = 64 << 20;
const ROUNDS: u64 = 40;
const LARGEST: usize = 10_000;

/// Half of all actions allocate, one in ten frees, four in ten resize to up to `resized` bytes, until one is refused.
/// The share of the arena that then is in live bytes, as requested, over all rounds; after talc's benchmark of this
/// name.
fn delivered<A: Arena>(resized: usize) -> f64 {
    let memory = memory::fresh(ARENA);
    let (start, size) = (memory.as_mut_ptr(), memory.len());
    let mut used = 0;
    for round in 0..ROUNDS {
        // SAFETY: the allocator of the last round is gone, and with it all use of the arena.
        let arena = A::over(unsafe { std::slice::from_raw_parts_mut(start, size) });
        let mut random = Random::new(round + 7);
        let mut blocks: Vec<(*mut u8, Layout)> = Vec::new();
        loop {
            let action = random.below(10);
            if action < 5 || blocks.is_empty() {
                let layout = Layout::from_size_align(random.size(LARGEST), random.align()).expect("a layout");
                let block = arena.allocate(layout);
                if block.is_null() {
                    break;
                }
                blocks.push((block, layout));
            } else if action == 5 {
                let (block, layout) = blocks.swap_remove(random.below(blocks.len()));
                // SAFETY: the block is live, with this layout.
                unsafe { arena.free(block, layout) };
            } else {
                let index = random.below(blocks.len());
                let (block, layout) = blocks[index];
                let size = 1 + random.below(resized);
                // SAFETY: the block is live, with this layout.
                let moved = unsafe { arena.resize(block, layout, size) };
                if moved.is_null() {
                    break;
                }
                blocks[index] = (moved, Layout::from_size_align(size, layout.align()).expect("a layout"));
            }
        }
        used += blocks.iter().map(|(_, layout)| layout.size()).sum::<usize>();
    }
    used as f64 * 100.0 / (ARENA as f64 * ROUNDS as f64)
}

/// Blocks of all sizes, one after another, until one is refused; none is freed.
fn filled<A: Arena>() -> f64 {
    let memory = memory::fresh(ARENA);
    let (start, size) = (memory.as_mut_ptr(), memory.len());
    let mut used = 0;
    for round in 0..ROUNDS {
        // SAFETY: the allocator of the last round is gone, and with it all use of the arena.
        let arena = A::over(unsafe { std::slice::from_raw_parts_mut(start, size) });
        let mut random = Random::new(round + 7);
        loop {
            let layout = Layout::from_size_align(random.size(LARGEST), 8).expect("a layout");
            if arena.allocate(layout).is_null() {
                break;
            }
            used += layout.size();
        }
    }
    used as f64 * 100.0 / (ARENA as f64 * ROUNDS as f64)
}

pub(crate) fn report() {
    println!("## Heap efficiency: live bytes at the first refusal, % of {} MiB\n", ARENA >> 20);
    println!("| allocator | only allocating | with frees, resizing to 10 000 bytes | to 100 000 bytes |");
    println!("|---|---:|---:|---:|");
    fn row<A: Arena>() {
        let (filled, small, large) = (filled::<A>(), delivered::<A>(10_000), delivered::<A>(100_000));
        println!("| {} | {filled:.2} | {small:.2} | {large:.2} |", A::NAME);
    }
    row::<Ours<peers::Immediate>>();
    row::<Ours<peers::Deferred>>();
    row::<Ours<peers::Classed>>();
    row::<Ours<peers::First>>();
    row::<Ours<peers::Best>>();
    row::<Ours<peers::Packed>>();
    row::<Ours<peers::PackedClassed>>();
    row::<Ours<peers::PackedBest>>();
    row::<Ours<peers::Sized>>();
    row::<peers::Talc>();
    row::<peers::Rlsf>();
    row::<peers::Dlmalloc>();
    row::<peers::Buddy>();
    println!();
}
