//! Sources that fail, run out, misalign, and never give two spans that touch.

use alloc_core::Strategy;
use alloc_core::backend::{Backend, Failing, Limited, PagesBackend, SystemBackend};
use alloc_core::os::schedule::Schedule;
use alloc_core::os::unix::Os;
use alloc_freelist::coalesce::{Classed, Deferred, Immediate};
use alloc_freelist::header::{self, Checked};
use alloc_freelist::{Config, FreeList, Policy, Unlocked, fit};
use alloc_testkit::fault::{Disaligning, Fragmented, Poisoning, sweep};
use alloc_testkit::ops::generate;
use alloc_testkit::{Limits, Options, Subject, drive};

use crate::support::layout;

struct Steps<F, H, C>(core::marker::PhantomData<(F, H, C)>);

impl<F: fit::Fit, H: header::Header, C: alloc_freelist::coalesce::Coalesce> Config for Steps<F, H, C> {
    type Fit = F;
    type Header = H;
    type Coalesce = C;
    const GROW: usize = 64 << 10;
    const GROW_SHARE: usize = 4;
    const WIDE: usize = 128 << 10;
}

type Plain = Steps<fit::Good, header::None, Deferred>;
type Sized = Steps<fit::Best, header::Sized, Immediate>;
type Strict = Steps<fit::First, Checked, Immediate>;

fn heap<B: Backend, C: Config>(backend: &B) -> FreeList<&B, C, &B> {
    FreeList::from_parts(backend, backend, Unlocked::new())
}

fn options() -> Options {
    Options { max_request: 1 << 20, ..Options::new(Limits::UNLIMITED.serving(1 << 20)) }
}

#[test]
fn every_call_of_the_source_fails_once() {
    let ops = generate::sample(0xf4ee, 500);
    let swept = sweep(
        &ops,
        &options(),
        || PagesBackend::new(Os),
        |backend, run| {
            let heap = heap::<_, Plain>(backend);
            let report = run(Subject::plain(&heap));
            heap.check().expect("a whole heap");
            report
        },
    );
    let swept = swept.expect("failures are survived");
    assert!(swept.calls > 4 && swept.failing.failures > 0, "{swept:?}");
    sweep(
        &ops,
        &options(),
        || SystemBackend,
        |backend, run| {
            let heap = heap::<_, Sized>(backend);
            let report = run(Subject::sized(&heap));
            heap.check().expect("a whole heap");
            report
        },
    )
    .expect("failures are survived");
    sweep(
        &ops,
        &options(),
        || PagesBackend::new(Os),
        |backend, run| {
            let heap = heap::<_, Strict>(backend);
            let report = run(Subject::sized(&heap));
            heap.check().expect("a whole heap");
            report
        },
    )
    .expect("failures are survived");
}

/// Runs operations over a source with each configuration; every span must come back.
fn survives<B: Backend>(make: impl Fn() -> B) {
    for seed in 0..6 {
        let ops = generate::sample(seed, 400);
        let run = |source: &Failing<B>, subject: Subject<'_>| {
            let report = drive(subject, &ops, &options().failing()).expect("the contract holds");
            assert!(report.allocated > 0, "{report:?}");
            assert!(source.requests() > 0);
        };
        let source = Failing::new(make(), Schedule::Never);
        let plain = heap::<_, Plain>(&source);
        run(&source, Subject::plain(&plain));
        plain.check().expect("a whole heap");
        drop(plain);
        let sized = heap::<_, Sized>(&source);
        run(&source, Subject::sized(&sized));
        sized.check().expect("a whole heap");
        drop(sized);
        let strict = heap::<_, Strict>(&source);
        run(&source, Subject::sized(&strict));
        strict.check().expect("a whole heap");
        drop(strict);
        assert_eq!(source.outstanding(), 0, "every span came back");
    }
}

#[test]
fn spans_at_odd_places() {
    survives(|| Disaligning::new(PagesBackend::new(Os)));
    survives(|| Disaligning::new(SystemBackend));
}

#[test]
fn spans_that_never_touch() {
    survives(|| Fragmented::new(SystemBackend));
}

#[test]
fn spans_full_of_junk() {
    survives(|| Poisoning::new(SystemBackend));
    survives(|| Poisoning::new(Fragmented::new(SystemBackend)));
}

#[test]
fn sources_that_run_out() {
    survives(|| Limited::new(PagesBackend::new(Os), 300 << 10));
    survives(|| Limited::new(Disaligning::new(SystemBackend), 200 << 10));
}

#[test]
fn nobody_writes_behind_a_span() {
    let source = Fragmented::new(SystemBackend);
    let heap = heap::<_, Policy>(&source);
    drive(Subject::plain(&heap), &generate::sample(77, 600), &options()).expect("the contract holds");
    drop(heap);
    assert_eq!(source.trespasses(), 0);
}

/// Classes reach beyond where blocks have spans of their own, and such a block is as large as was asked for, not as its class.
#[test]
fn a_wide_block_is_no_larger_than_its_span() {
    struct Early;
    impl Config for Early {
        type Fit = fit::Good;
        type Header = header::None;
        type Coalesce = Classed;
        const WIDE: usize = 1 << 10;
    }
    let source = Fragmented::new(SystemBackend);
    let heap = heap::<_, Early>(&source);
    let (old, new) = (layout(1025, 8), layout(1088, 8));
    let block = heap.allocate(old).expect("memory suffices");
    // SAFETY: the block is live, with this layout.
    let grown = unsafe { heap.grow(block, old, new) }.expect("memory suffices");
    // SAFETY: the block has so many bytes now.
    unsafe { grown.write_bytes(0x77, 1088) };
    // SAFETY: the block is live, with this layout.
    unsafe { heap.deallocate(grown, new) };
    drop(heap);
    assert_eq!(source.trespasses(), 0, "what was written is the block's");
}
