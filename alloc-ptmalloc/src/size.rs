//! From requests to chunk sizes. All sizes are bytes.

#![forbid(unsafe_code)]

use alloc_core::arith::MAX_SIZE;

/// Every chunk size and every block address is a multiple of this.
pub(crate) const ALIGN: usize = 16;

/// What a chunk in use keeps of its own size: the size word. Its first word belongs to the block before it.
pub(crate) const OVERHEAD: usize = 8;

/// From a chunk's start to its block.
pub(crate) const TO_BLOCK: usize = 16;

/// The smallest chunk: two words of header and, while it is free, two links.
pub(crate) const MIN_CHUNK: usize = 32;

/// The largest request: beyond it, rounding and headers could leave the sizes that Rust and C allow.
pub(crate) const MAX_REQUEST: usize = MAX_SIZE - (1 << 16);

/// The chunk that a request needs, by 16 bytes; `None` for impossible requests.
#[inline]
pub(crate) const fn chunk_size(request: usize) -> Option<usize> {
    if request > MAX_REQUEST {
        return None;
    }
    let size = (request + OVERHEAD + ALIGN - 1) & !(ALIGN - 1);
    Some(if size < MIN_CHUNK { MIN_CHUNK } else { size })
}

/// The bytes that the holder of a chunk in use may write: all but the size word, and the first word of the next chunk.
#[inline]
pub(crate) const fn usable(chunk_size: usize) -> usize {
    chunk_size - OVERHEAD
}

/// Whether a chunk serves a request for one of `need` bytes without much left over.
#[inline]
pub(crate) const fn serves(chunk_size: usize, need: usize) -> bool {
    let spare = chunk_size.wrapping_sub(need);
    need <= chunk_size && (spare < 64 || spare < chunk_size / 8)
}

/// Chunks below this move rather than lock their arena: copying so little costs less than splitting and merging.
pub(crate) const MOVES_BELOW: usize = 1 << 10;

/// Whether a chunk that would rather move stays where it is: a shrink that is not worth a smaller one.
#[inline]
pub(crate) const fn stays(chunk_size: usize, need: usize) -> bool {
    chunk_size < MOVES_BELOW && need <= chunk_size && chunk_size - need < chunk_size / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_chunk_is_the_smallest_that_holds_its_request(request in 0..=MAX_REQUEST) {
            let size = chunk_size(request).unwrap();
            prop_assert!(size % ALIGN == 0 && size >= MIN_CHUNK && usable(size) >= request);
            prop_assert!(size == MIN_CHUNK || usable(size - ALIGN) < request);
        }
    }

    #[test]
    fn edges() {
        assert_eq!([0, 1, 24, 25, 40, 41].map(|n| chunk_size(n).unwrap()), [32, 32, 32, 48, 48, 64]);
        assert_eq!(chunk_size(MAX_REQUEST + 1), None);
        assert_eq!(chunk_size(usize::MAX), None);
    }
}
