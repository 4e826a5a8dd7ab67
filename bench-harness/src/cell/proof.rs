//! Which allocator serves this process? Shown with blocks that the program itself requests, before anything is timed.
//!
//! Two pieces of evidence: the C library's counters move with every block when the strategy stands on that library and do
//! not move at all when it has memory of its own; and in the second case the strategy is asked whether it owns the block.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::ptr::NonNull;

use crate::glibc;
use crate::registry::{Entry, Proof};

/// Sizes of the blocks that are looked at: a small one, one beyond every thread cache, and one with a mapping of its own.
pub(super) const PROBES: [usize; 3] = [48, 40_000, 3 << 20];

/// The C library counts blocks in its thread caches as live, so that only larger ones move its counters for certain.
pub(super) const COUNTED: usize = 40_000;

/// Takes a block of that layout and does something with it, then gives it back.
pub(super) type WithBlock = fn(Layout, &mut dyn FnMut(NonNull<u8>)) -> Result<(), String>;

/// Says in one line how it was shown that `entry` serves the blocks that `with_block` gets, or why it was not.
pub(super) fn prove(entry: &Entry, with_block: WithBlock) -> Result<String, String> {
    for size in PROBES {
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
            Some(moved) if size >= COUNTED && moved < size => {
                Err(format!("the C library's counters moved by {moved} bytes with a block of {size} bytes"))
            }
            _ => Ok(()),
        },
        Proof::Own { asked, owns } => match moved {
            Some(moved) if moved != 0 => Err(format!(
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
