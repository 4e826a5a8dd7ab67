//! Callers that know their sizes, and callers that do not, on the same blocks: what one gives back the other gets.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::{Inspect, SizedBlocks, Strategy};
use alloc_ptmalloc::{CheckLevel, Config, Era, Ptmalloc};

use crate::support::bare;

const ERAS: [Era; 3] = [Era::Classic, Era::Modern, Era::Ours];

/// A block that is held, what it was asked for with, and the byte that it is filled with.
struct Held {
    block: NonNull<u8>,
    layout: Layout,
    byte: u8,
}

fn fill(block: NonNull<u8>, from: usize, to: usize, byte: u8) {
    // SAFETY: the tests fill blocks of theirs, as far as those go.
    let start = unsafe { block.add(from) };
    // SAFETY: as above.
    unsafe { start.write_bytes(byte, to - from) };
}

impl Held {
    fn intact(&self) -> bool {
        // SAFETY: a live block, all of which was written.
        let bytes = unsafe { core::slice::from_raw_parts(self.block.as_ptr(), self.layout.size()) };
        bytes.iter().all(|&byte| byte == self.byte) && self.block.addr().get() % self.layout.align() == 0
    }
}

/// Sizes around every border: of tiny, small and medium classes, of the cached ones, and beyond.
fn sizes() -> Vec<usize> {
    let mut sizes: Vec<usize> = (0..=72).collect();
    for edge in
        [120, 128, 1008, 1024, 1032, 1040, 1056, 2048, 4104, 32_776, 65_536, 65_544, 65_560, 70_000, 140_000]
    {
        sizes.extend(edge - 2..edge + 3);
    }
    sizes
}

fn layout(size: usize, turn: usize) -> Layout {
    // Every fifth is aligned beyond the usual.
    let align = if turn % 5 == 4 { 32 << (turn / 5 % 6) } else { 1 << (turn % 5) };
    Layout::from_size_align(size, align).expect("a layout")
}

/// In every order of two: asked for with a size or without, given back with a size or without.
#[test]
fn either_way_in_and_either_way_out() {
    for era in ERAS {
        for config in
            [Config::new(era), bare(era), Config { check: CheckLevel::Hardened, ..Config::new(era) }]
        {
            let heap = Ptmalloc::new(config);
            let mut held: Vec<Held> = Vec::new();
            let sizes = sizes();
            for turn in 0..12_000_usize {
                let size = sizes[turn * 31 % sizes.len()];
                let plain = turn % 3 == 0;
                let layout = if plain {
                    Layout::from_size_align(size, 16).expect("a layout")
                } else {
                    layout(size, turn)
                };
                let block = if plain { heap.malloc(size) } else { heap.allocate(layout) }.expect("memory");
                let byte = turn as u8;
                fill(block, 0, size, byte);
                held.push(Held { block, layout, byte });
                while held.len() > 150 || (turn % 7 == 0 && held.len() > 20) {
                    let old = held.swap_remove(turn * 13 % held.len());
                    assert!(old.intact(), "{era:?}: {:?}", old.layout);
                    if turn % 2 == 0 {
                        // SAFETY: live, with this layout.
                        unsafe { heap.deallocate(old.block, old.layout) };
                    } else {
                        // SAFETY: live.
                        unsafe { heap.free(old.block) };
                    }
                }
            }
            for old in held {
                assert!(old.intact(), "{era:?}: {:?}", old.layout);
                // SAFETY: live.
                unsafe { heap.free(old.block) };
            }
            assert_eq!(heap.stats().live_blocks.get(), Some(0), "{config:?}");
            heap.check().expect("whole arenas");
            let committed = heap.stats().committed.get().expect("known");
            assert!(committed < 16 << 20, "{config:?}: {committed} bytes committed for 4 MiB held at most");
        }
    }
}

