//! Blocks that know their size, over a strategy whose blocks do not.
//!
//! ```text
//!   | unused, for alignment | size: 8 | lead: 4 | mark: 4 | payload ...
//!   ^ the block below       <-------- HEADER = 16 -------->
//!   <------------------------ lead ----------------------->
//! ```
//!
//! The lead is the larger of 16 and the alignment. The mark is the payload's address, mixed with one constant while the
//! block is live and with another when it has been given back.

use core::alloc::Layout;
use core::ptr::NonNull;

use alloc_core::arith::align_up;
use alloc_core::{AllocError, Inspect, Misuse, OnMisuse, SizedBlocks, Strategy};

const HEADER: usize = size_of::<Header>();
const LIVE: u32 = 0x11fe_b10c;
const FREED: u32 = 0xf4ee_b10c;

#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Header {
    size: u64,
    lead: u32,
    mark: u32,
}

const _: () = assert!(HEADER == 16);

/// `S` with a header before each block.
#[derive(Debug)]
pub(crate) struct Headed<S> {
    inner: S,
    then: OnMisuse,
}

impl<S: Strategy> Headed<S> {
    /// `then`: what follows the line about a block that is none.
    pub(crate) const fn new(inner: S, then: OnMisuse) -> Self {
        Self { inner, then }
    }

    /// Writes the header of a block of `inner` and returns its payload.
    ///
    /// # Safety
    /// `below` is a live block of `whole`, which [`whole_layout`] made for `size` bytes.
    unsafe fn dress(below: NonNull<u8>, whole: Layout, size: usize) -> NonNull<u8> {
        let lead = whole.align();
        // SAFETY: the lead is less than the whole size.
        let payload = unsafe { below.add(lead) };
        // SAFETY: the lead has room for it, and both are multiples of 16.
        let header = unsafe { payload.cast::<Header>().sub(1) };
        #[expect(clippy::cast_possible_truncation, reason = "`whole_layout` refuses larger alignments")]
        let header_value = Header { size: size as u64, lead: lead as u32, mark: mark(payload, LIVE) };
        // SAFETY: as above, and ours.
        unsafe { header.write(header_value) };
        payload
    }

    /// The header of a live block; `None` where there is none, which was told.
    ///
    /// # Safety
    /// The bytes before `payload` may be read.
    unsafe fn header(&self, payload: NonNull<u8>) -> Option<Header> {
        let fault = |misuse: Misuse| {
            self.then.handle(misuse, self.name(), payload.addr().get());
            None
        };
        if !payload.addr().get().is_multiple_of(HEADER) {
            return fault(Misuse::MisalignedPointer);
        }
        // SAFETY: promised by the caller.
        let place = unsafe { payload.cast::<Header>().sub(1) };
        // SAFETY: as above.
        let header = unsafe { place.read() };
        match header.mark {
            found if found == mark(payload, LIVE) => Some(header),
            found if found == mark(payload, FREED) => fault(Misuse::DoubleFree),
            _ => fault(Misuse::CorruptedHeader),
        }
    }

    /// Makes the header say that the block was given back.
    ///
    /// # Safety
    /// `payload` is a live block of ours with this header, which is read no more as a live one's.
    unsafe fn mark_freed(payload: NonNull<u8>, header: Header) {
        // SAFETY: the header's place, as in `dress`.
        let place = unsafe { payload.cast::<Header>().sub(1) };
        // SAFETY: as above, and ours.
        unsafe { place.write(Header { mark: mark(payload, FREED), ..header }) };
    }

    /// A live block of ours as one of `inner`.
    ///
    /// # Safety
    /// `payload` is a live block of ours with this header.
    unsafe fn undress(payload: NonNull<u8>, header: Header) -> (NonNull<u8>, Layout) {
        let lead = header.lead as usize;
        // SAFETY: the block below starts so far before.
        let below = unsafe { payload.sub(lead) };
        // SAFETY: `whole_layout` made a layout of these two.
        (below, unsafe { Layout::from_size_align_unchecked(lead + header.size as usize, lead) })
    }
}

fn mark(payload: NonNull<u8>, state: u32) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are what differs")]
    let address = (payload.addr().get() >> 4) as u32;
    address ^ state
}

/// The block below that has room for `size` bytes at `align` and their header, and what of it is usable.
fn whole_layout(size: usize, align: usize) -> Option<(Layout, usize)> {
    let lead = align.max(HEADER);
    u32::try_from(lead).ok()?;
    let usable = align_up(size.max(1), HEADER)?;
    let whole = Layout::from_size_align(usable.checked_add(lead)?, lead).ok()?;
    Some((whole, usable))
}

// SAFETY: a payload lies within a live block of the inner strategy, behind its header, at a multiple of the alignment
// since the lead and the block below are. Nothing here unwinds.
unsafe impl<S: Strategy> Strategy for Headed<S> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let (whole, usable) = whole_layout(layout.size(), layout.align()).ok_or(AllocError)?;
        let below = self.inner.allocate(whole)?;
        // SAFETY: just allocated with this layout.
        Ok(unsafe { Self::dress(below, whole, usable) })
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let (whole, usable) = whole_layout(layout.size(), layout.align()).ok_or(AllocError)?;
        let below = self.inner.allocate_zeroed(whole)?;
        // SAFETY: just allocated with this layout.
        Ok(unsafe { Self::dress(below, whole, usable) })
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, _layout: Layout) {
        // SAFETY: the caller promises a live block of ours.
        unsafe { self.free(block) };
    }
}

// SAFETY: the header's size is that of the payload, and every block of ours has one.
unsafe impl<S: Strategy> SizedBlocks for Headed<S> {
    unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: a live block's header may be read.
        let Some(header) = (unsafe { self.header(block) }) else { return };
        // SAFETY: the block is live, with this header.
        let (below, whole) = unsafe { Self::undress(block, header) };
        // SAFETY: as above, and the caller's to give.
        unsafe { Self::mark_freed(block, header) };
        // SAFETY: live in the inner strategy, and its layout.
        unsafe { self.inner.deallocate(below, whole) };
    }

    unsafe fn usable_size(&self, block: NonNull<u8>) -> usize {
        // SAFETY: a live block's header may be read.
        unsafe { self.header(block) }.map_or(0, |header| header.size as usize)
    }

    unsafe fn reallocate(&self, block: NonNull<u8>, new_size: usize) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: a live block's header may be read.
        let header = unsafe { self.header(block) }.ok_or(AllocError)?;
        // SAFETY: the block is live, with this header.
        let (below, old) = unsafe { Self::undress(block, header) };
        let (new, usable) = whole_layout(new_size, old.align()).ok_or(AllocError)?;
        // As if given back: where it moves, a second use of the old address is found out.
        // SAFETY: the block is live, and the caller's to give.
        unsafe { Self::mark_freed(block, header) };
        let moved = if new.size() >= old.size() {
            // SAFETY: live in the inner strategy; the new layout has the same alignment and is no smaller.
            unsafe { self.inner.grow(below, old, new) }
        } else {
            // SAFETY: as above, and smaller.
            unsafe { self.inner.shrink(below, old, new) }
        };
        match moved {
            // SAFETY: a live block of this layout.
            Ok(moved) => Ok(unsafe { Self::dress(moved, new, usable) }),
            Err(AllocError) => {
                // SAFETY: the block is live still, with the layout that its header told.
                unsafe { Self::dress(below, old, header.size as usize) };
                Err(AllocError)
            }
        }
    }
}

impl<S: Strategy> Inspect for Headed<S> {
    alloc_core::forward_inspect!(self => self.inner);
}
