//! Sources that fail, misalign, and never give two spans that touch.

use alloc_core::backend::{Aligned, Backend, PagesBackend, SystemBackend};
use alloc_core::os::unix::Os;
use alloc_ptmalloc::{Config, Era, Ptmalloc};
use alloc_testkit::fault::{Poisoning, sweep};
use alloc_testkit::ops::generate;
use alloc_testkit::{Limits, Options, Subject, drive};

use crate::support::bare;

const ERAS: [Era; 3] = [Era::Classic, Era::Modern, Era::Ours];

fn options() -> Options {
    Options { max_request: 1 << 20, ..Options::new(Limits::UNLIMITED.serving(1 << 20)) }
}

#[test]
fn every_call_of_the_source_fails_once() {
    let ops = generate::sample(0x97a1, 500);
    for era in ERAS {
        for config in [
            Config { mmap_threshold: 128 << 10, ..Config::new(era) },
            Config { mmap_threshold: 128 << 10, ..bare(era) },
            Config { mmap_threshold: 1 << 10, ..Config::new(era) },
        ] {
            let swept = sweep(
                &ops,
                &options(),
                || PagesBackend::new(Os),
                |backend, run| run(Subject::sized(&Ptmalloc::with_backend(backend, config))),
            );
            let swept = swept.expect("failures are survived");
            assert!(swept.calls > 2 && swept.failing.failures > 0, "{config:?}: {swept:?}");
        }
    }
}

/// Over memory that does not read as zero, and reads as something else again after it is given back.
#[test]
fn nothing_is_taken_for_zero_that_is_not() {
    fn run<B: Backend + Send + Sync>(backend: B, config: Config) {
        let heap = Ptmalloc::with_backend(backend, config);
        let ops = generate::sample(0x0de5, 2000);
        let report = drive(Subject::sized(&heap), &ops, &options()).expect("no breach");
        assert!(report.allocated > 100);
    }
    for era in ERAS {
        run(Aligned::new(SystemBackend), Config::new(era));
        run(Poisoning::new(PagesBackend::new(Os)), Config::new(era));
    }
}
