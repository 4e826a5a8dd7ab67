//! The tracer of a process, as the environment asks for it: one sink in front of all modes, for programs that choose at
//! run time, and for the C library.
//!
//! ```
//! use alloc_core::{Handle, Strategy};
//! use alloc_trace::{Settings, TRACER, Traced};
//!
//! let mut settings = Settings::default();
//! settings.set(b"STRATA_HISTORY", b"1000", std::process::id())?;
//! // Each line that went wrong was written to standard error; the program runs on.
//! TRACER.start(&settings);
//! let heap = Traced::new(Handle::libc(), &TRACER);
//! assert!(heap.allocate(std::alloc::Layout::new::<u64>()).is_ok());
//! TRACER.finish(&heap);
//! # Ok::<(), alloc_trace::Misread>(())
//! ```

use core::ffi::c_int;
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use alloc_core::sync::Mutex;
use alloc_core::{Inspect, OnMisuse};

use crate::event::{Event, Moment, Place};
use crate::look::{self, Colour};
use crate::out::{self, FdText, Refused};
use crate::settings::{Mode, Settings, Target, Trace};
use crate::sink::counts::COUNTS;
use crate::sink::exact::EXACT;
use crate::sink::{History, Log, Sink};
use crate::slot;
use crate::switch::{self, Word};
use crate::thread::{self, Thread};

const LOG: u32 = 1;
const EXACTLY: u32 = 2;
const COUNTED: u32 = 4;
const REMEMBERED: u32 = 8;
/// Beside [`COUNTED`]: samples alone.
const SAMPLED: u32 = 16;
const SAMPLES: u32 = COUNTED | SAMPLED;

/// All modes behind one switch. [`TRACER`] is the only one.
#[derive(Debug)]
pub struct Tracer {
    /// Which modes are on, one bit for each.
    on: Word,
    log: Log,
    log_fd: AtomicI32,
    leaks_fd: AtomicI32,
    history: History,
    map: Mutex<Option<Target>>,
    /// The process that traces.
    process: AtomicI32,
    /// The handler for forks is registered.
    watched: AtomicBool,
}

/// The tracer of this process.
pub static TRACER: Tracer = Tracer {
    on: Word::new(),
    log: Log::new(),
    log_fd: AtomicI32::new(-1),
    leaks_fd: AtomicI32::new(-1),
    history: History::new(),
    map: Mutex::new(None),
    process: AtomicI32::new(0),
    watched: AtomicBool::new(false),
};

/// A name for messages.
fn name(target: &Target) -> &str {
    match target {
        Target::Fd(_) => "the descriptor",
        Target::Path(path) => core::str::from_utf8(path.as_bytes()).unwrap_or("the file"),
    }
}

fn open(target: &Target) -> Result<c_int, Refused> {
    match target {
        Target::Fd(fd) => out::duplicate(*fd),
        Target::Path(path) => out::create(path.as_c_str()),
    }
}

impl Tracer {
    /// Begins what the settings ask for. What cannot be begun is told in one line on standard error each; the rest is on.
    /// Call it once, early, while no other thread allocates, and never from within an allocation.
    ///
    /// From then on, the children of forks are looked after by themselves
    /// ([`after_fork_in_child`](Self::after_fork_in_child)).
    pub fn start(&self, settings: &Settings) {
        self.watch_forks();
        let mut on = 0;
        if settings.history > 0 {
            if self.history.start(settings.history) {
                on |= REMEMBERED;
            } else {
                out::complain(
                    "cannot keep",
                    "a history",
                    Refused(libc::ENOMEM),
                    "; the program runs without",
                );
            }
        }
        if let Some(trace) = &settings.trace {
            match self.start_trace(trace) {
                Ok(bit) => on |= bit,
                Err(refused) => out::complain(
                    "cannot write to",
                    name(&trace.target),
                    refused,
                    "; the program runs untraced",
                ),
            }
        }
        *self.map.lock() = settings.map;
        // SAFETY: `getpid` has no conditions.
        self.process.store(unsafe { libc::getpid() }, Ordering::Relaxed);
        self.on.set(on);
    }

