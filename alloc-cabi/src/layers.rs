//! What lies over the strategy, stacked at run time as the settings ask for it. From the strategy outwards:
//!
//! ```text
//!   strategy ── Guard ── Quota ── FaultInject ── Counting ── Traced ── dispatch
//! ```
//!
//! * `Guard` next to the strategy, whose blocks it shows to walks with the canaries between them; what it adds to a block is
//!   not the program's, and counts in no quota and no trace.
//! * `Quota` before `FaultInject`: a request that fails by schedule costs no bytes.
//! * `Counting` and `Traced` outermost: what the program asks for is counted and told, with the answer that it got.
//!
//! Each layer is a value in a static over the handle of the one below; none that was not asked for is there, and without any
//! the strategy is called as it is. The combinations of five decorators and seven strategies cost one indirect call a layer
//! and no code of their own.

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use alloc_core::os::schedule::Schedule;
use alloc_core::{Handle, SizedBlocks, SizedHandle};
use alloc_trace::{ByBlock, Counting, FaultInject, Guard, Quota, Sink, TRACER, Traced, Tracer};

use crate::place::Place;
use crate::registry::Served;
use crate::settings::{Choice, Settings, wanted};

type Below = SizedHandle<'static>;

static GUARD: Place<Guard<Below>> = Place::new();
static QUOTA: Place<Quota<Below, ByBlock>> = Place::new();
static FAULTS: Place<FaultInject<Below>> = Place::new();
static COUNTING: Place<Counting<Below>> = Place::new();
static TRACED: Place<Traced<Below, &'static Tracer>> = Place::new();
static SERVED: Place<Served> = Place::new();

/// The guard and the counters, for those who look for them; null where they are not there.
static GUARDING: AtomicPtr<Guard<Below>> = AtomicPtr::new(ptr::null_mut());
static COUNTED: AtomicPtr<Counting<Below>> = AtomicPtr::new(ptr::null_mut());

fn handle<S: SizedBlocks + Sync>(strategy: &'static S) -> Option<Below> {
    Handle::new_sized(strategy).sized()
}

fn found<T>(place: &AtomicPtr<T>) -> Option<&'static T> {
    // SAFETY: null, or a static's address, with what was written there before.
    unsafe { place.load(Ordering::Acquire).as_ref() }
}

/// Puts a value into its place and a layer of it over what is below.
///
/// # Safety
/// As for [`Place::fill`].
unsafe fn put<S: SizedBlocks + Sync>(place: &'static Place<S>, value: S) -> (&'static S, Option<Below>) {
    // SAFETY: promised by the caller.
    let layer = unsafe { place.fill(value) };
    (layer, handle(layer))
}

/// The strategy with all that the settings put over it, and whether that is anything.
///
/// # Safety
/// Called once.
pub(crate) unsafe fn over(served: &'static Served, settings: &Settings<'_>) -> (&'static Served, bool) {
    let mut top = served.handle;
    let mut any = false;
    // A layer whose handle cannot be made does not exist: every decorator here has the methods of sized blocks.
    let mut raise = |layer: Option<Below>| {
        if let Some(layer) = layer {
            (top, any) = (layer, true);
        }
        top
    };
    let mut below = raise(None);
    if let Some(guards) = settings.guards() {
        let guard = match served.choice {
            // An arena shows extents, not blocks.
            Choice::Bump => Guard::new(below),
            _ => Guard::sized(below),
        };
        let guard = guard
            .quarantine(guards.quarantine)
            .pages_every(guards.pages_every)
            .on_fault(settings.debug.on_fault.value)
            .witness(witness);
        // SAFETY: once, as the caller promises.
        let (guard, layer) = unsafe { put(&GUARD, guard) };
        GUARDING.store(ptr::from_ref(guard).cast_mut(), Ordering::Release);
        below = raise(layer);
    }
    if let Some(limit) = wanted(settings.debug.quota) {
        // SAFETY: as above.
        below = raise(unsafe { put(&QUOTA, Quota::sized(below, limit)) }.1);
    }
    if let Some(schedule) = schedule(settings) {
        // SAFETY: as above.
        below = raise(unsafe { put(&FAULTS, FaultInject::new(below, schedule)) }.1);
    }
    if settings.debug.count_calls.value {
        // SAFETY: as above.
        let (counting, layer) = unsafe { put(&COUNTING, Counting::new(below)) };
        COUNTED.store(ptr::from_ref(counting).cast_mut(), Ordering::Release);
        below = raise(layer);
    }
    if settings.traces() {
        // SAFETY: as above.
        raise(unsafe { put(&TRACED, Traced::new(below, &TRACER)) }.1);
    }
    if !any {
        return (served, false);
    }
    // SAFETY: as above.
    (unsafe { SERVED.fill(Served { choice: served.choice, handle: top }) }, true)
}

fn schedule(settings: &Settings<'_>) -> Option<Schedule> {
    let number = |wanted: usize| wanted as u64;
    match (wanted(settings.debug.fail_from), wanted(settings.debug.fail_nth)) {
        (Some(first), _) => Some(Schedule::From(number(first))),
        (None, Some(nth)) => Some(Schedule::Nth(number(nth))),
        (None, None) => None,
    }
}

/// Tells what is known of a faulty block's address, where a history is kept.
fn witness(address: usize) {
    if TRACER.history().is_on()
        && let Some(guard) = found(&GUARDING)
    {
        // A refusal of standard error loses the text, as it does the line before.
        let _ = TRACER.explain(guard, address, 2);
    }
}

/// The counters, where requests are counted.
pub(crate) fn counting() -> Option<&'static Counting<Below>> {
    found(&COUNTED)
}

/// Holds the locks of what lies over the strategy, before the strategy's own.
pub(crate) fn before_fork() {
    if let Some(guard) = found(&GUARDING) {
        guard.before_fork();
    }
}

/// Gives them back, after the strategy's own.
///
/// # Safety
/// The calling thread called [`before_fork`], once, or is its copy in the child.
pub(crate) unsafe fn after_fork() {
    if let Some(guard) = found(&GUARDING) {
        // SAFETY: promised by the caller.
        unsafe { guard.after_fork() };
    }
}
