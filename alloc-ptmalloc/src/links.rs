//! Links between free chunks, written in the chunks themselves.
//!
//! ```text
//!          head                        doubly linked, in a ring: the head is known, its bk is the tail
//!           |
//!           v   fd        fd        fd
//!  +-> +--------+ --> +--------+ --> +--------+ --+
//!  |   | oldest |     |        |     | newest |   |
//!  |   +--------+ <-- +--------+ <-- +--------+   |
//!  +------------------------ fd ------------------+       (and bk the other way round)
//! ```
//!
//! A ring needs no sentinel, and unlinking from it no comparison with an end. Links lie in memory that users have held and may
//! write to by mistake; so a link is followed only to where a chunk could be, and believed only if the other side links back.
//! The check of both sides is ptmalloc's, after Stefan Esser's and Solar Designer's.
//!
//! Singly linked lists have no other side. Where the user asked for hardening their links are stored masked with the place
//! that they lie at ([`Mask`]), so that an overwritten one leads to a chunk with a chance of 1 in 16 at most: safe-linking,
//! after Eyal Itkin.

use core::ptr::{self, NonNull};

use alloc_core::Misuse;

use crate::chunk::{self, Chunk, FLAGS};
use crate::config::CheckLevel;
use crate::owner;

const _: () =
    assert!(chunk::HEAP_ALIGN == owner::HEAP_ALIGN, "chunks and the owner table speak of the same heaps");

const FD: usize = 16;
const BK: usize = 24;
const FD_NEXTSIZE: usize = 32;
const BK_NEXTSIZE: usize = 40;

/// Which ring of a chunk: of its bin, or of the sizes in a large bin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring {
    forward: usize,
    back: usize,
}

/// fd and bk: all chunks of a bin.
pub(crate) const BIN: Ring = Ring { forward: FD, back: BK };
/// fd_nextsize and bk_nextsize: the first chunk of each size in a large bin.
pub(crate) const SIZES: Ring = Ring { forward: FD_NEXTSIZE, back: BK_NEXTSIZE };

impl Ring {
    /// The chunk that follows; `None` if that cannot be one.
    ///
    /// # Safety
    /// `chunk` is a chunk of a heap, free or a cached block, large enough for the links of this ring.
    #[inline]
    pub(crate) unsafe fn after(self, chunk: Chunk) -> Option<Chunk> {
        // SAFETY: the caller's promise.
        unsafe { follow(chunk, self.forward) }
    }

    /// The chunk that comes before; `None` if that cannot be one.
    ///
    /// # Safety
    /// As for [`after`](Self::after).
    #[inline]
    pub(crate) unsafe fn before(self, chunk: Chunk) -> Option<Chunk> {
        // SAFETY: the caller's promise.
        unsafe { follow(chunk, self.back) }
    }

    /// What the chunk links to, whatever that is: to be compared, not followed.
    ///
    /// # Safety
    /// The links lie in a heap.
    #[inline]
    pub(crate) unsafe fn leads(self, chunk: Chunk) -> Option<Chunk> {
        // SAFETY: the caller's promise.
        unsafe { raw(chunk, self.forward) }
    }

    /// What the chunk links back to, whatever that is.
    ///
    /// # Safety
    /// As for [`leads`](Self::leads).
    #[inline]
    pub(crate) unsafe fn leads_back(self, chunk: Chunk) -> Option<Chunk> {
        // SAFETY: the caller's promise.
        unsafe { raw(chunk, self.back) }
    }

    /// Makes a ring of one chunk.
    ///
    /// # Safety
    /// As for [`after`](Self::after), and the chunk's memory is the caller's to shape.
    #[inline]
    pub(crate) unsafe fn alone(self, chunk: Chunk) {
        // SAFETY: the caller's promise.
        unsafe { self.join(chunk, chunk) };
    }

    /// Puts `chunk` between `at` and what came before it.
    ///
    /// # Safety
    /// As for [`after`](Self::after), for both chunks; `chunk` is on no ring of this kind.
    ///
    /// # Errors
    /// [`Misuse::CorruptedLink`] when the ring does not lead back to `at`; nothing is changed.
    #[inline]
    pub(crate) unsafe fn insert_before(self, at: Chunk, chunk: Chunk) -> Result<(), Misuse> {
        // SAFETY: `at` is as the caller promises.
        let Some(before) = (unsafe { self.before(at) }) else { return Err(Misuse::CorruptedLink) };
        // SAFETY: a chunk could be there: the address is in a heap of the same arena.
        if unsafe { self.leads(before) } != Some(at) {
            return Err(Misuse::CorruptedLink);
        }
        // SAFETY: both link to each other, hence are on the ring.
        unsafe { self.join(before, chunk) };
        // SAFETY: as above.
        unsafe { self.join(chunk, at) };
        Ok(())
    }

    /// Takes `chunk` off. Returns the chunk that followed, which is `chunk` itself if it was alone.
    ///
    /// # Safety
    /// As for [`after`](Self::after).
    ///
    /// # Errors
    /// [`Misuse::CorruptedLink`] when a neighbour on the ring does not link back; nothing is changed.
    #[inline]
    pub(crate) unsafe fn remove(self, chunk: Chunk) -> Result<Chunk, Misuse> {
        // SAFETY: the caller's promise.
        let after = unsafe { self.after(chunk) };
        // SAFETY: the caller's promise.
        let before = unsafe { self.before(chunk) };
        let (Some(after), Some(before)) = (after, before) else { return Err(Misuse::CorruptedLink) };
        // SAFETY: a chunk could be there: the address is in a heap of the same arena.
        let back = unsafe { self.leads_back(after) };
        // SAFETY: as above.
        let forward = unsafe { self.leads(before) };
        if back != Some(chunk) || forward != Some(chunk) {
            return Err(Misuse::CorruptedLink);
        }
        // SAFETY: both were linked to the chunk, hence are on the ring.
        unsafe { self.join(before, after) };
        Ok(after)
    }

