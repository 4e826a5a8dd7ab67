//! What the library says of its own: the configuration when it starts, and figures when the program ends.

use core::cell::UnsafeCell;
use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU8, Ordering};

use alloc_core::OnMisuse;
use alloc_core::errno::KeepErrno;
use alloc_core::line::Line;
use alloc_trace::out;

use crate::registry::Served;
use crate::settings::{Choice, Origin, Setting, Settings, StatsTo};
use crate::text::Text;
use crate::{boot, figures};

const NOWHERE: u8 = 0;
const TABLE: u8 = 1;
const JSON: u8 = 2;
const FILE: u8 = 3;

static WHERE: AtomicU8 = AtomicU8::new(NOWHERE);

/// A copy of the path, since the program may change its environment. Written once, before the program runs.
struct Path(UnsafeCell<[MaybeUninit<u8>; PATH_BYTES]>);

/// The longest path that Linux takes, its end included.
const PATH_BYTES: usize = libc::PATH_MAX as usize;

// SAFETY: written by `prepare` before `WHERE` says that there is a path, and read after that only.
unsafe impl Sync for Path {}

static PATH: Path = Path(UnsafeCell::new([MaybeUninit::uninit(); PATH_BYTES]));

/// Remembers where figures are to go when the program ends.
pub(crate) fn prepare(to: StatsTo<'_>) {
    let place = match to {
        StatsTo::Nowhere => NOWHERE,
        StatsTo::Text => TABLE,
        StatsTo::Json => JSON,
        StatsTo::File(path) => {
            if path.len() >= PATH_BYTES {
                Line::new().text("strata: STRATA_STATS: the path is too long").emit();
                return;
            }
            let start: *mut u8 = PATH.0.get().cast();
            // SAFETY: the path fits, and nobody reads the place before `WHERE` is stored.
            unsafe { start.copy_from_nonoverlapping(path.as_ptr(), path.len()) };
            // SAFETY: the path is shorter than the place.
            let end = unsafe { start.add(path.len()) };
            // SAFETY: as above.
            unsafe { end.write(0) };
            FILE
        }
    };
    // Release: for the Acquire in `at_exit`.
    WHERE.store(place, Ordering::Release);
}

/// One line for each setting that somebody set, and one for the strategy.
pub(crate) fn configuration(served: &Served, settings: &Settings<'_>) {
    let strategy = Line::new().text("strata: strategy = ").text(served.choice.name());
    from(strategy, &settings.strategy).emit();
    from(number("check", u64::from(settings.check.value)), &settings.check).emit();
    from(number("perturb", u64::from(settings.perturb.value)), &settings.perturb).emit();
    if served.choice == Choice::Ptmalloc {
        let era = &settings.tuning.era;
        from(Line::new().text("strata: era = ").text(era.value.name()), era).emit();
    }
    for (key, setting) in settings.tuning.each() {
        if let Some(value) = setting.value {
            let line = from(number(key, value as u64), &setting);
            let line = match served.choice {
                Choice::Ptmalloc => line,
                other => line.text(", not used by ").text(other.name()),
            };
            line.emit();
        }
    }
    debugging(settings);
}

/// Likewise for what lies over the strategy.
fn debugging(settings: &Settings<'_>) {
    let set = |from: Origin| from != Origin::Default;
    for (key, setting) in settings.debug.switches() {
        if set(setting.from) {
            from(number(key, u64::from(setting.value)), &setting).emit();
        }
    }
    for (key, setting) in settings.debug.numbers() {
        if let Some(value) = setting.value {
            from(number(key, value as u64), &setting).emit();
        }
    }
    let then = &settings.debug.on_fault;
    if set(then.from) {
        let name = if then.value == OnMisuse::Abort { "abort" } else { "report" };
        from(Line::new().text("strata: on_fault = ").text(name), then).emit();
    }
    for (name, setting) in
        [("trace", &settings.trace), ("history", &settings.history), ("map", &settings.map)]
    {
        if set(setting.from) {
            let value = core::str::from_utf8(setting.value).unwrap_or("?");
            from(Line::new().text("strata: ").text(name).text(" = ").text(value), setting).emit();
        }
    }
}

fn number(key: &str, value: u64) -> Line {
    Line::new().text("strata: ").text(key).text(" = ").decimal(value)
}

fn from<T>(line: Line, setting: &Setting<T>) -> Line {
    line.text(" (").text(setting.from.name()).text(")")
}

/// Writes the figures, where the user asked for them.
pub(crate) fn at_exit() {
    let _errno = KeepErrno::new();
    // Acquire: the path is there.
    let place = WHERE.load(Ordering::Acquire);
    if place == NOWHERE {
        return;
    }
    let Some(served) = boot::active() else { return };
    let write = |descriptor: c_int| {
        let mut written = Ok(());
        let mut sink = |bytes: &[u8]| written = written.and_then(|()| out::write_all(descriptor, bytes));
        let mut text = Text::new(&mut sink);
        if place == TABLE {
            figures::table(&mut text, served);
        } else {
            figures::json(&mut text, served);
        }
        drop(text);
        written
    };
    if place != FILE {
        // Standard error that takes nothing takes no complaint either.
        let _ = write(2);
        return;
    }
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
    // SAFETY: the path ends with a zero byte, as `prepare` wrote it.
    let file = unsafe { libc::open(PATH.0.get().cast(), flags, 0o644) };
    if file < 0 {
        Line::new().text("strata: STRATA_STATS: the file cannot be opened for writing").emit();
        return;
    }
    if let Err(refused) = write(file) {
        Line::new()
            .text("strata: STRATA_STATS: the file cannot be written: ")
            .text(out::reason(refused.0))
            .emit();
    }
    // SAFETY: opened above.
    unsafe { libc::close(file) };
}
