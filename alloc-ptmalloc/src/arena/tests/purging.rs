//! When memory goes back, how much of it, and that what comes again is zero where it is said to be.

use std::vec::Vec;

use alloc_core::backend::{Counting, PagesBackend};
use alloc_core::os::unix::Os;

use super::Rig;
use super::memory::{clean, fill, holds, usable};
use crate::clock;
use crate::config::{Config, Era};

const MIB: usize = 1 << 20;

type Counted = Counting<PagesBackend<Os>>;

fn rig(config: Config) -> Rig<Counted> {
    Rig::with(Counting::new(PagesBackend::new(Os)), config)
}

fn purged(rig: &Rig<Counted>) -> usize {
    rig.source.backend.counts().purged
}

/// Never due by itself: the tests say what time it is.
fn slow() -> Config {
    Config { purge_delay: u32::MAX, ..Config::new(Era::Ours) }
}

/// The time of the `n`th tick that is due under [`slow`].
fn later(n: u64) -> u64 {
    clock::now_ms() + n * u64::from(u32::MAX)
}

#[test]
fn what_is_freed_at_top_waits() {
    let rig = rig(slow());
    for bytes in [MIB - 65536, 2 * MIB, 16 * MIB] {
        let (chunk, _) = rig.dirty(bytes);
        rig.free(chunk);
        assert_eq!(purged(&rig), 0);
        let (chunk, zero) = rig.dirty(bytes);
        assert_eq!(zero, 0, "who wants it again has no faults again");
        rig.free(chunk);
    }
}

#[test]
fn top_goes_back_when_nobody_wanted_it_for_the_whole_delay() {
    let rig = rig(slow());
    rig.tick(later(1));
    let (chunk, _) = rig.dirty(20 * MIB);
    rig.free(chunk);
    assert_eq!(purged(&rig), 0, "nothing at once");
    rig.tick(later(2));
    assert_eq!(purged(&rig), 0, "it was in use since the last tick");
    rig.tick(later(3));
    let first = purged(&rig);
    let kept = rig.source.config.trim_threshold;
    assert!((20 * MIB - kept - 8192..20 * MIB).contains(&first), "{first}");
    rig.tick(later(4));
    assert_eq!(purged(&rig), first, "not twice");
    // What went is zero, and known to be; what was kept is dirty, and not called clean.
    let (again, zero) = rig.dirty(20 * MIB);
    assert_eq!(again, chunk);
    assert!(zero >= first - 8192 && zero <= first + 4096, "{zero} of {first}");
}

#[test]
fn a_hoard_at_top_does_not_wait() {
    let rig = rig(slow());
    let (chunk, _) = rig.dirty(31 * MIB);
    rig.free(chunk);
    assert_eq!(purged(&rig), 0);
    let (chunk, _) = rig.dirty(50 * MIB);
    rig.free(chunk);
    let first = purged(&rig);
    assert!((34 * MIB - 8192..=34 * MIB).contains(&first), "all but 16 MiB: {first}");
    let (chunk, zero) = rig.dirty(50 * MIB);
    assert!(zero >= first - 8192 && zero <= first + 4096, "{zero}");
    // A trim threshold beyond that is respected.
    rig.source.tunables.trim_threshold.store(52 * MIB, core::sync::atomic::Ordering::Relaxed);
    rig.free(chunk);
    assert_eq!(purged(&rig), first);
}

#[test]
fn top_that_is_wanted_again_and_again_stays() {
    let rig = rig(slow());
    let (chunk, _) = rig.dirty(8 * MIB);
    rig.free(chunk);
    for n in 1..20 {
        let (chunk, zero) = rig.dirty(8 * MIB);
        assert_eq!(zero, 0, "no faults again");
        rig.free(chunk);
        rig.tick(later(n));
    }
    assert_eq!(purged(&rig), 0);
}

#[test]
fn a_chunk_goes_back_after_the_delay_and_once() {
    let rig = rig(slow());
    let chunks = rig.apart([512 << 10; 3]);
    for chunk in chunks {
        fill(chunk, 9);
    }
    rig.free(chunks[1]);
    rig.tick(later(1));
    assert_eq!(purged(&rig), 0, "it is dated");
    rig.tick(later(2));
    let first = purged(&rig);
    assert!((512 << 10) - first <= 8192, "all whole pages: {first}");
    rig.tick(later(3));
    rig.tick(later(4));
    assert_eq!(purged(&rig), first, "not twice");
    // Its neighbours keep what they hold.
    for chunk in [chunks[0], chunks[2]] {
        assert!(holds(chunk, 0, usable(chunk), 9));
    }
    // Used in between, it is dated anew.
    let chunk = rig.allocate(512 << 10);
    assert_eq!(chunk, chunks[1]);
    rig.free(chunk);
    rig.tick(later(5));
    assert_eq!(purged(&rig), first);
    rig.tick(later(6));
    assert_eq!(purged(&rig), 2 * first);
}

