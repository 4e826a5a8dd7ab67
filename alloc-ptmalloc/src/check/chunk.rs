//! A heap, chunk by chunk.

use super::{Checked, Tally, What, ensure};
use crate::chunk::{Chunk, FLAGS, NOTE, PREV_IN_USE, size_of};
use crate::size::MIN_CHUNK;

/// Walks the chunks from `first` to `end`, which is top or a fence, of an arena whose chunks carry `arena_flags`. Every byte
/// between belongs to one of them. Returns the free ones and, as a count, all.
///
/// # Safety
/// `first` and `end` are of one heap of this arena, which is held; `end` has a size word.
pub(super) unsafe fn check_chunks(first: Chunk, end: Chunk, arena_flags: usize) -> Checked<(Tally, usize)> {
    let (mut free, mut chunks, mut at, mut before_is_free) = (Tally::default(), 0, first, false);
    while at != end {
        let address = at.address();
        // SAFETY: every step so far ended in the heap, before its end.
        let word = unsafe { at.size_word() };
        let size = size_of(word);
        ensure(size >= MIN_CHUNK && size <= end.address() - address, What::Size, address)?;
        ensure((word & PREV_IN_USE == 0) == before_is_free, What::PrevInUse, address)?;
        // SAFETY: `size` is at most what is left up to `end`.
        let next = unsafe { at.at_offset(size) };
        // SAFETY: as above.
        let is_free = !unsafe { next.prev_in_use() };
        let noted = if is_free { word & NOTE } else { 0 };
        ensure(word & FLAGS & !PREV_IN_USE == arena_flags | noted, What::Flags, address)?;
        if is_free {
            // SAFETY: as above.
            ensure(unsafe { next.prev_size() } == size, What::Foot, address)?;
            ensure(!before_is_free, What::Merged, address)?;
            free.add(address, size);
        }
        before_is_free = is_free;
        chunks += 1;
        at = next;
    }
    // SAFETY: the caller promises a size word at the end.
    ensure(unsafe { end.prev_in_use() } != before_is_free, What::PrevInUse, end.address())?;
    Ok((free, chunks))
}
