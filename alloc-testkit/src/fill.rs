//! Patterns in blocks: every byte depends on a seed and on its offset.
//!
//! A block that is moved by a few bytes, merged with a neighbour's contents, zeroed or written by another holder no
//! longer matches. Up to [`FULL`] bytes, the whole block is written and verified; above, the first and last [`EDGE`]
//! bytes and one byte in every [`STRIDE`], so that blocks of many megabytes stay cheap while each of their pages is
//! touched.

use core::ptr::NonNull;

use crate::breach::Breach;

/// The largest size that is written and verified byte by byte.
pub const FULL: usize = 8 * 1024;

/// Bytes at each end of a block above [`FULL`] that are written and verified.
pub const EDGE: usize = 1024;

/// Distance of the single bytes written and verified between the edges.
pub const STRIDE: usize = 4096;

const WINDOW: usize = 256;

/// The word at `index` of the pattern: a finaliser in the manner of SplitMix64 (Steele, Lea, Flood 2014).
fn word(seed: u64, index: u64) -> [u8; 8] {
    let mixed = (seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 29)).to_le_bytes()
}

/// The byte at `offset` of the pattern of `seed`.
#[must_use]
pub fn byte(seed: u64, offset: usize) -> u8 {
    word(seed, offset as u64 / 8)[offset % 8]
}

/// Fills `into` with the pattern of `seed` from `offset` on.
fn window(seed: u64, offset: usize, into: &mut [u8]) {
    let mut at = offset;
    let end = offset + into.len();
    while at < end {
        let word = word(seed, at as u64 / 8);
        let skip = at % 8;
        let count = (8 - skip).min(end - at);
        into[at - offset..at - offset + count].copy_from_slice(&word[skip..skip + count]);
        at += count;
    }
}

/// The parts of a block of `size` bytes that hold the pattern, as offset and length, ascending and disjoint.
fn parts(size: usize) -> impl Iterator<Item = (usize, usize)> {
    let whole = size <= FULL;
    let (head, tail) = if whole { (size, size) } else { (EDGE, size - EDGE) };
    let between = (STRIDE..tail).step_by(STRIDE).filter(move |_| !whole).map(|offset| (offset, 1));
    core::iter::once((0, head)).chain(between).chain((!whole).then_some((tail, EDGE)))
}

/// The windows of all parts that lie before `limit`.
fn windows(size: usize, limit: usize) -> impl Iterator<Item = (usize, usize)> {
    parts(size).flat_map(move |(start, length)| {
        let end = (start + length).min(limit);
        (start..end).step_by(WINDOW).map(move |offset| (offset, WINDOW.min(end - offset)))
    })
}

/// Writes the pattern of `seed` into a block of `size` bytes.
///
/// # Safety
/// The `size` bytes at `block` may be written, and nobody else accesses them meanwhile.
pub unsafe fn write(block: NonNull<u8>, size: usize, seed: u64) {
    let mut buffer = [0; WINDOW];
    for (offset, length) in windows(size, size) {
        window(seed, offset, &mut buffer[..length]);
        // SAFETY: `windows` yields ranges within `size`, which the caller says belong to the block.
        let target = unsafe { block.add(offset) };
        // SAFETY: `length` bytes at `target` lie within the block, `buffer` is ours and has `length` bytes.
        unsafe { target.copy_from_nonoverlapping(NonNull::from(&mut buffer).cast(), length) };
    }
}

/// Verifies the first `limit` bytes of a block into which [`write()`] put the pattern of `seed` over `size` bytes.
///
/// # Safety
/// The first `min(size, limit)` bytes at `block` may be read, are initialised where [`write()`] with the same size
/// writes, and nobody else writes to them meanwhile.
///
/// # Errors
/// [`Breach::Changed`] with the first byte that differs.
pub unsafe fn verify(block: NonNull<u8>, size: usize, limit: usize, seed: u64) -> Result<(), Breach> {
    let mut buffer = [0; WINDOW];
    for (offset, length) in windows(size, limit) {
        let expected = &mut buffer[..length];
        window(seed, offset, expected);
        // SAFETY: `windows` yields ranges below `min(size, limit)`, which the caller says may be read.
        let start = unsafe { block.add(offset) };
        // SAFETY: so may the `length` bytes from there on; they hold the pattern, and nobody writes to them.
        let found = unsafe { core::slice::from_raw_parts(start.as_ptr(), length) };
        if let Some(index) = found.iter().zip(&*expected).position(|(found, expected)| found != expected) {
            return Err(Breach::Changed {
                address: block.addr().get(),
                size,
                offset: offset + index,
                expected: expected[index],
                found: found[index],
            });
        }
    }
    Ok(())
}

