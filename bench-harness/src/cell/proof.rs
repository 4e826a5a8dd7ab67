//! Which allocator serves this process? Shown with blocks that the program itself requests.
//!
//! Two pieces of evidence: the C library's counters move with every block when the strategy stands on that library and do
//! not move at all when it has memory of its own; and in the second case the strategy is asked whether it owns the block.
//!
//! Small blocks are shown before anything is timed, a large one after time and memory were read: it would be more memory
//! than many a workload needs, which some allocators keep for what comes next and others give back, and the C library
//! takes from its size what it gives mappings to from then on.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::ptr::NonNull;

use crate::glibc;
use crate::registry::{Entry, Proof};

/// Sizes of the blocks that are looked at before the work: a small one, and one beyond the C library's thread caches.
pub(super) const BEFORE: [usize; 2] = [48, 40_000];
/// And after it: one with a mapping of its own.
pub(super) const AFTER: [usize; 1] = [3 << 20];

/// The C library counts blocks in its thread caches as live, so that only larger ones move its counters for certain.
pub(super) const COUNTED: usize = 40_000;

/// By how much the C library's counters may move for reasons of others while a block of `size` bytes is looked at. A thread
/// of the workload may still be ending after it, and gives back then what the C library had for it; before, there is none.
pub(super) fn slack(size: usize) -> usize {
    if AFTER.contains(&size) { 256 << 10 } else { 0 }
}

/// Takes a block of that layout and does something with it, then gives it back.
pub(super) type WithBlock = fn(Layout, &mut dyn FnMut(NonNull<u8>)) -> Result<(), String>;

/// Says in one line how it was shown that `entry` serves the blocks of these sizes that `with_block` gets, or why it was not.
pub(super) fn prove(entry: &Entry, sizes: &[usize], with_block: WithBlock) -> Result<String, String> {
    for &size in sizes {
        let layout = Layout::from_size_align(size, 16).map_err(|error| error.to_string())?;
        let before = glibc::live_bytes();
        let mut verdict = Ok(());
        with_block(layout, &mut |block| {
            let moved = before.zip(glibc::live_bytes()).map(|(before, after)| after.abs_diff(before));
            // SAFETY: a live block of that size.
            unsafe { black_box(block).write_bytes(0x5A, size) };
            verdict = judge(entry, block, size, moved);
        })?;
        verdict?;
    }
    Ok(match (entry.proof, glibc::live_bytes()) {
        (Proof::CLibrary, Some(_)) => "the C library's counters moved with every block".to_owned(),
        (Proof::CLibrary, None) => "the C library has no counters; std calls it".to_owned(),
        (Proof::Own { asked, .. }, Some(_)) => {
            format!("{asked} claimed every block, and the C library's counters stood still")
        }
        (Proof::Own { asked, .. }, None) => format!("{asked} claimed every block"),
    })
}

fn judge(entry: &Entry, block: NonNull<u8>, size: usize, moved: Option<usize>) -> Result<(), String> {
    match entry.proof {
        Proof::CLibrary => match moved {
            Some(moved) if size >= COUNTED && moved + slack(size) < size => {
                Err(format!("the C library's counters moved by {moved} bytes with a block of {size} bytes"))
            }
            _ => Ok(()),
        },
        Proof::Own { asked, owns } => match moved {
            Some(moved) if moved > slack(size) => Err(format!(
                "the C library's counters moved by {moved} bytes with a block of {size} bytes, which {} should have served",
                entry.name
            )),
            _ if !owns(block, size) => Err(format!("{asked} did not claim a block of {size} bytes")),
            _ => Ok(()),
        },
    }
}

/// Blocks of the global allocator: what the workloads get.
pub(super) fn from_global(layout: Layout, look: &mut dyn FnMut(NonNull<u8>)) -> Result<(), String> {
    // SAFETY: the layout's size is not zero.
    let block = unsafe { std::alloc::alloc(layout) };
    let block = NonNull::new(block).ok_or_else(|| refused(layout))?;
    look(block);
    // SAFETY: the block came from this allocator with this layout.
    unsafe { std::alloc::dealloc(block.as_ptr(), layout) };
    Ok(())
}

/// Blocks of the system's allocator, whatever the global one is: how a test shows that a false claim is found out.
pub(super) fn from_system(layout: Layout, look: &mut dyn FnMut(NonNull<u8>)) -> Result<(), String> {
    // SAFETY: the layout's size is not zero.
    let block = unsafe { System.alloc(layout) };
    let block = NonNull::new(block).ok_or_else(|| refused(layout))?;
    look(block);
    // SAFETY: the block came from this allocator with this layout.
    unsafe { System.dealloc(block.as_ptr(), layout) };
    Ok(())
}

fn refused(layout: Layout) -> String {
    format!("it refused a block of {} bytes", layout.size())
}

#[cfg(test)]
mod tests {
    use alloc_core::Strategy;

    use super::*;
    use crate::registry;

    /// What the counters' movement says about a block of that size of `strategy`.
    fn judged(strategy: &str, size: usize, moved: usize) -> bool {
        let entry = registry::find(strategy.as_bytes()).expect("a strategy of every build");
        let handle = (entry.open)();
        let block = handle.allocate(Layout::from_size_align(size, 16).expect("a layout")).expect("memory");
        let verdict = judge(entry, block, size, Some(moved));
        // SAFETY: the block came from this strategy with this layout.
        unsafe { handle.deallocate(block, Layout::from_size_align(size, 16).expect("a layout")) };
        verdict.is_ok()
    }

    #[test]
    fn a_thread_that_ends_is_no_block() {
        let [large] = AFTER;
        for (moved, own, shared) in
            [(0, true, false), (1120, true, false), (large - 1120, false, true), (large + 4096, false, true)]
        {
            assert_eq!(judged("ptmalloc", large, moved), own, "{moved}");
            assert_eq!(judged("system", large, moved), shared, "{moved}");
        }
        let [small, medium] = BEFORE;
        assert!(
            judged("ptmalloc", small, 0) && !judged("ptmalloc", small, 16),
            "there is no other thread then"
        );
        assert!(judged("system", medium, medium) && !judged("system", medium, medium - 1));
    }
}