/// Whoever asks how large a block is may use all of it, and give it back as a block of any size from what he asked for to
/// that.
#[test]
fn a_block_may_be_given_back_with_any_size_that_it_has() {
    for era in ERAS {
        let heap = Ptmalloc::new(Config::new(era));
        for round in 0..3_usize {
            let mut held = Vec::new();
            for (turn, size) in sizes().into_iter().enumerate() {
                let block =
                    heap.allocate(Layout::from_size_align(size, 8).expect("a layout")).expect("memory");
                // SAFETY: live.
                let usable = unsafe { heap.usable_size(block) };
                assert!(usable >= size, "{era:?}");
                fill(block, 0, usable, turn as u8);
                let given = size + (usable - size) * round / 2;
                let whole = Layout::from_size_align(usable, 1).expect("a layout");
                held.push((
                    Held { block, layout: whole, byte: turn as u8 },
                    Layout::from_size_align(given, 8).expect("a layout"),
                ));
            }
            for (old, layout) in held {
                assert!(old.intact(), "{era:?}: {:?}", old.layout);
                // SAFETY: live, and the layout fits.
                unsafe { heap.deallocate(old.block, layout) };
            }
        }
        assert_eq!(heap.stats().live_blocks.get(), Some(0), "{era:?}");
    }
}

/// Growing and shrinking change the class; the size that the block is given back with is the last one.
#[test]
fn resized_blocks_go_back_with_their_last_size() {
    for era in ERAS {
        for config in [Config::new(era), bare(era)] {
            let heap = Ptmalloc::new(config);
            let sizes = sizes();
            let mut held: Vec<Held> = (0..40)
                .map(|turn| {
                    let layout = Layout::from_size_align(sizes[turn * 5 % sizes.len()], 8).expect("a layout");
                    let block = heap.allocate(layout).expect("memory");
                    fill(block, 0, layout.size(), turn as u8);
                    Held { block, layout, byte: turn as u8 }
                })
                .collect();
            for turn in 0..6000_usize {
                let at = turn * 17 % held.len();
                let Held { block, layout: old, byte } = held[at];
                let new = Layout::from_size_align(sizes[turn * 29 % sizes.len()], 8).expect("a layout");
                let (less, more) = (old.size().min(new.size()), old.size().max(new.size()));
                let moved = if turn % 3 == 0 {
                    // SAFETY: live.
                    unsafe { heap.reallocate(block, new.size()) }
                } else if new.size() >= old.size() {
                    // SAFETY: live, with this layout, and the new one is no smaller.
                    unsafe { heap.grow(block, old, new) }
                } else {
                    // SAFETY: live, with this layout, and the new one is no larger.
                    unsafe { heap.shrink(block, old, new) }
                }
                .expect("memory");
                held[at] =
                    Held { block: moved, layout: Layout::from_size_align(less, 8).expect("a layout"), byte };
                assert!(held[at].intact(), "{era:?}: {old:?} to {new:?}");
                if new.size() == more {
                    fill(moved, less, more, byte);
                }
                held[at].layout = new;
            }
            for old in held {
                assert!(old.intact(), "{era:?}: {:?}", old.layout);
                // SAFETY: live, with this layout.
                unsafe { heap.deallocate(old.block, old.layout) };
            }
            assert_eq!(heap.stats().live_blocks.get(), Some(0), "{config:?}");
            heap.check().expect("whole arenas");
        }
    }
}

/// More aligned blocks come back than one place keeps: the newest stay, and are the first to be had again.
#[test]
fn the_newest_of_many_aligned_blocks_are_kept() {
    let heap = Ptmalloc::new(Config::new(Era::Ours));
    for (size, align) in [(64, 64), (4096, 4096), (40_000, 64)] {
        let layout = Layout::from_size_align(size, align).expect("a layout");
        let blocks: Vec<_> = (0..300).map(|_| heap.allocate(layout).expect("memory")).collect();
        for &block in &blocks {
            // SAFETY: a live block of this heap, of this layout.
            unsafe { heap.deallocate(block, layout) };
        }
        for &block in blocks.iter().rev().take(2) {
            assert_eq!(heap.allocate(layout), Ok(block), "{layout:?}");
        }
        heap.check().expect("whole arenas");
        for &block in blocks.iter().rev().take(2) {
            // SAFETY: as above.
            unsafe { heap.deallocate(block, layout) };
        }
    }
}
