//! One source of spans that is any of several, so that heaps over all of them are one type.

use std::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::backend::{Backend, PagesBackend, Span, SystemBackend};
use alloc_core::os::fake::FakeOs;
use alloc_core::os::unix::Os;
use alloc_freelist::Sbrk;
use alloc_testkit::fault::{Disaligning, Fragmented, Poisoning};

/// How many kinds there are.
pub const KINDS: u8 = 7;

/// A source of any kind.
pub enum Any {
    System(SystemBackend),
    Pages(PagesBackend<Os>),
    Break(Sbrk<FakeOs>),
    Disaligning(Disaligning<SystemBackend>),
    Fragmented(Fragmented<SystemBackend>),
    Poisoning(Poisoning<Fragmented<SystemBackend>>),
    OddPages(Disaligning<PagesBackend<Os>>),
}

impl Any {
    pub fn of_kind(kind: u8) -> Self {
        match kind % KINDS {
            0 => Self::System(SystemBackend),
            1 => Self::Pages(PagesBackend::new(Os)),
            // SAFETY: the fake is nobody else's.
            2 => Self::Break(unsafe { Sbrk::alone(FakeOs::new(4096).with_break(512 << 10)) }),
            3 => Self::Disaligning(Disaligning::new(SystemBackend)),
            4 => Self::Fragmented(Fragmented::new(SystemBackend)),
            5 => Self::Poisoning(Poisoning::new(Fragmented::new(SystemBackend))),
            _ => Self::OddPages(Disaligning::new(PagesBackend::new(Os))),
        }
    }

    /// Stops where something was written behind a span.
    pub fn assert_untouched(&self) {
        let trespasses = match self {
            Self::Fragmented(source) => source.trespasses(),
            Self::Poisoning(source) => source.inner().trespasses(),
            _ => 0,
        };
        assert_eq!(trespasses, 0, "writes behind the end of a span");
    }
}

macro_rules! whichever {
    ($any:expr, $source:ident => $call:expr) => {
        match $any {
            Any::System($source) => $call,
            Any::Pages($source) => $call,
            Any::Break($source) => $call,
            Any::Disaligning($source) => $call,
            Any::Fragmented($source) => $call,
            Any::Poisoning($source) => $call,
            Any::OddPages($source) => $call,
        }
    };
}

// SAFETY: every method forwards to the same method of one source, always the same one, whose promises are ours.
unsafe impl Backend for Any {
    const ZEROED: bool = false;

    fn granule(&self) -> usize {
        whichever!(self, source => source.granule())
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        whichever!(self, source => source.allocate_span(size, align))
    }

    unsafe fn release_span(&self, span: Span) {
        // SAFETY: the caller's promises are the callee's; so below.
        whichever!(self, source => unsafe { source.release_span(span) })
    }

    unsafe fn grow_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        // SAFETY: as above.
        whichever!(self, source => unsafe { source.grow_span(span, size) })
    }

    unsafe fn move_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        // SAFETY: as above.
        whichever!(self, source => unsafe { source.move_span(span, size) })
    }

    unsafe fn shrink_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        // SAFETY: as above.
        whichever!(self, source => unsafe { source.shrink_span(span, size) })
    }

    unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize {
        // SAFETY: as above.
        whichever!(self, source => unsafe { source.purge(start, size) })
    }
}
