//! A chunk's size word and foot, and the chunks on both sides.
//!
//! The words of a chunk are read and written whole, one at a time, through the chunk's own pointer: no reference to heap
//! memory is ever made.

use core::ptr::NonNull;

use super::Chunk;
use super::flags::{FLAGS, PREV_IN_USE, size_of};

/// Heaps start at multiples of this and are at most as large: two addresses of one heap agree above it.
pub(crate) const HEAP_ALIGN: usize = 64 << 20;

/// From a chunk to the foot of the chunk before it.
const PREV_FOOT: usize = 0;
/// From a chunk to its size word.
const SIZE_WORD: usize = 8;

impl Chunk {
    /// The chunk `offset` bytes further on.
    ///
    /// # Safety
    /// That address lies in the same heap or mapping.
    #[inline]
    pub(crate) unsafe fn at_offset(self, offset: usize) -> Self {
        // SAFETY: the caller promises that both addresses lie in one heap or mapping.
        Self(unsafe { self.0.byte_add(offset) })
    }

    /// The chunk `offset` bytes back.
    ///
    /// # Safety
    /// That address lies in the same heap.
    #[inline]
    pub(crate) unsafe fn before_offset(self, offset: usize) -> Self {
        // SAFETY: the caller promises that both addresses lie in one heap.
        Self(unsafe { self.0.byte_sub(offset) })
    }

    /// The word `offset` bytes into the chunk.
    ///
    /// # Safety
    /// The word lies in the chunk's heap or mapping.
    #[inline]
    pub(crate) unsafe fn word(self, offset: usize) -> NonNull<usize> {
        // SAFETY: the caller promises that the word lies in the same heap or mapping.
        unsafe { self.0.byte_add(offset) }.cast()
    }

    /// Whether a chunk could start at `address`, in the heap that this chunk is in.
    #[inline]
    pub(crate) fn is_near(self, address: usize) -> bool {
        (self.address() ^ address) & (!(HEAP_ALIGN - 1) | FLAGS) == 0
    }

    /// Its size word, flags and all.
    ///
    /// # Safety
    /// A chunk is here.
    #[inline]
    pub(crate) unsafe fn size_word(self) -> usize {
        // SAFETY: a chunk has its size word there.
        let word = unsafe { self.word(SIZE_WORD) };
        // SAFETY: the word was written when the chunk was made, and the arena is held.
        unsafe { word.read() }
    }

    /// Its size.
    ///
    /// # Safety
    /// A chunk is here.
    #[inline]
    pub(crate) unsafe fn size(self) -> usize {
        // SAFETY: the caller's promise is the callee's.
        size_of(unsafe { self.size_word() })
    }

    /// Whether the chunk before it is in use.
    ///
    /// # Safety
    /// A chunk is here.
    #[inline]
    pub(crate) unsafe fn prev_in_use(self) -> bool {
        // SAFETY: the caller's promise is the callee's.
        unsafe { self.size_word() & PREV_IN_USE != 0 }
    }

    /// The chunk after it.
    ///
    /// # Safety
    /// A chunk of a heap is here, and it is not the heap's last.
    #[inline]
    pub(crate) unsafe fn next(self) -> Self {
        // SAFETY: a chunk is here.
        let size = unsafe { self.size() };
        // SAFETY: the next chunk follows without a gap in the same heap.
        unsafe { self.at_offset(size) }
    }

    /// The size of the chunk before it: that chunk's foot.
    ///
    /// # Safety
    /// A chunk of a heap is here. The answer means something while the chunk before it is free.
    #[inline]
    pub(crate) unsafe fn prev_size(self) -> usize {
        // SAFETY: the foot of the chunk before is this chunk's first word.
        let word = unsafe { self.word(PREV_FOOT) };
        // SAFETY: the word lies in the heap, and the arena is held.
        unsafe { word.read() }
    }

    /// Whether it is in use: P of the next chunk.
    ///
    /// # Safety
    /// A chunk of a heap is here, and it is not the heap's last.
    #[inline]
    pub(crate) unsafe fn in_use(self) -> bool {
        // SAFETY: the caller's promise is the callee's.
        let next = unsafe { self.next() };
        // SAFETY: a chunk follows.
        unsafe { next.prev_in_use() }
    }

    /// Writes its whole size word.
    ///
    /// # Safety
    /// The chunk's memory is the caller's to shape.
    #[inline]
    pub(crate) unsafe fn set_head(self, word: usize) {
        // SAFETY: a chunk has its size word there.
        let place = unsafe { self.word(SIZE_WORD) };
        // SAFETY: the caller may shape the chunk.
        unsafe { place.write(word) };
    }

    /// Writes its size, and leaves its flags.
    ///
    /// # Safety
    /// A chunk is here, and its memory is the caller's to shape.
    #[inline]
    pub(crate) unsafe fn set_size_keep_flags(self, size: usize) {
        // SAFETY: a chunk is here.
        let word = unsafe { self.size_word() };
        // SAFETY: the caller may shape it.
        unsafe { self.set_head(size | (word & FLAGS)) };
    }

    /// Writes the foot of the chunk of `size` bytes here: the first word of the chunk after it.
    ///
    /// # Safety
    /// The chunk is free, of `size` bytes, and not its heap's last.
    #[inline]
    pub(crate) unsafe fn set_foot(self, size: usize) {
        // SAFETY: the next chunk follows in the same heap.
        let word = unsafe { self.word(size + PREV_FOOT) };
        // SAFETY: the first word of a chunk belongs to the chunk before it, which is the caller's.
        unsafe { word.write(size) };
    }

