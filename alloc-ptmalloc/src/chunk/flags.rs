//! The low bits of a size word, which sizes leave free.

#![forbid(unsafe_code)]

/// P: the chunk before this one is in use. Clear, its foot tells its size.
pub(crate) const PREV_IN_USE: usize = 1;
/// M: the chunk has a mapping of its own, and no neighbours.
pub(crate) const MAPPED: usize = 2;
/// A: the chunk is of an arena other than the first.
pub(crate) const NON_MAIN_ARENA: usize = 4;
/// A bit that means nothing while a chunk is in use. Whoever keeps a note in it on a free chunk loses the note when the chunk
/// is merged, split or handed out.
pub(crate) const NOTE: usize = 8;

/// All that is not size.
pub(crate) const FLAGS: usize = 15;

/// The size in a size word.
#[inline]
pub(crate) const fn size_of(word: usize) -> usize {
    word & !FLAGS
}

/// Whether a size word of a chunk in use, of an arena whose chunks carry `arena_flags`, has bits that it cannot have.
#[inline]
pub(crate) const fn contradicts(word: usize, arena_flags: usize) -> bool {
    (word ^ arena_flags) & (MAPPED | NON_MAIN_ARENA | NOTE) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_size_do_not_touch() {
        assert_eq!(PREV_IN_USE | MAPPED | NON_MAIN_ARENA | NOTE, FLAGS);
        assert_eq!(size_of(0x1230 | FLAGS), 0x1230);
    }

    #[test]
    fn only_p_is_free_to_vary_on_a_chunk_in_use() {
        assert!(!contradicts(64, 0) && !contradicts(64 | PREV_IN_USE, 0));
        assert!(!contradicts(64 | NON_MAIN_ARENA, NON_MAIN_ARENA));
        for wrong in [MAPPED, NON_MAIN_ARENA, NOTE] {
            assert!(contradicts(64 | wrong, 0), "{wrong}");
        }
        assert!(contradicts(64, NON_MAIN_ARENA));
    }
}
