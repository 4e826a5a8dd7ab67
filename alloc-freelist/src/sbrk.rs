//! The program break as a backend.

use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::arith::{align_down, align_up, padding};
use alloc_core::backend::{Backend, Span};
use alloc_core::os::{Advice, Break, Pages};
use alloc_core::sync::Mutex;

/// Spans from `sbrk`, in whole pages.
///
/// Others may move the break as well (the C library does). A span grows in place while the break is still at its end;
/// otherwise the next span starts where the break is now. A span that is given back waits for a request that it
/// suffices for, or, over a break that is [ours alone](Self::alone), until it is the last one, and the break falls.
///
/// Two threads that move the break at the same time may be given the same bytes: the C library's `sbrk` reads it and
/// writes it in two steps. A heap moves it under its own lock; what else does so in the process must be on the same
/// thread, or come to rest before. A program whose only allocator is this one fulfils that.
#[derive(Debug)]
pub struct Sbrk<O> {
    os: O,
    purges: bool,
    falls: bool,
    waiting: Mutex<Waiting>,
}

/// Spans that were given back with others above them, linked through their first bytes.
#[derive(Debug)]
struct Waiting(Option<NonNull<WaitingSpan>>);

#[derive(Debug)]
struct WaitingSpan {
    next: Option<NonNull<WaitingSpan>>,
    size: usize,
}

// SAFETY: the spans on the list are the list's alone, and bound to no thread.
unsafe impl Send for Waiting {}

impl<O: Break + Pages> Sbrk<O> {
    /// Spans from the break of `os`.
    #[must_use]
    pub const fn new(os: O) -> Self {
        Self { os, purges: false, falls: false, waiting: Mutex::new(Waiting(None)) }
    }

    /// The same, giving the memory behind unused pages below the break back by [`Advice::DontNeed`].
    ///
    /// # Safety
    /// `os` takes advice on pages below the break as on mapped ones. Kernels do.
    #[must_use]
    pub const unsafe fn purging(os: O) -> Self {
        Self { os, purges: true, falls: false, waiting: Mutex::new(Waiting(None)) }
    }

    /// The same over a break that nobody else moves, which therefore can fall again.
    ///
    /// # Safety
    /// Nobody else moves the break of `os` down, or up while this does.
    #[must_use]
    pub const unsafe fn alone(os: O) -> Self {
        Self { os, purges: false, falls: true, waiting: Mutex::new(Waiting(None)) }
    }

    /// Where the break is.
    ///
    /// # Errors
    /// [`AllocError`] where there is none.
    pub fn at(&self) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: a query gives nothing back.
        unsafe { self.os.sbrk(0) }
    }

    /// Moves the break up by `size` bytes.
    fn rise(&self, size: usize) -> Result<NonNull<u8>, AllocError> {
        let delta = isize::try_from(size).map_err(|_| AllocError)?;
        // SAFETY: nothing is given back.
        unsafe { self.os.sbrk(delta) }
    }

    /// Moves the break down over a span if it ends there.
    ///
    /// # Safety
    /// The span is ours, and nobody uses it.
    unsafe fn fall(&self, span: Span) -> bool {
        if !self.falls || self.at().map(|at| at.addr().get()) != Ok(span.end()) {
            return false;
        }
        let Ok(size) = isize::try_from(span.size) else { return false };
        // SAFETY: nobody uses the span, which ends at the break, and nobody else moves that, as `alone` was promised.
        unsafe { self.os.sbrk(-size) }.is_ok()
    }

    /// A waiting span of at least `size` bytes.
    fn reuse(&self, size: usize, align: usize) -> Option<Span> {
        let mut waiting = self.waiting.lock();
        let mut before: Option<NonNull<WaitingSpan>> = None;
        let mut next = waiting.0;
        while let Some(entry) = next {
            // SAFETY: entries on the list were written by `wait`, and the lock is held.
            let WaitingSpan { next: after, size: found } = unsafe { entry.read() };
            if found >= size && entry.addr().get() % align == 0 {
                match before {
                    None => waiting.0 = after,
                    // SAFETY: as above; no reference to an entry exists.
                    Some(mut before) => unsafe { before.as_mut() }.next = after,
                }
                return Some(Span { start: entry.cast(), size: found });
            }
            (before, next) = (next, after);
        }
        None
    }

    /// # Safety
    /// The span is ours, nobody uses it, it starts on a granule, and it holds an entry.
    unsafe fn wait(&self, span: Span) {
        // SAFETY: as the caller promises.
        unsafe { self.purge(span.start, span.size) };
        let entry = span.start.cast::<WaitingSpan>();
        let mut waiting = self.waiting.lock();
        // SAFETY: the span is ours and unused, starts on a granule, and holds an entry.
        unsafe { entry.write(WaitingSpan { next: waiting.0, size: span.size }) };
        waiting.0 = Some(entry);
    }
}

