//! How the strategy is chosen: once, by the first call of the process or by the loader, whichever comes first.

use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering};

use alloc_core::OnMisuse;
use alloc_core::errno::KeepErrno;
use alloc_core::line::Line;

use crate::registry::{self, Served};
use crate::settings::{Choice, Settings};
use crate::{environment, front, layers, report, tracing};

/// Null until the choice is made; then for good what serves the process, with all that lies over the strategy.
static ACTIVE: AtomicPtr<Served> = AtomicPtr::new(ptr::null_mut());
/// Likewise the strategy alone, an entry of the registry.
static BARE: AtomicPtr<Served> = AtomicPtr::new(ptr::null_mut());
static BEGUN: AtomicBool = AtomicBool::new(false);
static PERTURB: AtomicU8 = AtomicU8::new(0);
static CHECK: AtomicU8 = AtomicU8::new(1);
/// A fault is told, and the program goes on.
static REPORTS: AtomicBool = AtomicBool::new(false);

/// The strategy that serves the process, or `None` while it is being chosen.
#[inline]
pub(crate) fn active() -> Option<&'static Served> {
    // Acquire: what the chooser found, of the C library's functions above all, is seen by who uses it.
    let active = ACTIVE.load(Ordering::Acquire);
    if active.is_null() {
        return choose();
    }
    // SAFETY: only references to statics are stored.
    Some(unsafe { &*active })
}

/// The strategy that serves the process, without what lies over it: for what is not the program's business.
pub(crate) fn bare() -> Option<&'static Served> {
    active()?;
    // SAFETY: stored before the other, and only references to statics.
    unsafe { BARE.load(Ordering::Acquire).as_ref() }
}

/// The byte that the dispatch fills freed blocks with, and new ones with its complement; 0 for neither.
#[inline]
pub(crate) fn perturb() -> u8 {
    // Relaxed: a number of its own.
    PERTURB.load(Ordering::Relaxed)
}

/// Sets [`perturb`].
pub(crate) fn set_perturb(byte: u8) {
    // Relaxed: as above.
    PERTURB.store(byte, Ordering::Relaxed);
}

/// How much is checked: 0 to 3.
#[inline]
pub(crate) fn check() -> u8 {
    // Relaxed: a number of its own.
    CHECK.load(Ordering::Relaxed)
}

/// What follows a message about misuse.
#[cold]
pub(crate) fn on_fault() -> OnMisuse {
    // Relaxed: as above.
    if REPORTS.load(Ordering::Relaxed) { OnMisuse::Ignore } else { OnMisuse::Abort }
}

#[cold]
#[inline(never)]
fn choose() -> Option<&'static Served> {
    // Whoever comes second, be it another thread or the loader on behalf of this one, does not wait: that might be for
    // itself, or for a lock of the loader's. Relaxed: nothing is read on the strength of it.
    if BEGUN.swap(true, Ordering::Relaxed) {
        return None;
    }
    let _errno = KeepErrno::new();
    let settings = if environment::is_secure() {
        Settings::DEFAULT
    } else {
        // SAFETY: this is the first allocation of the process, or the loader, which runs before the program's own code.
        let entries = unsafe { environment::entries() };
        Settings::read(entries, &mut |problem| problem.line().emit())
    };
    // SAFETY: once, since whoever comes second returned above, and before any strategy is told of.
    unsafe { front::prepare(&settings) };
    let check = settings.check.value;
    // Relaxed: as in `check`.
    CHECK.store(check, Ordering::Relaxed);
    let then = settings.debug.on_fault.value;
    // Relaxed: as above.
    REPORTS.store(then == OnMisuse::Ignore, Ordering::Relaxed);
    let wanted = settings.strategy.value.unwrap_or(Choice::Libc);
    let served = registry::find(wanted, check, then).or_else(|| {
        Line::new()
            .text("strata: ")
            .text(wanted.name())
            .text(": not to be had in this process; going on with ")
            .text(Choice::DEFAULT.name())
            .emit();
        registry::find(Choice::DEFAULT, check, then)
    })?;
    // `ptmalloc` fills by itself, and was told so.
    let filled_here = served.choice != Choice::Ptmalloc;
    // Relaxed: as in `perturb`.
    PERTURB.store(if filled_here { settings.perturb.value } else { 0 }, Ordering::Relaxed);
    // SAFETY: once, as above.
    let (over, any) = unsafe { layers::over(served, &settings) };
    if settings.traces() {
        // What this asks for comes from the spare region still, and is in no trace.
        tracing::begin(&settings);
    }
    // Release, twice: for the Acquire in `bare` and in `active`.
    BARE.store(ptr::from_ref(served).cast_mut(), Ordering::Release);
    ACTIVE.store(ptr::from_ref(over).cast_mut(), Ordering::Release);
    // With anything over it, no call may pass it by.
    if served.choice == Choice::Ptmalloc && !any {
        // SAFETY: prepared above, and just made the process's strategy.
        unsafe { front::serve() };
    }
    report::prepare(settings.stats.value);
    if settings.verbose.value {
        report::configuration(served, &settings);
    }
    Some(served)
}
