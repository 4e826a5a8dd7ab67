//! Random operations against the shadow oracle of alloc-testkit, with the arena's own invariants checked after each run.

use core::mem::MaybeUninit;

use alloc_bump::{Bump, Config, Down, FixedBump, Pages, Up};
use alloc_core::backend::{Backend, Failing, Limited, SystemBackend};
use alloc_core::os::schedule::Schedule;
use alloc_testkit::ops::generate;
use alloc_testkit::{Limits, Options, Reuse, Subject, drive};
use proptest::prelude::*;

const LIMITS: Limits = Limits::UNLIMITED.reusing(Reuse::Last);

/// Runs a sequence, some of it in a checkpoint that is then rewound, and the same again in what is left.
fn run<B: Backend, C: Config>(
    mut bump: Bump<B, C>,
    ops: &[alloc_testkit::Op],
    options: &Options,
) -> Result<(), TestCaseError> {
    let fail = |violation: alloc_testkit::Violation| TestCaseError::fail(violation.to_string());
    for _ in 0..2 {
        drive(Subject::plain(&bump), ops, options).map_err(fail)?;
        prop_assert_eq!(bump.check(), Ok(()));

        let checkpoint = bump.checkpoint();
        drive(Subject::plain(&bump), ops, &options.failing()).map_err(fail)?;
        // SAFETY: the checkpoint is the latest, and `drive` has given back what it took.
        unsafe { bump.rewind(checkpoint) };
        prop_assert_eq!(bump.check(), Ok(()));

        drive(Subject::plain(&bump), ops, &options.failing()).map_err(fail)?;
        bump.reset();
        prop_assert_eq!(bump.check(), Ok(()));
    }
    Ok(())
}

macro_rules! stamp {
    ($($name:ident: $config:ty;)*) => {$(
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(24))]

                #[test]
                fn over_pages(ops in generate::ops(1..120)) {
                    run(Bump::<Pages, $config>::default(), &ops, &Options::new(LIMITS))?;
                }

                #[test]
                fn over_a_heap(ops in generate::ops(1..120)) {
                    run(Bump::<_, $config>::new_in(SystemBackend), &ops, &Options::new(LIMITS))?;
                }

                #[test]
                fn over_a_heap_that_refuses(ops in generate::ops(1..120), bits: u64) {
                    let schedule = Schedule::Pattern { bits, period: 64 };
                    let backend = Failing::new(Limited::new(SystemBackend, 4 << 20), schedule);
                    run(Bump::<_, $config>::new_in(backend), &ops, &Options::new(LIMITS).failing())?;
                }

                #[test]
                fn under_a_limit(ops in generate::ops(1..120), limit in 0_usize..1 << 20) {
                    let bump = Bump::<Pages, $config>::default();
                    bump.set_limit(Some(limit));
                    run(bump, &ops, &Options::new(LIMITS).failing())?;
                }

                #[test]
                fn in_a_buffer(ops in generate::ops(1..120), size in 0_usize..1 << 16, skew in 0_usize..64) {
                    let mut buffer = vec![MaybeUninit::uninit(); size + skew];
                    let bump = FixedBump::<$config>::over_in(&mut buffer[skew..]);
                    run(bump, &ops, &Options::new(LIMITS).failing())?;
                }
            }
        }
    )*};
}

stamp! {
    up_1: Up;
    up_8: Up<8>;
    up_4096: Up<4096>;
    down_1: Down;
    down_16: Down<16>;
    down_4096: Down<4096>;
}
