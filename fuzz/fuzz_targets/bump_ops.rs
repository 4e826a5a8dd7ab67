//! Any bytes are a sequence of operations on an arena; the first one chooses the arena.

#![no_main]

use alloc_bump::{Bump, Config, Down, Up};
use alloc_core::backend::{Failing, Limited, SystemBackend};
use alloc_core::os::schedule::Schedule;
use alloc_testkit::ops::bytes;
use alloc_testkit::{Limits, Op, Options, Reuse, Subject, drive};
use libfuzzer_sys::fuzz_target;

/// Bytes that a run may have: alignments of a gigabyte are refused, and no input takes the machine down.
const MEMORY: usize = 64 << 20;

/// Runs the operations twice, with a reset between, over a source of which one call fails.
fn run<C: Config>(ops: &[Op], failing: u8) {
    let source = Failing::new(Limited::new(SystemBackend, MEMORY), Schedule::Nth(u64::from(failing)));
    let options = Options::new(Limits::UNLIMITED.reusing(Reuse::None)).failing();
    let mut bump = Bump::<_, C>::new_in(&source);
    for _ in 0..2 {
        drive(Subject::plain(&bump), ops, &options).unwrap();
        bump.check().unwrap();
        bump.reset();
        bump.check().unwrap();
    }
    drop(bump);
    assert_eq!((source.outstanding(), source.outstanding_bytes()), (0, 0), "spans are lost");
}

fuzz_target!(|data: &[u8]| {
    let [arena, failing, data @ ..] = data else { return };
    let ops = bytes::from_bytes(data);
    match arena % 6 {
        0 => run::<Up>(&ops, *failing),
        1 => run::<Up<8>>(&ops, *failing),
        2 => run::<Up<64>>(&ops, *failing),
        3 => run::<Down>(&ops, *failing),
        4 => run::<Down<8>>(&ops, *failing),
        _ => run::<Down<64>>(&ops, *failing),
    }
});
