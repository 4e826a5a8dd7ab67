//! Any bytes are a sequence of operations on a heap; the first two choose its era, its mode, and which call of its source
//! fails.

#![no_main]

use alloc_core::Inspect;
use alloc_core::backend::{Aligned, Failing, Limited, SystemBackend};
use alloc_core::os::schedule::Schedule;
use alloc_ptmalloc::{CheckLevel, Config, Era, Ptmalloc};
use alloc_testkit::ops::bytes;
use alloc_testkit::{Limits, Options, Subject, drive};
use libfuzzer_sys::fuzz_target;

/// Bytes that a run may have: alignments of a gigabyte are refused, and no input takes the machine down.
const MEMORY: usize = 256 << 20;

fuzz_target!(|data: &[u8]| {
    let [choice, failing, data @ ..] = data else { return };
    let era = [Era::Classic, Era::Modern, Era::Ours][usize::from(choice % 3)];
    let plain = Config::new(era);
    let config = match choice / 3 % 5 {
        0 => plain,
        1 => Config { tcache_bytes: 0, ..plain },
        2 => Config { check: CheckLevel::Full, ..plain },
        3 => Config { mmap_threshold: 1 << 12, ..plain },
        _ => Config { perturb: 0xa5, ..plain },
    };
    let source = Failing::new(Limited::new(Aligned::new(SystemBackend), MEMORY), Schedule::Nth(u64::from(*failing)));
    let heap = Ptmalloc::with_backend(&source, config);
    drive(Subject::sized(&heap), &bytes::from_bytes(data), &Options::new(Limits::UNLIMITED).failing()).unwrap();
    assert_eq!(heap.stats().live_blocks.get(), Some(0), "blocks are lost");
    drop(heap);
    assert_eq!((source.outstanding(), source.outstanding_bytes()), (0, 0), "spans are lost");
});
