//! A backend that watches the one who calls it.

use super::*;
use std::cell::RefCell;

pub(super) type Held = (Span, Box<[MaybeUninit<u8>]>);

/// A backend that writes down its calls and checks that it gets back what it gave.
#[derive(Default)]
pub(super) struct Probe {
    pub(super) calls: RefCell<Vec<String>>,
    pub(super) held: RefCell<Vec<Held>>,
    /// The largest alignment it serves; 0 stands for all.
    pub(super) max_align: usize,
    /// Bytes that it gives beyond its granule.
    pub(super) surplus: usize,
}

impl Probe {
    fn note(&self, call: String) {
        self.calls.borrow_mut().push(call);
    }

    pub(super) fn take_calls(&self) -> Vec<String> {
        self.calls.take()
    }

    fn resize(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        let mut held = self.held.borrow_mut();
        let known = held.iter_mut().find(|(known, _)| *known == span).expect("a span of this backend, whole");
        known.0.size = size.next_multiple_of(16);
        Ok(known.0)
    }

    fn offset(&self, start: NonNull<u8>) -> usize {
        start.addr().get() - self.held.borrow()[0].0.start.addr().get()
    }
}

unsafe impl Backend for Probe {
    const ZEROED: bool = false;

    fn granule(&self) -> usize {
        16
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        self.note(format!("allocate {size} {align}"));
        if self.max_align != 0 && align > self.max_align {
            return Err(AllocError);
        }
        let size = size.next_multiple_of(16) + self.surplus;
        let mut memory = buffer(2 * size + align).into_boxed_slice();
        let start = NonNull::from(&mut *memory).cast::<u8>();
        let start = unsafe { start.add(start.align_offset(align.max(16))) };
        let span = Span { start, size };
        self.held.borrow_mut().push((span, memory));
        Ok(span)
    }

    unsafe fn release_span(&self, span: Span) {
        self.note("release".into());
        let mut held = self.held.borrow_mut();
        let at = held.iter().position(|(known, _)| *known == span).expect("a span of this backend, whole");
        held.remove(at);
    }

    unsafe fn grow_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        self.note(format!("grow {size}"));
        assert!(size >= span.size, "growing to less");
        self.resize(span, size)
    }

    unsafe fn move_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        self.note(format!("move {size}"));
        self.resize(span, size)
    }

    unsafe fn shrink_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        self.note(format!("shrink {size}"));
        assert!(size <= span.size, "shrinking to more");
        self.resize(span, size)
    }

    unsafe fn populate(&self, start: NonNull<u8>, size: usize) {
        self.note(format!("populate {} {size}", self.offset(start)));
    }

    unsafe fn advise_huge(&self, start: NonNull<u8>, size: usize) {
        self.note(format!("huge {} {size}", self.offset(start)));
    }

    unsafe fn advise_no_huge(&self, start: NonNull<u8>, size: usize) {
        self.note(format!("no huge {} {size}", self.offset(start)));
    }

    unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize {
        self.note(format!("purge {} {size}", self.offset(start)));
        77
    }
}
