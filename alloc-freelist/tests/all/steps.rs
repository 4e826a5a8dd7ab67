//! Random operations against the shadow, with everything derived anew after each.

use core::mem::MaybeUninit;

use alloc_core::backend::SystemBackend;
use alloc_freelist::coalesce::{Classed, Coalesce, Deferred, Immediate};
use alloc_freelist::header::{self, Checked, Header, Keyed};
use alloc_freelist::{Config, FixedFreeList, FreeList, Policy, Unlocked, fit};
use alloc_testkit::ops::generate;
use alloc_testkit::{Driver, Limits, Op, Options, Subject};
use proptest::prelude::*;

/// Steps by a page, so that zones grow, and their tables move, in the middle of everything.
struct Pages<F, H, C>(core::marker::PhantomData<(F, H, C)>);

impl<F: fit::Fit, H: Header, C: Coalesce> Config for Pages<F, H, C> {
    type Fit = F;
    type Header = H;
    type Coalesce = C;
    const GROW: usize = 4096;
    const GROW_SHARE: usize = 0;
    const WIDE: usize = 32 << 10;
}

fn run(
    subject: Subject<'_>,
    options: &Options,
    ops: &[Op],
    check: &dyn Fn() -> Result<(), alloc_freelist::Fault>,
) -> Result<(), TestCaseError> {
    let fail = |text: String| TestCaseError::fail(text);
    let mut driver = Driver::new(subject, options);
    for (step, &op) in ops.iter().enumerate() {
        driver.step(op).map_err(|breach| fail(format!("step {step}, {op:?}: {breach}")))?;
        check().map_err(|fault| fail(format!("after step {step}, {op:?}: {fault}")))?;
    }
    driver.finish().map_err(|breach| fail(breach.to_string()))?;
    check().map_err(|fault| fail(format!("at the end: {fault}")))
}

macro_rules! steps {
    ($($name:ident: $fit:ty, $header:ty, $coalesce:ty, $kind:ident;)*) => {$(
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

                #[test]
                fn over_a_buffer(ops in generate::ops(1..150)) {
                    let mut buffer = vec![MaybeUninit::uninit(); 256 << 10];
                    let heap = FixedFreeList::<Policy<$fit, $header, $coalesce>>::over_in(&mut buffer);
                    let options = Options::new(Limits::bytes(256 << 10).serving(64 << 10));
                    run(Subject::$kind(&heap), &options, &ops, &|| heap.check())?;
                }

                #[test]
                fn growing(ops in generate::ops(1..150)) {
                    let source = crate::growing::Stretching::new(1 << 20, SystemBackend);
                    let heap = FreeList::<_, Pages<$fit, $header, $coalesce>, _, _>::from_parts(
                        &source, SystemBackend, Unlocked::new());
                    let options = Options { max_request: 128 << 10, ..Options::new(Limits::UNLIMITED.serving(64 << 10)) };
                    run(Subject::$kind(&heap), &options, &ops, &|| heap.check())?;
                    drop(heap);
                    prop_assert_eq!(source.outstanding(), 0);
                }
            }
        }
    )*};
}

steps! {
    good_none: fit::Good, header::None, Immediate, plain;
    good_none_deferred: fit::Good, header::None, Deferred, plain;
    good_none_classed: fit::Good, header::None, Classed, plain;
    good_packed: fit::Good, header::Packed, Immediate, plain;
    good_packed_classed: fit::Good, header::Packed, Classed, plain;
    best_packed_classed: fit::Best, header::Packed, Classed<16384>, plain;
    good_sized: fit::Good, header::Sized, Immediate, sized;
    good_sized_classed: fit::Good, header::Sized, Classed, sized;
    next_sized_classed: fit::Next, header::Sized, Classed<16384>, sized;
    best_checked_classed: fit::Best, Checked, Classed, sized;
    good_sized_deferred: fit::Good, header::Sized, Deferred<512, 8192>, sized;
    good_checked: fit::Good, Checked, Immediate, sized;
    good_checked_deferred: fit::Good, Checked<Keyed>, Deferred<1024, 4096>, sized;
    first_none: fit::First, header::None, Immediate, plain;
    first_none_deferred: fit::First, header::None, Deferred, plain;
    first_sized: fit::First, header::Sized, Immediate, sized;
    first_checked: fit::First, Checked, Immediate, sized;
    first_checked_deferred: fit::First, Checked<Keyed>, Deferred, sized;
    next_none: fit::Next, header::None, Immediate, plain;
    next_sized_deferred: fit::Next, header::Sized, Deferred, sized;
    next_checked: fit::Next, Checked, Immediate, sized;
    best_none: fit::Best, header::None, Immediate, plain;
    best_none_deferred: fit::Best, header::None, Deferred, plain;
    best_sized: fit::Best, header::Sized, Immediate, sized;
    best_checked: fit::Best, Checked<Keyed>, Immediate, sized;
}

/// Best fit passes over a packed block that is larger by one granule than what it looks for: growth must leave more than that, also
/// for alignments.
#[test]
fn a_zone_grows_by_enough_for_an_aligned_packed_block() {
    let ops = [
        Op::Allocate { size: 27, align_shift: 6, zeroed: false },
        Op::Allocate { size: 537, align_shift: 1, zeroed: false },
        Op::Deallocate { slot: 1987 },
        Op::Allocate { size: 216, align_shift: 0, zeroed: true },
        Op::Allocate { size: 8191, align_shift: 2, zeroed: false },
        Op::Allocate { size: 127, align_shift: 4, zeroed: false },
        Op::Deallocate { slot: 59588 },
        Op::Deallocate { slot: 25897 },
        Op::Allocate { size: 257, align_shift: 12, zeroed: true },
    ];
    let source = crate::growing::Stretching::new(1 << 20, SystemBackend);
    let heap = FreeList::<_, Pages<fit::Best, header::Packed, Classed>, _, _>::from_parts(
        &source,
        SystemBackend,
        Unlocked::new(),
    );
    let options = Options::new(Limits::UNLIMITED.serving(64 << 10));
    run(Subject::plain(&heap), &options, &ops, &|| heap.check()).expect("the memory suffices");
}
