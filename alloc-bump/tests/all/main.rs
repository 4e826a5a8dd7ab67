//! The tests of alloc-bump. They need pages and threads; what is left without those features has unit tests.

#![cfg(all(feature = "std", feature = "libc"))]

#[cfg(all(feature = "allocator-api2-02", feature = "allocator-api2-04"))]
mod collections;
mod conformance;
mod exhaustion;
mod lifetime;
mod oracle;
mod pages;
mod resize;
mod sync;
mod typed;

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::arith::checked_layout;

/// The layout of a size and alignment that a test picks itself.
fn layout(size: usize, align: usize) -> Layout {
    checked_layout(size, align).expect("a legal layout")
}

/// The bytes of a block.
///
/// # Safety
/// So many bytes are live and were written to, and nobody else uses them while the slice is used.
unsafe fn bytes<'a>(block: NonNull<u8>, size: usize) -> &'a mut [u8] {
    // SAFETY: the caller's promises are the callee's.
    unsafe { NonNull::slice_from_raw_parts(block, size).as_mut() }
}
