//! Little address space (`ulimit -v`), which is a process's own: each test runs itself again in one.

use std::env;
use std::process::Command;
use std::string::String;
use std::vec::Vec;

use alloc_core::backend::PagesBackend;
use alloc_core::os::unix::Os;

use super::Rig;
use super::memory::{fill, holds, usable};
use crate::chunk::Chunk;
use crate::config::{Config, Era};

const MIB: usize = 1 << 20;

/// Tells the process that runs one test alone that it is the one, in place of the test.
const CHILD: &str = "STRATA_TEST_LIMITED";

/// Runs `work` in a process whose address space is limited to `bytes`, as the test of this name.
fn limited(test: &str, bytes: usize, work: fn()) {
    if env::var_os(CHILD).is_some() {
        let limit = libc::rlimit { rlim_cur: bytes as libc::rlim_t, rlim_max: bytes as libc::rlim_t };
        // SAFETY: lowers a limit of this process, which is the test's own.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
        return work();
    }
    let program = env::current_exe().expect("a path");
    let name = std::format!("arena::tests::limits::{test}");
    let output = Command::new(program)
        .args([name.as_str(), "--exact", "--test-threads=1", "--nocapture"])
        .env(CHILD, "1")
        .env("RUST_BACKTRACE", "0")
        // The test's thread would get 64 MiB from the C library, and 2 MiB of stack.
        .env("MALLOC_ARENA_MAX", "1")
        .env("RUST_MIN_STACK", "262144")
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{}: {said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Takes chunks of `size` until there are no more, up to `most` bytes.
fn take_all(rig: &Rig<PagesBackend<Os>>, size: usize, most: usize) -> Vec<Chunk> {
    let mut held = Vec::with_capacity(most / size);
    while held.len() < held.capacity() {
        // SAFETY: a chunk size.
        let found = rig.work_unchecked(|state, source| unsafe { state.allocate(source, size) });
        let Some(found) = found else { break };
        fill(found.chunk, 5);
        held.push(found.chunk);
    }
    rig.work(|_, _| ());
    held
}

/// What can be had in chunks of 256 KiB, twice, and in a few large ones, with mappings beside them.
fn full_service(least: usize) {
    let rig = Rig::with(PagesBackend::new(Os), Config::new(Era::Ours));
    for _ in 0..2 {
        let held = take_all(&rig, 256 << 10, 128 * MIB);
        let bytes = held.len() * (256 << 10);
        assert!(bytes >= least, "{bytes} bytes in {} heaps", rig.heaps());
        for chunk in held {
            assert!(holds(chunk, 0, usable(chunk), 5));
            rig.free(chunk);
        }
    }
    assert!(!take_all(&rig, least / 4, least / 4).is_empty());
}

#[test]
fn ninety_six_mebibytes_are_used_to_the_most() {
    limited("ninety_six_mebibytes_are_used_to_the_most", 96 * MIB, || full_service(72 * MIB));
}

#[test]
fn forty_mebibytes_are_used_to_the_most() {
    limited("forty_mebibytes_are_used_to_the_most", 40 * MIB, || full_service(20 * MIB));
}

#[test]
fn sixteen_mebibytes_are_enough_to_start() {
    limited("sixteen_mebibytes_are_enough_to_start", 16 * MIB, || full_service(MIB));
}

#[test]
fn a_mapping_is_had_beside_the_heaps() {
    limited("a_mapping_is_had_beside_the_heaps", 96 * MIB, || {
        let rig = Rig::with(PagesBackend::new(Os), Config::new(Era::Ours));
        let source = &*rig.source;
        let (block, zeroed) = source.mapped.allocate(source, 8 * MIB, 16).expect("a mapping");
        assert!(zeroed);
        assert!(source.mapped.allocate(source, 64 * MIB, 16).is_none());
        // Without room to move to, a mapping grows where it is or not at all, and stays whole.
        // SAFETY: the block is the test's.
        unsafe { block.write(9) };
        // SAFETY: as above.
        assert!(unsafe { source.mapped.resize(source, block, 80 * MIB) }.is_none());
        // SAFETY: as above.
        assert_eq!(unsafe { block.read() }, 9);
        // SAFETY: as above.
        assert!(unsafe { source.mapped.free(source, block) });
        // SAFETY: nothing uses it.
        unsafe { source.mapped.release_all(source) };
    });
}
