//! Fastbins: small freed chunks that are kept as they are, not merged, to be reused last in, first out. Era `Classic`.
//!
//! ```text
//!  fastbinsY[0]   32 bytes  --> newest --> ... --> oldest --> null       singly linked through fd
//!  fastbinsY[1]   48 bytes  --> null
//!  ...
//!  fastbinsY[6]  128 bytes  --> newest --> null
//!  fastbinsY[7..10]         unused at the default limit, as in glibc: `M_MXFAST` raises it
//! ```
//!
//! A chunk in a fastbin looks in use to its neighbours. All of them are merged and sorted when a large request comes or a
//! large chunk is freed ([`consolidate`](crate::arena)).

use alloc_core::Misuse;

use crate::chunk::Chunk;
use crate::links::Mask;
use crate::size::{ALIGN, MIN_CHUNK};

/// Fastbins.
pub(crate) const NFASTBINS: usize = 10;
/// The largest chunk that is kept in one, unless the user sets another limit.
pub(crate) const MAX_FAST: usize = 128;

/// The fastbins, `fastbinsY` in glibc.
#[derive(Debug)]
pub(crate) struct Fastbins {
    heads: [Option<Chunk>; NFASTBINS],
    chunks: usize,
    bytes: usize,
}

impl Fastbins {
    /// Fastbins without chunks.
    pub(crate) const fn new() -> Self {
        Self { heads: [None; NFASTBINS], chunks: 0, bytes: 0 }
    }

    /// Chunks in all.
    #[inline]
    pub(crate) fn chunks(&self) -> usize {
        self.chunks
    }

    /// Bytes in all.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The newest chunk of a bin, by its number.
    #[inline]
    pub(crate) fn head(&self, bin: usize) -> Option<Chunk> {
        self.heads.get(bin).copied().flatten()
    }

    /// The chunk size of a bin.
    pub(crate) const fn size_of(bin: usize) -> usize {
        MIN_CHUNK + bin * ALIGN
    }

    /// The place of the bin for chunks of `size`; `None` if they are too large.
    #[inline]
    fn place(&mut self, size: usize) -> Option<&mut Option<Chunk>> {
        self.heads.get_mut((size - MIN_CHUNK) / ALIGN)
    }

    /// Puts a chunk in its bin. Whether there is one for its size.
    ///
    /// # Safety
    /// The chunk is of `size`, in use as its neighbours see it, and given up by its holder.
    ///
    /// # Errors
    /// [`Misuse::DoubleFree`] when it is the newest there already.
    #[inline]
    pub(crate) unsafe fn push(&mut self, chunk: Chunk, size: usize, mask: Mask) -> Result<bool, Misuse> {
        let Some(head) = self.place(size) else { return Ok(false) };
        if *head == Some(chunk) {
            return Err(Misuse::DoubleFree);
        }
        let next = head.replace(chunk);
        // SAFETY: its holder gave it up.
        unsafe { mask.write(chunk, next) };
        self.chunks += 1;
        self.bytes += size;
        Ok(true)
    }

    /// Takes the newest chunk of `size`, if that has a bin and a chunk is there.
    ///
    /// # Safety
    /// The arena is held.
    ///
    /// # Errors
    /// With the chunk at fault: [`Misuse::CorruptedHeader`] when it is of another size, [`Misuse::CorruptedLink`] when no chunk
    /// can be where it leads. The bin is forgotten.
    #[inline]
    pub(crate) unsafe fn pop(&mut self, size: usize, mask: Mask) -> Result<Option<Chunk>, (Misuse, Chunk)> {
        let Some(place) = self.place(size) else { return Ok(None) };
        let Some(chunk) = *place else { return Ok(None) };
        // SAFETY: a chunk is on the list.
        let found = unsafe { chunk.size() };
        // SAFETY: the list was written with this mask.
        let next = unsafe { mask.read(chunk) };
        match next {
            Ok(next) if found == size => {
                *place = next;
                self.chunks -= 1;
                self.bytes -= size;
                Ok(Some(chunk))
            }
            _ => {
                *place = None;
                self.recount(mask);
                Err((next.err().unwrap_or(Misuse::CorruptedHeader), chunk))
            }
        }
    }

    /// Takes any chunk, and says its size.
    ///
    /// # Safety
    /// As for [`pop`](Self::pop).
    ///
    /// # Errors
    /// As for [`pop`](Self::pop).
    pub(crate) unsafe fn pop_any(&mut self, mask: Mask) -> Result<Option<(Chunk, usize)>, (Misuse, Chunk)> {
        let Some(bin) = self.heads.iter().position(Option::is_some) else { return Ok(None) };
        let size = Self::size_of(bin);
        // SAFETY: the caller's promises are the callee's.
        unsafe { self.pop(size, mask) }.map(|chunk| chunk.map(|chunk| (chunk, size)))
    }

    /// Counts anew after a bin was forgotten.
    #[cold]
    fn recount(&mut self, mask: Mask) {
        let before = self.chunks;
        (self.chunks, self.bytes) = (0, 0);
        for (bin, &head) in self.heads.iter().enumerate() {
            let mut at = head;
            while let Some(chunk) = at {
                if self.chunks == before {
                    return;
                }
                self.chunks += 1;
                self.bytes += Self::size_of(bin);
                // SAFETY: a chunk is on the list, which was written with this mask.
                at = unsafe { mask.read(chunk) }.unwrap_or(None);
            }
        }
    }
}
