//! The suite that every strategy passes, in every era and mode.

use alloc_core::backend::{Aligned, Limited, PagesBackend, SystemBackend};
use alloc_core::os::unix::Os;
use alloc_ptmalloc::{CheckLevel, Config, Era, Ptmalloc};
use alloc_testkit::{Limits, conformance};

use crate::support::bare;

const TOTAL: usize = 4 << 20;

type Small = Ptmalloc<Limited<PagesBackend<Os>>>;

/// A heap that has so much address space at most. Its threshold stays, or the same blocks would be sought first in
/// mappings and then in the arena, of which less fit.
fn limited(config: Config) -> Small {
    let config = Config { dynamic_threshold: false, ..config };
    Ptmalloc::with_backend(Limited::new(PagesBackend::new(Os), TOTAL), config)
}

fn checked(era: Era, check: CheckLevel) -> Config {
    Config { check, ..Config::new(era) }
}

conformance! {
    ours: Ptmalloc::new(Config::new(Era::Ours)), sized, sync;
    classic: Ptmalloc::new(Config::new(Era::Classic)), sized, sync;
    modern: Ptmalloc::new(Config::new(Era::Modern)), sized, sync;
    ours_bare: Ptmalloc::new(bare(Era::Ours)), sized, sync;
    classic_bare: Ptmalloc::new(bare(Era::Classic)), sized, sync;
    modern_bare: Ptmalloc::new(bare(Era::Modern)), sized, sync;
    ours_checked: Ptmalloc::new(checked(Era::Ours, CheckLevel::Hardened)), sized, sync;
    classic_checked: Ptmalloc::new(checked(Era::Classic, CheckLevel::Hardened)), sized, sync;
    modern_walked: Ptmalloc::new(checked(Era::Modern, CheckLevel::Full)), sized;
    perturbed: Ptmalloc::new(Config { perturb: 0x5a, ..Config::default() }), sized, sync;
    one_arena: Ptmalloc::new(Config { arena_max: 1, ..Config::default() }), sized, sync;
    unmapped: Ptmalloc::new(Config { n_mmaps_max: 0, ..Config::default() }), sized,
        limits = Limits::UNLIMITED.serving(32 << 20);
    dirty: Ptmalloc::with_backend(Aligned::new(SystemBackend), Config::default()), sized, sync,
        limits = Limits::UNLIMITED.serving(1 << 30);
    small_ours: limited(Config::new(Era::Ours)), sized, limits = Limits::bytes(TOTAL).serving(TOTAL / 8), exhaustible;
    small_classic: limited(Config::new(Era::Classic)), sized, limits = Limits::bytes(TOTAL).serving(TOTAL / 8), exhaustible;
}
