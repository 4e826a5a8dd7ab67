//! Every combination of policies over every hostile source: what fails, runs out, misaligns, never touches, and is full of junk.

use core::ptr::NonNull;

use alloc_core::AllocError;
use alloc_core::backend::{Backend, Failing, Limited, PagesBackend, Span, SystemBackend};
use alloc_core::os::schedule::Schedule;
use alloc_core::os::unix::Os;
use alloc_freelist::coalesce::{Classed, Coalesce, Deferred, Immediate};
use alloc_freelist::header::{self, Checked, Header, Keyed, Packed};
use alloc_freelist::{Config, FreeList, Unlocked, fit};
use alloc_testkit::fault::{Disaligning, Fragmented, Poisoning};
use alloc_testkit::ops::generate;
use alloc_testkit::{Limits, Op, Options, Subject, drive};

/// The part of a backend that a heap needs, so that heaps over all sources are one type.
trait Spans {
    fn granule(&self) -> usize;
    fn allocate(&self, size: usize, align: usize) -> Result<Span, AllocError>;
    /// # Safety
    /// As for [`Backend::release_span`].
    unsafe fn release(&self, span: Span);
    /// # Safety
    /// As for [`Backend::grow_span`].
    unsafe fn grow(&self, span: Span, size: usize) -> Result<Span, AllocError>;
    /// # Safety
    /// As for [`Backend::purge`].
    unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize;
}

impl<B: Backend> Spans for B {
    fn granule(&self) -> usize {
        Backend::granule(self)
    }

    fn allocate(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        self.allocate_span(size, align)
    }

    unsafe fn release(&self, span: Span) {
        // SAFETY: the caller's promise is the callee's; so below.
        unsafe { self.release_span(span) };
    }

    unsafe fn grow(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        // SAFETY: as above.
        unsafe { self.grow_span(span, size) }
    }

    unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize {
        // SAFETY: as above.
        unsafe { Backend::purge(self, start, size) }
    }
}

/// Any source.
struct Erased(Box<dyn Spans>);

// SAFETY: every method forwards to that of one backend, always the same one. Spans are not said to be zero.
unsafe impl Backend for Erased {
    const ZEROED: bool = false;

    fn granule(&self) -> usize {
        self.0.granule()
    }

    fn allocate_span(&self, size: usize, align: usize) -> Result<Span, AllocError> {
        self.0.allocate(size, align)
    }

    unsafe fn release_span(&self, span: Span) {
        // SAFETY: the caller's promise is the callee's; so below.
        unsafe { self.0.release(span) };
    }

    unsafe fn grow_span(&self, span: Span, size: usize) -> Result<Span, AllocError> {
        // SAFETY: as above.
        unsafe { self.0.grow(span, size) }
    }

    unsafe fn purge(&self, start: NonNull<u8>, size: usize) -> usize {
        // SAFETY: as above.
        unsafe { self.0.purge(start, size) }
    }
}

struct Steps<F, H, C>(core::marker::PhantomData<(F, H, C)>);

impl<F: fit::Fit, H: Header, C: Coalesce> Config for Steps<F, H, C> {
    type Fit = F;
    type Header = H;
    type Coalesce = C;
    const GROW: usize = 32 << 10;
    const GROW_SHARE: usize = 4;
    // Within the classes.
    const WIDE: usize = 24 << 10;
}

/// The sources, each with a name for messages and how it fails.
fn sources() -> Vec<(&'static str, Schedule, Box<dyn Spans>)> {
    vec![
        ("system", Schedule::Nth(3), Box::new(SystemBackend)),
        ("system", Schedule::Pattern { bits: 0b1000, period: 4 }, Box::new(SystemBackend)),
        ("limited pages", Schedule::Never, Box::new(Limited::new(PagesBackend::new(Os), 256 << 10))),
        ("limited", Schedule::Nth(5), Box::new(Limited::new(SystemBackend, 200 << 10))),
        ("misaligned", Schedule::Never, Box::new(Disaligning::new(SystemBackend))),
        ("misaligned pages", Schedule::Nth(4), Box::new(Disaligning::new(PagesBackend::new(Os)))),
        ("fragmented", Schedule::Nth(6), Box::new(Fragmented::new(SystemBackend))),
        ("junk", Schedule::Never, Box::new(Poisoning::new(Fragmented::new(SystemBackend)))),
    ]
}

type Source = Failing<Erased>;
type Heap<'a, C> = FreeList<&'a Source, C, &'a Source, Unlocked>;

/// Runs a configuration over every source, with operations drawn anew for each.
fn over_every_source<C: Config>(name: &str, subject: impl for<'s, 'a> Fn(&'s Heap<'a, C>) -> Subject<'s>) {
    let options = Options { max_request: 256 << 10, ..Options::new(Limits::UNLIMITED).failing() };
    for (seed, (kind, schedule, source)) in sources().into_iter().enumerate() {
        let ops: Vec<Op> = generate::sample(seed as u64, 300);
        let source = Failing::new(Erased(source), schedule);
        let heap: Heap<'_, C> = FreeList::from_parts(&source, &source, Unlocked::new());
        let report = drive(subject(&heap), &ops, &options)
            .unwrap_or_else(|breach| panic!("{name} over {kind}: {breach}"));
        assert!(report.allocated > 0, "{name} over {kind}: {report:?}");
        heap.check().unwrap_or_else(|fault| panic!("{name} over {kind}: {fault:?}"));
        drop(heap);
        assert_eq!((source.outstanding(), source.outstanding_bytes()), (0, 0), "{name} over {kind}");
    }
}

macro_rules! combinations {
    ($($name:ident: $subject:ident, $header:ty, [$($fit:ty),*];)*) => {$(
        #[test]
        fn $name() {
            $(
                let of = stringify!($fit, $header);
                over_every_source::<Steps<$fit, $header, Immediate>>(of, |heap| Subject::$subject(heap));
                over_every_source::<Steps<$fit, $header, Deferred>>(of, |heap| Subject::$subject(heap));
                over_every_source::<Steps<$fit, $header, Classed>>(of, |heap| Subject::$subject(heap));
            )*
        }
    )*};
}

combinations! {
    blocks_without_headers: plain, header::None, [fit::Good, fit::First, fit::Next, fit::Best];
    packed_blocks: plain, Packed, [fit::Good, fit::Best];
    sized_blocks: sized, header::Sized, [fit::Good, fit::First, fit::Next, fit::Best];
    checked_blocks: sized, Checked, [fit::Good, fit::First, fit::Next, fit::Best];
    keyed_blocks: sized, Checked<Keyed>, [fit::Good, fit::First, fit::Next, fit::Best];
}
