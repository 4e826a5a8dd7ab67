//! Spans from one buffer that the caller supplies.

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::{Backend, Span};
use crate::arith::{align_down, align_up, padding};
use crate::error::AllocError;
use crate::sync::Mutex;

/// Spans are multiples of this, so that every hole has room for its own entry.
const GRANULE: usize = 16;

/// A fixed buffer, handed out from its start to its end. Needs neither an operating system nor `std`.
///
/// What is given back is handed out again once nothing above it is in use: the last span at once, others when the spans
/// after them have gone. Contents are whatever they were.
///
/// ```text
///   start                                   top                  start + size
///   | span | hole | span | hole | span      | never used         |
///             ^-------------'^------- holes, the highest first
/// ```
#[derive(Debug)]
pub struct Region<'a> {
    start: NonNull<u8>,
    size: usize,
    state: Mutex<State>,
    _buffer: PhantomData<&'a mut [MaybeUninit<u8>]>,
}

#[derive(Debug)]
struct State {
    /// Bytes from the region's start; everything from here on is unused. No hole ends here.
    top: usize,
    highest: Option<NonNull<Hole>>,
}

/// An unused range below `top`, described in its first bytes: a span that was given back, or padding for alignment.
#[derive(Debug)]
struct Hole {
    size: usize,
    lower: Option<NonNull<Hole>>,
}

const _: () = assert!(size_of::<Hole>() <= GRANULE && align_of::<Hole>() <= GRANULE);

// SAFETY: the buffer is borrowed exclusively, spans are their holders', and holes are reached under the lock only.
unsafe impl Send for Region<'_> {}
// SAFETY: as above.
unsafe impl Sync for Region<'_> {}

impl<'a> Region<'a> {
    /// Spans from `buffer`, less what its ends lack to a multiple of 16 bytes.
    #[must_use]
    pub fn new(buffer: &'a mut [MaybeUninit<u8>]) -> Self {
        let size = buffer.len();
        let start = NonNull::from(buffer).cast();
        // SAFETY: the buffer is readable and writable (its holder gives up what it holds), and borrowed for `'a`.
        unsafe { Self::from_raw(start, size) }
    }

    /// Spans from the `size` bytes at `start`, less what its ends lack to a multiple of 16 bytes.
    ///
    /// # Safety
    /// For `'a`, the bytes are readable and writable, and used through this region alone.
    #[must_use]
    pub unsafe fn from_raw(start: NonNull<u8>, size: usize) -> Self {
        let lead = padding(start.addr().get(), GRANULE).min(size);
        // SAFETY: `lead <= size`.
        let start = unsafe { start.add(lead) };
        let size = align_down(size - lead, GRANULE);
        Self { start, size, state: Mutex::new(State { top: 0, highest: None }), _buffer: PhantomData }
    }

    /// Bytes that the region can hand out when nothing is in use.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Bytes that it can hand out now, in one span of small alignment.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.size - self.state.lock().top
    }

    /// Describes the `size` bytes at offset `at` in their first bytes.
    ///
    /// # Safety
    /// The range lies in the region on granules, is not empty, and is unused.
    unsafe fn make_hole(&self, at: usize, size: usize, lower: Option<NonNull<Hole>>) -> NonNull<Hole> {
        // SAFETY: `at` lies in the region.
        let hole = unsafe { self.start.add(at) }.cast::<Hole>();
        // SAFETY: the range is at least a granule, and aligned to one, since the region's start is.
        unsafe { hole.write(Hole { size, lower }) };
        hole
    }

    fn offset(&self, address: NonNull<u8>) -> usize {
        address.addr().get() - self.start.addr().get()
    }
}

impl State {
    /// Lowers `top` over the holes that end there.
    fn absorb(&mut self, region: &Region<'_>) {
        while let Some(hole) = self.highest {
            // SAFETY: holes on the list are described, and the lock is held.
            let Hole { size, lower } = unsafe { hole.read() };
            let at = region.offset(hole.cast());
            if at + size != self.top {
                return;
            }
            self.top = at;
            self.highest = lower;
        }
    }

    /// Puts the unused range among the holes, which are sorted by address.
    ///
    /// # Safety
    /// As for [`Region::make_hole`], and the range lies below `top`.
    unsafe fn insert(&mut self, region: &Region<'_>, at: usize, size: usize) {
        let mut higher: Option<NonNull<Hole>> = None;
        let mut lower = self.highest;
        while let Some(hole) = lower.filter(|hole| region.offset(hole.cast()) > at) {
            higher = lower;
            // SAFETY: holes on the list are described, and the lock is held.
            lower = unsafe { hole.read() }.lower;
        }
        // SAFETY: the caller's promises are the callee's.
        let hole = unsafe { region.make_hole(at, size, lower) };
        match higher {
            None => self.highest = Some(hole),
            // SAFETY: as above; no reference to a hole exists.
            Some(mut above) => unsafe { above.as_mut() }.lower = Some(hole),
        }
    }
}

// SAFETY: a span is a part of the buffer above `top`, which then moves over it, and `top` comes back only when the span
// is released; a hole is never handed out; the size stays within the buffer's; nothing here allocates or unwinds.
unsafe impl Backend for Region<'_> {
    const ZEROED: bool = false;

    fn granule(&self) -> usize {
        GRANULE
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        let size = align_up(size, GRANULE).ok_or(AllocError)?;
        let mut state = self.state.lock();
        let pad = padding(self.start.addr().get() + state.top, align.max(GRANULE));
        let room = self.size - state.top;
        if pad > room || size > room - pad {
            return Err(AllocError);
        }
        let at = state.top + pad;
        if pad > 0 {
            // SAFETY: the padding lies between `top` and the new span: unused, on granules, and above every hole.
            state.highest = Some(unsafe { self.make_hole(state.top, pad, state.highest) });
        }
        state.top = at + size;
        // SAFETY: `at + size` is within the region.
        Ok(Span { start: unsafe { self.start.add(at) }, size })
    }

    unsafe fn release_span(&self, span: Span) {
        let at = self.offset(span.start);
        let mut state = self.state.lock();
        if at + span.size == state.top {
            state.top = at;
            state.absorb(self);
        } else {
            // SAFETY: a span of ours lies on granules below `top`, and the caller promises that nothing uses it.
            unsafe { state.insert(self, at, span.size) };
        }
    }

    unsafe fn grow_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        let size = align_up(size, GRANULE).ok_or(AllocError)?;
        let at = self.offset(span.start);
        let mut state = self.state.lock();
        if at + span.size != state.top || size > self.size - at {
            return Err(AllocError);
        }
        state.top = at + size;
        Ok(Span { start: span.start, size })
    }
}