    fn watch_forks(&self) {
        extern "C" fn in_child() {
            TRACER.after_fork_in_child();
        }
        if !self.watched.swap(true, Ordering::Relaxed) {
            // Without memory for it, a child that forks must be told of by hand.
            // SAFETY: a handler that lives as long as the process, and does only what the only thread of a child may.
            unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        }
    }

    fn start_trace(&self, trace: &Trace) -> Result<u32, Refused> {
        let fd = open(&trace.target)?;
        let started = match trace.mode {
            Mode::Exact => EXACT.start(fd).map(|()| EXACTLY),
            Mode::Aggregate => COUNTS.start(fd, 0).map(|()| COUNTED),
            Mode::Sampled => COUNTS.start(fd, trace.rate).map(|()| SAMPLES),
            Mode::Log => self.log.start(fd, trace.frames).map(|()| {
                self.log_fd.store(fd, Ordering::Relaxed);
                LOG
            }),
            Mode::Leaks => COUNTS.start_unwritten(trace.rate).map(|()| {
                self.leaks_fd.store(fd, Ordering::Relaxed);
                if trace.rate == 0 { COUNTED } else { SAMPLES }
            }),
        };
        started.inspect_err(|_| out::close(fd))
    }

    /// Ends all modes, when the program does: writes what is pending, and draws `heap`'s map where one was asked for.
    pub fn finish(&self, heap: &dyn Inspect) {
        self.finish_files();
        let map = self.map.lock().take();
        if let Some(target) = map
            && let Err(refused) = draw(heap, &target)
        {
            out::complain("cannot draw the map to", name(&target), refused, "");
        }
    }

    /// For `_exit`, which may be called anywhere: ends all modes that write to files, without the heap's map, for which the heap's
    /// locks would be taken. Nothing is done
    ///
    /// * in another process, which a trace is not for: the child of a `fork` or `vfork`, however it was made;
    /// * from a signal handler that interrupted the tracer on its own thread, whose locks would never become free.
    ///
    /// Other threads that are within the tracer leave it by themselves.
    pub fn finish_in_a_hurry(&self) {
        // In a child that shares its parent's memory, nothing is written before this is known.
        if self.on.acquire() == 0
            // SAFETY: `getpid` has no conditions.
            || self.process.load(Ordering::Relaxed) != unsafe { libc::getpid() }
            || thread::is_inside()
        {
            return;
        }
        self.finish_files();
    }

    fn finish_files(&self) {
        let on = self.on.set(0);
        if on & EXACTLY != 0 {
            EXACT.stop();
        }
        if on & COUNTED != 0 {
            COUNTS.stop();
            self.write_leaks();
        }
        if on & LOG != 0 {
            self.log.stop();
            out::close(self.log_fd.swap(-1, Ordering::Relaxed));
        }
    }

    /// The leak report, where one was asked for.
    fn write_leaks(&self) {
        let fd = self.leaks_fd.swap(-1, Ordering::Relaxed);
        if fd < 0 {
            return;
        }
        if let Err(refused) = told(fd, |text| look::leaks(&COUNTS, text)) {
            out::complain("cannot write", "the leak report", refused, "");
        }
        out::close(fd);
    }

    /// The events that are remembered.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Tells all that is known of an address on a descriptor: see [`look::explain`].
    ///
    /// # Errors
    /// When the descriptor does not take the text.
    pub fn explain(&self, heap: &dyn Inspect, address: usize, fd: c_int) -> Result<(), Refused> {
        told(fd, |text| look::explain(heap, address, Some(&self.history), Colour::Never, text))
    }

    /// Tells the events that are remembered, about one address or all, on a descriptor: see [`look::events`].
    ///
    /// # Errors
    /// When the descriptor does not take the text, or no history is kept.
    pub fn tell_history(&self, address: Option<usize>, fd: c_int) -> Result<(), Refused> {
        if !self.history.is_on() {
            return Err(Refused(libc::ENODATA));
        }
        told(fd, |text| look::events(&self.history, address, text))
    }

