//! Arenas of touched pages, one after another the same.

use std::mem::MaybeUninit;

/// Touched memory that is never given back: an arena lives to the end of the program.
pub(crate) fn fresh(bytes: usize) -> &'static mut [MaybeUninit<u8>] {
    let mut memory = vec![MaybeUninit::new(1_u8); bytes + 4096];
    let lead = memory.as_ptr().addr().wrapping_neg() % 4096;
    memory.shrink_to_fit();
    &mut memory.leak()[lead..lead + bytes]
}