#[test]
fn a_date_does_not_outlive_what_it_was_written_for() {
    let rig = rig(slow());
    let [first, second, _] = rig.apart([256 << 10; 3]);
    rig.free(first);
    rig.tick(later(1));
    // Taken and freed at the same place, with the same size, and not one byte written: the date still stands there.
    let again = rig.allocate(256 << 10);
    assert_eq!(again, first);
    rig.free(again);
    rig.tick(later(2));
    assert_eq!(purged(&rig), 0, "it came back only now");
    rig.tick(later(3));
    assert!(purged(&rig) > 0);
    let _ = second;
}

#[test]
fn small_chunks_stay_until_they_are_trimmed() {
    let rig = rig(slow());
    let chunks = rig.apart([60 << 10; 8]);
    for chunk in chunks {
        fill(chunk, 1);
        rig.free(chunk);
    }
    for n in 1..4 {
        rig.tick(later(n));
    }
    assert_eq!(purged(&rig), 0);
    let given = rig.trim(0);
    assert!(given >= 8 * (56 << 10), "{given}");
    assert_eq!(purged(&rig), given);
    assert_eq!(rig.trim(0), 0, "nothing is left to give");
}

#[test]
fn a_tick_is_due_after_the_delay() {
    let rig = rig(Config { purge_delay: 1000, ..Config::new(Era::Ours) });
    let now = clock::now_ms() + 1_000_000;
    rig.tick(now);
    let (chunk, _) = rig.dirty(20 * MIB);
    let [apart] = rig.apart([512 << 10]);
    fill(apart, 1);
    rig.free(apart);
    rig.free(chunk);
    for passed in [1, 500, 999] {
        rig.tick(now + passed);
    }
    rig.tick(now + 1000);
    rig.tick(now + 1999);
    assert_eq!(purged(&rig), 0);
    rig.tick(now + 2000);
    assert!(purged(&rig) > 0);
}

#[test]
fn without_delay_everything_goes_at_once() {
    let rig = rig(Config { purge_delay: 0, trim_threshold: 0, ..Config::new(Era::Ours) });
    let [chunk, _] = rig.apart([512 << 10; 2]);
    fill(chunk, 1);
    rig.free(chunk);
    assert!(purged(&rig) >= 504 << 10, "{}", purged(&rig));
}

#[test]
fn glibcs_eras_trim_top_beyond_the_threshold_at_once() {
    for era in [Era::Classic, Era::Modern] {
        let rig = rig(Config::new(era));
        let (small, _) = rig.dirty(100 << 10);
        rig.free(small);
        assert_eq!(purged(&rig), 0, "{era:?}: below the threshold of 128 KiB");
        let (large, _) = rig.dirty(2 * MIB);
        let grown = rig.work(|state, _| state.system_mem);
        rig.free(large);
        let (pad, now) = (rig.source.config.top_pad, rig.work(|state, _| state.system_mem));
        assert!(grown - now >= 2 * MIB - pad - 8192, "{era:?}: {grown} to {now}");
        assert!(purged(&rig) >= 2 * MIB - pad - 8192);
        rig.work(|state, _| assert!(state.top_room() >= pad && state.top_room() <= pad + 8192));
        let (again, zero) = rig.dirty(2 * MIB);
        assert_eq!(again, small);
        assert!(zero >= 2 * MIB - pad - 8192, "{era:?}: what went back is known to be zero");
    }
}

#[test]
fn trimming_keeps_the_pad_and_everything_in_use() {
    for era in super::ERAS {
        let rig = rig(Config { trim_threshold: usize::MAX, ..Config::new(era) });
        let chunks: Vec<_> = (0..200_usize).map(|i| rig.dirty(4096 + i * 256).0).collect();
        for chunk in chunks.iter().skip(1).step_by(2) {
            rig.free(*chunk);
        }
        let (top, _) = rig.dirty(4 * MIB);
        rig.free(top);
        let given = rig.trim(MIB);
        assert!(given >= 3 * MIB, "{era:?}: {given}");
        rig.work(|state, _| assert!(state.top_room() >= MIB && state.top_room() <= MIB + 8192));
        assert!(rig.trim(MIB) <= 4096 * 4, "{era:?}: once is enough");
        assert!(rig.trim(0) >= MIB - 8192, "{era:?}");
        for chunk in chunks.iter().step_by(2) {
            assert!(holds(*chunk, 0, usable(*chunk), 0xd7), "{era:?}");
        }
        // Everything comes again, and is as clean as it is said to be.
        for _ in 0..200 {
            // SAFETY: a chunk size.
            let found = rig.work(|state, source| unsafe { state.allocate(source, 30_000 / 16 * 16) });
            clean(found.expect("memory"));
        }
    }
}