/// Spans start on multiples of this: the break may be anywhere.
const GRANULE: usize = 16;

// SAFETY: bytes between the old and the new break are the caller's of `sbrk` alone; a waiting span is handed out to one.
// Nothing here allocates or unwinds.
unsafe impl<O: Break + Pages> Backend for Sbrk<O> {
    const ZEROED: bool = false;

    fn granule(&self) -> usize {
        self.os.page_size()
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        let page = self.os.page_size();
        let align = align.max(GRANULE);
        let size = align_up(size, page).ok_or(AllocError)?;
        if let Some(span) = self.reuse(size, align) {
            return Ok(span);
        }
        // Where the break stands askew, what is lost at the front is added, and the next break is on a page.
        let at = self.at()?.addr().get();
        let lead = padding(at, align);
        let end = at.checked_add(lead).and_then(|start| start.checked_add(size)).ok_or(AllocError)?;
        let end = align_up(end, page).ok_or(AllocError)?;
        let start = self.rise(end - at)?;
        // Somebody may have moved the break since: then the lead is another.
        let lead = padding(start.addr().get(), align);
        let left = (end - at).saturating_sub(lead);
        if left < size {
            if left >= size_of::<WaitingSpan>() {
                // SAFETY: the lead is less than what the break rose by.
                let start = unsafe { start.add(lead) };
                // SAFETY: the bytes came just now, start on a granule, and nobody uses them.
                unsafe { self.wait(Span { start, size: left }) };
            }
            return Err(AllocError);
        }
        // SAFETY: the lead is less than what the break rose by.
        Ok(Span { start: unsafe { start.add(lead) }, size: left })
    }

    unsafe fn release_span(&self, span: Span) {
        // SAFETY: the caller promises a span of ours that nobody uses.
        if !unsafe { self.fall(span) } {
            // SAFETY: as above.
            unsafe { self.wait(span) };
            return;
        }
        // The spans that now are the last ones go too.
        loop {
            let Ok(at) = self.at() else { return };
            let mut waiting = self.waiting.lock();
            let mut before: Option<NonNull<WaitingSpan>> = None;
            let mut next = waiting.0;
            let found = loop {
                let Some(entry) = next else { return };
                // SAFETY: entries on the list were written by `wait`, and the lock is held.
                let WaitingSpan { next: after, size } = unsafe { entry.read() };
                if entry.addr().get() + size == at.addr().get() {
                    match before {
                        None => waiting.0 = after,
                        // SAFETY: as above; no reference to an entry exists.
                        Some(mut before) => unsafe { before.as_mut() }.next = after,
                    }
                    break Span { start: entry.cast(), size };
                }
                (before, next) = (next, after);
            };
            drop(waiting);
            // SAFETY: it was waiting, hence is unused, and is off the list.
            if !unsafe { self.fall(found) } {
                // SAFETY: as above.
                return unsafe { self.wait(found) };
            }
        }
    }

    unsafe fn grow_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        if self.at()?.addr().get() != span.end() {
            return Err(AllocError);
        }
        let page = self.os.page_size();
        let end = span
            .start
            .addr()
            .get()
            .checked_add(size)
            .and_then(|end| align_up(end, page))
            .ok_or(AllocError)?;
        let more = end.saturating_sub(span.end());
        let start = self.rise(more)?;
        if start.addr().get() != span.end() {
            // Somebody moved the break between the two calls.
            let lead = padding(start.addr().get(), GRANULE);
            if more >= lead + size_of::<WaitingSpan>() {
                // SAFETY: the lead is less than what the break rose by.
                let start = unsafe { start.add(lead) };
                // SAFETY: the bytes came just now, start on a granule, and nobody uses them.
                unsafe { self.wait(Span { start, size: more - lead }) };
            }
            return Err(AllocError);
        }
        Ok(Span { start: span.start, size: span.size + more })
    }

    unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize {
        let page = self.os.page_size();
        let address = start.addr().get();
        let Some(first) = align_up(address, page) else { return 0 };
        let end = align_down(address + size, page);
        if end <= first || !self.purges {
            return 0;
        }
        // SAFETY: `first` lies in the range, as `end` does.
        let start = unsafe { start.add(first - address) };
        // SAFETY: whole pages below the break, on which `purging` was promised that advice is taken, and whose contents the
        // caller gives up.
        match unsafe { self.os.advise(start, end - first, Advice::DontNeed) } {
            Ok(()) => end - first,
            Err(AllocError) => 0,
        }
    }
}
