//! Any bytes are a sequence of operations on a heap; the first one chooses its policies.

#![no_main]

use alloc_core::backend::{Failing, Limited, SystemBackend};
use alloc_core::os::schedule::Schedule;
use alloc_freelist::coalesce::{Classed, Coalesce, Deferred, Immediate};
use alloc_freelist::header::{self, Checked, Header, Keyed, Packed};
use alloc_freelist::{Config, FreeList, Unlocked, fit};
use alloc_testkit::ops::bytes;
use alloc_testkit::{Limits, Op, Options, Subject, drive};
use libfuzzer_sys::fuzz_target;

/// Bytes that a run may have: alignments of a gigabyte are refused, and no input takes the machine down.
const MEMORY: usize = 64 << 20;

/// Small zones and early wide blocks, so that short inputs meet many of both.
struct Small<F, H, C>(std::marker::PhantomData<(F, H, C)>);

impl<F: fit::Fit, H: Header, C: Coalesce> Config for Small<F, H, C> {
    type Fit = F;
    type Header = H;
    type Coalesce = C;
    const GROW: usize = 4096;
    const GROW_SHARE: usize = 0;
    const WIDE: usize = 64 << 10;
}

type Source<'a> = &'a Failing<Limited<SystemBackend>>;
type Heap<'a, F, H, C> = FreeList<Source<'a>, Small<F, H, C>, Source<'a>, Unlocked>;

/// Runs the operations over a source of which one call fails, then checks that everything adds up and goes back.
macro_rules! run {
    ($ops:expr, $failing:expr, $fit:ty, $header:ty, $coalesce:ty, $subject:ident) => {{
        let ops: &[Op] = $ops;
        let source = Failing::new(Limited::new(SystemBackend, MEMORY), Schedule::Nth(u64::from($failing)));
        let heap = Heap::<$fit, $header, $coalesce>::from_parts(&source, &source, Unlocked::new());
        drive(Subject::$subject(&heap), ops, &Options::new(Limits::UNLIMITED).failing()).unwrap();
        heap.check().unwrap();
        drop(heap);
        assert_eq!((source.outstanding(), source.outstanding_bytes()), (0, 0), "spans are lost");
    }};
}

/// The eight combinations of header and coalescing, for one fit.
macro_rules! fits {
    ($choice:expr, $ops:expr, $failing:expr, $fit:ty) => {
        match $choice {
            0 => run!($ops, $failing, $fit, header::None, Immediate, plain),
            1 => run!($ops, $failing, $fit, header::None, Deferred, plain),
            2 => run!($ops, $failing, $fit, header::Sized, Immediate, sized),
            3 => run!($ops, $failing, $fit, header::Sized, Deferred, sized),
            4 => run!($ops, $failing, $fit, Checked, Immediate, sized),
            5 => run!($ops, $failing, $fit, header::None, Classed, plain),
            6 => run!($ops, $failing, $fit, header::Sized, Classed<32768>, sized),
            _ => run!($ops, $failing, $fit, Checked<Keyed>, Deferred, sized),
        }
    };
}

fuzz_target!(|data: &[u8]| {
    let [policy, failing, data @ ..] = data else { return };
    let ops = bytes::from_bytes(data);
    let choice = policy / 4 % 8;
    // Packed blocks are for two of the fits.
    if *policy >= 224 {
        return match policy % 6 {
            0 => run!(&ops, *failing, fit::Good, Packed, Immediate, plain),
            1 => run!(&ops, *failing, fit::Good, Packed, Deferred, plain),
            2 => run!(&ops, *failing, fit::Good, Packed, Classed, plain),
            3 => run!(&ops, *failing, fit::Best, Packed, Immediate, plain),
            4 => run!(&ops, *failing, fit::Best, Packed, Deferred<256, 4096>, plain),
            _ => run!(&ops, *failing, fit::Best, Packed, Classed<32768>, plain),
        };
    }
    match policy % 4 {
        0 => fits!(choice, &ops, *failing, fit::Good),
        1 => fits!(choice, &ops, *failing, fit::First),
        2 => fits!(choice, &ops, *failing, fit::Next),
        _ => fits!(choice, &ops, *failing, fit::Best),
    }
});
