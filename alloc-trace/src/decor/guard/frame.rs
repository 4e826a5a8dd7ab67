//! The bytes around a guarded block.
//!
//! ```text
//! inner block                        user's block
//! v                                  v
//! +-----------+----------------------+-----------------+----------------+
//! | link, gap | size shape seal fore | the user's size | 16 canaries    |
//! +-----------+----------------------+-----------------+----------------+
//! | front - 32|        32            |                 |                |
//! ```
//!
//! `front` is 32, or the alignment where that is larger. Only then is there a gap, and at its start a link of two words,
//! by which a walk finds the header from the inner block's start. The seal is made of a key of the process, the block's
//! address, size and shape, so that no other bytes pass for a header but by chance of one in 2^64, nor those of a block
//! that was there before. `fore` and the canaries behind are made of the key and their addresses.

use core::alloc::Layout;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use alloc_core::{Field, Peek, peek_u64};

use crate::key::{key, mix};

/// Bytes of the header.
pub(crate) const HEADER: usize = 32;
/// Bytes of the canaries behind a block.
pub(crate) const REAR: usize = 16;
/// The least alignment of guarded blocks.
const ALIGN: usize = 16;
/// What a freed block is filled with.
const FREED: u8 = 0xdf;

/// Whether a header is that of a live block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Live,
    Freed,
}

/// A guarded block whose header was right when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guarded {
    pub(crate) user: NonNull<u8>,
    pub(crate) size: usize,
    align: usize,
    pub(crate) life: Life,
}

/// The layout to ask the inner strategy for, and the bytes before the user's block.
pub(crate) fn outer(layout: Layout) -> Option<(Layout, usize)> {
    let align = layout.align().max(ALIGN);
    let front = align.max(HEADER);
    let size = layout.size().checked_add(front)?.checked_add(REAR)?;
    Some((Layout::from_size_align(size, align).ok()?, front))
}

/// Shows the header of what should be a user's block, decoded.
pub(crate) fn show_header(user: usize, peek: Peek<'_>, show: &mut dyn FnMut(Field)) {
    let word = |index: usize| peek_u64(peek, user.wrapping_sub(HEADER) + index * 8);
    let (Some(size), Some(shape), Some(check), Some(fore)) = (word(0), word(1), word(2), word(3)) else {
        return;
    };
    let sealed = |life| check == seal(user, size, shape, life);
    let known = sealed(Life::Live) || sealed(Life::Freed);
    show(Field::number("size", size));
    show(Field::number("align", 1_u64.checked_shl(shape as u32).unwrap_or(0)));
    show(Field::flag("LIVE", sealed(Life::Live)));
    show(Field::flag("FREED", sealed(Life::Freed)));
    show(Field::flag("canary before", fore == u64::from_le_bytes(canary(user.wrapping_sub(8)))));
    let end = user.wrapping_add(size as usize);
    let mut rear = [0; REAR];
    if known && peek(end, &mut rear) {
        show(Field::flag("canaries behind", rear == rear_canary(end)));
    }
}

fn words<'a>(place: NonNull<u8>) -> &'a [AtomicU64; 4] {
    // SAFETY: the callers pass 32 bytes of an inner block, aligned to 16, which are a header or were found to be none;
    // they are only ever accessed as atomics by guards.
    unsafe { place.cast().as_ref() }
}

fn seal(user: usize, size: u64, shape: u64, life: Life) -> u64 {
    let life = match life {
        Life::Live => 0x4c,
        Life::Freed => 0x46,
    };
    mix(mix(mix(user as u64 ^ key()).wrapping_add(size)).wrapping_add(shape << 8 | life)) | 1
}

fn link_seal(place: usize, front: u64) -> u64 {
    mix(mix(place as u64 ^ !key()).wrapping_add(front)) | 1
}

/// The canary for the eight bytes at `address`; its first byte in memory is never zero, so that a string's end is seen.
fn canary(address: usize) -> [u8; 8] {
    (mix(key() ^ (address as u64).rotate_left(32)) | 0x0101).to_le_bytes()
}

fn rear_canary(end: usize) -> [u8; REAR] {
    let mut bytes = [0; REAR];
    let (low, high) = bytes.split_at_mut(8);
    low.copy_from_slice(&canary(end));
    high.copy_from_slice(&canary(end.wrapping_add(8)));
    bytes
}

impl Guarded {
    /// Writes header, link and canaries.
    ///
    /// # Safety
    /// `block` is a fresh inner block of [`outer`]`(layout)`, with `front` from there.
    pub(crate) unsafe fn create(block: NonNull<u8>, layout: Layout, front: usize) -> Self {
        // SAFETY: the inner block has `front` bytes and more.
        let user = unsafe { block.add(front) };
        let shape = u64::from(layout.align().max(ALIGN).trailing_zeros());
        let guarded = Self { user, size: layout.size(), align: layout.align().max(ALIGN), life: Life::Live };
        if front > HEADER {
            let [link, mark, ..] = words(block);
            link.store(front as u64, Ordering::Relaxed);
            mark.store(link_seal(block.addr().get(), front as u64), Ordering::Relaxed);
        }
        let address = user.addr().get();
        for (place, byte) in guarded.rear().iter().zip(rear_canary(address + layout.size())) {
            place.store(byte, Ordering::Relaxed);
        }
        let [size, form, check, fore] = guarded.header();
        size.store(layout.size() as u64, Ordering::Relaxed);
        form.store(shape, Ordering::Relaxed);
        fore.store(u64::from_le_bytes(canary(address - 8)), Ordering::Relaxed);
        // Release: who finds the seal, on a walk, finds the rest.
        check.store(seal(address, layout.size() as u64, shape, Life::Live), Ordering::Release);
        guarded
    }

