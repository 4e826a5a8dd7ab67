//! The tracer of the process: when it begins and when it ends.

use alloc_core::Inspect;
use alloc_core::errno::KeepErrno;
use alloc_trace::TRACER;

use crate::settings::Settings;

/// Begins what the environment asks for. What cannot be begun is told in one line each, and the program runs without it.
pub(crate) fn begin(settings: &Settings<'_>) {
    // SAFETY: `getpid` has no conditions.
    let process = unsafe { libc::getpid() }.unsigned_abs();
    let mut wanted = alloc_trace::Settings::default();
    for (name, setting) in
        [("STRATA_TRACE", settings.trace), ("STRATA_HISTORY", settings.history), ("STRATA_MAP", settings.map)]
    {
        // With the process's number, a path may have become too long: no other value is here that cannot be read.
        if let Err(misread) = wanted.set(name.as_bytes(), setting.value, process) {
            alloc_core::line::Line::new().text("strata: ").text(name).text(" ").text(misread.as_str()).emit();
        }
    }
    alloc_trace::look::hide_own_frames();
    TRACER.start(&wanted);
}

/// Ends the trace, writes its reports, and draws the map, where that was asked for. A second time there is nothing to end.
pub(crate) fn end(heap: &dyn Inspect) {
    let _errno = KeepErrno::new();
    TRACER.finish(heap);
}

/// For `_exit`: ends the trace and writes its reports, where that can be done.
pub(crate) fn end_in_a_hurry() {
    TRACER.finish_in_a_hurry();
}
