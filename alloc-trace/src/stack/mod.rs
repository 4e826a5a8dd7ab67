//! Which calls led here.
//!
//! | file | answers |
//! |---|---|
//! | `maps`, `bounds` | how far the thread's stack may be read |
//! | `rule`, `cfi` | how to get from one frame to its caller's |
//! | `module` | where a module's unwind tables are |
//! | `rules` | what was looked up before |
//! | `intern` | stacks as numbers |
//! | `walk` | the walk that looks only at what changed |
//!
//! Code without frame pointers is walked by its unwind tables, code without tables by its frame pointers. A walk that
//! gets lost ends there, and shows the frames up to that point.

mod bounds;
mod cfi;
mod intern;
mod maps;
mod module;
mod rule;
mod rules;
mod walk;

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

pub use intern::StackId;
pub(crate) use intern::{NODES, Place, Tree};
pub(crate) use module::Modules;
pub(crate) use walk::Walker;

use alloc_core::sync;

use crate::own::{Mapped, Zeroed};
use crate::thread::Thread;
use rules::Rules;

/// Frames that a log record or a report of misuse shows.
pub(crate) const SHOWN_FRAMES: usize = 128;

/// What all threads share. Valid when all bytes are zero.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) rules: Rules,
    pub(crate) modules: Modules,
    pub(crate) tree: Tree,
}

// SAFETY: all parts are valid as zeros, have no destructors, and are `Sync`.
unsafe impl Zeroed for Tables {}

static TABLES: AtomicPtr<Tables> = AtomicPtr::new(ptr::null_mut());

/// The tables, where there is memory for them. The first call may allocate within the C library: make it behind the
/// re-entrancy guard, or before tracing is on.
pub(crate) fn tables() -> Option<&'static Tables> {
    // Acquire: pairs with the Release below.
    let tables = TABLES.load(Ordering::Acquire);
    // SAFETY: null, or tables that are never given back.
    match unsafe { tables.as_ref() } {
        Some(tables) => Some(tables),
        None => make_tables(),
    }
}

#[cold]
fn make_tables() -> Option<&'static Tables> {
    module::prepare();
    let mine = Mapped::<Tables>::new(1)?;
    let place = ptr::from_ref(mine.first()?).cast_mut();
    match TABLES.compare_exchange(ptr::null_mut(), place, Ordering::Release, Ordering::Acquire) {
        Ok(_) => mine.leak().first(),
        // SAFETY: another thread's tables, never given back.
        Err(first) => unsafe { first.as_ref() },
    }
}

/// The calling thread's stack, from the caller of the function that this is inlined into outwards. `thread` is its own record.
#[inline(always)]
pub(crate) fn of(thread: &Thread) -> StackId {
    match tables() {
        Some(tables) => thread.walker.capture(tables),
        None => StackId(0),
    }
}

/// The return addresses of a stack, from the innermost frame outwards. Nothing for a number that is no stack.
pub fn frames(stack: StackId) -> impl Iterator<Item = usize> {
    tables().into_iter().flat_map(move |tables| tables.tree.addresses(stack))
}

pub(crate) fn after_fork() {
    // SAFETY: null, or tables that are never given back.
    if let Some(tables) = unsafe { TABLES.load(Ordering::Acquire).as_ref() } {
        tables.modules.after_fork();
    }
}