    /// Tells what is live by stack on a descriptor: see [`look::leaks`].
    ///
    /// # Errors
    /// When the descriptor does not take the text, or no mode counts by stack (aggregate, sampled, leaks).
    pub fn tell_leaks(&self, fd: c_int) -> Result<(), Refused> {
        if self.on.acquire() & COUNTED == 0 {
            return Err(Refused(libc::ENODATA));
        }
        told(fd, |text| look::leaks(&COUNTS, text))
    }

    /// To be called in the child after `fork`, before it allocates: traces to files stay the parent's, the history goes on.
    /// Harmless where it was called before.
    pub fn after_fork_in_child(&self) {
        crate::after_fork_in_child();
        self.log.after_fork(false);
        for fd in [&self.log_fd, &self.leaks_fd] {
            let fd = fd.swap(-1, Ordering::Relaxed);
            if fd >= 0 {
                out::close(fd);
            }
        }
        // SAFETY: the caller is the child's only thread; the lock protects a plain value.
        unsafe { self.map.reset_after_fork() };
        *self.map.lock() = None;
        self.on.set(self.on.acquire() & REMEMBERED);
    }

    /// For callers without a [`Traced`](crate::Traced): a block of `size` bytes was handed out. `align` 0: not told.
    #[inline]
    pub fn allocated(&self, address: usize, size: usize, align: usize) {
        if self.wants_alloc(size) {
            self.tell(Event::Alloc(Place { address, size, align }));
        }
    }

    /// Likewise: the block at `address` is about to be given back. To be told before the strategy gets it.
    #[inline]
    pub fn freed(&self, address: usize) {
        if self.wants_free(address) {
            self.tell(Event::Free(Place::bare(address)));
        }
    }

    /// Likewise: the block at `address` is about to be resized. To be told before the strategy is asked; what it answers
    /// goes to [`resized`](Self::resized), or to [`refused_resize`](Self::refused_resize).
    #[inline]
    pub fn resizing(&self, address: usize) -> Moment {
        if self.wants_free(address) && !thread::is_inside() {
            return self.leaving(address);
        }
        Moment(0)
    }

    /// Likewise: a block was resized.
    #[inline]
    pub fn resized(&self, old: usize, address: usize, size: usize, align: usize, before: Moment) {
        if self.is_on() && (self.wants_alloc(size) | self.wants_free(old) | (before != Moment(0))) {
            self.tell(Event::Resize { old: Place::bare(old), new: Place { address, size, align }, before });
        }
    }

    /// Likewise: a request for a block failed.
    #[inline]
    pub fn refused(&self, size: usize, align: usize) {
        if self.is_on() {
            self.tell(Event::Refused { size, align, kept: None });
        }
    }

    /// Likewise: a resize failed, and the block at `old` stays.
    #[inline]
    pub fn refused_resize(&self, old: usize, size: usize, align: usize, before: Moment) {
        if self.is_on() {
            self.tell(Event::Refused { size, align, kept: Some((old, before)) });
        }
    }

    #[cold]
    #[inline(never)]
    fn tell(&self, event: Event) {
        if let Some(thread) = thread::enter() {
            self.record(&thread, event);
        }
    }
}

/// The forms of a heap's map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines for a terminal.
    Text,
    /// A picture.
    Svg,
    /// A page of its own.
    Html,
}

/// Draws a heap's map on a descriptor.
///
/// # Errors
/// When the descriptor does not take it.
pub fn draw_on(heap: &dyn Inspect, form: Form, fd: c_int) -> Result<(), Refused> {
    told(fd, |text| match form {
        Form::Text => look::terminal(heap, Colour::Never, text).map(drop),
        Form::Svg => look::svg(heap, text).map(drop),
        Form::Html => look::html(heap, text).map(drop),
    })
}

/// Draws a heap's map, in the form that the target's name asks for.
///
/// # Errors
/// When the target cannot be written to.
pub fn draw(heap: &dyn Inspect, target: &Target) -> Result<(), Refused> {
    let fd = open(target)?;
    let form = if target.ends_with(".html") {
        Form::Html
    } else if target.ends_with(".svg") {
        Form::Svg
    } else {
        Form::Text
    };
    let drawn = draw_on(heap, form, fd);
    out::close(fd);
    drawn
}

