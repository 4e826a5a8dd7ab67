//! Functions to count the instructions of: `ci/count-bump.sh` runs this under callgrind.
//!
//! Each operation stands alone in a function that is not inlined, named `count_<arena>_<operation>`, and is called
//! [`CALLS`] times in a state where it takes its fast path. Callgrind counts from a function's entry to its return,
//! both included, callees included.

mod peers;

use std::alloc::Layout;
use std::hint::black_box;
use std::ptr::NonNull;

use alloc_bump::SyncBump;
use peers::{Arena, BlinkArena, BumpScope, Bumpalo, Ours, OursDown, OursDown8, OursUp8};

/// Kept in step with `ci/count-bump.sh`.
const CALLS: usize = 100;

/// An assembly comment: no instruction, but different in each function, since functions that compile to the same code
/// are otherwise merged and counted under one name.
macro_rules! distinct {
    ($name:ident $operation:literal) => {
        // SAFETY: nothing is executed.
        unsafe {
            core::arch::asm!(
                concat!("/* ", stringify!($name), $operation, " */"),
                options(nomem, nostack, preserves_flags)
            )
        }
    };
}

macro_rules! count {
    ($($name:ident: $arena:ty;)*) => {$(
        mod $name {
            use super::*;

            #[inline(never)]
            #[expect(clippy::mut_from_ref, reason = "every call returns other memory")]
            #[unsafe(export_name = concat!("count_", stringify!($name), "_u32"))]
            fn alloc_u32(arena: &$arena, value: u32) -> &mut u32 {
                distinct!($name " u32");
                arena.u32(value)
            }

            #[inline(never)]
            #[unsafe(export_name = concat!("count_", stringify!($name), "_layout"))]
            fn allocate(arena: &$arena, layout: Layout) -> *mut u8 {
                distinct!($name " layout");
                arena.layout(layout)
            }

            #[inline(never)]
            #[unsafe(export_name = concat!("count_", stringify!($name), "_grow"))]
            unsafe fn grow(arena: &$arena, block: NonNull<u8>, old: Layout, new: Layout) -> *mut u8 {
                distinct!($name " grow");
                // SAFETY: the caller's promises are the callee's.
                unsafe { arena.grow(block, old, new) }
            }

            #[inline(never)]
            #[unsafe(export_name = concat!("count_", stringify!($name), "_free"))]
            unsafe fn free(arena: &$arena, block: NonNull<u8>, layout: Layout) {
                distinct!($name " free");
                // SAFETY: the caller's promises are the callee's.
                unsafe { arena.free(block, layout) };
            }

            #[inline(never)]
            #[unsafe(export_name = concat!("count_", stringify!($name), "_reset"))]
            fn reset(arena: &mut $arena) {
                distinct!($name " reset");
                arena.reset();
            }

            pub(super) fn run() {
                let mut arena = <$arena>::default();
                let small = Layout::new::<[u64; 2]>();
                let large = Layout::new::<[u64; 4]>();
                // Room for all that follows: two rounds settle chunks, sub-buffers and what is opened ahead.
                for _ in 0..2 {
                    for _ in 0..64 {
                        black_box(arena.layout(black_box(Layout::new::<[u8; 512]>())));
                    }
                    arena.reset();
                }
                black_box(arena.u32(black_box(1)));

                for value in 0..CALLS as u32 {
                    black_box(alloc_u32(black_box(&arena), black_box(value)));
                }
                for _ in 0..CALLS {
                    black_box(allocate(black_box(&arena), black_box(small)));
                }
                for _ in 0..CALLS {
                    let block = NonNull::new(arena.layout(black_box(small))).expect("memory");
                    // SAFETY: the block that was just taken, with its layout.
                    let grown = unsafe { grow(black_box(&arena), block, black_box(small), black_box(large)) };
                    let grown = NonNull::new(grown).expect("memory");
                    // SAFETY: the block that was just grown, with its layout.
                    unsafe { free(black_box(&arena), grown, black_box(large)) };
                }
                for _ in 0..CALLS {
                    black_box(arena.u32(black_box(1)));
                    reset(black_box(&mut arena));
                }
            }
        }
    )*

    fn main() {
        $($name::run();)*
    }};
}

count! {
    ours_up: Ours;
    ours_up8: OursUp8;
    ours_down: OursDown;
    ours_down8: OursDown8;
    ours_sync: SyncBump;
    bumpalo: Bumpalo<1>;
    bumpalo8: Bumpalo<8>;
    bump_scope_up: BumpScope<1, true>;
    bump_scope_up8: BumpScope<8, true>;
    bump_scope_down: BumpScope<1, false>;
    bump_scope_down8: BumpScope<8, false>;
    blink_alloc: BlinkArena;
}