    /// Makes `second` follow `first`.
    ///
    /// # Safety
    /// Both are free chunks of this arena.
    #[inline]
    pub(crate) unsafe fn join(self, first: Chunk, second: Chunk) {
        // SAFETY: the caller's promise.
        unsafe { set(first, self.forward, Some(second)) };
        // SAFETY: the caller's promise.
        unsafe { set(second, self.back, Some(first)) };
    }

    /// Notes that the chunk is not on this ring.
    ///
    /// # Safety
    /// As for [`alone`](Self::alone).
    #[inline]
    pub(crate) unsafe fn leave_blank(self, chunk: Chunk) {
        // SAFETY: the caller's promise.
        unsafe { set(chunk, self.forward, None) };
    }

    /// Whether the chunk is on this ring, as far as [`leave_blank`](Self::leave_blank) tells.
    ///
    /// # Safety
    /// As for [`after`](Self::after).
    #[inline]
    pub(crate) unsafe fn is_on(self, chunk: Chunk) -> bool {
        // SAFETY: the caller's promise.
        unsafe { self.leads(chunk) }.is_some()
    }
}

/// What is written at a link's place, wherever it leads.
///
/// # Safety
/// The place lies in a heap.
#[inline]
unsafe fn raw(chunk: Chunk, offset: usize) -> Option<Chunk> {
    // SAFETY: the caller's promise.
    let place = unsafe { chunk.word(offset) };
    // SAFETY: the place is in a heap, whose memory is readable, and aligned as chunks are; any bits are an optional
    // address, null being `None`.
    unsafe { place.cast::<Option<Chunk>>().read() }
}

/// Where a link leads, if a chunk of the same arena could be there: in the same heap, mostly, which takes no look at the owner
/// table.
///
/// # Safety
/// As for [`raw`].
#[inline]
unsafe fn follow(chunk: Chunk, offset: usize) -> Option<Chunk> {
    // SAFETY: the caller's promise.
    let place = unsafe { chunk.word(offset) };
    // SAFETY: the place is in a heap, whose memory is readable, and aligned as chunks are; any bits are a pointer.
    let linked = unsafe { place.cast::<*mut u8>().read() };
    if chunk.is_near(linked.addr()) {
        // SAFETY: in the same heap as the chunk, and no heap lies at address 0.
        return Some(Chunk::at(unsafe { NonNull::new_unchecked(linked) }));
    }
    NonNull::new(linked).map(Chunk::at).filter(|&linked| may_link_far(chunk, linked))
}

/// # Safety
/// The place lies in a free chunk of a heap whose arena is held.
#[inline]
unsafe fn set(chunk: Chunk, offset: usize, to: Option<Chunk>) {
    // SAFETY: the caller's promise.
    let place = unsafe { chunk.word(offset) };
    // SAFETY: the place is in a free chunk, which is its arena's to write.
    unsafe { place.cast::<Option<Chunk>>().write(to) };
}

/// Whether a chunk of the same arena could be at `to`.
#[inline]
fn may_link(from: Chunk, to: Chunk) -> bool {
    from.is_near(to.address()) || may_link_far(from, to)
}

/// As [`may_link`], for another heap.
#[cold]
fn may_link_far(from: Chunk, to: Chunk) -> bool {
    to.address() & FLAGS == 0 && owner::of(to.address()) == owner::of(from.address())
}

/// How the links of singly linked lists are stored: as they are, or masked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mask(usize);

impl Mask {
    /// The mask of a level of checking.
    #[inline]
    pub(crate) fn new(level: CheckLevel) -> Self {
        Self(if level >= CheckLevel::Hardened { usize::MAX } else { 0 })
    }

    #[inline]
    fn apply(self, link: *mut u8, place: usize) -> *mut u8 {
        link.map_addr(|address| address ^ ((place >> 12) & self.0))
    }

    /// Writes the link of `chunk` to the next one of its list.
    ///
    /// # Safety
    /// The chunk is the arena's, and nobody uses its block.
    #[inline]
    pub(crate) unsafe fn write(self, chunk: Chunk, next: Option<Chunk>) {
        // SAFETY: every chunk has a word there.
        let place = unsafe { chunk.word(FD) };
        let next = next.map_or(ptr::null_mut(), |next| next.start().as_ptr());
        // SAFETY: the block is the arena's.
        unsafe { place.cast::<*mut u8>().write(self.apply(next, place.addr().get())) };
    }

    /// Reads the link of `chunk` to the next one of its list.
    ///
    /// # Safety
    /// As for [`write`](Self::write), which wrote it.
    ///
    /// # Errors
    /// [`Misuse::CorruptedLink`] when no chunk can be where it leads.
    #[inline]
    pub(crate) unsafe fn read(self, chunk: Chunk) -> Result<Option<Chunk>, Misuse> {
        // SAFETY: every chunk has a word there.
        let place = unsafe { chunk.word(FD) };
        // SAFETY: the place is in a heap, and any bits are a pointer.
        let stored = unsafe { place.cast::<*mut u8>().read() };
        match NonNull::new(self.apply(stored, place.addr().get())).map(Chunk::at) {
            Some(next) if !may_link(chunk, next) => Err(Misuse::CorruptedLink),
            next => Ok(next),
        }
    }
}
