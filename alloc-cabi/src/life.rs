//! What the loader calls: when the library is loaded, and when the process ends.

use core::alloc::Layout;

use alloc_core::{SizedBlocks, Strategy};

use crate::{boot, layers, registry, report, tracing};

/// Chooses the strategy, where no call did so before, while the process has one thread; then prepares for forks.
///
/// It runs before the constructors of all other libraries (`-z initfirst`). Handlers before a fork run in the reverse order of
/// their registration: all others run first, and may allocate, and ours lock what is whole then. Those of a library that
/// was initialised earlier still find a gate that lets the forking thread pass.
extern "C" fn begin() {
    let Some(served) = boot::bare() else { return };
    // A strategy with handlers of its own registers them with its first request.
    if let Ok(block) = served.handle.allocate(Layout::new::<[usize; 2]>()) {
        // SAFETY: allocated just now.
        unsafe { served.handle.free(block) };
    }
    // SAFETY: the three handlers may be called whenever a process forks.
    unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork)) };
}

extern "C" fn end() {
    if let Some(served) = boot::active() {
        tracing::end(&served.handle);
    }
    report::at_exit();
}

unsafe extern "C" fn before_fork() {
    layers::before_fork();
    registry::before_fork();
}

unsafe extern "C" fn after_fork() {
    registry::after_fork();
    // SAFETY: `before_fork` was called by this thread, or by the one that it is a copy of.
    unsafe { layers::after_fork() };
}

#[used]
#[cfg_attr(not(test), unsafe(link_section = ".init_array"))]
static BEGIN: extern "C" fn() = begin;

#[used]
#[cfg_attr(not(test), unsafe(link_section = ".fini_array"))]
static END: extern "C" fn() = end;