    /// The guarded block at `user`, if its header is right.
    ///
    /// # Safety
    /// The 32 bytes before `user` are readable, and no thread writes to them but as atomics.
    pub(crate) unsafe fn read(user: NonNull<u8>) -> Option<Self> {
        let address = user.addr().get();
        if !address.is_multiple_of(ALIGN) {
            return None;
        }
        // SAFETY: promised by the caller.
        let [size, form, check, _] = words(unsafe { user.sub(HEADER) });
        let found = check.load(Ordering::Acquire);
        let (size, shape) = (size.load(Ordering::Relaxed), form.load(Ordering::Relaxed));
        let life =
            [Life::Live, Life::Freed].into_iter().find(|&life| seal(address, size, shape, life) == found)?;
        Some(Self { user, size: size as usize, align: 1 << (shape & 63), life })
    }

    /// The guarded block whose inner block, of at least `room` bytes, starts at `start`.
    ///
    /// # Safety
    /// `room` bytes from `start` on are readable.
    pub(crate) unsafe fn read_from_start(start: NonNull<u8>, room: usize) -> Option<Self> {
        if !start.addr().get().is_multiple_of(ALIGN) || room < HEADER + REAR {
            return None;
        }
        let [link, mark, ..] = words(start);
        let (front, mark) = (link.load(Ordering::Relaxed), mark.load(Ordering::Relaxed));
        let front = if mark == link_seal(start.addr().get(), front) { front as usize } else { HEADER };
        if front > room {
            return None;
        }
        // SAFETY: `front <= room`.
        let user = unsafe { start.add(front) };
        // SAFETY: at least 32 bytes of the room lie before `user`.
        let guarded = unsafe { Self::read(user) }?;
        (guarded.front() == front && front + guarded.size + REAR <= room).then_some(guarded)
    }

    /// Bytes before the user's.
    pub(crate) fn front(&self) -> usize {
        self.align.max(HEADER)
    }

    /// The inner block and its layout.
    pub(crate) fn inner(&self) -> (NonNull<u8>, Layout) {
        let front = self.front();
        // SAFETY: the header was right, so that the inner block began `front` bytes before the user's.
        let block = unsafe { self.user.sub(front) };
        // SAFETY: `create` was given an inner block of this very layout.
        (block, unsafe { Layout::from_size_align_unchecked(front + self.size + REAR, self.align) })
    }

    /// Whether the canaries are whole, and if not, which side was written to.
    pub(crate) fn canaries(&self) -> Result<(), super::Fault> {
        let address = self.user.addr().get();
        let [.., fore] = self.header();
        if fore.load(Ordering::Relaxed) != u64::from_le_bytes(canary(address - 8)) {
            return Err(super::Fault::Underrun);
        }
        let expected = rear_canary(address + self.size);
        let whole =
            self.rear().iter().zip(expected).all(|(place, byte)| place.load(Ordering::Relaxed) == byte);
        if whole { Ok(()) } else { Err(super::Fault::Overrun) }
    }

    /// Makes a live block a freed one, to be held back, or with `hold` false, breaks its seal at once. Of several threads
    /// that try, one succeeds.
    pub(crate) fn free(&self, hold: bool) -> bool {
        let [_, form, check, _] = self.header();
        let (address, size) = (self.user.addr().get(), self.size as u64);
        let shape = form.load(Ordering::Relaxed);
        let live = seal(address, size, shape, Life::Live);
        let freed = if hold { seal(address, size, shape, Life::Freed) } else { 0 };
        // AcqRel: whoever frees next, or finds it freed on a walk, sees what this thread did to it.
        check.compare_exchange(live, freed, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Fills a freed block, so that writes to it show.
    pub(crate) fn fill(&self) {
        // SAFETY: the block was freed, so that its `size` bytes are nobody's.
        unsafe { self.user.write_bytes(FREED, self.size) };
    }

    /// Whether a filled block still is as it was filled.
    pub(crate) fn is_filled(&self) -> bool {
        let bytes = ptr::slice_from_raw_parts(self.user.as_ptr().cast::<AtomicU8>(), self.size);
        // SAFETY: the block's bytes are readable; writes to them are the very fault that is looked for, hence atomics.
        unsafe { &*bytes }.iter().all(|byte| byte.load(Ordering::Relaxed) == FREED)
    }

    /// Breaks the seals, before the inner strategy gets the memory back.
    pub(crate) fn erase(&self) {
        let [_, _, check, _] = self.header();
        check.store(0, Ordering::Relaxed);
        if self.front() > HEADER {
            let [_, mark, ..] = words(self.inner().0);
            mark.store(0, Ordering::Relaxed);
        }
    }

    fn header(&self) -> &[AtomicU64; 4] {
        // SAFETY: the header lies before the user's block.
        words(unsafe { self.user.sub(HEADER) })
    }

    fn rear(&self) -> &[AtomicU8; REAR] {
        // SAFETY: 16 bytes of the inner block follow the user's.
        let rear = unsafe { self.user.add(self.size) };
        // SAFETY: as above; only guards write there, and faulty code.
        unsafe { rear.cast().as_ref() }
    }
}