    /// Says in this chunk's size word whether the chunk before it is in use.
    ///
    /// # Safety
    /// A chunk is here, and its arena is held.
    #[inline]
    pub(crate) unsafe fn set_prev_in_use(self, in_use: bool) {
        // SAFETY: a chunk is here.
        let word = unsafe { self.size_word() };
        // SAFETY: the size word belongs to the arena, which is held.
        unsafe { self.set_head(if in_use { word | PREV_IN_USE } else { word & !PREV_IN_USE }) };
    }

    /// Says in the next chunk's size word whether this chunk is in use.
    ///
    /// # Safety
    /// A chunk of a heap is here that is not the heap's last, and its arena is held.
    #[inline]
    pub(crate) unsafe fn set_prev_in_use_of_next(self, in_use: bool) {
        // SAFETY: the caller's promise is the callee's.
        let next = unsafe { self.next() };
        // SAFETY: a chunk follows.
        unsafe { next.set_prev_in_use(in_use) };
    }

    /// Makes the chunk of `size` bytes here a free one: size word, foot, and P of the next chunk. The chunk before it is in
    /// use, as it always is: free neighbours are merged.
    ///
    /// # Safety
    /// The chunk is the caller's to shape, of an arena whose chunks carry `arena_flags`, and not its heap's last.
    #[inline]
    pub(crate) unsafe fn set_free(self, size: usize, arena_flags: usize) {
        // SAFETY: the caller may shape it.
        unsafe { self.set_head(size | arena_flags | PREV_IN_USE) };
        // SAFETY: it is free from here on, and a chunk follows.
        unsafe { self.set_foot(size) };
        // SAFETY: the next chunk follows in the same heap.
        let next = unsafe { self.at_offset(size) };
        // SAFETY: a chunk is there.
        unsafe { next.set_prev_in_use(false) };
    }

    /// Makes the free chunk of `size` bytes here one in use: size word, and P of the next chunk.
    ///
    /// # Safety
    /// As for [`set_free`](Self::set_free), and it is on no list.
    #[inline]
    pub(crate) unsafe fn set_used(self, size: usize, arena_flags: usize) {
        // SAFETY: the caller may shape it.
        unsafe { self.set_head(size | arena_flags | PREV_IN_USE) };
        // SAFETY: the next chunk follows in the same heap.
        let next = unsafe { self.at_offset(size) };
        // SAFETY: a chunk is there.
        unsafe { next.set_prev_in_use(true) };
    }
}

#[cfg(test)]
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "the life of a chunk in one go")]
mod tests {
    use super::*;
    use crate::chunk::NON_MAIN_ARENA;

    /// A heap of three chunks: 64, 96 and 48 bytes.
    #[repr(C, align(64))]
    struct Memory([u8; 208]);

    fn chunks(memory: &mut Memory) -> [Chunk; 3] {
        let first = Chunk::at(NonNull::from(&mut memory.0).cast());
        // SAFETY: all three, and the word after them, lie in the memory.
        unsafe {
            first.set_head(64 | PREV_IN_USE);
            let second = first.at_offset(64);
            second.set_head(96 | PREV_IN_USE | NON_MAIN_ARENA);
            let third = second.at_offset(96);
            third.set_head(48 | PREV_IN_USE);
            [first, second, third]
        }
    }

    #[test]
    fn chunks_find_each_other_by_sizes_and_feet() {
        let mut memory = Memory([0; 208]);
        let [first, second, third] = chunks(&mut memory);
        // SAFETY: the chunks are there.
        unsafe {
            assert_eq!((first.next(), second.next()), (second, third));
            assert!(first.in_use() && second.in_use());
            second.set_free(96, NON_MAIN_ARENA);
            assert!(!second.in_use() && second.prev_in_use() && !third.prev_in_use());
            assert_eq!((third.prev_size(), third.before_offset(96)), (96, second));
            second.set_used(96, NON_MAIN_ARENA);
            assert!(second.in_use());
            assert_eq!(second.size_word(), 96 | PREV_IN_USE | NON_MAIN_ARENA);
        }
    }

    #[test]
    fn sizes_change_without_flags_and_flags_without_sizes() {
        let mut memory = Memory([0; 208]);
        let [first, second, third] = chunks(&mut memory);
        // SAFETY: the chunks are there.
        unsafe {
            second.set_size_keep_flags(48);
            assert_eq!(second.size_word(), 48 | PREV_IN_USE | NON_MAIN_ARENA);
            second.set_size_keep_flags(96);
            second.set_prev_in_use_of_next(false);
            assert_eq!((third.size(), third.prev_in_use()), (48, false));
            first.set_prev_in_use_of_next(false);
            assert_eq!(second.size_word(), 96 | NON_MAIN_ARENA);
        }
    }

    #[test]
    fn what_is_near_is_aligned_and_in_the_same_64_mib() {
        let at = |address: usize| {
            Chunk::at(NonNull::without_provenance(core::num::NonZero::new(address).unwrap()))
        };
        let base = 5 * HEAP_ALIGN;
        let chunk = at(base + 0x1000);
        assert!(chunk.is_near(base) && chunk.is_near(base + HEAP_ALIGN - 16));
        for far in [0, base - 16, base + HEAP_ALIGN, base + 8, base + 0x1001, usize::MAX] {
            assert!(!chunk.is_near(far), "{far:#x}");
        }
    }
}