/// Writes text to a descriptor, with the thread inside of the tracer.
fn told(fd: c_int, tell: impl FnOnce(&mut FdText) -> core::fmt::Result) -> Result<(), Refused> {
    let _guard = thread::enter();
    let mut text = FdText::new(fd);
    // A refusal of the descriptor is kept by the text, and told by its flush.
    let _ = tell(&mut text);
    text.flush()
}

/// Samples, which most ask for that leave a tracer on, are to find their way first.
#[cold]
#[inline]
fn is_on_otherwise(on: u32) -> bool {
    on != 0
}

// SAFETY: it passes events on to sinks that keep the same promises.
//
// `TRACER` is the only one: where a program asks whether it is on, its address need not be read from the `Traced` first.
unsafe impl Sink for Tracer {
    #[inline(always)]
    fn may_be_on(&self) -> bool {
        switch::is_any_on()
    }

    #[inline(always)]
    fn is_on(&self) -> bool {
        TRACER.on.get() != 0
    }

    fn leaving(&self, address: usize) -> Moment {
        // Of the modes that want to know, one at most is on.
        match self.on.acquire() & !(REMEMBERED | SAMPLED) {
            EXACTLY => EXACT.leaving(address),
            COUNTED => COUNTS.leaving(address),
            LOG if self.log.is_on() => self.log.leaving(address),
            _ => Moment(0),
        }
    }

    #[inline(always)]
    fn wants_alloc(&self, size: usize) -> bool {
        let on = TRACER.on.get();
        if on == SAMPLES { slot::passes(size) } else { is_on_otherwise(on) }
    }

    #[inline(always)]
    fn wants_free(&self, address: usize) -> bool {
        let on = TRACER.on.get();
        if on == SAMPLES { COUNTS.may_hold(address) } else { is_on_otherwise(on) }
    }

    #[inline(always)]
    fn record(&self, thread: &Thread, event: Event) {
        // Pairs with `start`.
        match TRACER.on.acquire() {
            EXACTLY => EXACT.record(thread, event),
            // In registers, so that an exact trace's events need not lie in memory.
            on => match event {
                Event::Alloc(Place { address, size, align }) => {
                    TRACER.allocated_in(on, thread, address, size, align);
                }
                Event::Free(Place { address, size, align }) => {
                    TRACER.freed_in(on, thread, address, size, align);
                }
                event => TRACER.record_in(on, thread, event),
            },
        }
    }
}

impl Tracer {
    #[inline(never)]
    fn allocated_in(&self, on: u32, thread: &Thread, address: usize, size: usize, align: usize) {
        self.record_in(on, thread, Event::Alloc(Place { address, size, align }));
    }

    #[inline(never)]
    fn freed_in(&self, on: u32, thread: &Thread, address: usize, size: usize, align: usize) {
        self.record_in(on, thread, Event::Free(Place { address, size, align }));
    }

    #[inline(never)]
    fn record_in(&self, on: u32, thread: &Thread, event: Event) {
        if on & REMEMBERED != 0 {
            self.history.record(thread, event);
        }
        if on & LOG != 0 && self.log.is_on() {
            self.log.record(thread, event);
        }
        if on & EXACTLY != 0 {
            EXACT.record(thread, event);
        }
        if on & COUNTED != 0 {
            // With a history beside it, nobody has asked the countdown yet.
            let passed = match event {
                Event::Alloc(place) | Event::Resize { new: place, .. }
                    if on & SAMPLED != 0 && on != SAMPLES =>
                {
                    slot::passes(place.size)
                }
                _ => true,
            };
            if passed || !matches!(event, Event::Alloc(_)) {
                COUNTS.record(thread, event);
            }
        }
    }
}

/// What follows a message about misuse, from the text of a setting: `abort`, or `report` to go on.
#[must_use]
pub fn on_misuse(text: &[u8]) -> Option<OnMisuse> {
    match text {
        b"abort" => Some(OnMisuse::Abort),
        b"report" => Some(OnMisuse::Ignore),
        _ => None,
    }
}