/// Verifies that the bytes `from..size` of a block are zero, every one of them.
///
/// # Safety
/// The `size` bytes at `block` may be read, those from `from` on are initialised, and nobody else writes to them
/// meanwhile.
///
/// # Errors
/// [`Breach::NotZero`] with the first byte that is not.
pub unsafe fn verify_zero(block: NonNull<u8>, from: usize, size: usize) -> Result<(), Breach> {
    static ZEROS: [u8; 4096] = [0; 4096];
    let mut offset = from;
    while offset < size {
        let length = ZEROS.len().min(size - offset);
        // SAFETY: `offset < size`, so this stays within the block.
        let start = unsafe { block.add(offset) };
        // SAFETY: the caller says that these bytes are initialised, may be read, and are not written meanwhile.
        let found = unsafe { core::slice::from_raw_parts(start.as_ptr(), length) };
        if found != &ZEROS[..length] {
            let index = found.iter().position(|&byte| byte != 0).unwrap_or(0);
            return Err(Breach::NotZero {
                address: block.addr().get(),
                size,
                offset: offset + index,
                found: found[index],
            });
        }
        offset += length;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(bytes: &mut [u8]) -> NonNull<u8> {
        NonNull::from(bytes).cast()
    }

    #[test]
    fn windows_agree_with_single_bytes() {
        for offset in 0..20 {
            let mut buffer = [0; 37];
            window(99, offset, &mut buffer);
            for (index, &found) in buffer.iter().enumerate() {
                assert_eq!(found, byte(99, offset + index), "offset {offset}, byte {index}");
            }
        }
    }

    #[test]
    fn parts_are_ascending_disjoint_and_end_at_the_size() {
        let sizes = [0, 1, 255, FULL - 1, FULL, FULL + 1, FULL + STRIDE - 1, 9 * STRIDE, 1 << 20];
        for size in sizes {
            let mut reached = 0;
            for (offset, length) in parts(size) {
                assert!(offset >= reached, "size {size}: part {offset}+{length} after {reached}");
                reached = offset + length;
            }
            assert_eq!(reached, size);
        }
    }

    #[test]
    fn what_was_written_verifies_under_every_limit() {
        for size in [0, 1, 7, 8, 9, 1000, FULL, FULL + 1, 5 * STRIDE + 17] {
            let mut bytes = vec![0; size];
            let block = start(&mut bytes);
            // SAFETY: the vector's bytes are ours alone.
            unsafe { write(block, size, 7) };
            for limit in [0, 1, size / 2, size] {
                // SAFETY: as above, and `limit <= size` or nothing at all is read for an empty block.
                assert_eq!(unsafe { verify(block, size, limit.min(size), 7) }, Ok(()));
            }
        }
    }

    #[test]
    fn one_changed_byte_is_found_in_all_small_and_edge_positions() {
        let size = FULL + STRIDE;
        let mut bytes = vec![0; size];
        for offset in [0, 1, EDGE - 1, STRIDE, 2 * STRIDE, size - EDGE, size - 1] {
            let block = start(&mut bytes);
            // SAFETY: the vector's bytes are ours alone.
            unsafe { write(block, size, 3) };
            bytes[offset] ^= 0x10;
            let block = start(&mut bytes);
            // SAFETY: as above.
            let breach = unsafe { verify(block, size, size, 3) };
            assert!(
                matches!(breach, Err(Breach::Changed { offset: found, .. }) if found == offset),
                "{breach:?}"
            );
        }
    }

    #[test]
    fn contents_shifted_by_a_word_do_not_verify() {
        let mut bytes = vec![0; 64];
        let block = start(&mut bytes);
        // SAFETY: the vector's bytes are ours alone.
        unsafe { write(block, 64, 5) };
        bytes.copy_within(8.., 0);
        let block = start(&mut bytes);
        // SAFETY: as above.
        assert!(unsafe { verify(block, 56, 56, 5) }.is_err());
    }

    #[test]
    fn a_byte_that_is_not_zero_is_found() {
        let mut bytes = vec![0; 10_000];
        bytes[9_000] = 4;
        let block = start(&mut bytes);
        // SAFETY: the vector's bytes are ours alone.
        let breach = unsafe { verify_zero(block, 0, 10_000) };
        assert!(matches!(breach, Err(Breach::NotZero { offset: 9_000, found: 4, .. })), "{breach:?}");
        // SAFETY: as above.
        assert_eq!(unsafe { verify_zero(block, 9_001, 10_000) }, Ok(()));
    }
}
